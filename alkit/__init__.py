"""Active learning, step by step: data, training, samplers and the protocol of the report."""

import os
from importlib import import_module
from pathlib import Path

__version__ = "0.2.0"
ROOT = Path(__file__).resolve().parent.parent

# Threads that wait for each other spin; when another program holds a core, the default makes small networks a hundred
# times slower. It has to be set before torch is imported.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

# What `from alkit import ...` offers, and where it is: imported when asked for, for torch alone takes seconds.
_HOMES = {
    "data": ("Dataset", "Images", "reveal", "split"),
    "loading": ("load",),
    "training": ("fit", "predict_features", "predict_proba"),
    "samplers": ("Pool", "sample"),
    "study": ("EXPERIMENTS", "Study"),
    "profiles": ("open_study",),
}
__all__ = [name for names in _HOMES.values() for name in names]


def __getattr__(name: str):
    home = next((home for home, names in _HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"alkit has no {name!r}; it has {', '.join(__all__)}.")
    return getattr(import_module(f"alkit.{home}"), name)
