"""Records: computed once, read afterwards, whole or not there at all, and known by the code that made them."""

import json
import os
import subprocess
import sys
from itertools import dropwhile
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import in_a_cell

from alkit import ROOT
from alkit.pretraining import pretrain
from alkit.records import digest_of, exists, folder, key, once, read, replace_file, write

CONFIG = {"experiment": "entropy", "seed": 0}


class Computed:
    """Gives another result each time it is called, and says how often it was."""

    times = 0

    def __call__(self):
        self.times += 1
        return {"f1": self.times / 4, "names": ["ant", "bee"], "picks": np.arange(5) * self.times}


def same(result, other):
    assert result.keys() == other.keys()
    assert all(np.array_equal(result[name], other[name]) for name in result)
    assert result["picks"].dtype == other["picks"].dtype


def test_what_was_computed_once_is_read_afterwards(records):
    compute = Computed()
    first = once(CONFIG, compute)
    assert (first["f1"], first["picks"].tolist()) == (0.25, [0, 1, 2, 3, 4])
    second = once(CONFIG, compute)
    assert compute.times == 1
    same({name: second[name] for name in first}, first)
    assert second["config"] == CONFIG
    assert once(CONFIG | {"seed": 1}, compute)["f1"] == 0.5
    assert sorted(path.suffix for path in records.iterdir()) == [".json", ".json", ".npz", ".npz"]
    assert exists(CONFIG)
    assert not exists(CONFIG | {"seed": 2})


def test_the_order_of_a_configuration_does_not_matter():
    assert key(CONFIG) == key(dict(reversed(CONFIG.items()))) != key(CONFIG | {"seed": 1})


DAMAGES = {
    "no record": lambda record, arrays: record.unlink(),
    "no arrays": lambda record, arrays: arrays.unlink(),
    "truncated record": lambda record, arrays: record.write_bytes(record.read_bytes()[:-20]),
    "truncated arrays": lambda record, arrays: arrays.write_bytes(arrays.read_bytes()[:-20]),
    "half of the arrays": lambda record, arrays: arrays.write_bytes(arrays.read_bytes()[:100]),
    "empty record": lambda record, arrays: record.write_bytes(b""),
    "empty arrays": lambda record, arrays: arrays.write_bytes(b""),
    "a list": lambda record, arrays: record.write_text("[]"),
    "no text": lambda record, arrays: record.write_bytes(b"\xff\xfe"),
    "other arrays": lambda record, arrays: arrays.write_text("<html>404</html>"),
    "arrays of another shape": lambda record, arrays: np.savez(arrays, picks=np.arange(6)),
    "one number": lambda record, arrays: record.write_text(record.read_text().replace("0.25", "0.26")),
    "a name of a number": lambda record, arrays: record.write_text(record.read_text().replace('"f1"', '"g1"')),
    "another configuration": lambda record, arrays: write(record.stem, {"f1": 0.9, "config": {}}, record.parent),
    "no configuration": lambda record, arrays: write(record.stem, {"f1": 0.9}, record.parent),
    "a configuration that is none": lambda record, arrays: write(record.stem, {"config": np.ones(3)}, record.parent),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_what_is_damaged_is_computed_again_and_kept(records, damage):
    compute = Computed()
    once(CONFIG, compute)
    damage(next(records.glob("*.json")), next(records.glob("*.npz")))
    again = once(CONFIG, compute)
    assert compute.times == 2
    same({name: value for name, value in once(CONFIG, compute).items() if name != "config"}, again)
    assert compute.times == 2


def test_a_record_of_the_time_before_digests_is_read(records):
    compute = Computed()
    first = once(CONFIG, compute)
    (path,) = records.glob("*.json")
    kept = json.loads(path.read_text(encoding="utf-8"))
    assert len(kept.pop("digest")) == 16
    path.write_text(json.dumps(kept), encoding="utf-8")
    same({name: value for name, value in once(CONFIG, compute).items() if name != "config"}, first)
    assert compute.times == 1


def test_a_stop_between_the_two_files_leaves_nothing_that_would_be_read(records):
    (records / "name.json").mkdir(parents=True)  # no file can take its place
    with pytest.raises(OSError):
        write("name", {"f1": 0.5, "picks": np.arange(3)}, records)
    (records / "name.json").rmdir()
    assert [path.name for path in records.iterdir()] == ["name.npz"]
    assert read("name", records) is None
    write("name", {"f1": 0.5}, records)
    assert read("name", records) == {"f1": 0.5}


def test_what_json_does_not_hold_is_not_kept_by_half(records):
    with pytest.raises(TypeError):
        write("name", {"picks": np.arange(3), "f1": object()}, records)
    assert not records.exists()


def test_a_file_that_is_replaced_stays_whole_until_its_successor_is(tmp_path):
    def fails(path):
        path.write_text("half")
        raise error

    path = tmp_path / "table.csv"
    path.write_text("whole")
    for error in (OSError("No space left on device"), KeyboardInterrupt()):
        with pytest.raises(type(error)):
            replace_file(path, fails)
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir() if each.is_file()] == [("table.csv", "whole")]


