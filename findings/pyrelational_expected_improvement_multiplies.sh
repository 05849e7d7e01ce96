#!/usr/bin/env bash
# PyRelationAL: expected improvement multiplies by the standard deviation where its formula divides by it.
# Expected: (m - best - xi) * Phi(z) + s * phi(z) with z = (m - best - xi) / s, as in the paper its docstring links
#   (Jones, Schonlau and Welch 1998).
# Happens: z = s * (m - best - xi). With small s nothing is likely to improve, or everything: the result, cut at 0, is
#   exactly 0 for most rows, and the order among these is that of the rows.
# Hurts: of the ten best of 1,000 rows two are found, the others are rows 0, 1, 2 and so on, with a score of 0; how
#   good a batch is depends on the unit of the target. No error, no warning.
# Instead: scipy.stats.norm and the two lines below.
# Seen: pyrelational 1.0.2, 29 November 2026. From: regression_expected_improvement in
#   pyrelational/informativeness/regression.py.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q pyrelational==1.0.2 numpy==1.26.4 torch==2.2.2
"$tmp/venv/bin/python" - <<'PY'
import sys

import numpy as np
import torch
from pyrelational.informativeness import regression_expected_improvement
from scipy.stats import norm

generator = np.random.default_rng(0)
mean, std = generator.normal(size=1000), generator.uniform(0.05, 0.5, 1000)
best = mean.max()
ahead = mean - best - 0.01
by_formula = ahead * norm.cdf(ahead / std) + std * norm.pdf(ahead / std)
given = {"mean": torch.tensor(mean), "std": torch.tensor(std), "max_label": best}
by_package = regression_expected_improvement(**given).numpy()
picks, right = (np.argsort(-scores, kind="stable")[:10] for scores in (by_package, by_formula))
common = len({*picks} & {*right})
print(f"ten highest {picks.tolist()}, by the formula {right.tolist()}: {common} in common")
print(f"scores of exactly 0: {(by_package == 0).sum()} of 1,000, by the formula {(by_formula == 0).sum()}")
if common > 5 or (by_package == 0).sum() < 500:
    sys.exit("changed: the formula divides by the standard deviation")
PY
