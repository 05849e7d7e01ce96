#!/usr/bin/env bash
# scikit-learn: kmeans_plusplus fills a batch up with one and the same row.
# Expected: 40 indices are 40 rows, or a warning says that the pool has too few distinct points.
# Happens: once every distinct point is a centre, all distances are 0 and the draw falls on row 0 again
#   and again: the indices repeat it, silently. KMeans warns on the same pool (ConvergenceWarning).
# Hurts: diverse batches as in BADGE, drawn from what a model puts out: trees with pure leaves, hard
#   decisions, rounded probabilities. The batch buys 11 labels and is booked as 40.
# Instead: np.unique the indices, and fill up with rows drawn from the rest of the pool.
# Seen: scikit-learn 1.9.1, 27 November 2026. From: _kmeans_plusplus in sklearn/cluster/_kmeans.py: its
#   searchsorted finds 0 in a cumulated sum of zeros.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1
"$tmp/venv/bin/python" - <<'PY'
import sys
import warnings

import numpy as np
from sklearn.cluster import KMeans, kmeans_plusplus
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

BATCH = 40
X, y = load_digits(return_X_y=True)
rng = np.random.default_rng(0)
labelled = rng.choice(len(X), 100, replace=False)
pool = np.setdiff1d(np.arange(len(X)), labelled)


def raised_by(job):
    """What the job returns, and the names of the warnings it raised."""
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        result = job()
    return result, sorted({w.category.__name__ for w in raised})


models = {"tree": DecisionTreeClassifier(random_state=0), "logistic regression": LogisticRegression(max_iter=2000)}
batches, told = {}, {}
for name, model in models.items():
    outputs = model.fit(X[labelled], y[labelled]).predict_proba(X[pool])
    distinct = len(np.unique(outputs, axis=0))
    batches[name], told[name] = [], set()
    print(f"{name}: {len(pool)} rows in the pool, {distinct} distinct outputs")
    for seed in range(3):
        (_, indices), names = raised_by(lambda: kmeans_plusplus(outputs, BATCH, random_state=seed))
        batches[name].append(indices)
        told[name].update(names)
        times = np.bincount(indices)
        print(f"  seed {seed}: {len(indices)} indices, {len(np.unique(indices))} rows,"
              f" row {times.argmax()} picked {times.max()} times")
    _, kmeans_told = raised_by(lambda: KMeans(BATCH, n_init=1, random_state=0).fit(outputs))
    print(f"  warnings: kmeans_plusplus {' '.join(told[name]) or 'none'} - KMeans {' '.join(kmeans_told) or 'none'}")
    told[name, "KMeans"] = kmeans_told

rows = np.unique(batches["tree"][0])  # what to do instead
rest = np.setdiff1d(np.arange(len(pool)), rows)
filled = np.concatenate([rows, rng.choice(rest, BATCH - len(rows), replace=False)])
print(f"tree, filled up: {len(np.unique(filled))} rows")

if told["tree"] or any(len(np.unique(indices)) == BATCH for indices in batches["tree"]):
    sys.exit("changed: kmeans_plusplus now warns, or no longer picks a row twice")
if "ConvergenceWarning" not in told["tree", "KMeans"]:
    sys.exit("changed: KMeans no longer warns on the same pool")
if any(len(np.unique(indices)) < BATCH for indices in batches["logistic regression"]):
    sys.exit("changed: a row is picked twice where all outputs differ too")
PY
