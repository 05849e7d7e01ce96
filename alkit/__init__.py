"""Active learning, step by step: data, training, samplers and the protocol of the report."""

import os
from pathlib import Path

__version__ = "0.1.0"
ROOT = Path(__file__).resolve().parent.parent

# Threads that wait for each other spin; when another program holds a core, the default makes small networks a hundred
# times slower. It has to be set before torch is imported.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")
