#!/usr/bin/env bash
# BLiTZ: the Radial wrapper changes nothing, its layers draw the same Gaussian weights as before.
# Expected: weights mu + sigma * eps / |eps| (times a normal radius), as in the paper it names (Farquhar et al. 2020):
#   the noise of a layer is short, however many weights there are.
# Happens: the method that draws so is put on the layer, where nothing calls it; weights are drawn by the layer's
#   samplers, which stay as they are. (Called by hand, it ends in an AttributeError.)
# Hurts: from one seed the outputs are equal bit by bit, and "radial against mean-field" compares a net with itself.
#   No error, no warning.
# Instead: set a "sample" of your own on weight_sampler and bias_sampler of each layer.
# Seen: blitz-bayesian-pytorch 0.2.8, 29 November 2026. From: Radial in blitz/utils/layer_wrappers.py.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q blitz-bayesian-pytorch==0.2.8 torch==2.14.1 torchvision==0.29.1 numpy==2.4.6
OMP_NUM_THREADS=1 "$tmp/venv/bin/python" - <<'PY'
import sys

import torch
from blitz.modules import BayesianLinear
from blitz.utils import Radial
from torch.nn.functional import softplus

torch.manual_seed(0)
rows = torch.randn(8, 100)
plain = BayesianLinear(100, 50, posterior_rho_init=-2.0)
wrapped = Radial(BayesianLinear)(100, 50, posterior_rho_init=-2.0)
wrapped.load_state_dict(plain.state_dict())
outputs, lengths = [], []
with torch.no_grad():
    sigma = softplus(plain.weight_rho)
    for layer in (plain, wrapped):
        torch.manual_seed(1)
        outputs.append(layer(rows))
        noise = (layer.weight_sampler.w - layer.weight_mu) / sigma
        lengths.append(noise.norm().item())
alike = torch.equal(*outputs)
print(f"length of the noise of 5,000 weights: plain {lengths[0]:.1f}, Radial {lengths[1]:.1f}, by the paper about 1")
print(f"outputs of both from one seed are the same: {alike}")
if not alike or lengths[1] < 10:
    sys.exit("changed: the wrapper draws other weights")
PY
