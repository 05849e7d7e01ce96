#!/usr/bin/env bash
# Baal: PowerSampling of BALD with a temperature other than 1 becomes random sampling by one rounding error.
# Expected: rows are drawn in proportion to BALD to the power of 1 / temperature.
# Happens: where all passes agree, BALD is 0, computed as 1e-16 above or below. A negative number to the power of 0.5 is
#   not a number, the sum is none, no row counts as likely, and all rows become equally likely. A warning is written to
#   a log, "Not enough values", and one of numpy; the picks look like any others.
# Hurts: temperature sweeps on a confident model, where rows with BALD of about 0 are usual: each temperature above 1,
#   and others whose reciprocal is no integer, give the same result, that of random sampling.
# Instead: clip the scores at 0 before the power: heuristic.get_uncertainties(...).clip(0), and draw yourself.
# Seen: baal 2.1.0, 29 November 2026. From: _make_distribution of PowerSampling and get_ranks, which clips after the
#   power and not before, in baal/active/heuristics/stochastics.py.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q torch==2.14.1 torchmetrics==1.9.0 numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1 \
  structlog==22.3.0 matplotlib==3.10.9 tqdm==4.67.1
"$tmp/venv/bin/pip" install -q --no-deps baal==2.1.0 # what else it requires, notebooks use
"$tmp/venv/bin/python" - <<'PY'
import sys

import numpy as np
from baal.active.heuristics import BALD
from baal.active.heuristics.stochastics import PowerSampling
from scipy.special import softmax
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

images, labels = load_digits(return_X_y=True)
rng, passes = np.random.default_rng(0), []
for _ in range(10):  # an ensemble, each of other images
    some = rng.choice(150, 100, replace=False)
    model = LogisticRegression(C=10, max_iter=5000).fit(images[some], labels[some])
    passes.append(model.decision_function(images[150:]))
probabilities = softmax(np.stack(passes, axis=-1), axis=1)
agreed = np.repeat(probabilities[:50, :, :1], 10, axis=2)  # as by ten passes that agree
probabilities = np.concatenate([probabilities, agreed])
bald = BALD().get_uncertainties(probabilities)
print(f"BALD from {bald.min():.1e} to {bald.max():.2f}, mean {bald.mean():.3f}; {(bald < 0).sum()} rows below 0")
likely, means = {}, {}
np.random.seed(0)
for temperature in (1.0, 2.0):
    drawn = [PowerSampling(BALD(), 50, temperature).get_ranks(probabilities) for _ in range(20)]
    likely[temperature] = len(np.unique(drawn[0][1]))
    means[temperature] = bald[np.concatenate([picks for picks, _ in drawn])].mean()
    power = bald.clip(0) ** (1 / temperature)
    wanted = bald[np.concatenate([rng.choice(len(bald), 50, False, power / power.sum()) for _ in range(20)])].mean()
    print(f"temperature {temperature}: {likely[temperature]} different likelihoods, mean BALD of the picks "
          f"{means[temperature]:.3f}, drawn by hand {wanted:.3f}")
if (bald < 0).sum() == 0 or likely[2.0] != 1 or likely[1.0] < 100 or means[2.0] > 0.75 * wanted:
    sys.exit("changed: rows are drawn by BALD at any temperature")
PY
