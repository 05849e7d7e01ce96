"""Finished runs on disk: for each one a small JSON file and its arrays, written whole or not at all."""

import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from alkit import ROOT
from alkit.data import replace_file

PUBLISHED = ROOT / "figures" / "records"


@dataclass(frozen=True)
class Run:
    """A finished run: its record, small enough to read, and the arrays it produced."""

    record: dict
    arrays: dict[str, np.ndarray]


def folder() -> Path:
    """Where runs are kept: the environment variable ALKIT_RECORDS, or `records`, seen from the project's folder."""
    return ROOT / os.environ.get("ALKIT_RECORDS", "records")


def key(identity: dict) -> str:
    """Name a run by everything that can change its numbers: 20 hexadecimal digits of a SHA-256 of the JSON."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:20]


def write(name: str, run: Run, place: Path | None = None) -> None:
    """Keep a run. The record comes last, so that a stop at any moment leaves either the whole run or none of it."""
    place = place or folder()
    place.mkdir(parents=True, exist_ok=True)
    replace_file(place / f"{name}.npz", lambda path: np.savez_compressed(path, **run.arrays))
    replace_file(place / f"{name}.json", lambda path: path.write_text(json.dumps(run.record, indent=1)))


def check() -> None:
    """Raise OSError where no run can be kept, before a training is lost to that."""
    folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder()):
        pass


def read(name: str, place: Path | None = None) -> Run | None:
    """Return a run, or None if it is not there or cannot be read, so that it is computed again."""
    place = place or folder()
    try:
        record = json.loads((place / f"{name}.json").read_text())
        with np.load(place / f"{name}.npz", allow_pickle=False) as arrays:
            return Run(record, dict(arrays))
    except Exception:  # absent, or damaged in one of the many ways a file can be
        return None
