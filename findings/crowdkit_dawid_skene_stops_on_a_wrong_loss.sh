#!/usr/bin/env bash
# Crowd-Kit: Dawid-Skene watches a wrong loss, and ends after a few steps where that happens to fall.
# Expected: EM goes on until its bound on the likelihood grows by less than tol; in EM this bound never falls.
# Happens: the log prior of a task's label is added once for each answer instead of once for each task. This loss can
#   fall while the likelihood still rises, a fall counts as converged, and the fit ends there, however small tol is.
#   Most data sets do not meet it; those that do give no error and no warning.
# Hurts: labels, probabilities and error matrices of a half-done fit; loss_history_ is no bound.
# Instead: tol=-math.inf and an n_iter of a few hundred. OneCoinDawidSkene shares the loss.
# Seen: crowd-kit 1.4.2, 29 November 2026. From: _evidence_lower_bound in
#   crowdkit/aggregation/classification/dawid_skene.py.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q numpy==2.4.6 scipy==1.17.1 pandas==3.1.1 scikit-learn==1.9.1 attrs==26.1.0 nltk==3.10.4
"$tmp/venv/bin/pip" install -q --no-deps crowd-kit==1.4.2
OMP_NUM_THREADS=1 "$tmp/venv/bin/python" - <<'PY'
import math
import sys

import numpy as np
import pandas as pd
from crowdkit.aggregation import DawidSkene
from scipy.special import logsumexp

rng = np.random.default_rng(1)
truth, skill = rng.choice(2, size=300, p=(0.5, 0.5)), rng.uniform(0.4, 0.95, (15, 2))
rows = []
for task in range(300):
    for worker in rng.choice(15, 5, replace=False):
        right = skill[worker, truth[task]]
        rows.append((task, worker, rng.choice(2, p=(right, 1 - right) if truth[task] == 0 else (1 - right, right))))
answers = pd.DataFrame(rows, columns=["task", "worker", "label"])
task, worker, label = answers.to_numpy().T


def step(belief):
    errors, joint = np.zeros((15, 2, 2)), np.tile(np.log(belief.mean(axis=0)), (300, 1))
    np.add.at(errors, (worker, label), belief[task])
    np.add.at(joint, task, np.log(errors / errors.sum(axis=1, keepdims=True))[worker, label])
    return np.exp(joint - logsumexp(joint, axis=1, keepdims=True)), logsumexp(joint, axis=1).sum()


belief, seen = pd.crosstab(task, label).to_numpy() / 5, []
while len(seen) < 2 or seen[-1] - seen[-2] > 1e-5 * 1500:
    belief, likelihood = step(belief)
    seen.append(likelihood)
print(f"plain EM, tol 1e-05: {len(seen)} steps to {seen[-1]:.1f}, smallest change {np.diff(seen).min():.3f}")
falls, others = [], []
for tol in (1e-5, 1e-9, -math.inf):
    model = DawidSkene(n_iter=len(seen), tol=tol).fit(answers)
    history, labels = model.loss_history_, model.labels_.loc[range(300)].to_numpy()
    falls, others = [*falls, history[-1] < history[-2]], [*others, (labels != belief.argmax(axis=1)).sum()]
    reached = step(model.probas_.loc[range(300), [0, 1]].to_numpy())[1]
    print(f"DawidSkene, {tol=}: {len(history)} steps to {reached:.1f}, last change of its loss"
          f" {history[-1] - history[-2]:.1e}, labels unlike those of the plain EM {others[-1]} of 300")
if not all(falls[:2]) or others[0] < 10:
    sys.exit("changed: the loss does not fall")
PY
