"""What the tests share: an empty store for each, and a study small enough to run many times.

The kit is imported where it is used: the process that hands out the tests would wait for it and not need it.
"""

import gc
import linecache
import os
import re
import sys
from itertools import count
from pathlib import Path
from types import SimpleNamespace

# Two tests run at a time, each on one thread; torch reads this when it is imported. Processes that joblib starts take
# the second from the number of cores where it is not set, and their torch takes it over the first.
os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
sys.path.append(str(Path(__file__).parents[1] / "notebooks"))  # what lies beside the notebooks

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

sys.modules.setdefault("rfc3987_syntax", None)  # as in a report: with it jsonschema compiles a grammar for seconds
CELLS = count()
# The same examples each time; with --hypothesis-profile thorough ten thousand in all, others each time.
ALIKE = {"database": None, "deadline": None, "suppress_health_check": list(HealthCheck)}
settings.register_profile("ordinary", max_examples=40, derandomize=True, **ALIKE)
settings.register_profile("thorough", max_examples=1500, **ALIKE)
settings.load_profile("ordinary")
TINY = Path(__file__).with_name("tiny.yaml")


def pytest_collection_modifyitems(items):
    # The report takes longest; begun last, it would leave the other worker idle.
    items.sort(key=lambda item: item.path.name != "test_quick_report.py")


def pytest_collection_finish():
    gc.freeze()  # what was imported stays: the collector need not look at it again and again, and at the end


@pytest.fixture(autouse=True)
def records(tmp_path, monkeypatch):
    folder = tmp_path / "records"
    monkeypatch.setenv("ALKIT_RECORDS", str(folder))
    monkeypatch.setenv("ALKIT_DATA", str(tmp_path / "data"))  # nobody has downloaded anything
    return folder


@pytest.fixture(scope="session")
def study():
    from alkit.profiles import load_study

    return load_study(str(TINY))


@pytest.fixture(scope="session")
def tiny_store(study, tmp_path_factory):
    """A store with every run of the tiny study."""
    folder = tmp_path_factory.mktemp("tiny")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALKIT_RECORDS", str(folder))
        study.results()
    return folder


@pytest.fixture
def finished(study, tiny_store, records, monkeypatch):
    """The tiny study in a store that has every run of it; what a test adds there stays for the next one."""
    monkeypatch.setenv("ALKIT_RECORDS", str(tiny_store))
    return study


@pytest.fixture(scope="session")
def digits():
    from alkit.loading import load

    return load("digits")


def arrays(shape=(8, 8), n_classes=3, seed=0, **changes):
    """The four arrays of a small data set, 4 training images and 1 test image a class; None leaves one out."""
    generator = np.random.default_rng(seed)
    given = {
        "x_train": generator.integers(0, 256, (4 * n_classes, *shape), np.uint8),
        "y_train": np.arange(4 * n_classes) % n_classes,
        "x_test": generator.integers(0, 256, (n_classes, *shape), np.uint8),
        "y_test": np.arange(n_classes),
    }
    return {key: array for key, array in (given | changes).items() if array is not None}


def in_a_cell(text, /, **names):
    """What a notebook's cell defines: in no file and no module that another process could import."""
    file, namespace = f"cell {next(CELLS)}", {"__name__": "__main__", "np": np, **names}
    linecache.cache[file] = len(text), None, text.splitlines(keepends=True), file
    exec(compile(text, file, "exec"), namespace)
    return SimpleNamespace(**namespace)


def loaded_from_elsewhere(page):
    """The addresses that a page would load something from; links for a reader to follow are none."""
    for part in (r"<!--.*?-->", r"/\*.*?\*/", r"<!DOCTYPE.*?>", r"<a\b[^>]*>"):
        page = re.sub(part, "", page, flags=re.DOTALL)
    return [address for address in re.findall(r"https?://[^\s\"'<>)]+", page) if "www.w3.org" not in address]
