#!/usr/bin/env bash
# doubtlab: RelativeDifferenceReason never doubts a row whose target is negative, however wrong it is.
# Expected: a row is in doubt where the relative difference of prediction and label, |prediction - y| / |y|, reaches the
#   threshold, whatever the sign of y.
# Happens: the difference is divided by y itself. For negative y the result is below 0, so below every threshold. No
#   error, no warning; a y of 0 is refused, a negative one is not.
# Hurts: of centred or standardised targets, temperatures, returns or balances half of the wrong labels are not found.
# Instead: AbsoluteDifferenceReason, or a function of X and y in the ensemble that divides by abs(y).
# Seen: doubtlab 0.2.4, 29 November 2026. From: RelativeDifferenceReason.from_predict in doubtlab/reason.py.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q doubtlab==0.2.4 numpy==2.4.6 scikit-learn==1.9.1 cleanlab==2.9.0
OMP_NUM_THREADS=1 "$tmp/venv/bin/python" - <<'PY'
import sys

import numpy as np
from doubtlab.ensemble import DoubtEnsemble
from doubtlab.reason import RelativeDifferenceReason
from sklearn.linear_model import HuberRegressor

rng = np.random.default_rng(0)
X = rng.normal(size=(1000, 3))
y = X @ [3.0, 2.0, 1.0] + rng.normal(0, 0.1, 1000)
wrong = rng.choice(1000, 100, replace=False)
y[wrong] = rng.choice([-1, 1], 100) * rng.uniform(5, 10, 100)
model = HuberRegressor(max_iter=1000).fit(X, y)
found = DoubtEnsemble(reason=RelativeDifferenceReason(model, threshold=0.5)).get_indices(X, y)
plain = np.flatnonzero(np.abs(model.predict(X) - y) / np.abs(y) >= 0.5)
shares = {}
for name, rows in (("positive", wrong[y[wrong] > 0]), ("negative", wrong[y[wrong] < 0])):
    shares[name] = np.isin(rows, found).mean()
    by_hand = np.isin(rows, plain).mean()
    print(f"{len(rows)} wrong labels, {name}: found {shares[name]:.0%}, by the absolute value {by_hand:.0%}")
print("rows in doubt with a negative label:", (y[found] < 0).sum(), "- by the absolute value:", (y[plain] < 0).sum())
if shares["negative"] > 0:
    sys.exit("changed: negative labels are doubted")
PY
