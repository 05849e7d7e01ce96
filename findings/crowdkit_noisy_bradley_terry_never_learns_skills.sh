#!/usr/bin/env bash
# Crowd-Kit: NoisyBradleyTerry hardly fits its workers' skills and biases; they are its random start.
# Expected: skills_ and biases_ are those of the highest likelihood, and the items' scores are freed of bad workers.
# Happens: of each worker's answers the gradient keeps the last one instead of their sum, and files it one place too
#   early: each worker's skill gets the slope of the next worker's, the last one's none. The optimiser stops far from
#   the optimum, another random_state gives other skills. No error, no warning.
# Hurts: workers who answer without looking seem as good as the reliable ones, or better, and still move the scores.
# Instead: minimise the likelihood of the class's documentation with scipy and a numeric gradient, as below.
# Seen: crowd-kit 1.4.2, 29 November 2026. From: _compute_gradient in crowdkit/aggregation/pairwise/noisy_bt.py.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q numpy==2.4.6 scipy==1.17.1 pandas==3.1.1 scikit-learn==1.9.1 attrs==26.1.0 nltk==3.10.4
"$tmp/venv/bin/pip" install -q --no-deps crowd-kit==1.4.2
OMP_NUM_THREADS=1 "$tmp/venv/bin/python" - <<'PY'
import sys

import numpy as np
import pandas as pd
from crowdkit.aggregation import NoisyBradleyTerry
from scipy.optimize import minimize
from scipy.special import expit

rng = np.random.default_rng(0)
worth, looks = rng.normal(0, 1.5, 12), np.array([0.98, 0.98, 0.98, 0.5, 0.1, 0.1])
takes_left = np.array([0.5, 0.5, 0.5, 0.9, 0.95, 0.05])
worker = np.repeat(np.arange(6), 300)
left, right = np.array([rng.choice(12, 2, replace=False) for _ in worker]).T
chance = np.where(rng.random(1800) < looks[worker], expit(worth[left] - worth[right]), takes_left[worker])
won = rng.random(1800) < chance
answers = pd.DataFrame({"worker": worker, "left": left, "right": right, "label": np.where(won, left, right)})


def loss(x):
    sign, skill = np.where(won, 1, -1), expit(x[18:][worker])
    by_worth = expit(sign * (x[left] - x[right]))
    return -np.log(skill * by_worth + (1 - skill) * expit(sign * x[12:18][worker])).sum()


plain = minimize(loss, rng.random(24), method="L-BFGS-B", options={"maxiter": 500, "maxfun": 100_000}).x
print("share of looks that made the data:", looks)
print(f"skills by scipy, loss {loss(plain):.0f}: {expit(plain[18:]).round(2)}")
losses, skills = [], []
for seed in (0, 1, 2):
    model = NoisyBradleyTerry(n_iter=1000, random_state=seed).fit(answers)
    fitted = np.concatenate([np.log(part / (1 - part)) for part in (model.scores_, model.biases_, model.skills_)])
    losses.append(loss(fitted))
    skills.append(model.skills_.to_numpy())
    print(f"skills_ with random_state={seed}, loss {losses[-1]:.0f}: {skills[-1].round(2)}")
if min(losses) < loss(plain) + 50:
    sys.exit("changed: skills and biases are fitted")
PY