def test_a_disk_that_is_full_by_then_is_said_with_what_to_do_and_nothing_counts(records, monkeypatch):
    def full(path, content):
        path.touch()
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match=r"\(No space left .*ALKIT_RECORDS"):
        patch.setattr(Path, "write_bytes", full)
        once(CONFIG, Computed())
    assert not list(records.iterdir())
    assert once(CONFIG, Computed())["f1"] == 0.25


def test_shipped_records_come_first_and_their_folder_is_never_written(records, tmp_path):
    shipped = tmp_path / "shipped"
    write(key(CONFIG), {"f1": 0.9, "config": CONFIG}, shipped)
    before = {path: path.stat().st_mtime_ns for path in shipped.iterdir()}
    compute = Computed()
    assert once(CONFIG, compute, shipped)["f1"] == 0.9
    assert compute.times == 0
    assert not records.exists()
    assert once(CONFIG | {"seed": 1}, compute, shipped)["f1"] == 0.25
    assert {path: path.stat().st_mtime_ns for path in shipped.iterdir()} == before
    assert exists(CONFIG, shipped)
    assert not exists(CONFIG)


def test_a_damaged_shipped_record_is_computed_again_and_left_as_it_is(records, tmp_path):
    shipped, compute = tmp_path / "shipped", Computed()
    write(key(CONFIG), {"f1": 0.9, "config": CONFIG}, shipped)
    (shipped / f"{key(CONFIG)}.npz").write_bytes(b"PK")
    assert once(CONFIG, compute, shipped)["f1"] == 0.25
    assert once(CONFIG, compute, shipped)["f1"] == 0.25
    assert compute.times == 1
    assert (shipped / f"{key(CONFIG)}.npz").read_bytes() == b"PK"


def test_a_folder_that_cannot_be_written_is_named_before_anything_is_computed(records, monkeypatch, tmp_path):
    (tmp_path / "a file").touch()
    monkeypatch.setenv("ALKIT_RECORDS", str(tmp_path / "a file" / "records"))
    compute = Computed()
    with pytest.raises(OSError, match="ALKIT_RECORDS"):
        once(CONFIG, compute)
    assert compute.times == 0


def test_a_folder_of_records_is_seen_from_the_project(monkeypatch, tmp_path):
    monkeypatch.setenv("ALKIT_RECORDS", "elsewhere/records")
    monkeypatch.chdir(tmp_path)
    assert folder() == ROOT / "elsewhere" / "records"
    monkeypatch.delenv("ALKIT_RECORDS")
    assert folder() == ROOT / "records"


WRITER = """
import sys
import numpy as np
from pathlib import Path
from alkit.records import write
for _ in range(15):
    write("name", {"f1": 0.5, "picks": np.arange(20_000)}, Path(sys.argv[1]))
"""


