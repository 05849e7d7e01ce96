#!/usr/bin/env bash
# TorchCP: SAPS with randomized=False gives empty sets, 0 % covered, if the model is right nine times of ten.
# Expected: "randomized: Whether to use randomized scores". Either way one score measures both the labels that calibrate
#   and the labels to choose from; split conformal prediction covers 1 - alpha only then (Huang et al. 2023).
# Happens: without chance, a true label ranked first calibrates with a score of 0, but is judged at prediction by its
#   probability. At other ranks, and with randomized=True, both agree; so do both in APS and RAPS.
# Hurts: at 91 % accuracy and alpha 0.1 the threshold is 0 and every set is empty; at 83 % a third of the truths is
#   covered. Wrong sets are much smaller than right ones, which is what papers compare. No error, no warning.
# Instead: randomized=True, its default.
# Seen: torchcp 1.2.1, 29 November 2026. From: SAPS._calculate_single_label in torchcp/classification/score/saps.py.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q torch==2.13.0 numpy==2.4.6 scikit-learn==1.9.1 tqdm==4.67.1
"$tmp/venv/bin/pip" install -q --no-deps torchcp==1.2.1
"$tmp/venv/bin/python" - <<'PY'
import math
import sys
import warnings
from unittest.mock import MagicMock

import torch

warnings.simplefilter("ignore")
sys.modules.update({name: MagicMock() for name in ("torchsort", "torchcp.graph", "torchcp.llm")})  # not used here
from torchcp.classification.predictor import SplitPredictor  # noqa: E402
from torchcp.classification.score import SAPS  # noqa: E402

torch.manual_seed(0)
n, rows = 2000, torch.arange(4000)


def by_hand(logits, weight=0.2):  # the largest probability, plus the weight for each rank below the first
    return logits.softmax(1).amax(1, keepdim=True) + weight * logits.argsort(1, descending=True).argsort(1)


for sharp in (3, 6, 12):
    logits = sharp * torch.randn(6000, 10)
    labels = torch.distributions.Categorical(logits=logits).sample()  # a model that is calibrated
    right = (logits.argmax(1) == labels).float().mean()
    covered = {}
    for randomized in (True, False):
        predictor = SplitPredictor(SAPS(randomized=randomized, weight=0.2), alpha=0.1)
        predictor.calculate_threshold(logits[:n], labels[:n])
        covered[randomized] = predictor.predict_with_logits(logits[n:])[rows, labels[n:]].float().mean().item()
    scores = by_hand(logits).gather(1, labels[:, None])[:, 0]
    hand = (scores[n:] <= scores[:n].sort().values[math.ceil((n + 1) * 0.9) - 1]).float().mean()
    print(
        f"accuracy {right:.0%}, 90 % asked for: randomized=True {covered[True]:.1%},"
        f" False {covered[False]:.1%}, by hand without chance {hand:.1%}"
    )
if covered[False] > 0.5:
    sys.exit("changed: SAPS without chance covers too")
PY
