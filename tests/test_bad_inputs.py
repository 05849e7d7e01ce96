"""Bad inputs, one a line, each with the sentence that it gets; "..." is what Python, numpy, torch or YAML say of it."""

import re
import sys
import zipfile
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import TINY, arrays, in_a_cell

from alkit import profiles
from alkit.commands import main
from alkit.commands.kernels import Kernels
from alkit.data import Dataset, Images, split
from alkit.loading import load
from alkit.profiles import ParameterError, load_study, open_study
from alkit.recipe import Recipe
from alkit.records import digest_of
from alkit.runs import run_all
from alkit.samplers import SAMPLERS, Pool, highest, sample
from alkit.search import best, search
from alkit.study import EXPERIMENTS
from alkit.training import choose_device, fit, predict_proba


@cache
def study():
    return load_study(str(TINY))


@cache
def digits():
    return load("digits")


@pytest.fixture(autouse=True)
def quick(monkeypatch, tmp_path):
    """In an empty folder, without what takes time: to read digits again, wait for a database, start kernels."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(profiles, "load", lambda source: digits() if source == "digits" else load(source))
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setattr(Kernels, "prepare", lambda cores: None)


# How an input is given: each function takes what stands in a table below.

IMAGES, TIMES, ROWS = arrays()["x_train"], np.arange(12) % 3, np.ones((12, 4))
NAMED = np.zeros(12, [("größe", "u1"), ("w", "u1")])
SLAVIC = np.zeros(12, [("šířka", "u1")])  # such names take the third version of numpy's format
LABELS = {"y_train": TIMES, "y_test": TIMES, "shape": (8, 8, 1), "name": "S", "class_names": [*"abc"], "known_as": "01"}
OWN = TINY.read_text(encoding="utf-8").replace("profile: tiny", "profile: own")
TENTHS = Pool(np.full((10, 10), 0.1))
PARTS = [Images(given[..., None], labels) for given, labels in ((IMAGES, TIMES), (IMAGES[:3], TIMES[:3]))]
SMALL = Dataset("small", ("ant", "bee", "cat"), *PARTS)
UNEVEN = replace(SMALL, train=Images(PARTS[0].images, np.array([1, 1, 1, 1, 0, 2, 0, 2, 0, 1, 2, 0])))


def of_data(changes):
    np.savez("mine.npz", **arrays(**changes))
    load("mine.npz")


def of_labels(changes):
    """What the kit publishes: labels without images."""
    np.savez("mine.npz", **LABELS | changes)
    load("mine.npz")


def of_archive(damage, save=np.savez):
    save("mine.npz", **arrays())
    Path("mine.npz").write_bytes(damage(Path("mine.npz").read_bytes()))
    load("mine.npz")


def of_member(name, content):
    """A file with a member more, which follows all others."""
    np.savez("mine.npz", **arrays())
    with zipfile.ZipFile("mine.npz", "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    load("mine.npz")


def of_source(source):
    Path("table.csv").touch()
    load(source)


def of_profile(content):
    """The content of a file, or a good one with (what, by what) replaced, or with a text at its end."""
    if isinstance(content, tuple):
        assert OWN.count(content[0]) == 1
        content = OWN.replace(*content).encode()
    Path("own.yaml").write_bytes(content if isinstance(content, bytes) else (OWN + content).encode())
    open_study("own.yaml")


def of_search(options):
    given = study() if "replay" not in options else load_study("replay", seeds=[9])
    options = {name: value for name, value in options.items() if name != "replay"}
    search(given, **{"experiment": "original_label", "seed": 9} | options)


def of_training(images, labels, **options):
    return fit(Images(images, labels), Recipe(epochs=1, width=4), 0, "cpu", **options)


def of_prediction(given):
    predict_proba(of_training(IMAGES[..., None], TIMES), given)


def of_names(n):
    """Two strategies of one name, made by a function."""
    study().results(tuple(in_a_cell(f"def mine(*_): return {k}").mine for k in range(n)))


def of_records(place):
    Path("a_file").touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALKIT_RECORDS", str(Path(place).absolute()))
        study().run("original_label", 0)


class RefusedError(Exception):
    """What a command says before it ends with status 2."""


def of_command(line):
    Path("table.csv").touch()
    Path("folder.yaml").mkdir()
    Path("own.yaml").write_text(OWN)
    Path("bare.yaml").write_text(OWN.replace("own", "bare").replace("data: digits\n", ""))
    Path("few.yaml").write_text(OWN.replace("own", "few").replace(": 60", ": 2"))
    labels = np.arange(40) % 2
    np.savez("two.npz", x_train=np.zeros((40, 8, 8), "u1"), y_train=labels, x_test=IMAGES, y_test=labels[:12])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("alkit.commands.pages.NOTEBOOKS", Path("notebooks").absolute())  # what is not refused may write
        try:
            status = main(line.split())
        except SystemExit as end:  # of argparse, which shows the usage first
            status = end.code
    assert status == 2
    assert not list(Path().rglob("*.html"))
    said = sys.stderr.getvalue().splitlines()
    assert len(said) == 1 or ": error: " in said[-1]
    raise RefusedError(said[-1])


def one_array(archive):
    np.save("one.npy", IMAGES)
    return Path("one.npy").read_bytes()


def flipped(archive):
    """A damaged stretch inside the first image array, past all headers."""
    return archive[:400] + bytes(byte ^ 0xFF for byte in archive[400:440]) + archive[440:]


def encrypted(archive):
    """All members marked as such, where they are and in the directory."""
    marked = bytearray(archive)
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        for found in re.finditer(signature, archive):
            marked[found.start() + offset] |= 1
    return bytes(marked)


def header(shape, kind="|u1", version=1):
    """The beginning of an array, with nothing behind it."""
    text = f"{{'descr': {kind!r}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY" + bytes([version, 0]) + len(text).to_bytes(2 if version == 1 else 4, "little") + text


def first(pool, n_query, generator):
    return np.arange(n_query)


def without_text():
    namespace = {}
    exec("def mine(pool, n_query, generator):\n    return range(n_query)", namespace)
    return namespace["mine"]


class Strategy:
    def __call__(self, pool, n_query, generator):
        return np.arange(n_query)

    method = __call__

    def __repr__(self):
        return "Strategy()"


# What is given, and what is said: the second text in place of {} in that of its group.

GROUPS = []


def group(name, use, sentence, *rows):
    GROUPS.extend((f"{name}, {row[0]}", use, row[1], sentence.replace("{}", row[2])) for row in rows)


group(
    "arrays", of_data, "mine.npz lacks {}; it has to hold x_train, y_train, x_test, y_test.",
    ("two missing", {"y_train": None, "x_test": None}, "y_train, x_test"),
    ("all missing", dict.fromkeys(arrays()) | {"more": 1}, "x_train, y_train, x_test, y_test"),
    ("published, but incomplete", {"x_train": None, "known_as": "0123"}, "x_train"),
    ("in capital letters", {"x_train": None, "X_TRAIN": IMAGES}, "x_train"),
)  # fmt: skip
group(
    "images", of_data, "mine.npz has {}; uint8 of (N, H, W) or (N, H, W, C) is accepted.",
    ("floats", {"x_train": IMAGES / 255}, "x_train of type float64 and shape (12, 8, 8)"),
    ("signed", {"x_test": IMAGES[:3].astype("i8")}, "x_test of type int64 and shape (3, 8, 8)"),
    ("truth values", {"x_test": IMAGES[:3] > 9}, "x_test of type bool and shape (3, 8, 8)"),
    ("complex", {"x_train": IMAGES * 1j}, "x_train of type complex128 and shape (12, 8, 8)"),
    ("complex64", {"x_test": IMAGES[:3].astype("c8")}, "x_test of type complex64 and shape (3, 8, 8)"),
    ("texts", {"x_train": IMAGES.astype(str)}, "x_train of type <U3 and shape (12, 8, 8)"),
    ("flat", {"x_train": IMAGES.reshape(12, 64)}, "x_train of type uint8 and shape (12, 64)"),
    ("five axes", {"x_train": IMAGES[..., None, None]}, "x_train of type uint8 and shape (12, 8, 8, 1, 1)"),
    ("no axis", {"x_train": np.uint8(3)}, "x_train of type uint8 and shape ()"),
    ("named fields", {"x_train": NAMED}, "x_train of type [('größe', 'u1'), ('w', 'u1')] and shape (12,)"),
    ("Slavic fields", {"x_train": SLAVIC}, "x_train of type [('šířka', 'u1')] and shape (12,)"),
)  # fmt: skip
group(
    "features", of_data, "mine.npz has features_{}; (N, 2 to 8,192) finite real numbers for every part are accepted.",
    ("of one part", {"features_train": ROWS}, "test of type float64 and shape (0,)"),
    ("too few", {"features_train": ROWS[:9], "features_test": ROWS[:3]}, "train of type float64 and shape (9, 4)"),
    ("two widths", {"features_train": ROWS, "features_test": ROWS[:3, :3]}, "train of type float64 and shape (12, 4)"),
    ("one column", {"features_train": ROWS[:, :1], "features_test": ROWS[:3, :1]},
     "train of type float64 and shape (12, 1)"),
    ("a map", {"features_train": ROWS[:, None], "features_test": ROWS[:3]},
     "train of type float64 and shape (12, 1, 4)"),
    ("a number", {"features_train": np.float32(3), "features_test": ROWS[:3]}, "train of type float32 and shape ()"),
    ("complex", {"features_train": ROWS * 1j, "features_test": ROWS[:3]}, "train of type complex128 and shape (12, 4)"),
    ("texts", {"features_train": ROWS.astype("<U3"), "features_test": ROWS[:3]}, "train of type <U3 and shape (12, 4)"),
    ("truth values", {"features_train": ROWS, "features_test": ROWS[:3] > 9}, "test of type bool and shape (3, 4)"),
    ("not a number", {"features_train": ROWS, "features_test": ROWS[:3] * np.nan},
     "test of type float64 and shape (3, 4), some not finite"),
    ("too large for float32", {"features_train": ROWS + 1e39, "features_test": ROWS[:3]},
     "train of type float64 and shape (12, 4), some not finite"),
)  # fmt: skip
group(
    "sizes", of_data, "mine.npz has x_train of shape {}; sides of 8 to 96 pixels and 1 or 3 channels are accepted.",
    ("7 pixels", {"shape": (7, 8)}, "(12, 7, 8)"),
    ("97 pixels", {"shape": (8, 97)}, "(12, 8, 97)"),
    ("no pixels", {"x_train": IMAGES[..., :0]}, "(12, 8, 0)"),
    ("2 channels", {"shape": (8, 8, 2)}, "(12, 8, 8, 2)"),
    ("4 channels", {"shape": (8, 8, 4)}, "(12, 8, 8, 4)"),
    ("channels first", {"shape": (3, 32, 32)}, "(12, 3, 32, 32)"),
)  # fmt: skip
group(
    "images", of_data, "mine.npz has images of shape {}; all have to be the same.",
    ("train is not as test", {"x_test": np.zeros((3, 9, 8), "u1")}, "(8, 8, 1) in x_train, (9, 8, 1) in x_test"),
    ("grey and colour", {"x_test": np.zeros((3, 8, 8, 3), "u1")}, "(8, 8, 1) in x_train, (8, 8, 3) in x_test"),
)  # fmt: skip
group(
    "labels", of_data, "mine.npz has {}; one label for each image is accepted.",
    ("too few", {"y_train": TIMES[:11]}, "12 images but 11 labels in train"),
    ("too many", {"y_test": TIMES[:4]}, "3 images but 4 labels in test"),
)  # fmt: skip
group(
    "labels", of_data, "mine.npz has {}; one or more are accepted.",
    ("no test images", {"x_test": IMAGES[:0], "y_test": TIMES[:0]}, "no images in x_test"),
)  # fmt: skip
group(
    "labels", of_data, "mine.npz has {}; integers of shape (N,) are accepted.",
    ("floats", {"y_train": TIMES / 1}, "y_train of type float64 and shape (12,)"),
    ("one-hot", {"y_test": np.eye(3, dtype="u1")}, "y_test of type uint8 and shape (3, 3)"),
    ("texts", {"y_test": np.array(["a", "b", "c"])}, "y_test of type <U1 and shape (3,)"),
    ("truth values", {"y_train": TIMES > 0}, "y_train of type bool and shape (12,)"),
    ("one", {"y_train": np.uint8(0)}, "y_train of type uint8 and shape ()"),
    ("dates", {"y_train": TIMES.astype("M8[D]")}, "y_train of type datetime64[D] and shape (12,)"),
    ("times", {"y_train": TIMES.astype("m8[s]")}, "y_train of type timedelta64[s] and shape (12,)"),
    ("fields", {"y_train": NAMED}, "y_train of type [('größe', 'u1'), ('w', 'u1')] and shape (12,)"),
)  # fmt: skip
group(
    "labels", of_data, "mine.npz has labels from {}; class numbers of 0 to 999 are accepted.",
    ("negative", {"y_train": TIMES - 1}, "-1 to 1 in y_train"),
    ("1000", {"y_test": np.array([0, 1, 1000])}, "0 to 1000 in y_test"),
    ("huge", {"y_test": np.array([0, 1, 2**64 - 1], "u8")}, f"0 to {2**64 - 1} in y_test"),
)  # fmt: skip
group(
    "classes", of_data,
    "mine.npz has {} labels; 2 to 1,000 classes numbered from 0, each with training and test images, are accepted.",
    ("one", {"y_train": TIMES * 0, "y_test": TIMES[:3] * 0}, "1 classes up to 0 among its training"),
    ("numbered from 1", {"y_train": TIMES + 1, "y_test": TIMES[:3] + 1}, "3 classes up to 3 among its training"),
    ("one only in the test", {"y_test": np.array([0, 1, 3])}, "3 classes up to 3 among its test"),
    ("one only in training", {"y_test": np.array([0, 0, 1])}, "2 classes up to 1 among its test"),
)  # fmt: skip
group(
    "class names", of_data, "mine.npz has class_names of type {}; 3 different texts, bytes in UTF-8, are accepted.",
    ("too few", {"class_names": ["ant", "bee"]}, "<U3 and shape (2,)"),
    ("too many", {"class_names": [*"abcd"]}, "<U1 and shape (4,)"),
    ("none", {"class_names": np.array([], str)}, "<U1 and shape (0,)"),
    ("one twice", {"class_names": ["ant", "bee", "ant"]}, "<U3 and shape (3,)"),
    ("bytes twice", {"class_names": [b"ant", b"bee", b"ant"]}, "|S3 and shape (3,)"),
    ("a table", {"class_names": [["ant", "bee"]] * 2}, "<U3 and shape (2, 2)"),
    ("one text", {"class_names": "ant"}, "<U3 and shape ()"),
    ("latin-1", {"class_names": ["Bär".encode("latin-1"), b"b", b"c"]}, "|S3 and shape (3,)"),
    ("UTF-16", {"class_names": ["ä".encode("utf-16"), b"b", b"c"]}, "|S4 and shape (3,)"),
    ("numbers", {"class_names": [0.5, 1.5, 2.5]}, "float64 and shape (3,)"),
    ("dates", {"class_names": TIMES[:3].astype("M8[D]")}, "datetime64[D] and shape (3,)"),
    ("fields", {"class_names": NAMED[:3]}, "[('größe', 'u1'), ('w', 'u1')] and shape (3,)"),
)  # fmt: skip
group(
    "name", of_data, "mine.npz has name of type {}; 1 different texts, bytes in UTF-8, are accepted.",
    ("two", {"name": ["a", "b"]}, "<U1 and shape (2,)"),
    ("a number", {"name": 3.5}, "float64 and shape ()"),
)  # fmt: skip
group(
    "objects", of_data,
    "mine.npz ({}) cannot be read: it holds Python objects; save texts with .astype(str), numbers with .astype(int).",
    ("images", {"x_train": np.array([*IMAGES, None], object)}, "x_train"),
    ("a field", {"x_test": np.zeros(3, [("a", object)])}, "x_test"),
    ("labels", {"y_train": TIMES.astype(object)}, "y_train"),
    ("class names", {"class_names": np.array([*"abc"], object)}, "class_names"),
    ("not used", {"more": np.array([None])}, "more"),
)  # fmt: skip
group(
    "published", of_labels, "mine.npz has {} accepted.",
    ("floats", {"y_train": TIMES / 2}, "y_train of type float64 and shape (12,); integers of shape (N,) are"),
    ("negative", {"y_test": TIMES - 1}, "labels from -1 to 1 in y_test; class numbers of 0 to 999 are"),
    ("one", {"y_test": np.uint8(0)}, "y_test of type uint8 and shape (); integers of shape (N,) are"),
    ("names", {"class_names": ["a"]}, "class_names of type <U1 and shape (1,); 3 different texts, bytes in UTF-8, are"),
    ("3 pixels", {"shape": (3, 3, 1)}, "x_train of shape (12, 3, 3, 1); sides of 8 to 96 pixels and 1 or 3 ... are"),
    ("a number", {"known_as": 3.0}, "known_as of type float64 and shape (); 1 different texts, bytes in UTF-8, are"),
)  # fmt: skip
group(
    "published", of_labels, "mine.npz has shape {}; publish the runs again.",
    ("two sides", {"shape": (8, 8)}, "'[8, 8]' and known_as '01'"),
    ("a negative side", {"shape": (8, 8, -1)}, "'[8, 8, -1]' and known_as '01'"),
    ("a huge side", {"shape": (8, 8, 2**62)}, f"'[8, 8, {2**62}]' and known_as '01'"),
    ("float sides", {"shape": (8.0, 8.0, 1.0)}, "'[8.0, 8.0, 1.0]' and known_as '01'"),
    ("texts of two lines", {"shape": ["a\nb"] * 9}, "\"['a\\\\nb', ...]\" and known_as '01'"),
    ("tables", {"shape": np.zeros(1, [("a", "?", (2, 1))])}, "'[(array([[False],\\n ...' and known_as '01'"),
    ("known as nothing", {"known_as": ""}, "'[8, 8, 1]' and known_as ''"),
)  # fmt: skip
DAMAGES = (
    ("empty", lambda archive: b"", "File is not a zip file"),
    ("half", lambda archive: archive[: len(archive) // 2], "File is not a zip file"),
    ("all but the last byte", lambda archive: archive[:-1], "File is not a zip file"),
    ("a few wrong bytes", flipped, "..."),
    ("text", lambda archive: b"x_train,y_train\n", "File is not a zip file"),
    ("a web page", lambda archive: b"<html>404</html>", "File is not a zip file"),
    ("a single array", one_array, "File is not a zip file"),
)
group("archive", of_archive, "mine.npz... cannot be read: {}.", *DAMAGES)
group("compressed archive", partial(of_archive, save=np.savez_compressed), "mine.npz... cannot be read: {}.", *DAMAGES)
group(
    "archive", of_archive, "mine.npz (x_train) cannot be read: {}.",
    ("encrypted", encrypted, "File 'x_train.npy' is encrypted, password required for extraction"),
    ("another version", lambda archive: archive.replace(b"NUMPY\1\0", b"NUMPY\1\1"), "..."),
)  # fmt: skip
group(
    "member", lambda given: of_member(*given), "mine.npz{}.",
    ("no array", ("readme.txt", b"hello"), " (readme.txt) cannot be read: ...magic string..."),
    ("of a Mac", ("__MACOSX/._x.npy", b"\0\5\x16\7" * 9), " (__MACOSX/._x) cannot be read: ...magic string..."),
    ("of two lines", ("a\nb.npy", b"hello"), " (a b) cannot be read: ...magic string..."),
    ("outside", ("../more.npy", b"hello"), " (../more) cannot be read: ...magic string..."),
    ("outside, huge", ("/tmp/more.npy", header((2**62,))), " (/tmp/more) cannot be read: ... 16 at most"),
    ("a folder", ("more/", b""), " (more/) cannot be read: EOF: ..."),
    ("no header", ("more.npy", b"\x93NUMPY\1\0"), " (more) cannot be read: EOF: reading array header length, ..."),
    ("half a header", ("more.npy", header((1,))[:40]), " (more) cannot be read: EOF: reading array header, ..."),
    ("version 9", ("more.npy", header((1,), version=9)), " (more) cannot be read: we only support format version ..."),
    ("no mapping", ("more.npy", header((1,)).replace(b"{", b"[")), " (more) cannot be read: Cannot parse header: ..."),
    ("a call", ("more.npy", header("print(1)")), " (more) cannot be read: malformed node or string ..."),
    ("a negative shape", ("more.npy", header((-1,))), " (more) cannot be read: ..."),
    ("an unknown type", ("more.npy", header((1,), "|x1")), " (more) cannot be read: ... dtype descriptor: '|x1'"),
    ("shorter than it says", ("more.npy", header((9,))), " (more) cannot be read: EOF: reading array data, ..."),
    ("a header of 4 GiB", ("more.npy", b"\x93NUMPY\2\0" + b"\xff" * 4), " (more) cannot be read: EOF: ..."),
    ("a header of a MiB", ("more.npy", header((1,), " " * 2**20, version=2)), " (more) cannot be read: EOF: ..."),
    ("9,999 axes", ("more.npy", header((1,) * 9999, version=2)), " (more) cannot be read: Header info length ..."),
)  # fmt: skip
group(
    "a huge array", lambda header: of_member("more.npy", header),
    "mine.npz (more) cannot be read: with it, arrays would take {} GiB, 16 at most.",
    ("6 TiB", header((2**31, 32, 32, 3)), "6,144"),
    ("4 EiB", header((2**62,)), "4,294,967,296"),
    ("beyond 64 bits", header((2**62, 2**62)), "..."),
    ("below", header((-(2**62), 4)), "..."),
    ("empty texts", header((2**62,), "<U0"), "..."),
    ("named fields", header((2**40,), [("š", "|u1"), ("w", "|u1")], version=3), "2,048"),
    ("a byte too much", header((2**34 - 959,)), "16"),
)  # fmt: skip
group(
    "data", of_source, 'data is {}; give "cifar10", "digits" or the path of an .npz file or a folder.',
    ("missing", "missing.npz", "'missing.npz' (no such file)"),
    ("a table", "table.csv", "'table.csv' (not an .npz file)"),
    ("half a name", "cifar", "'cifar' (no such file)"),
    ("capital letters", "Digits", "'Digits' (no such file)"),
    ("nothing", "", "'' (no such file)"),
    ("somebody's", "~nobody_here/mine.npz", "'~nobody_here/mine.npz' (no such file)"),
    ("a zero byte", "mine\0.npz", "'mine\\x00.npz' (no such file)"),
)  # fmt: skip

NAMES = "a study has data, device, fidelity, n_labelled, n_query, n_trials, profile, recipes, seeds, shipped, weights."
KNOWN = "original_label, random, least_certainty, least_certainty_margin, entropy, full_training_set"
FIELDS = "epochs, batch_size, learning_rate, label_smoothing, width, shift, flip, cutout, colour, swap"
NO_SUCH_RECIPE = f"recipes name {{}}; give default, {KNOWN}, each with some of {FIELDS}."
NO_RECIPES = 'recipes is {}; give a mapping such as {"default": {"epochs": 10}}.'
NO_SEEDS = "seeds is {}; give distinct whole numbers from 0 to 2**32 - 1."
NO_LIST = "seeds is {}; give a list or how many, and a text."
WIDTH = "default: {epochs: 2, batch_size: 50, width: 8, shift: 1, flip: false}"
group(
    "profile", of_profile, "own.yaml needs an entry `profile: own` and a mapping `recipes`.",
    ("empty", b"", ""),
    ("a list", b"- profile: own\n", ""),
    ("a text", b"profile, own\n", ""),
    ("of another name", ("profile: own", "profile: mine"), ""),
    ("without a name", ("profile: own\n", ""), ""),
    ("recipes as a list", (WIDTH, "- default"), ""),
    ("no recipes", OWN[: OWN.index("recipes")].encode(), ""),
)  # fmt: skip
group(
    "profile", of_profile, "own.yaml cannot be read as YAML in UTF-8: {}.",
    ("latin-1", "profile: größer".encode("latin-1"), "'utf-8' codec can't decode byte ..."),
    ("half a list", b"profile: [own", "while parsing a flow sequence ..."),
    ("a tab", "\tn: 1\n", "... found character '\\t' that cannot start any token ..., line 11, column 1: ..."),
    ("two documents", "---\nn: 1\n", "expected a single document in the stream ..."),
    ("a zero byte", "n: \0\n", "unacceptable character #x0000: special characters are not allowed ..."),
    ("an object", "n: !!python/object:os.system {}\n", "could not determine a constructor for the tag ..."),
    ("a call", "n: !!python/object/apply:os.mkdir [made]\n", "could not determine a constructor for the tag ..."),
    ("a module", "n: !!python/module:antigravity ''\n", "could not determine a constructor for the tag ..."),
    ("an own tag", "n: !mine 3\n", "could not determine a constructor for the tag '!mine' ..."),
    ("no truth value", "n: !!bool y\n", "..."),
    ("no number", "n: !!int ''\n", "..."),
    ("no time", "n: !!timestamp then\n", "..."),
    ("month 13", "n: 2026-13-45\n", "month must be in 1..12..."),
    ("5,000 digits", f"n: {'9' * 5000}\n", "Exceeds the limit ..."),
    ("500 brackets", f"n: {'[' * 500}\n", "maximum recursion depth exceeded..."),
    ("a size twice", "n_query: 30\n", 'n_query a second time in "...", line 11, column 1: n_query: 30 ^'),
    ("a field twice", ("epochs: 2", "epochs: 2, epochs: 3"), 'epochs a second time in "...", line 10, column 24: ...'),
    ("an alias", ("[0, 1]", "&a [0, 1]\nn: *a"), 'an alias in "...", line 7, column 4: n: *a ^; write what it ...'),
    ("an alias of itself", ("[0, 1]", "&a [*a]"), 'an alias in "...", line 6, column 12: ... ^; write what it ...'),
    ("a list as a key", "? [1, 2]\n: 3\n", "while constructing a mapping ... found unhashable key ..."),
    ("a recipe as a list", ("{epochs: 2", "[{epochs: 2"), "while parsing a flow sequence ..."),
)  # fmt: skip
group(
    "profile", of_profile, f"Profile own.yaml has {{}}; {NAMES}",
    ("numbers as keys", "1: 2\nfoo: 3\n", "unknown parameters ['1', 'foo']"),
    ("a typing error", ("n_query", "n_quer"), "unknown parameters ['n_quer']"),
    ("rounds", "n_rounds: 2\n", "unknown parameters ['n_rounds']"),
    ("no size", ("n_query: 20\n", ""), "no n_query"),
    ("neither data nor seeds", b"profile: own\nn_labelled: 60\nn_query: 9\nrecipes: {}\n", "no data, seeds"),
)  # fmt: skip
group(
    "profile", of_profile, "{}",
    ("a number as a text", ("20", "'20'"), "n_query is '20'; give a value of type int."),
    ("2e1", ("20", "2e1"), "n_query is '2e1'; give a value of type int."),
    ("no size", ("60", "null"), "n_labelled is None; give a value of type int."),
    ("no device", ("device: cpu", "device:"), "device is None; give a value of type str."),
    ("device gpu", ("device: cpu", "device: gpu"), 'device is \'gpu\' (...); give "auto", "cpu", "cuda" or "mps".'),
    ("a field as a mapping", ("epochs: 2", "epochs: {n: 2}"), "recipe.epochs is {'n': 2}; give a value of type int."),
    ("a field as a list", ("epochs: 2", "epochs: [2]"), "recipe.epochs is [2]; give a value of type int."),
    ("a field without a value", ("epochs: 2", "epochs"), "recipe.epochs is None; give a value of type int."),
    ("a field as a text", ("false", "'false'"), "recipe.flip is 'false'; give a value of type bool."),
)  # fmt: skip
group("profile", of_profile, NO_SEEDS, ("seeds as texts", ("[0, 1]", "['0', '1']"), "('0', '1')"))
group(
    "profile", of_profile, NO_LIST,
    ("seeds as a mapping", ("[0, 1]", "{0: 1}"), "{0: 1}, data is 'digits'"),
    ("data as a list", ("digits", "[digits]"), "[0, 1], data is ['digits']"),
)  # fmt: skip
group(
    "profile", of_profile, NO_RECIPES,
    ("a list of recipes", (WIDTH, "default: [{epochs: 2}]"), "{'default': [{'epochs': 2}]}"),
    ("a recipe as a number", (WIDTH, "random: 3"), "{'random': 3}"),
)  # fmt: skip
group(
    "profile", of_profile, NO_SUCH_RECIPE,
    ("another field", ("epochs: 2", "epoch: 2"), "['epoch']"),
    ("another experiment", ("default:", "defaults:"), "['defaults']"),
    ("an experiment as a number", "  3: {}\n", "['3']"),
)  # fmt: skip
group(
    "profile", open_study,
    "profile is {}; give cifar10, cifar10-fixed, cifar10-pretrained, live, quick, replay or the path of a .yaml file.",
    ("near quick", "quik", "'quik'"),
    ("nothing", "", "''"),
    ("None", None, "'None'"),
    ("3", 3, "'3'"),
    ("a missing file", "quick.yaml", "'quick.yaml'"),
    ("a folder", "/", "'/'"),
    ("a zero byte in its name", "quick\0", "'quick\\x00'"),
)  # fmt: skip


def of_parameters(changes):
    open_study("quick", **changes)


group(
    "parameter", of_parameters, f"Profile quick has unknown parameters {{}}; {NAMES}",
    ("a typing error", {"n_lablled": 3}, "['n_lablled']"),
    ("a data set", {"dataset": 3}, "['dataset']"),
    ("two", {"order": 1, "n_rounds": 2}, "['n_rounds', 'order']"),
)  # fmt: skip
group(
    "parameter", of_parameters, "{} above 0.",
    ("n_query 0", {"n_query": 0}, "n_query is 0; give a finite number"),
    ("n_query -1", {"n_query": -1}, "n_query is -1; give a finite number"),
    ("n_labelled 0", {"n_labelled": 0}, "n_labelled is 0; give a finite number"),
    ("n_trials 0", {"n_trials": 0}, "n_trials is 0; give a finite number"),
    ("fidelity 0", {"fidelity": 0}, "fidelity is 0; give a finite number"),
    ("fidelity NaN", {"fidelity": np.nan}, "fidelity is nan; give a finite number"),
)  # fmt: skip
group(
    "parameter", of_parameters, "{}.",
    ("n_query '5000'", {"n_query": "5000"}, "n_query is '5000'; give a value of type int"),
    ("n_query True", {"n_query": True}, "n_query is True; give a value of type int"),
    ("n_query 1238", {"n_query": 1238}, "n_query is 1238; give 1 to 1237, for that many images are in the pool"),
    ("n_query 2**70", {"n_query": 2**70}, f"n_query is {2**70}; give 1 to 1237, for that many images are in the pool"),
    ("n_labelled 60.0", {"n_labelled": 60.0}, "n_labelled is 60.0; give a value of type int"),
    ("n_labelled of numpy", {"n_labelled": np.int64(60)}, f"n_labelled is {np.int64(60)!r}; give a value of type int"),
    ("n_labelled 1297", {"n_labelled": 1297}, "n_labelled is 1297, ... choose 1 to 1296, so that a pool remains"),
    ("n_labelled 1", {"n_labelled": 1}, "The first 1 training images ... none of 9 classes (...); raise ..."),
    ("n_trials 3.0", {"n_trials": 3.0}, "n_trials is 3.0; give a value of type int"),
    ("fidelity 1.5", {"fidelity": 1.5}, "fidelity is 1.5; give a number above 0 to 1"),
    ("fidelity '50%'", {"fidelity": "50%"}, "fidelity is '50%'; give a value of type float"),
    ("shipped 3", {"shipped": 3}, "shipped is 3; give a value of type str"),
    ("device 0", {"device": 0}, "device is 0; give a value of type str"),
    ("device gpu", {"device": "gpu"}, 'device is \'gpu\' (...); give "auto", "cpu", "cuda" or "mps"'),
    ("device CPU", {"device": "CPU"}, 'device is \'CPU\' (...); give "auto", "cpu", "cuda" or "mps"'),
    ("device empty", {"device": ""}, 'device is \'\' (...); give "auto", "cpu", "cuda" or "mps"'),
    ("no such data", {"data": "x.npz"}, 'data is \'x.npz\' (no such file); give "cifar10", "digits" or ...'),
    ("epochs '3'", {"recipes": {"default": {"epochs": "3"}}}, "recipe.epochs is '3'; give a value of type int"),
    ("flip 'false'", {"recipes": {"default": {"flip": "false"}}}, "recipe.flip is 'false'; give a value of type bool"),
    ("colour 2", {"recipes": {"entropy": {"colour": 2}}}, "recipe.colour is 2; give a number from 0 to 1"),
)  # fmt: skip
group(
    "parameter", of_parameters, "seeds is {}; give 1 to 1,000 of them.",
    ("no seeds", {"seeds": []}, "[]"),
    ("0 seeds", {"seeds": 0}, "0"),
    ("-1 seeds", {"seeds": -1}, "-1"),
    ("an empty range", {"seeds": range(3, 3)}, "range(3, 3)"),
    ("1,001 seeds", {"seeds": 1001}, "1001"),
    ("10**12 seeds", {"seeds": 10**12}, "1000000000000"),
    ("a range beyond 64 bits", {"seeds": range(10**30)}, f"range(0, {10**30})"),
)  # fmt: skip
group(
    "parameter", of_parameters, NO_SEEDS,
    ("a seed twice", {"seeds": [0, 0]}, "(0, 0)"),
    ("a seed twice among others", {"seeds": (1, 2, 1)}, "(1, 2, 1)"),
    ("seed -1", {"seeds": [-1]}, "(-1,)"),
    ("seed 2**32", {"seeds": [0, 2**32]}, "(0, 4294967296)"),
    ("seed 1.5", {"seeds": [1.5]}, "(1.5,)"),
    ("seed 1.0", {"seeds": [1.0]}, "(1.0,)"),
    ("seed True", {"seeds": [True]}, "(True,)"),
    ("seed '0'", {"seeds": ["0"]}, "('0',)"),
    ("seed None", {"seeds": [None]}, "(None,)"),
    ("seeds of seeds", {"seeds": [[0], [1]]}, "([0], [1])"),
)  # fmt: skip
group(
    "parameter", of_parameters, NO_LIST,
    ("seeds '0'", {"seeds": "0"}, "'0', data is 'digits'"),
    ("seeds True", {"seeds": True}, "True, data is 'digits'"),
    ("seeds 1.5", {"seeds": 1.5}, "1.5, data is 'digits'"),
    ("seeds as a set", {"seeds": {3}}, "{3}, data is 'digits'"),
    ("data as a list", {"data": ["digits"]}, "[0, 1, 2, 3, 4], data is ['digits']"),
    ("data as a path", {"data": Path("mine.npz")}, "[0, 1, 2, 3, 4], data is ...Path('mine.npz')"),
)  # fmt: skip
group(
    "parameter", of_parameters, NO_RECIPES,
    ("recipes as a text", {"recipes": "10 epochs"}, "'10 epochs'"),
    ("recipes as a list", {"recipes": [{"epochs": 3}]}, "[{'epochs': 3}]"),
    ("recipes without a name", {"recipes": {"epochs": 3}}, "{'epochs': 3}"),
    ("no recipe", {"recipes": {"default": None}}, "{'default': None}"),
)  # fmt: skip
group(
    "parameter", of_parameters, NO_SUCH_RECIPE,
    ("another experiment", {"recipes": {"margin": {}}}, "['margin']"),
    ("another field", {"recipes": {"default": {"epoch": 3}}}, "['epoch']"),
    ("a field as a number", {"recipes": {"default": {3: 3}}}, "['3']"),
)  # fmt: skip

WHOLE, REAL = ("epochs", "batch_size", "width", "shift", "cutout"), ("learning_rate", "label_smoothing", "colour")
POSITIVE = ("epochs", "batch_size", "width", "learning_rate")


def of_recipe(changes):
    Recipe(**changes)


group(
    "recipe", of_recipe, "recipe.{}.",
    *((f"{n} {v!r}", {n: v}, f"{n} is {v!r}; give a value of type int") for n in WHOLE for v in (True, 1.0, "1", None)),
    *((f"{n} {v!r}", {n: v}, f"{n} is {v!r}; give a value of type float") for n in REAL for v in (True, "0.1", None)),
    *((f"flip {v!r}", {"flip": v}, f"flip is {v!r}; give a value of type bool") for v in (1, 0.0, "yes", None)),
    *((f"{n} 0", {n: 0}, f"{n} is 0; give a finite number above 0") for n in POSITIVE),
    *((f"{n} -1", {n: -1}, f"{n} is -1; give a finite number ... 0") for n in (*WHOLE, *REAL)),
    *((f"{n} {v}", {n: v}, f"{n} is {v}; give a finite number ... 0") for n in REAL for v in (np.nan, np.inf, -np.inf)),
    ("colour 1.01", {"colour": 1.01}, "colour is 1.01; give a number from 0 to 1"),
    ("label_smoothing 1", {"label_smoothing": 1}, "label_smoothing is 1; give a number from 0 to 0.999"),
    ("label_smoothing 1.5", {"label_smoothing": 1.5}, "label_smoothing is 1.5; give a number from 0 to 0.999"),
)  # fmt: skip
group(
    "study", lambda changes: replace(study(), **changes), "{}.",
    ("no round", {"n_rounds": 0}, "n_rounds is 0; give a finite number above 0"),
    ("rounds as a float", {"n_rounds": 2.0}, "n_rounds is 2.0; give a value of type int"),
    ("unequal rounds", {"n_rounds": 3}, "n_rounds is 3; give a number that divides n_query, 20"),
    ("more rounds than picks", {"n_rounds": 40}, "n_rounds is 40; give a number that divides n_query, 20"),
    ("order -1", {"order": -1}, "order is -1; give a finite number of at least 0"),
    ("order True", {"order": True}, "order is True; give a value of type int"),
    ("no seed", {"seeds": ()}, "seeds is (); give distinct whole numbers from 0 to 2**32 - 1"),
)  # fmt: skip

NO_EXPERIMENT = f"experiment is {{}}; give one of {KNOWN}, or a function of another name."
NO_SEED = "seed is {}; give a whole number from 0 to 2**32 - 1."
group(
    "experiment", lambda given: study().run(given, 0), NO_EXPERIMENT,
    ("margin", "margin", "'margin'"),
    ("in capital letters", "Random", "'Random'"),
    ("with a blank", " random", "' random'"),
    ("nothing", "", "''"),
    ("None", None, "None"),
    ("3", 3, "3"),
    ("bytes", b"random", "b'random'"),
    ("a list", ["random"], "['random']"),
    ("a set", {"random"}, "{'random'}"),
    ("a partial", partial(first), "functools.partial(...)"),
    *((f"a {n}", getattr(in_a_cell(f"def {n}(*_): 0"), n), f"<function {n} at ...>") for n in EXPERIMENTS),
)  # fmt: skip
group("experiments", lambda given: study().results(given), NO_EXPERIMENT, ("a pair", ("random", "margin"), "'margin'"))
group(
    "experiments", lambda given: study().results(given),
    "experiments is {}; give a tuple of them, such as ('random', 'entropy').",
    ("a text", "random", "'random'"),
    ("a function", first, "<function first at ...>"),
)  # fmt: skip
group(
    "seed", lambda seed: study().run("random", seed), NO_SEED,
    *((repr(seed), seed, repr(seed)) for seed in (-1, 2**32, True, 1.5, "0", None, [0], np.int64(0))),
)  # fmt: skip
group(
    "strategy", lambda given: study().run(given, 0), "{} has no text of its own; write a function with def.",
    ("a lambda in a study", lambda pool, n_query, generator: np.arange(n_query), "<function <lambda> at ...>"),
    ("of numpy in a study", np.argsort, "<function argsort at ...>"),
)  # fmt: skip
group(
    "strategy", digest_of, "{}; write a function with def.",
    ("a lambda", lambda pool, n, generator: np.arange(n), "<function <lambda> at ...> has no text of its own"),
    ("an object", Strategy(), "Strategy() has no text of its own"),
    ("a method", Strategy().method, "<bound method ...> has no text of its own"),
    ("a built-in", max, "<built-in function max> has no text of its own"),
    ("of numpy", np.argsort, "<function argsort at ...> has no text of its own"),
    ("without a text", without_text(), "<function mine at ...> has no text that can be read"),
)  # fmt: skip

group(
    "probabilities", Pool, "probabilities hold a row {}; give numbers from 0 to 1 that sum to 1.",
    ("NaN", [[0.5, np.nan], [0.5, 0.5]], "[0.5, nan]"),
    ("infinite", [[0.5, 0.5], [np.inf, 0]], "[inf, 0.0]"),
    ("negative", [[1.1, -0.1]], "[1.1, -0.1]"),
    ("too much", [[0.5, 0.5], [0.5, 0.6]], "[0.5, 0.6]"),
    ("too little", [[0.5, 0.4]], "[0.5, 0.4]"),
    ("logits", [[3.0, 2.0]], "[3.0, 2.0]"),
    ("truth values", [[True, True]], "[1.0, 1.0]"),
    ("30 classes", [[0.123456] * 30], "[0.123456, ..., 0.123456]"),
    ("one row of many", [*[[0.1] * 10] * 20_000, [0.2] * 10], f"{[0.2] * 10}"),
)  # fmt: skip
group(
    "probabilities", Pool, "probabilities are {}; give numbers (N, n_classes) with two classes or more.",
    ("one axis", [0.5, 0.5], "float64 of shape (2,)"),
    ("three axes", np.full((2, 2, 2), 0.5), "float64 of shape (2, 2, 2)"),
    ("one class", [[1.0], [1.0]], "float64 of shape (2, 1)"),
    ("no image", np.empty((0, 3)), "float64 of shape (0, 3)"),
    ("one number", 0.5, "float64 of shape ()"),
    ("None", None, "object of shape ()"),
    ("texts", [["0.5", "0.5"]], "<U3 of shape (1, 2)"),
    ("complex", [[0.5 + 1j, 0.5]], "complex128 of shape (1, 2)"),
)  # fmt: skip
group(
    "picks", lambda picks: sample(lambda *_: picks, TENTHS, 4, seed=0),
    "the sampler gave {}; return 4 distinct positions from 0 to 9, as integers.",
    ("too few", np.arange(3, dtype="i4"), "int32 of shape (3,)"),
    ("too many", np.arange(5, dtype="i4"), "int32 of shape (5,)"),
    ("none", np.arange(0, dtype="i4"), "int32 of shape (0,)"),
    ("a column", np.arange(4, dtype="i4")[:, None], "int32 of shape (4, 1)"),
    ("one", np.uint8(3), "uint8 of shape ()"),
    ("twice", [0, 1, 2, 1], "positions from 0 to 2, position 1 2 times"),
    ("beyond the end", [7, 8, 9, 10], "positions from 7 to 10, position 7 1 times"),
    ("negative", [0, 1, 2, -1], "positions from -1 to 2, position -1 1 times"),
    ("floats", np.arange(4.0), "float64 of shape (4,)"),
    ("NaN", [0, 1, 2, np.nan], "float64 of shape (4,)"),
    ("mask", np.arange(10) < 4, "a mask: use np.flatnonzero"),
    ("mask of the right length", np.ones(4, bool), "a mask: use np.flatnonzero"),
    ("texts", [*"0123"], "<U1 of shape (4,)"),
    ("None among them", [0, 1, 2, None], "object of shape (4,)"),
    ("beyond 64 bits", [0, 1, 2, 2**70], "object of shape (4,)"),
    ("nothing", None, "object of shape ()"),
    ("a set", {0, 1, 2, 3}, "object of shape ()"),
    ("a generator", (i for i in range(4)), "object of shape ()"),
    ("with scores", (np.arange(4), np.ones(4)), "float64 of shape (2, 4)"),
)  # fmt: skip
group(
    "sampler", lambda given: sample(*given, seed=0),
    "sampler is {}; give random, least_certainty, least_certainty_margin, entropy or a function, a Pool, 1 to 10.",
    *((f"{name} of 0", (name, TENTHS, 0), f"{name!r}, pool a Pool, n_query 0") for name in SAMPLERS),
    *((f"{name} of 11", (name, TENTHS, 11), f"{name!r}, pool a Pool, n_query 11") for name in SAMPLERS),
    *((f"of {n!r}", ("random", TENTHS, n), f"'random', pool a Pool, n_query {n!r}") for n in (-1, 2.0, 2.5, "2", None)),
    ("margin", ("margin", TENTHS, 1), "'margin', pool a Pool, n_query 1"),
    ("an experiment", ("original_label", TENTHS, 1), "'original_label', pool a Pool, n_query 1"),
    ("a list", (["random"], TENTHS, 1), "['random'], pool a Pool, n_query 1"),
    ("an array", ("entropy", TENTHS.probabilities, 1), "'entropy', pool a ndarray, n_query 1"),
)  # fmt: skip
group(
    "scores", lambda scores: highest(scores, 2), "the scores are NaN for {}; give numbers.",
    ("NaN", np.array([0.1, np.nan, 0.3, np.nan]), "2 of 4 images"),
    ("only NaN", np.full(3, np.nan), "3 of 3 images"),
)  # fmt: skip
group(
    "split", lambda given: split(*given), "{}.",
    *(
        (repr(n), (SMALL, n), f"n_labelled is {n!r}, but small has 12 training images; choose 1 to 11, so that ...")
        for n in (-1, 0, 12, 13, 2**70, 2.5, "5", True, None)
    ),
    *(
        (f"order {n!r}", (SMALL, 6, n), f"order is {n!r}; give 0, or the seed of a random order")
        for n in (-1, 1.5, "1", True, None)
    ),
    ("2", (SMALL, 2), "The first 2 training images of small have none of 1 classes (cat); raise n_labelled or ..."),
    ("4", (UNEVEN, 4), "The first 4 training images of small have none of 2 classes (ant, cat); raise ..."),
)  # fmt: skip
group(
    "training", lambda given: of_training(*given),
    "images or features are {} labels; give uint8 (N, H, W, C) or float32 (N, D), two or more, and as many labels.",
    ("floats", (IMAGES[..., None] / 255, TIMES), "float64 of shape (12, 8, 8, 1) with 12"),
    ("no channels", (IMAGES, TIMES), "uint8 of shape (12, 8, 8) with 12"),
    ("too few labels", (IMAGES[..., None], TIMES[:11]), "uint8 of shape (12, 8, 8, 1) with 11"),
    ("one image", (IMAGES[:1, ..., None], TIMES[:1]), "uint8 of shape (1, 8, 8, 1) with 1"),
    ("no image", (IMAGES[:0, ..., None], TIMES[:0]), "uint8 of shape (0, 8, 8, 1) with 0"),
    ("features as float64", (np.eye(12), TIMES), "float64 of shape (12, 12) with 12"),
)  # fmt: skip
group(
    "training", lambda given: of_training(IMAGES[..., None], TIMES + given[0], **given[1]), "{}.",
    ("a label of -1", (-1, {}), f"labels are -1 to {TIMES.max() - 1}; give 0 to {TIMES.max() - 1}"),
    ("more labels than classes", (0, {"n_classes": 1}), f"labels are 0 to {TIMES.max()}; give 0 to 0"),
    ("precision bf61", (0, {"precision": "bf61"}), "precision is 'bf61'; give fp32, bf16 or fp16"),
)  # fmt: skip
group(
    "prediction", of_prediction,
    "images or features are {}; this model takes uint8 (N, H, W, C), the last axis of 1.",
    ("from 0 to 1", (IMAGES[..., None] / 255).astype(np.float32), "float32 of shape (12, 8, 8, 1)"),
    ("float64", IMAGES[..., None] / 255, "float64 of shape (12, 8, 8, 1)"),
    ("no channels", IMAGES, "uint8 of shape (12, 8, 8)"),
    ("three channels", np.stack([IMAGES] * 3, axis=-1), "uint8 of shape (12, 8, 8, 3)"),
    ("features", np.eye(12, dtype=np.float32), "float32 of shape (12, 12)"),
)  # fmt: skip
group(
    "experiments", of_names, "{} give each its own name.",
    ("two of one name", 2, "2 experiments are called mine;"),
)  # fmt: skip
ABSENT = () if torch.cuda.is_available() else ("cuda", "cuda:7")
group(
    "device", choose_device, 'device is {} (...); give "auto", "cpu", "cuda" or "mps".',
    *((repr(name), name, repr(name)) for name in ("gpu", "CPU", "", "cpu,cuda", "meta", "cuda:x", *ABSENT)),
)  # fmt: skip

group(
    "search", of_search, "{}.",
    ("selection best", {"selection": "best"}, "selection is 'best'; give validation or test"),
    ("selection None", {"selection": None}, "selection is None; give validation or test"),
    ("50 folds", {"n_folds": 50}, "n_labelled is 60: no class has more than ... images, but 50 folds need ..."),
    *(
        (f"{n!r} folds", {"n_folds": n}, f"n_folds is {n!r}; give a whole number of at least 2")
        for n in (0, 1, -2, 2.5, "3", True)
    ),
    ("published runs", {"replay": True}, "original_label with seed 9 is not among the published runs of ..."),
)  # fmt: skip
group("search", of_search, NO_SEED, *((f"seed {n!r}", {"seed": n}, repr(n)) for n in (-1, 1.5, 2**32)))
group(
    "search", of_search, NO_EXPERIMENT,
    ("margin", {"experiment": "margin"}, "'margin'"),
    ("a list", {"experiment": ["random"]}, "['random']"),
)  # fmt: skip
group(
    "storage", of_search, "{} cannot be used (...); give the URL of a database, such as sqlite:///trials.db.",
    ("foo", {"storage": "foo"}, "foo"),
    ("a path", {"storage": Path("trials.db")}, "trials.db"),
    ("no folder", {"storage": "sqlite:///no/such/folder/trials.db"}, "sqlite:///no/such/folder/trials.db"),
    ("no driver", {"storage": "oracle://host/trials"}, "oracle://host/trials"),
)  # fmt: skip
group(
    "trials", lambda f1: best(pd.DataFrame({"validation_f1": f1}), Recipe()),
    "None of {} trials has a validation F1: all diverged; lower learning_rate.",
    ("all diverged", [np.nan, np.nan], "2"),
)  # fmt: skip
group(
    "jobs", lambda jobs: run_all(study(), jobs=jobs), "jobs is {}; give at least 1, or -1 for one each core.",
    *((str(jobs), jobs, str(jobs)) for jobs in (0, -2, -100)),
)  # fmt: skip
group(
    "records", of_records,
    "{} cannot be written (...); set the environment variable ALKIT_RECORDS to a folder of yours.",
    ("a file", "a_file", "a_file"),
    ("below a file", "a_file/records", "a_file/records"),
)  # fmt: skip

WHERE = "; give another --output, ALKIT_RECORDS or ALKIT_DATA"
OUTPUT = f"give a file FILE.yaml, and experiments of {KNOWN}"
group(
    "command", of_command, "alkit{}",
    ("none", "", ": error: the following arguments are required: command"),
    ("another option", "report --prifle quick", ": error: unrecognized arguments: --prifle quick"),
    ("another", "reprot", ": error: argument command: invalid choice: 'reprot' (choose from ...)"),
)  # fmt: skip
group(
    "report", lambda line: of_command(f"report {line}"), "alkit report: {}",
    ("another profile", "--profile quik", "profile is 'quik'; give cifar10, cifar10-fixed, cifar10-pretrained, ..."),
    ("a profile without a value", "--profile", "error: argument --profile: expected one argument"),
    ("no such data", "--data mine.npz", 'data is \'mine.npz\' (no such file); give "cifar10", "digits" or ...'),
    ("a table as data", "--data table.csv", "data is 'table.csv' (not an .npz file); give ..."),
    ("seeds as a text", "--seeds many", "error: argument --seeds: invalid ... value: 'many'"),
    ("seeds 0", "--seeds 0", "seeds is 0; give 1 to 1,000 of them."),
    ("seeds -1", "--seeds -1", "seeds is -1; give 1 to 1,000 of them."),
    ("seeds 1.5", "--seeds 1.5", "error: argument --seeds: invalid ... value: '1.5'"),
    ("device gpu", "--output out --device gpu", 'device is \'gpu\' (...); give "auto", "cpu", "cuda" or "mps".'),
    ("jobs 0", "--output out --jobs 0", "jobs is 0; give at least 1, or -1 for one each core."),
    ("too few for folds", "--profile few.yaml --data two.npz", "n_labelled is 2: no class has more than 1 ..."),
    ("jobs as a text", "--jobs all", "error: argument --jobs: invalid ... value: 'all'"),
    ("output is a file", "--output table.csv", f"[Errno ...] ...{WHERE}"),
    ("output below a file", "--output table.csv/out", f"[Errno ...] ...{WHERE}"),
    ("output has the notebooks", "--output .", "output is ..., where the notebooks would be overwritten; give ..."),
    ("published", "--profile replay --publish", "publish writes ... anew; give a profile and ALKIT_RECORDS that ..."),
)  # fmt: skip
group(
    "tune", lambda line: of_command(f"tune {line}"), "alkit tune: {}",
    ("no output", "", "error: the following arguments are required: --output"),
    ("output without a suffix", "--output found", f"output is found; {OUTPUT}."),
    ("output is a text", "--output found.txt", f"output is found.txt; {OUTPUT}."),
    ("output is a folder", "--output folder.yaml", f"output is folder.yaml; {OUTPUT}."),
    ("output below a file", "--output table.csv/found.yaml", f"[Errno ...] ...{WHERE}"),
    ("output is the profile", "--profile own.yaml --output own.yaml", "output is the profile own.yaml, with which ..."),
    ("another experiment", "--output f.yaml --experiments rnadom", f"output is f.yaml; {OUTPUT}."),
    ("no experiment", "--output f.yaml --experiments", "error: argument --experiments: expected at least one argument"),
    ("no trials", "--output f.yaml --trials 0", "n_trials is 0; give a finite number above 0."),
    ("trials 1.5", "--output f.yaml --trials 1.5", "error: argument --trials: invalid ... value: '1.5'"),
    ("fidelity 2", "--output f.yaml --fidelity 2", "fidelity is 2.0; give a number above 0 to 1."),
    ("fidelity NaN", "--output f.yaml --fidelity nan", "fidelity is nan; give a finite number above 0."),
    ("a profile without data", "--profile bare.yaml --output f.yaml", f"Profile bare.yaml has no data; {NAMES}"),
    ("no storage", "--profile own.yaml --output f.yaml --storage foo", "foo cannot be used (...); give the URL ..."),
)  # fmt: skip
group(
    "command", of_command, "alkit {}",
    ("slides of no report", "slides --profile nope", "slides: ... has no report; run `alkit report --profile nope`."),
    ("a handout to itself", "handout --output notebooks", "handout: output is ..., where the ..."),
    ("a handout to a file", "handout --output table.csv", f"handout: [Errno ...] ...{WHERE}"),
    ("no folder to grade", "grade --folder gone --output g.csv", "grade: folder is gone; give the folder ..."),
    ("grades as a text", "grade --folder . --output g.txt", "grade: output is g.txt; give a file FILE.csv."),
    ("nothing to grade", "grade --folder . --output g.csv", "grade: 0 notebooks are below ., limit is 300; give ..."),
    ("a handout to nowhere", "handout", "handout: error: the following arguments are required: --output"),
)  # fmt: skip

OWN_ERRORS = (ValueError, TypeError, OSError, FileNotFoundError, ParameterError, RefusedError)


@pytest.mark.filterwarnings("ignore:Stored array in format 3.0")
@pytest.mark.parametrize(
    ("use", "given", "sentence"), [pytest.param(*case, id=name) for name, *case in GROUPS]
)  # fmt: skip
def test_a_bad_input_gets_one_sentence(use, given, sentence, tmp_path, capsys):
    with pytest.raises(Exception) as refusal:
        use(given)
    text = str(refusal.value).replace(f"{tmp_path}/", "")
    pattern = re.escape(sentence).replace(re.escape("..."), ".*")
    assert re.fullmatch(pattern, text), text  # in which . is no end of a line
    assert isinstance(refusal.value, OWN_ERRORS)
    assert not isinstance(refusal.value, UnicodeError)
    assert not {"delete", "remove"} & set(text.lower().split())  # it may be all that its owner has
    assert not Path("made").exists()
