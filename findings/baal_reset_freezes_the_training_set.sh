#!/usr/bin/env bash
# Baal: after reset_labelled() the training set stays what the first label() made it, for ever.
# Expected: ActiveLearningDataset.reset_labelled() makes all rows unlabelled again; each label() then adds rows.
# Happens: it replaces the map of steps (integers) by one of booleans. The next steps, 1, 2, 3, ..., are stored as True,
#   the current step is 1 always, and the list of training rows, kept for each step, is never made anew. n_labelled
#   grows, the pool shrinks, len() and iteration stay at the first batch; no error, no warning.
# Hurts: loops over strategies or seeds that reset one data set: from the second on, every curve is of a model that
#   is trained on the first batch alone, drawn over the number of labels that were bought.
# Instead: make a new ActiveLearningDataset for each run.
# Seen: baal 2.1.0, 29 November 2026. From: reset_labelled in baal/active/dataset/pytorch_dataset.py, and
#   get_indices_for_active_step and current_al_step in baal/active/dataset/base.py.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q torch==2.14.1 torchmetrics==1.9.0 numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1 \
  structlog==22.3.0 matplotlib==3.10.9 tqdm==4.67.1
"$tmp/venv/bin/pip" install -q --no-deps baal==2.1.0 # what else it requires, notebooks use
"$tmp/venv/bin/python" - <<'PY'
import sys

import torch
from baal.active import ActiveLearningDataset
from sklearn.datasets import load_digits
from torch.utils.data import TensorDataset

images, labels = load_digits(return_X_y=True)


def sizes(dataset):
    for _ in range(3):
        dataset.label_randomly(50)
        trained_on = len([*dataset])
        yield int(dataset.n_labelled), len(dataset.pool), trained_on


dataset = ActiveLearningDataset(TensorDataset(torch.tensor(images), torch.tensor(labels)), random_state=0)
first = [*sizes(dataset)]
dataset.reset_labelled()
second = [*sizes(dataset)]
for name, seen in (("new", first), ("after reset_labelled()", second)):
    print(f"{name}: labelled, pool, rows that training sees = {seen}")
if [row[2] for row in first] != [50, 100, 150] or [row[2] for row in second] != [50, 50, 50] or second[-1][0] != 150:
    sys.exit("changed: after a reset the training set grows")
PY
