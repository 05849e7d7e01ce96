#!/usr/bin/env bash
# Baal: load_state_dict(state_dict()) of a data set does not go back to where it was.
# Expected: start = dataset.state_dict() keeps which rows were labelled; load_state_dict(start) goes back to them.
# Happens: state_dict() returns the map itself, and label() writes into it: start has all later labels too. And a state
#   of the same step, of another seed for instance, changes n_labelled and the pool, but not what training sees if that
#   was asked before: it keeps the rows of the seed before. No error, no warning.
# Hurts: comparisons that give all strategies the same start: the second begins with the labels of the first; and
#   loops over seeds that load one start each: all train on the rows of the first.
# Instead: copy.deepcopy(dataset.state_dict()), and load it into a new ActiveLearningDataset.
# Seen: baal 2.1.0, 29 November 2026. From: state_dict and load_state_dict in baal/active/dataset/pytorch_dataset.py,
#   and the cache of get_indices_for_active_step in baal/active/dataset/base.py.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q torch==2.14.1 torchmetrics==1.9.0 numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1 \
  structlog==22.3.0 matplotlib==3.10.9 tqdm==4.67.1
"$tmp/venv/bin/pip" install -q --no-deps baal==2.1.0 # what else it requires, notebooks use
"$tmp/venv/bin/python" - <<'PY'
import copy
import sys

import numpy as np
import torch
from baal.active import ActiveLearningDataset
from sklearn.datasets import load_digits
from torch.utils.data import TensorDataset

images, labels = load_digits(return_X_y=True)


def begin(seed):
    given = TensorDataset(torch.arange(len(images)), torch.tensor(images), torch.tensor(labels))
    dataset = ActiveLearningDataset(given, random_state=seed)
    dataset.label_randomly(100)
    return dataset


dataset = begin(0)
start, copied = dataset.state_dict(), copy.deepcopy(dataset.state_dict())
dataset.label_randomly(300)
dataset.load_state_dict(start)
live = int(dataset.n_labelled)
dataset.load_state_dict(copied)
print(f"a start with 100 labels, 300 more, then back: {live} labelled; with a copy: {int(dataset.n_labelled)}")

dataset, other = begin(0), begin(1)
assert len(dataset) == 100  # as a loader asks
dataset.load_state_dict(copy.deepcopy(other.state_dict()))
trained_on, said = {int(row[0]) for row in dataset}, set(np.nonzero(dataset.labelled)[0].tolist())
print(f"the start of another seed: {len(trained_on & said)} of 100 rows that training sees are said to be labelled")
if live != 400 or int(begin(1).n_labelled) != 100 or len(trained_on & said) > 50:
    sys.exit("changed: a state goes back to where it was")
PY
