#!/usr/bin/env bash
# TorchCP: with verbose=False a regression model is trained for one epoch, whatever `epochs` says.
# Expected: train(..., epochs=100) trains 100 epochs, "Number of training epochs. Default is 100"; verbose "displays
#   training progress".
# Happens: the loop over the epochs stands only in the branch with the progress bar. Without it the data are gone
#   through once. All scores that train (ABS, CQR, CQR-M, NorABS, R2CCP) share it. ACIPredictor always retrains with
#   verbose=False.
# Hurts: who silences the bar, in a loop over seeds or rounds, compares intervals around a model that has hardly
#   learned: valid still, and 24 times as wide here. No error, no warning.
# Instead: verbose=True within contextlib.redirect_stderr(None) and redirect_stdout(None), or one's own training.
# Seen: torchcp 1.2.1, 29 November 2026. From: _basetrain in torchcp/regression/score/base.py.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q torch==2.13.0 numpy==2.4.6 scikit-learn==1.9.1 tqdm==4.67.1
"$tmp/venv/bin/pip" install -q --no-deps torchcp==1.2.1
"$tmp/venv/bin/python" -W ignore - 2>/dev/null <<'PY'
import sys
from unittest.mock import MagicMock

import torch
from torch.utils.data import DataLoader, TensorDataset

sys.modules.update({name: MagicMock() for name in ("torchsort", "torchcp.graph", "torchcp.llm")})  # not used here
from torchcp.regression.predictor import SplitPredictor  # noqa: E402
from torchcp.regression.score import ABS  # noqa: E402

torch.set_num_threads(1)


class Counted(DataLoader):
    passes = 0

    def __iter__(self):
        self.passes += 1
        return super().__iter__()


def draw(n):
    x = torch.rand(n, 1) * 2 - 1
    return TensorDataset(x, (3 * x + 1 + 0.1 * torch.randn(n, 1))[:, 0])  # to learn: 3 x + 1


passes = {}
for verbose in (True, False):
    torch.manual_seed(0)
    loader = Counted(draw(256), batch_size=64)
    predictor = SplitPredictor(ABS(), torch.nn.Linear(1, 1), alpha=0.1)
    predictor.train(loader, epochs=200, lr=0.01, verbose=verbose)
    passes[verbose] = loader.passes - 1  # one is a look at the shape of a batch
    predictor.calibrate(DataLoader(draw(500), batch_size=100))
    width = predictor.evaluate(DataLoader(draw(500), batch_size=100))["average_size"]
    slope, shift = (parameter.item() for parameter in predictor._model.parameters())
    print(f"verbose={verbose}: {passes[verbose]} of 200 epochs, {slope:.2f} x + {shift:.2f}, width {width:.2f}")
if passes[False] > 1:
    sys.exit("changed: all epochs are trained")
PY
