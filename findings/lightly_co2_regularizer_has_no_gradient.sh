#!/usr/bin/env bash
# Lightly: CO2Regularizer gives a number without a gradient, so adding it to a loss changes nothing.
# Expected: ntxent(a, b) + co2(a, b), the example of its documentation, trains on the consistency term of the paper it
#   names (Wei et al. 2021) too: half the sum of the two Kullback-Leibler divergences, times alpha.
# Happens: the value is right, but it is copied into a new tensor that is cut off from the graph.
# Hurts: alpha has no effect on training whatever it is, and an ablation of CO2 compares a run with itself. In the log
#   the term is there. The one sign is a general UserWarning by torch about how to copy a tensor, shown once.
# Instead: by_formula below.
# Seen: lightly 1.6.0, 29 November 2026. From: CO2Regularizer.forward in lightly/loss/regularizer/co2.py.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q lightly==1.6.0 torch==2.14.1 torchvision==0.29.1 pytorch-lightning==2.6.6 numpy==2.4.6
OMP_NUM_THREADS=1 "$tmp/venv/bin/python" - <<'PY'
import sys

import torch
from lightly.loss import NTXentLoss
from lightly.loss.regularizer import CO2Regularizer
from torch.nn.functional import kl_div, normalize


def by_formula(one, other, alpha):
    one, other = normalize(one, dim=1), normalize(other, dim=1)
    alike, off = one @ other.T, ~torch.eye(len(one), dtype=torch.bool)
    logs = []
    for matrix in (alike, alike.T):
        rest = matrix[off].view(len(one), -1)
        logs.append((torch.cat([matrix.diag()[:, None], rest], 1) / 0.05).log_softmax(1))
    both = [kl_div(p, q, reduction="batchmean", log_target=True) for p, q in (logs, logs[::-1])]
    return alpha / 2 * sum(both)


torch.manual_seed(0)
one, other = torch.randn(2, 32, 16)
one.requires_grad_()
grads = {}
for alpha in (0, 1, 1000):
    for name, term in {"package": CO2Regularizer(alpha=alpha), "formula": by_formula}.items():
        value = term(one, other) if name == "package" else term(one, other, alpha)
        (grads[name, alpha],) = torch.autograd.grad(NTXentLoss()(one, other) + value, one)
        print(f"alpha {alpha}, {name}: term {value:.3f}, norm of the whole gradient {grads[name, alpha].norm():.4f}")
if not torch.equal(grads["package", 0], grads["package", 1000]):
    sys.exit("changed: the regularizer has a gradient")
PY
