#!/usr/bin/env bash
# TorchCP: CQR-R intervals are the raw quantiles of the model, the conformal step is lost.
# Expected: CQRR widens both ends by q_hat times the width of the interval, as in the paper it cites (Sesia and Candes
#   2020), so that a share of 1 - alpha of the truths lies in it whatever the model.
# Happens: generate_intervals takes that width from its own output, which is still all zeros, so the width is 0.000001
#   and q_hat, however large, changes nothing. CQR and CQR-M are right.
# Hurts: a model whose quantiles are too narrow keeps them: 39 % are covered where 90 % was asked for. q_hat itself
#   looks as it should. In a comparison of methods CQR-R "gives the shortest intervals". No error, no warning.
# Instead: CQR or CQRM; or the two lines of `by_hand` below with predictor.q_hat.
# Seen: torchcp 1.2.1, 29 November 2026. From: CQRR.generate_intervals in torchcp/regression/score/cqrr.py.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q torch==2.13.0 numpy==2.4.6 scikit-learn==1.9.1 tqdm==4.67.1
"$tmp/venv/bin/pip" install -q --no-deps torchcp==1.2.1
"$tmp/venv/bin/python" - <<'PY'
import sys
import warnings
from unittest.mock import MagicMock

import torch
from torch.utils.data import DataLoader, TensorDataset

warnings.simplefilter("ignore")
sys.modules.update({name: MagicMock() for name in ("torchsort", "torchcp.graph", "torchcp.llm")})  # not used here
from torchcp.regression.predictor import SplitPredictor  # noqa: E402
from torchcp.regression.score import CQR, CQRR  # noqa: E402

torch.manual_seed(0)


class Narrow(torch.nn.Module):
    reach = 0.5

    def forward(self, x):
        return torch.cat([x - self.reach, x + self.reach], dim=1)


def draw(n):
    x = torch.randn(n, 1)
    return TensorDataset(x, (x + torch.randn(n, 1))[:, 0])  # noise of 1: 90 % need a half of 1.64


calibrating, testing = DataLoader(draw(2000), batch_size=500), draw(4000)
for score in (CQR, CQRR):
    predictor = SplitPredictor(score(), Narrow(), alpha=0.1, device="cpu")
    predictor.calibrate(calibrating)
    result = predictor.evaluate(DataLoader(testing, batch_size=500))
    print(f"{score.__name__}: q_hat {predictor.q_hat.item():.2f}, {result['coverage_rate']:.1%} covered")
x, y = testing.tensors
low, high = Narrow()(x).T
by_hand = predictor.q_hat * (high - low)
covered = ((y >= low - by_hand) & (y <= high + by_hand)).float().mean()
print(f"CQR-R by hand, q_hat the same: {covered:.1%}; raw quantiles: {((y >= low) & (y <= high)).float().mean():.1%}")
if result["coverage_rate"] > 0.8:
    sys.exit("changed: CQR-R covers 90 %")
PY
