#!/usr/bin/env bash
# PyRelationAL: the four classification strategies score a softmax of the probabilities.
# Expected: a strategy scores what the model predicts: entropy, least confidence, margin or ratio of probabilities.
# Happens: what does not sum to 1 is taken for logits and gets a softmax, as documented; then the sum of this or of
#   true probabilities gets one more. So 1 and 0 become 0.232 and 0.085 (ten classes), and rows are ranked otherwise.
# Hurts: a comparison of strategies is one of others: entropy ranks about as the sum of squares does. Of 100 picks 16
#   by entropy and 10 by the ratio are not those of the formula; logits are hit too. No error, no warning.
# Instead: subclass the strategy, with __call__ that gives self.scoring_function the mean prediction itself.
# Seen: pyrelational 1.0.2, 29 November 2026. From: __call__ in
#   pyrelational/strategies/classification/abstract_classification_strategy.py.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q pyrelational==1.0.2 numpy==1.26.4 torch==2.2.2
"$tmp/venv/bin/python" - <<'PY'
import sys

import numpy as np
import torch
from pyrelational.data_managers import DataManager
from pyrelational.model_managers import ModelManager
from pyrelational.strategies import classification
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from torch.utils.data import TensorDataset

images, labels = load_digits(return_X_y=True)


class Digits(TensorDataset):
    def __init__(self):
        super().__init__(torch.tensor(images / 16).float(), torch.tensor(labels))
        self.y = self.tensors[1]


class Model(ModelManager):
    def train(self, train_loader, valid_loader=None):
        rows, targets = (torch.cat(parts).numpy() for parts in zip(*train_loader))
        self._current_model = LogisticRegression(max_iter=2000).fit(rows, targets)

    def test(self, loader):
        return {}

    def __call__(self, loader):
        rows = torch.cat([rows for rows, _ in loader]).numpy()
        return torch.tensor(self._current_model.predict_proba(rows))[None].float()


common = {}
for name in ("Entropy" + "Classification", "LeastConfidence", "MarginalConfidence", "RatioConfidence"):
    strategy = getattr(classification, f"{name}Strategy")()
    splits = {"train_indices": [*range(1500)], "labelled_indices": [*range(100)], "test_indices": [*range(1500, 1797)]}
    manager, model = DataManager(Digits(), **splits, loader_batch_size=200), Model(None, {}, {})
    picks = strategy(100, manager, model)
    scores = strategy.scoring_function(model(manager.get_unlabelled_loader())[0])
    by_formula = np.array(manager.u_indices)[scores.argsort(descending=True)[:100].numpy()]
    common[name] = len(set(picks) & set(by_formula))
    print(f"{name}: {common[name]} of 100 picks are those of the formula")
if not (common["EntropyClassification"] < 95 and common["RatioConfidence"] < 95):
    sys.exit("changed: the strategies score the probabilities themselves")
PY