def test_two_processes_that_write_the_same_name_leave_a_whole_record_at_any_moment(records):
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(records)], cwd=ROOT) for _ in range(2)]
    found = []
    while any(writer.poll() is None for writer in writers):
        found.append(read("name", records))
    assert [writer.returncode for writer in writers] == [0, 0]
    found = [*dropwhile(lambda result: result is None, found), read("name", records)]
    if os.name != "nt":  # there, a file that is being read cannot be replaced
        assert all(result and result["picks"][-1] == 19_999 for result in found)
    assert sorted(path.name for path in records.iterdir()) == ["name.json", "name.npz"]


STRATEGY = """
FIRST = 3
WEIGHTS = [1, 2]
KIND = "int"
TABLE = {"a": 1}
CENTRES = np.eye(2)

def offset(n):
    return n // 2 + TABLE["a"]

def mine(pool, n_query, generator):
    return np.arange(FIRST, FIRST + n_query).astype(KIND) + offset(2) + WEIGHTS[0] + CENTRES.sum()
"""


def digest(text, name="mine", **names):
    return digest_of(getattr(in_a_cell(text, **names), name))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return np.arange", "\n    # Why not.\n    return np.arange"),
        ("(pool, n_query, generator):", '(pool, n_query, generator):\n    """Pick the first."""'),
        ("(pool, n_query, generator):", "(pool, n_query, generator):  # noqa"),
        ("(pool, n_query, generator):", "(\n    pool,   n_query,\n    generator):"),
        ("return n // 2 ", '"""Half."""\n    return n//2 '),
        ("    return", "  return"),
        ("FIRST = 3", "FIRST = 3\nOTHER = 4\ndef helper():\n    return 3"),
        ("FIRST = 3", "FIRST = 1 + 2  # three"),
    ],
)
def test_comments_docstrings_layout_and_what_is_not_used_do_not_matter(old, new):
    assert old in STRATEGY
    assert digest(STRATEGY.replace(old, new)) == digest(STRATEGY)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("WEIGHTS[0]", "WEIGHTS[1]"),
        ("FIRST = 3", "FIRST = 4"),
        ("[1, 2]", "[2, 2]"),
        ('"int"', '"float"'),
        ('"a": 1', '"a": 2'),
        ("np.eye(2)", "np.eye(3)"),
        ("return n // 2", "return n // 3"),
        ("return n // 2", "n = n + 1\n    return n // 2"),
        ("def offset(n):", "def offset(n, m=1):"),
    ],
)
def test_the_body_a_helper_and_a_constant_matter(old, new):
    assert old in STRATEGY
    assert digest(STRATEGY.replace(old, new)) != digest(STRATEGY)


CONTENTS = {
    "a set": "LEFT = {1, 2}\n",
    "bytes": "LEFT = b'1, 2'\n",
    "a series": "LEFT = pd.Series([1, 2])\n",
    "a long array in a dict": "LEFT = {'a': np.r_[np.arange(5000), 2, np.arange(5000)]}\n",
    "functions in a list": "LEFT = [lambda n: 2, len]\n",
    "a cached helper": "@lru_cache\ndef left(n):\n    return 2\nLEFT = left\n",
    "part of a function": "def left(n):\n    return n\nLEFT = partial(left, 2)\n",
    "a method": "class Left:\n    def left(self):\n        return 2\nLEFT = Left\n",
    "an attribute of a class": "class Left:\n    n = 2\nLEFT = Left\n",
    "an instance": "class Left:\n    def __init__(self, n):\n        self.n = n\nLEFT = Left(2)\n",
    "a bound method": "class Left:\n    def left(self):\n        return 2\nLEFT = Left().left\n",
    "a dataclass": "@dataclass\nclass Left:\n    n: int = 2\nLEFT = Left()\n",
}


@pytest.mark.parametrize("kind", CONTENTS)
def test_data_count_by_their_content(kind):
    head = "import pandas as pd\nfrom dataclasses import dataclass\nfrom functools import lru_cache, partial\n"
    text = f"{head}{CONTENTS[kind]}\ndef mine(pool, n_query, generator):\n    return LEFT\n"
    assert digest(text) == digest(text)
    assert digest(text) != digest(text.replace("2", "3"))


