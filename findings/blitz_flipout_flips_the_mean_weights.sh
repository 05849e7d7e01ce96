#!/usr/bin/env bash
# BLiTZ: the Flipout wrapper flips the mean weights too, so that a layer sure of its weights gives random outputs.
# Expected: x mu + ((x * s) D) * r with random signs s and r and D = sigma * eps, the perturbation alone, as in the
#   paper it names (Wen et al. 2018): for a single row the same distribution as without the wrapper.
# Happens: instead of D the whole sampled weight mu + D is used in the second term, and the bias with it, so the
#   outputs go up or down by about as much as the output itself.
# Hurts: with sigma near 0 the deviation of the outputs is about 0.5 instead of 0, at the package's default sigma it is
#   a hundred times too large. All uncertainties (and BALD of them) tell of the signs, not of the posterior. No
#   error, no warning; the mean over many passes is right.
# Instead: the layer without the wrapper.
# Seen: blitz-bayesian-pytorch 0.2.8, 29 November 2026. From: Flipout in blitz/utils/layer_wrappers.py.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q blitz-bayesian-pytorch==0.2.8 torch==2.14.1 torchvision==0.29.1 numpy==2.4.6
OMP_NUM_THREADS=1 "$tmp/venv/bin/python" - <<'PY'
import sys

import torch
from blitz.modules import BayesianLinear
from blitz.utils import Flipout
from torch.nn.functional import softplus

torch.manual_seed(0)
row, seen = torch.randn(1, 20), {}
with torch.no_grad():
    for rho in (-20.0, -7.0, -1.0):  # -7 is the default
        plain = BayesianLinear(20, 5, posterior_rho_init=rho)
        wrapped = Flipout(BayesianLinear)(20, 5, posterior_rho_init=rho)
        wrapped.load_state_dict(plain.state_dict())
        variance = row**2 @ softplus(plain.weight_rho).T ** 2 + softplus(plain.bias_rho) ** 2
        outputs = {name: torch.stack([layer(row) for _ in range(400)]) for name, layer in
                   {"plain": plain, "Flipout": wrapped}.items()}
        seen[rho] = {name: output.std(0).mean().item() for name, output in outputs.items()}
        print(f"rho {rho}: deviation of an output by formula {variance.sqrt().mean():.5f},",
              f"plain {seen[rho]['plain']:.5f}, Flipout {seen[rho]['Flipout']:.5f}")
if seen[-20.0]["Flipout"] < 0.1 or seen[-7.0]["Flipout"] < 10 * seen[-7.0]["plain"]:
    sys.exit("changed: only the perturbation is flipped")
PY
