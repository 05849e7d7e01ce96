"""What the tests share: an empty store for each, and a study small enough to run many times."""

import os
import re
from pathlib import Path

# Two tests run at a time, each on one thread; torch reads this when it is imported. Processes that joblib starts take
# the second from the number of cores where it is not set, and their torch takes it over the first.
os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

import pytest

from alkit.data import load
from alkit.profiles import load_study

TINY = Path(__file__).with_name("tiny.yaml")


@pytest.fixture(autouse=True)
def records(tmp_path, monkeypatch):
    folder = tmp_path / "records"
    monkeypatch.setenv("ALKIT_RECORDS", str(folder))
    monkeypatch.setenv("ALKIT_DATA", str(tmp_path / "data"))  # nobody has downloaded anything
    return folder


@pytest.fixture
def study():
    return load_study(str(TINY))


@pytest.fixture(scope="session")
def digits():
    return load("digits")


def loaded_from_elsewhere(page):
    """The addresses that a page would load something from; links for a reader to follow are none."""
    for part in (r"<!--.*?-->", r"/\*.*?\*/", r"<!DOCTYPE.*?>", r"<a\b[^>]*>"):
        page = re.sub(part, "", page, flags=re.DOTALL)
    return [address for address in re.findall(r"https?://[^\s\"'<>)]+", page) if "www.w3.org" not in address]
