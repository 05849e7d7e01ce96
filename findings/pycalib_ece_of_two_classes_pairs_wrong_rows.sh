#!/usr/bin/env bash
# PyCalib: ECE of two classes compares probabilities with the labels of other rows.
# Expected: ECE(y_true, probs) takes "probabilities for all the classes with a shape of (samples, classes)" and, by
#   default (ece_full), compares the probability of every class of every row with whether that row is of that class.
# Happens: for two classes scikit-learn's label_binarize gives one column, not two. n labels are paired with the 2 n
#   flattened probabilities: row 1 with the first class of row 0 and so on, and the second half of the rows is left out.
#   With three classes or more it is right.
# Hurts: a perfectly calibrated classifier of two classes gets 0.13 instead of 0.01, nearly what an overconfident one
#   deserves (0.14; it gets 0.20): recalibration seems to fail. No error, no warning.
# Instead: binary_ECE(y_true, probs[:, 1]), or classwise_ECE with labels as a matrix.
# Seen: pycalib 0.1.0.dev6, 29 November 2026. From: _get_preds_all and _compute_acc_bin in pycalib/metrics.py.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q pycalib==0.1.0.dev6 numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1
"$tmp/venv/bin/python" - <<'PY'
import sys

import numpy as np
from pycalib.metrics import ECE, binary_ECE

generator = np.random.default_rng(0)


def by_hand(labels, probs, bins=15):
    hits, flat = np.eye(probs.shape[1])[labels].ravel(), probs.ravel()
    which = np.minimum((flat * bins).astype(int), bins - 1)
    return sum(abs(hits[which == at].sum() - flat[which == at].sum()) for at in range(bins)) / len(flat)


chance = generator.uniform(size=5000)
labels = (generator.uniform(size=5000) < chance).astype(int)
seen = {}
for name, probs in {"calibrated": chance, "overconfident": chance**3 / (chance**3 + (1 - chance) ** 3)}.items():
    both = np.stack([1 - probs, probs], axis=1)
    seen[name] = ECE(labels, both)
    print(
        f"two classes, {name}: {seen[name]:.3f}, by hand {by_hand(labels, both):.3f},"
        f" binary_ECE {binary_ECE(labels, probs):.3f}"
    )
three = generator.dirichlet(np.ones(3), 5000)
labels = (generator.uniform(size=(5000, 1)) < three.cumsum(axis=1)).argmax(axis=1)
print(f"three classes, calibrated: {ECE(labels, three):.3f}, by hand {by_hand(labels, three):.3f}")
if seen["calibrated"] < 0.05:
    sys.exit("changed: a calibrated classifier of two classes has a low ECE")
PY
