#!/usr/bin/env bash
# Baal: BatchBALD ranks its picks backwards, and leaves out the first, the row of the highest BALD.
# Expected: BatchBALD(num_samples=k) ranks the k rows first that the greedy algorithm of its paper picks (Kirsch, van
#   Amersfoort and Gal 2019): the first one has the highest BALD, and each adds most to those before it.
# Happens: k + 1 rows are picked, and a row's score is what the batch is worth once it joined, which grows with every
#   pick; the ranking by score is the picks backwards. The first k of it, which ActiveLearningLoop labels, are all but
#   the first pick. No error; the docstring warns of the order alone.
# Hurts: every comparison with BatchBALD: at k = 1 the most informative row is never bought, only the second pick.
# Instead: heuristic(predictions)[: k + 1][::-1][:k]: the picks forwards, where the pool is not exhausted.
# Seen: baal 2.1.0, 29 November 2026. From: compute_score of BatchBALD in baal/active/heuristics/heuristics.py, whose
#   loop of num_samples begins after the first pick, and whose scores are those of the whole batch.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q torch==2.14.1 torchmetrics==1.9.0 numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1 \
  structlog==22.3.0 matplotlib==3.10.9 tqdm==4.67.1
"$tmp/venv/bin/pip" install -q --no-deps baal==2.1.0 # what else it requires, notebooks use
"$tmp/venv/bin/python" - <<'PY'
import itertools
import sys

import numpy as np
import torch
from baal.active.heuristics import BALD, BatchBALD
from scipy.special import softmax, xlogy
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

flowers, labels = load_iris(return_X_y=True)
rng, passes = np.random.default_rng(0), []
for _ in range(6):  # an ensemble, each of other flowers
    some = np.concatenate([rng.choice(50, 3, False) + 50 * kind for kind in range(3)])
    model = LogisticRegression(C=10, max_iter=5000).fit(flowers[some], labels[some])
    passes.append(model.decision_function(flowers[::5]))
probabilities = softmax(np.stack(passes, axis=-1), axis=1)
conditional = -xlogy(probabilities, probabilities).sum(axis=1).mean(axis=-1)


def batch_bald(rows):
    """The exact score of a batch, from all combinations of its labels."""
    value = -conditional[rows].sum()
    for classes in itertools.product(range(3), repeat=len(rows)):
        joint = np.prod([probabilities[row, kind] for row, kind in zip(rows, classes)], axis=0).mean()
        value -= xlogy(joint, joint)
    return value


exact = []
for _ in range(5):
    others = [row for row in range(len(probabilities)) if row not in exact]
    exact.append(max(others, key=lambda row: batch_bald([*exact, row])))
torch.manual_seed(0)
ranked = BatchBALD(num_samples=4, num_draw=5000)(probabilities)[:5].tolist()
single = {k: BatchBALD(num_samples=k, num_draw=5000)(probabilities)[0] for k in (1, 2, 3)}
print(f"the row of the highest BALD: {BALD()(probabilities)[0]}")
print(f"greedy BatchBALD, computed exactly: {exact}; baal's ranking with num_samples=4: {ranked}")
print(f"ranked first with num_samples = 1, 2, 3: {[int(row) for row in single.values()]}")
if ranked[-1] != exact[0] or set(ranked[:4]) == set(exact[:4]) or single[1] == exact[0]:
    sys.exit("changed: the pick of the highest BALD is among the first num_samples")
PY
