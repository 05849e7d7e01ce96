#!/usr/bin/env bash
# small-text: greedy_coreset takes the distance of each next pick from a wrong row.
# Expected: k-center greedy (Sener and Savarese 2018): each pick is the row farthest from all labelled and picked ones,
#   and, as its docstring says, the result are indices relative to x.
# Happens: the result are positions in indices_unlabeled, and these positions are used as rows of x when the next
#   distances are measured. Unless the unlabelled rows stand first, in order, it measures from rows that were not
#   picked, among them labelled ones; no error. Read as the docstring says, labelled rows come back as picks.
# Hurts: whoever calls the function on a pool of his own, where labels are scattered: a batch with near-duplicates.
#   (The strategy GreedyCoreset puts the unlabelled rows first before it calls it, unless embeddings are passed in.)
# Instead: call it with x = all unlabelled rows, then the labelled ones, and map the positions back.
# Seen: small-text 1.4.1, 28 November 2026. From: greedy_coreset in small_text/query_strategies/coresets.py.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q small-text==1.4.1 scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1
"$tmp/venv/bin/python" - <<'PY'
import sys

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.datasets import load_digits
from small_text.query_strategies.coresets import greedy_coreset

x = load_digits().data
labelled = np.random.default_rng(0).choice(len(x), 100, replace=False)
pool = np.setdiff1d(np.arange(len(x)), labelled)


def cover(rows):
    """How far the farthest row of the pool is from all that is labelled then."""
    return cdist(x[pool], x[np.concatenate([labelled, rows])]).min(axis=1).max()


def plain(n):
    nearest, picks = cdist(x[pool], x[labelled]).min(axis=1), []
    for _ in range(n):
        picks.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, cdist(x[pool], x[pool[picks[-1:]]])[:, 0])
    return pool[picks]


given = greedy_coreset(x, pool, labelled, 200, distance_metric="euclidean")
first = np.concatenate([x[pool], x[labelled]])
places = np.arange(len(pool)), np.arange(len(pool), len(x))
reordered = pool[greedy_coreset(first, *places, 200, distance_metric="euclidean")]
as_said, as_positions = np.isin(given, labelled).sum(), pool[given]
same = {name: len(np.intersect1d(rows, plain(200))) for name, rows in
        (("labels scattered", as_positions), ("pool first", reordered))}
print(f"read as indices relative to x: {as_said} of 200 picks are labelled already")
for name, rows in (("labels scattered", as_positions), ("pool first", reordered), ("plain loop", plain(200))):
    print(f"{name:16s}: farthest row of the pool at {cover(rows):.1f}, {same.get(name, 200)} of 200 picks of the plain loop")
if as_said == 0 or cover(as_positions) <= cover(plain(200)) * 1.1 or same["pool first"] != 200:
    sys.exit("changed: greedy_coreset measures from the rows that it picked")
PY
