#!/usr/bin/env bash
# Baal: ActiveLearningLoop.step(pool=subset) labels rows that are not in the subset.
# Expected: with a part of the pool as `pool`, the picks are of that part.
# Happens: the ranks are positions in the part, and are labelled as positions in the whole pool: unless the part is the
#   pool's beginning, rows are bought that the strategy never saw. With max_sample they are mapped back. No error.
# Hurts: whoever looks at a part of a large pool that is chosen by a filter, a class or a shard: the picks are about
#   random, and the curve says that the strategy is no better than that.
# Instead: rank yourself and map back: dataset.label(indices[heuristic(predictions)[:n]]), or use max_sample.
# Seen: baal 2.1.0, 29 November 2026. From: step in baal/active/active_loop.py, which sets indices to None then.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q torch==2.14.1 torchmetrics==1.9.0 numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1 \
  structlog==22.3.0 matplotlib==3.10.9 tqdm==4.67.1
"$tmp/venv/bin/pip" install -q --no-deps baal==2.1.0 # what else it requires, notebooks use
"$tmp/venv/bin/python" - <<'PY'
import sys

import numpy as np
import torch
from baal.active import ActiveLearningDataset, ActiveLearningLoop
from baal.active.heuristics import Margin
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from torch.utils.data import Subset, TensorDataset

images, labels = load_digits(return_X_y=True)
dataset = ActiveLearningDataset(
    TensorDataset(torch.arange(len(images)), torch.tensor(images), torch.tensor(labels)), random_state=0
)
dataset.label_randomly(50)
known = np.nonzero(dataset.labelled)[0]
model = LogisticRegression(max_iter=2000).fit(images[known] / 16, labels[known])
loop = ActiveLearningLoop(
    dataset, lambda pool: model.predict_proba(np.stack([row[1].numpy() for row in pool]) / 16), Margin(), query_size=50
)
part = Subset(dataset.pool, [*range(1000, 1500)])
candidates = {int(row[0]) for row in part}
loop.step(pool=part)
picks = set(np.nonzero(dataset.labelled)[0].tolist()) - set(known.tolist())
top = np.sort(model.predict_proba(images / 16), axis=1)
margin = top[:, -1] - top[:, -2]
best = sorted(candidates, key=lambda row: margin[row])[:50]
print(f"{len(picks & candidates)} of {len(picks)} picks are among the {len(candidates)} candidates")
print(f"mean margin of the picks {margin[[*picks]].mean():.2f}, of the 50 least in the part {margin[best].mean():.2f}")
if len(picks) != 50 or picks & candidates:
    sys.exit("changed: the picks are of the part that was given")
PY
