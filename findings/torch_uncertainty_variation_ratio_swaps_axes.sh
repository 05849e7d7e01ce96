#!/usr/bin/env bash
# TorchUncertainty: VariationRatio takes examples for estimators.
# Expected: for probabilities of shape (examples, estimators, classes), as its documentation and all metrics beside it
#   have them, the share of an example's estimators that do not predict the most frequent class: 0 where all agree.
# Happens: the first two axes are exchanged before anything is computed, so it is told how examples differ for each
#   estimator. Its documented example, 0.45, is that too: the formula gives 0.35.
# Hurts: five estimators that agree in everything have a ratio of 0.86, and more classes in a batch make a model look
#   less sure; with reduction="none" there is a number for each estimator where one for each example is asked for. As
#   an acquisition function (Gal et al. 2017, Beluch et al. 2018) it scores nothing. No error, no warning.
# Instead: give it probs.transpose(0, 1).
# Seen: torch-uncertainty 0.13.0, 29 November 2026. From: update in
#   torch_uncertainty/metrics/classification/variation_ratio.py.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q "torch-uncertainty[cpu]==0.13.0" torch==2.14.1 torchmetrics==1.9.0 lightning==2.6.6 \
  numpy==2.4.6
"$tmp/venv/bin/python" - <<'PY'
import sys
import warnings

import torch

warnings.simplefilter("ignore")
from torch_uncertainty.metrics.classification import Disagreement, VariationRatio  # noqa: E402

torch.manual_seed(0)
alike = (3 * torch.randn(200, 1, 10)).softmax(-1).expand(-1, 5, -1)  # five estimators agree in everything
ratios = {}
for name, probs in {"as documented": alike, "exchanged": alike.transpose(0, 1)}.items():
    ratio = VariationRatio(probabilistic=False, reduction="none")
    ratio.update(probs)
    ratios[name] = ratio.compute()
    print(f"{name}: {len(ratios[name])} ratios for 200 examples, mean {ratios[name].mean():.3f}")
print(f"disagreement of the same estimators, by the metric beside it: {Disagreement()(alike):.3f}")
if len(ratios["as documented"]) != 5 or ratios["as documented"].mean() < 0.5 or ratios["exchanged"].any():
    sys.exit("changed: estimators that agree have a ratio of 0")
PY
