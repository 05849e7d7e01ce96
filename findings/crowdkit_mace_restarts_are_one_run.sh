#!/usr/bin/env bash
# Crowd-Kit: the random restarts of MACE all start at the same place, and its smoothing is never used.
# Expected: n_restarts runs from different random starts, of which the likeliest is kept (Hovy et al. 2013), and a
#   smoothing that is added to the counts where method="em".
# Happens: every restart draws with the same integer seed, so five runs are one run five times; fit puts 0.01 / classes
#   in the place of smoothing. No error, no warning.
# Hurts: results depend on one start though several are paid for and reported, and a search over smoothing finds no
#   effect.
# Instead: loop over random_state with n_restarts=1 and compare likelihoods as below; for smoothing there is no way
#   around. (The rows are sorted here because MACE also mixes up workers of other tables.)
# Seen: crowd-kit 1.4.2, 29 November 2026. From: _initialize and fit in crowdkit/aggregation/classification/mace.py.
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
from crowdkit.aggregation import MACE

rng = np.random.default_rng(1)
truth, honest = rng.integers(3, size=30), rng.uniform(0.1, 0.7, 8)
rows = []
for task in range(30):
    for worker in rng.choice(8, 3, replace=False):
        label = truth[task] if rng.random() < honest[worker] else rng.choice(3, p=[0.6, 0.2, 0.2])
        rows.append((task, worker, label))
answers = pd.DataFrame(rows, columns=["task", "worker", "label"]).sort_values(["worker", "label"])
worker, label, task = (pd.factorize(answers[name])[0] for name in ("worker", "label", "task"))


def fit(**options):
    model = MACE(method="em", n_iter=20, **options).fit(answers)
    honest_part = model.spamming_[worker, 1][:, None] * (label[:, None] == np.arange(3))
    chance = (model.spamming_[worker, 0] * model.thetas_[worker, label])[:, None] + honest_part
    joint = np.ones((30, 3)) / 3
    np.multiply.at(joint, task, chance)
    return np.log(joint.sum(axis=1)).sum(), model.probas_.to_numpy()


one, five = fit(n_restarts=1), fit(n_restarts=5)
others = [fit(n_restarts=1, random_state=seed) for seed in (1, 2, 3, 4)]
smooth = fit(n_restarts=1, smoothing=100.0)
print(f"log likelihood of 1 restart {one[0]:.3f}, of 5 restarts {five[0]:.3f}: same {np.array_equal(one[1], five[1])}")
for seed, other in enumerate(others, 1):
    changed = (other[1].argmax(axis=1) != one[1].argmax(axis=1)).sum()
    print(f"a start of its own, random_state={seed}: {other[0]:.3f}, {changed} of 30 labels differ")
print("smoothing of 0.1 and of 100: same", np.array_equal(one[1], smooth[1]))
if not np.array_equal(one[1], five[1]) or not np.array_equal(one[1], smooth[1]):
    sys.exit("changed: restarts differ, or smoothing has an effect")
PY
