#!/usr/bin/env bash
# modAL: an own query strategy that picks two rows buys one label a round.
# Expected: a strategy may return its indices alone, whatever their number: query has a branch for it.
# Happens: query first unpacks what the strategy returned into a pair (indices, metrics). An array of two
#   indices is such a pair: the first becomes the pick, the second the metrics. Any other number of
#   picks fails to unpack, a bare except hides it, and the strategy is run a second time. No warning.
# Hurts: curves with batches of 2: half the labels of what the axis says, wherever the loop reshapes the
#   pick, as the example in ActiveLearner does. With other sizes a costly strategy costs double.
# Instead: return a pair, (indices, X[indices]) or (indices, utilities); check len(indices) each round.
# Seen: modAL-python 0.4.2.1 with scikit-learn 1.7.2 (teach raises a TypeError with 1.9.1), 27 November
#   2026. From: BaseLearner.query in modAL/models/base.py (BaseCommittee.query alike).
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q numpy==2.4.6 scipy==1.17.1 scikit-learn==1.7.2 pandas==3.1.1
"$tmp/venv/bin/pip" install -q --no-deps modAL-python==0.4.2.1
"$tmp/venv/bin/python" - <<'PY'
import sys
import warnings

import numpy as np
from modAL.models import ActiveLearner
from sklearn.datasets import load_iris
from sklearn.naive_bayes import GaussianNB

X, y = load_iris(return_X_y=True)
ROUNDS, START = 10, np.arange(0, 150, 10)


def campaign(picks, pair):
    """Labels bought and runs of the strategy in ten rounds."""
    runs = 0

    def least_certain(learner, rows):
        nonlocal runs
        runs += 1
        indices = np.argsort(learner.predict_proba(rows).max(axis=1), kind="stable")[:picks]
        return (indices, rows[indices]) if pair else indices

    pool = np.setdiff1d(np.arange(len(X)), START)
    learner = ActiveLearner(GaussianNB(), query_strategy=least_certain, X_training=X[START], y_training=y[START])
    for _ in range(ROUNDS):
        asked, _ = learner.query(X[pool])
        rows = np.atleast_1d(pool[asked])
        learner.teach(X[rows], y[rows])
        pool = np.setdiff1d(pool, rows)
    return len(learner.y_training) - len(START), runs


seen = {}
with warnings.catch_warnings(record=True) as raised:
    warnings.simplefilter("always")
    for picks, pair in ((1, False), (2, False), (3, False), (2, True)):
        seen[picks, pair] = bought, runs = campaign(picks, pair)
        print(f"{'a pair' if pair else 'indices alone'}, {ROUNDS} rounds of {picks}:"
              f" {bought} labels bought, strategy run {runs} times")
told = {str(w.message) for w in raised if w.category is not FutureWarning}  # scikit-learn's, on a renamed argument
print("warnings:", sorted(told) or "none")
if seen[2, False] != (10, 10) or told:
    sys.exit("changed: two indices are no longer silently taken for a pair")
if seen[1, False] != (10, 20) or seen[3, False] != (30, 20):
    sys.exit("changed: a strategy that returns indices alone is no longer run twice")
if seen[2, True] != (20, 10):
    sys.exit("changed: a pair no longer buys two labels a round")
PY