def test_what_holds_functions_of_the_kit_has_the_same_digest_in_every_process(tmp_path):
    (tmp_path / "own.py").write_text(
        "from alkit.samplers import SAMPLERS, SCORES\n\n"
        "def mine(pool, n_query, generator):\n"
        "    return SAMPLERS['entropy'](pool, n_query, generator) + SCORES['entropy'](pool)\n"
    )
    command = [sys.executable, "-c", "import own; from alkit.records import digest_of; print(digest_of(own.mine))"]
    digests = {subprocess.check_output(command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": ROOT}) for _ in range(2)}
    assert len(digests) == 1


def test_what_the_kit_trains_without_labels_has_the_same_digest_again():
    """It names a generator of torch, which is another after each draw."""
    before = digest_of(pretrain)
    torch.rand(1)
    assert digest_of(pretrain) == before


def test_a_parameter_hides_what_has_its_name_in_the_module():
    text = "generator = np.random.default_rng(0)\n\ndef mine(pool, n_query, generator):\n    return generator\n"
    assert digest(text) == digest(text.replace("default_rng(0)", "default_rng(1)"))


def test_a_strategy_that_draws_from_elsewhere_is_refused():
    with pytest.raises(ValueError, match="draw from the one it is given"):
        digest("other = np.random.default_rng(0)\n\ndef mine(pool, n_query, generator):\n    return other\n")


MADE = """
def make(first, score):
    def mine(pool, n_query, generator):
        return np.arange(first, first + n_query) + score(0)
    return mine

def make_by_default(first, score):
    def mine(pool, n_query, generator, first=first, *, score=score):
        return np.arange(first, first + n_query) + score(0)
    return mine

def one(n):
    return 1

def two(n):
    return 2
"""


@pytest.mark.parametrize("make", ["make", "make_by_default"])
def test_what_a_function_encloses_or_has_by_default_matters(make):
    cell = in_a_cell(MADE)
    made = [getattr(cell, make)(*given) for given in ((3, cell.one), (4, cell.one), (3, cell.two), (3, cell.one))]
    digests = [digest_of(function) for function in made]
    assert digests[0] == digests[3]
    assert len(set(digests)) == 3


@pytest.mark.parametrize("call", ["strategies.badge", "badge"])
def test_a_strategy_of_the_kit_that_an_own_one_calls_matters(call, monkeypatch):
    text = "from alkit import strategies\nfrom alkit.strategies import badge\n\n"
    text += f"def mine(pool, n_query, generator):\n    return {call}(pool, n_query, generator)\n"
    before, edited = digest(text), in_a_cell("def badge(pool, n_query, generator):\n    return np.arange(n_query)\n")
    monkeypatch.setattr("alkit.strategies.badge", edited.badge)
    assert digest(text) != before


def test_texts_that_begin_a_line_but_are_no_docstrings_matter():
    text = "def mine(pool):\n    return len(\n        'a'\n    )\n"
    assert digest(text) != digest(text.replace("'a'", "'ab'"))
    text = "NAMES = (\n    'a',\n)\n\ndef mine(pool):\n    return NAMES\n"
    assert digest(text) != digest(text.replace("'a'", "'b'"))


def test_functions_that_call_each_other_have_a_digest():
    text = "def other(n):\n    return mine(n - 1)\n\ndef mine(n):\n    return n and other(n)\n"
    assert digest(text) != digest(text.replace("n - 1", "n - 2"))


def test_the_digest_is_the_same_on_every_version_of_python():
    """Computed by Python 3.11.7, 3.12.1 and 3.13.0; the last two read an f-string as several tokens."""
    text = "def mine(pool):\n    '''Say.'''\n    return f'{len(pool)!r:>{3}} of  {1 + 2} ', rf'\\d{pool}'\n"
    assert digest(text) == "ae3662e109130118"
