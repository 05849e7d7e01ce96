"""Files that nobody writes on purpose: they are read as what they are, or refused by name, and nothing else happens.

Ten thousand instead of some hundred: pytest tests/test_hostile_files.py --hypothesis-profile thorough
"""

import io
import json
import pickle
import tracemalloc
import warnings
import zipfile
from contextlib import contextmanager, redirect_stdout
from functools import cache

import numpy as np
import pytest
from conftest import TINY, arrays
from hypothesis import event, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as of_numpy

from alkit import loading, records
from alkit.loading import ARRAYS, PUBLISHED, load
from alkit.profiles import load_study

pytestmark = pytest.mark.filterwarnings("ignore:Stored array in format 3.0")
LARGEST = 2**16


class UnpickledError(BaseException):
    """Nothing may catch it."""


@contextmanager
def guarded():
    """Where nothing may be unpickled."""

    def unpickle(*_, **__):
        raise UnpickledError

    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # numpy's, of headers that Python 2 wrote
        for name in ("load", "loads", "Unpickler", "_load", "_loads", "_Unpickler"):
            patch.setattr(pickle, name, unpickle)
        patch.setattr(loading, "LARGEST", LARGEST)
        yield


@contextmanager
def bounded():
    """Where no more memory may be taken than some copies of the largest data file that is accepted."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < 32 * LARGEST
    finally:
        tracemalloc.stop()


def check(path, content):
    """Whatever the file holds, it is a data set or refused with a sentence that names it."""
    path.write_bytes(content)
    with guarded(), bounded():
        try:
            dataset = load(str(path))
        except (ValueError, FileNotFoundError) as error:
            assert not isinstance(error, UnicodeError)
            assert str(path) in str(error)
            assert "\n" not in str(error)
            event("refused")
            return
    event("accepted")
    n_classes = len(dataset.class_names)
    assert 2 <= n_classes == len(set(dataset.class_names)) <= 1000
    assert {type(text) for text in (dataset.name, *dataset.class_names)} == {str}
    assert dataset.train.images.shape[1:] == dataset.test.images.shape[1:]
    for part in (dataset.train, dataset.test):
        n, height, width, n_channels = part.images.shape
        assert part.images.dtype == np.uint8
        assert 8 <= height <= 96
        assert 8 <= width <= 96
        assert n_channels in (1, 3)
        assert part.features is None or np.isfinite(part.features).all()
        assert part.features is None or part.features.shape == (n, dataset.test.features.shape[1])
        assert part.labels.dtype == np.int64
        assert part.labels.shape == (n,)
        assert np.array_equal(np.unique(part.labels), np.arange(n_classes))


def packed(save=np.savez, **content):
    save(file := io.BytesIO(), **content)
    return file.getvalue()


def saved(array):
    np.save(file := io.BytesIO(), array)
    return file.getvalue()


LABELS = {"y_train": np.arange(6) % 2, "y_test": np.arange(2), "shape": (8, 8, 3), "name": "Small", "known_as": "01"}
LABELS |= {"class_names": ["ant", "bee"]}
GOOD = [packed(save, **given) for save in (np.savez, np.savez_compressed) for given in (arrays(n_classes=2), LABELS)]
ZEROS = bytes(64 * LARGEST)


@st.composite
def mutated(draw, contents, times=3):
    """Some bytes changed, left out, put in or brought to another place; or the end missing."""
    content = draw(contents)
    for _ in range(draw(st.integers(1, times))):
        start, end = sorted(draw(st.integers(0, len(content))) for _ in range(2))
        near = draw(st.integers(start, min(start + 8, len(content))))
        stretch = draw(st.binary(max_size=8))
        content = draw(
            st.sampled_from(
                [
                    content[:start] + stretch + content[start + len(stretch) :],
                    content[:start] + stretch + content[near:],
                    content[:start] + content[end:],
                    content[:end] + content[start:end] + content[end:],
                    content[:end],
                ]
            )
        )
    return content


@given(mutated(st.sampled_from(GOOD)))
def test_bytes_of_a_data_file_may_be_any(tmp_path, content):
    check(tmp_path / "mine.npz", content)


KINDS = of_numpy.scalar_dtypes() | of_numpy.nested_dtypes() | st.just(np.dtype(object))
SHAPES = of_numpy.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=9)
IMAGE_SHAPES = st.tuples(st.integers(0, 4), st.integers(7, 10), st.integers(7, 10), st.sampled_from([1, 2, 3]))


@st.composite
def any_array(draw):
    kind, shape = draw(KINDS), draw(SHAPES | IMAGE_SHAPES)
    if kind.hasobject:
        return np.full(shape, None)
    return np.full(shape, draw(of_numpy.arrays(kind, ()))) if draw(st.booleans()) else np.zeros(shape, kind)


@st.composite
def near_right(draw):
    """Labels and texts of which many will do."""
    numbers = of_numpy.arrays(of_numpy.integer_dtypes(sizes=(8, 64)), st.integers(0, 9), elements=st.integers(0, 2))
    texts = of_numpy.arrays(of_numpy.unicode_string_dtypes() | of_numpy.byte_string_dtypes(), st.integers(0, 4))
    images = of_numpy.arrays(np.uint8, IMAGE_SHAPES, elements=st.just(7))
    return draw(st.one_of(numbers, texts, images))


NAMES = [*ARRAYS, *PUBLISHED, "features_train", "features_test", "more"]
FEATURED = arrays(n_classes=2, features_train=np.ones((8, 3)), features_test=np.ones((2, 3)))


@given(
    st.sampled_from([arrays(n_classes=2), arrays((9, 8, 3), n_classes=3), FEATURED, LABELS]),
    st.dictionaries(
        st.sampled_from([*ARRAYS, *PUBLISHED, "features_train", "features_test", "more"]),
        any_array() | near_right() | st.none(),
        max_size=3,
    ),
)
def test_arrays_of_a_data_file_may_be_any(tmp_path, good, changes):
    content = {name: array for name, array in (good | changes).items() if array is not None}
    check(tmp_path / "mine.npz", packed(**content))


SIZES = st.integers(-3, 12) | st.sampled_from([True, 2**31, 2**32, 2**62, 2**63, 2**64, 10**30, -(2**63), -(10**30)])
CODES = "|u1 <i8 >i8 |b1 <U3 <U0 |S0 |V0 |O <m8[s] <M8 <c16 |u1x".split()
DESCRIPTIONS = st.sampled_from(CODES) | st.text(max_size=5)
DESCRIPTIONS |= st.tuples(st.sampled_from(CODES), st.lists(SIZES, max_size=3).map(tuple))  # each item an array
DESCRIPTIONS |= st.lists(st.tuples(st.text(max_size=3), DESCRIPTIONS), max_size=3)  # named fields


@st.composite
def member(draw):
    """An array as a file has it, of which header and content need not agree; or something else."""
    shape = tuple(draw(st.lists(SIZES, max_size=4)))
    fields = {"descr": draw(DESCRIPTIONS), "fortran_order": draw(st.booleans() | st.none()), "shape": shape}
    text = repr(fields) if draw(st.integers(0, 9)) else draw(st.text(max_size=50))
    text = draw(st.sampled_from(["", " " * 50, "(" * 300, "-" * 3000])) + text + "\n"
    encoded = text.encode(draw(st.sampled_from(["utf-8", "latin-1"])), "replace")
    version = draw(st.sampled_from([(1, 0), (2, 0), (3, 0), (1, 1), (4, 0)]))
    length = draw(st.sampled_from([len(encoded)] * 8 + [0, len(encoded) + 9, 2**16 - 1, 2**32 - 1]))
    length = length.to_bytes(4, "little")[: 2 if version[0] == 1 else 4]
    start = draw(st.sampled_from([b"\x93NUMPY"] * 9 + [b"", b"\x80\x04N."]))  # the last is a pickle
    return start + bytes(version) + length + encoded + draw(st.binary(max_size=200) | st.just(ZEROS))


NAMES = st.sampled_from([*(f"{name}.npy" for name in (*ARRAYS, *PUBLISHED)), "x_test", "more.npy", "../more.npy"])


NAMES |= st.text("a/.\\~é\n ", min_size=1, max_size=5)
MEMBERS = st.tuples(NAMES, member() | (any_array() | near_right()).map(saved))


@given(st.sampled_from(GOOD), st.lists(MEMBERS, min_size=1, max_size=3))
def test_members_of_a_data_file_may_be_any(tmp_path, good, members):
    """A member more, or in place of another, for of two with one name the last counts."""
    file = io.BytesIO(good)
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a name that is there
        for name, content in members:
            archive.writestr(name.encode("utf-8", "replace").decode(), content)
    check(tmp_path / "mine.npz", file.getvalue())
    assert {path.name for path in tmp_path.iterdir()} == {"mine.npz"}
    assert not (tmp_path.parent / "more.npy").exists()


# Records.

RESULT = {"f1": 0.25, "names": ["ant", "bee"], "n": None, "picks": np.arange(5), "weights": np.ones((2, 3), np.float32)}
AGAIN = {"f1": 0.5, "picks": np.arange(3)}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=9,
)


@cache
def tiny():
    return load_study(str(TINY))


@cache
def kept():
    """The name of a run, and the two files of its record as the kit writes them."""
    config = tiny().config("full_training_set", 0)
    place = records.folder()
    records.write(records.key(config), RESULT | {"config": config}, place)
    files = [(place / f"{records.key(config)}{suffix}").read_bytes() for suffix in (".json", ".npz")]
    return records.key(config), *files


def same(result, other):
    return result.keys() == other.keys() and all(np.array_equal(result[name], other[name]) for name in result)


def run(folder, record, packed):
    """What a study gives that finds these two files: what was kept, or what it computes anew."""
    name, folder = kept()[0], folder / "records"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.json").write_bytes(record)
    (folder / f"{name}.npz").write_bytes(packed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALKIT_RECORDS", str(folder))
        patch.setattr("alkit.study.train_and_test", lambda *_: AGAIN)
        with guarded():
            found = records.read(name, folder)
            assert found is None or isinstance(found, dict)
            done = tiny().run("full_training_set", 0)
        if same(done, AGAIN):  # and is kept, in place of what was there
            assert records.read(name, folder)["f1"] == AGAIN["f1"]
    return done


def is_right(done):
    event("computed anew" if same(done, AGAIN) else "read")
    # A digest under another name is none, and one value more.
    return same(done, AGAIN) or same({name: done[name] for name in RESULT.keys() & done.keys()}, RESULT)


@given(mutated(st.builds(lambda: kept()[1])))
def test_a_record_of_which_bytes_were_changed_is_never_another_result(tmp_path, record):
    assert is_right(run(tmp_path, record, kept()[2]))


@given(mutated(st.builds(lambda: kept()[2])))
def test_arrays_of_a_record_of_which_bytes_were_changed_are_never_another_result(tmp_path, content):
    assert is_right(run(tmp_path, kept()[1], content))


@given(st.dictionaries(st.sampled_from([*RESULT, "config", "more"]), VALUES, max_size=3), st.booleans())
def test_values_of_a_record_that_were_changed_are_never_another_result(tmp_path, changes, less):
    record = json.loads(kept()[1]) | changes
    if less:
        record.pop(next(iter(changes), "f1"))
    assert is_right(run(tmp_path, json.dumps(record).encode(), kept()[2]))


@given(VALUES, st.dictionaries(st.sampled_from(["picks", "config", "x"]), any_array() | near_right(), max_size=3))
def test_what_never_was_a_record_is_none(tmp_path, value, content):
    content = packed(**content)
    assert same(run(tmp_path, json.dumps(value).encode(), content), AGAIN)
    # Of the time before digests, and so believed; but never unpickled.
    config = json.loads(kept()[1])["config"]
    run(tmp_path, json.dumps({"value": value, "config": config}).encode(), content)
