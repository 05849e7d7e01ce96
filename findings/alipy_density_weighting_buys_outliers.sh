#!/usr/bin/env bash
# ALiPy: density weighting multiplies uncertainty by the mean distance to the pool, so it buys outliers.
# Expected: information density (Settles 2008, the thesis it cites): uncertainty times the mean similarity to the
#   pool, so that of rows alike uncertain those in dense parts come first, and outliers last.
# Happens: the factor is the mean distance. Only with measure "margin", whose scores are below 0, is the order of dense
#   and sparse rows the intended one; then what is surest is weighed most.
# Hurts: where a model is equally unsure of all, it buys the row farthest from all others first, which is what the
#   strategy was made to avoid. A photo of the floor, a broken scan. No error, no warning.
# Instead: beta=-1, a documented parameter, makes 1 / distance of it.
# Seen: alipy 1.2.5, 29 November 2026. From: QueryInstanceDensityWeighted.select in
#   alipy/query_strategy/query_labels.py.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1 matplotlib==3.11.2 prettytable==3.17.0
"$tmp/venv/bin/pip" install -q --no-deps alipy==1.2.5
export MPLBACKEND=Agg MPLCONFIGDIR="$tmp/mpl"
"$tmp/venv/bin/python" - <<'PY'
import sys
import warnings

import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import pairwise_distances

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # about old syntax in files of the package that are not used here
    from alipy.query_strategy.query_labels import QueryInstanceDensityWeighted

images, labels = load_digits(return_X_y=True)
noise = np.random.default_rng(0).integers(0, 17, (20, 64))
rows, is_noise = np.concatenate([images, noise]), np.arange(len(images) + 20) >= len(images)
pool = np.arange(len(rows))
rank = pairwise_distances(rows).mean(axis=0).argsort().argsort()  # 0: in the densest part
bought = {}
for measure in ("entropy", "least_confident", "margin"):
    strategy = QueryInstanceDensityWeighted(rows, None, uncertainty_meansure=measure)
    unsure = np.tile([0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.025, 0.025, 0.025, 0.025], (len(rows), 1))  # of all rows alike
    picks = np.asarray(strategy.select([], pool, batch_size=20, proba_prediction=unsure))
    bought[measure] = is_noise[picks].sum()
    print(f"{measure}: {bought[measure]} of 20 picks are noise, mean place from dense to sparse {rank[picks].mean():.0f}")
if bought["entropy"] < 15 or bought["least_confident"] < 15 or bought["margin"] > 2:
    sys.exit("changed: dense rows come first")
PY
