#!/usr/bin/env bash
# Baal: PowerSampling, GibbsSampling and RankBasedSampling of Margin or Certainty pick what the model is sure of.
# Expected: they make any heuristic random: rows that it ranks high are likely, rows that it ranks low are not.
# Happens: large scores are likely, whatever the heuristic; the scores of Margin and Certainty are small where the model
#   is unsure. So sure rows are bought, more of them than at random. No error, no warning. (In an ActiveLearningLoop
#   any of the three raises a TypeError, so they are called by hand.)
# Hurts: studies of batch diversity that find "stochastic margin" worse than random sampling.
# Instead: draw yourself, of 1 - margin: Gumbel noise added to its logarithm, then the k highest, as in the paper.
# Seen: baal 2.1.0, 29 November 2026. From: get_ranks in baal/active/heuristics/stochastics.py, which never asks
#   whether the heuristic it was given is `reversed`.
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
from baal.active.heuristics import Certainty, Entropy, Margin
from baal.active.heuristics.stochastics import GibbsSampling, PowerSampling, RankBasedSampling
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

images, labels = load_digits(return_X_y=True)
probabilities = LogisticRegression(max_iter=2000).fit(images[:100] / 16, labels[:100]).predict_proba(images[100:] / 16)
confidence = probabilities.max(axis=1)
print(f"mean confidence of the pool: {confidence.mean():.3f}")
seen = {}
np.random.seed(0)
for sampling in (PowerSampling, GibbsSampling, RankBasedSampling):
    for heuristic in (Margin(), Certainty(), Entropy()):
        picks = np.concatenate([sampling(heuristic, 100).get_ranks(probabilities)[0] for _ in range(20)])
        name = f"{sampling.__name__} of {type(heuristic).__name__}"
        seen[name] = confidence[picks].mean()
        print(f"{name}: mean confidence of the picks {seen[name]:.3f}")
if any((value > confidence.mean()) == name.endswith("Entropy") for name, value in seen.items()):
    sys.exit("changed: samplings prefer rows that the model is unsure of, by any heuristic")
PY
