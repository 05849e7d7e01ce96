#!/usr/bin/env bash
# Bayesian-Torch: the KL divergence of a layer is a mean over its weights, and prior_variance is a standard deviation.
# Expected: kl_loss() is the KL divergence of a layer's posterior from its prior, as its documentation says, "required
#   to compute" the ELBO: the sum over independent weights, the prior having the variance asked for.
# Happens: the terms are averaged over the weight matrix and over the bias, and both are added: one of 10 biases counts
#   as much as 100 of 1,000 weights. prior_variance is used where the standard deviation belongs.
# Hurts: for 100 x 10 weights the loss of the README has a prior some 500 times too weak, the wider the layer the
#   weaker; with prior_variance=0.01 its deviation is 0.01 instead of 0.1. No error, no warning. (The mean has been
#   asked about in issue 36 of the project since 2024.)
# Instead: torch.distributions.kl_divergence as below, summed over all layers, divided by the number of training rows.
# Seen: bayesian-torch 0.5.0, 29 November 2026. From: kl_div in bayesian_torch/layers/base_variational_layer.py and
#   init_parameters in bayesian_torch/layers/variational_layers/linear_variational.py.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q bayesian-torch==0.5.0 torch==2.14.1 torchvision==0.29.1 numpy==2.4.6
OMP_NUM_THREADS=1 "$tmp/venv/bin/python" - <<'PY'
import sys
import warnings

import torch

warnings.simplefilter("ignore")
from bayesian_torch.layers import LinearReparameterization  # noqa: E402
from torch.distributions import Normal, kl_divergence  # noqa: E402
from torch.nn.functional import softplus  # noqa: E402

given = {}
for variance in (1.0, 0.01):
    torch.manual_seed(0)
    layer = LinearReparameterization(100, 10, prior_variance=variance)
    pairs = [(layer.mu_weight, layer.rho_weight), (layer.mu_bias, layer.rho_bias)]
    terms = {name: [kl_divergence(Normal(mu, softplus(rho)), Normal(0.0, deviation)) for mu, rho in pairs]
             for name, deviation in {"right": variance**0.5, "deviation": variance}.items()}
    given[variance] = layer.kl_loss().item()
    print(f"prior_variance {variance}: kl_loss() {given[variance]:.2f},",
          f"by formula {sum(term.sum() for term in terms['right']):.2f};",
          f"means {sum(term.mean() for term in terms['right']):.2f},",
          f"means of a prior of that deviation {sum(term.mean() for term in terms['deviation']):.2f}")
if given[1.0] > 100 or given[0.01] < 100 or given[0.01] > 1000:
    sys.exit("changed: the divergence is a sum, or the prior has the variance asked for")
PY
