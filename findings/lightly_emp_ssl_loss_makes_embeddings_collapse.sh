#!/usr/bin/env bash
# Lightly: EMPSSLLoss has the sign of its coding rate turned round, so that it makes embeddings collapse.
# Expected: to minimise it raises the total coding rate R(Z) = 1/2 logdet(I + d / (b eps) Z'Z) and brings the views of
#   an image together, as in the paper it names (Tong et al. 2023: maximise R(Z) + lambda D(Z)).
# Happens: R(Z) is added to a loss that is minimised, so the term that shall keep embeddings apart pulls them together.
# Hurts: the coding rate of free unit vectors falls from 14 to 5, and of 16 dimensions about three are left; with
#   R(Z) subtracted all 16 stay. The loss falls as it should, there is no error and no warning.
# Instead: EMPSSLLoss()(views) - 2 * tcr_loss(torch.stack(views), 0.2), tcr_loss being in lightly.loss.emp_ssl_loss.
# Seen: lightly 1.6.0, 29 November 2026. From: EMPSSLLoss.forward and tcr_loss in lightly/loss/emp_ssl_loss.py.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q lightly==1.6.0 torch==2.14.1 torchvision==0.29.1 pytorch-lightning==2.6.6 numpy==2.4.6
OMP_NUM_THREADS=1 "$tmp/venv/bin/python" - <<'PY'
import sys

import numpy as np
import torch
from lightly.loss import EMPSSLLoss
from torch.nn.functional import normalize


def rate(views):
    rates = (np.linalg.slogdet(np.eye(16) + 16 / (64 * 0.2) * view.T @ view)[1] / 2 for view in views)
    return np.mean([*rates])


def dimensions(views):  # the exponential of the entropy of the squared singular values
    share = np.linalg.svd(views.mean(0), compute_uv=False) ** 2
    share = share / share.sum()
    return np.exp(-(share * np.log(share + 1e-12)).sum())


rates = {}
for name, times in {"as given": 0, "rate subtracted": 2}.items():
    torch.manual_seed(0)
    free = torch.nn.Parameter(torch.randn(2, 64, 16))  # two views of 64 images
    optimizer = torch.optim.Adam([free], lr=0.01)
    for step in range(1001):
        views = normalize(free, dim=-1)
        rates[name], seen = rate(views.detach().numpy()), dimensions(views.detach().numpy())
        if step in (0, 1000):
            print(f"{name}, step {step}: coding rate {rates[name]:.1f}, dimensions in use {seen:.1f} of 16")
        own = torch.logdet(torch.eye(16) + 16 / (64 * 0.2) * views.transpose(1, 2) @ views).mean() / 2
        loss = EMPSSLLoss()([*views]) - times * own
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
if rates["as given"] > 10 or rates["rate subtracted"] < 12:
    sys.exit("changed: the loss keeps the coding rate up")
PY
