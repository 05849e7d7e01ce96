#!/usr/bin/env bash
# PyRelationAL: Pipeline.run records the first model's score for every round of random picks.
# Expected: a round's score is that of a model trained on all labels bought so far, whatever the strategy.
# Happens: the model is trained by those strategies that ask it. RandomAcquisitionStrategy, RelativeDistanceStrategy and
#   RepresentativeSamplingStrategy do not, and the pipeline trains only a model that was never trained: all rounds but
#   the last have the score of the first labels. No error, no warning.
# Hurts: the learning curve of the baseline is flat, and any strategy that asks the model is far ahead of random picks.
# Instead: call step() and query() yourself, with model_manager.train(pipeline.l_loader, pipeline.valid_loader) before
#   compute_current_performance(); or model_manager.reset() after each query.
# Seen: pyrelational 1.0.2, 29 November 2026. From: run and compute_current_performance in
#   pyrelational/pipeline/pipeline.py.
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
from pyrelational.pipeline import Pipeline
from pyrelational.strategies.classification import EntropyClassificationStrategy
from pyrelational.strategies.task_agnostic import RandomAcquisitionStrategy
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from torch.utils.data import TensorDataset

images, labels = load_digits(return_X_y=True)


class Digits(TensorDataset):
    def __init__(self):
        super().__init__(torch.tensor(images / 16).float(), torch.tensor(labels))
        self.y = self.tensors[1]


def arrays(loader):
    return [torch.cat(parts).numpy() for parts in zip(*loader)]


class Model(ModelManager):
    n_fits = 0

    def train(self, train_loader, valid_loader=None):
        self.n_fits += 1
        self._current_model = LogisticRegression(max_iter=2000).fit(*arrays(train_loader))

    def test(self, loader):
        return {"accuracy": self._current_model.score(*arrays(loader))}

    def __call__(self, loader):
        return torch.tensor(self._current_model.predict_proba(arrays(loader)[0]))[None].float()


curves = {}
for strategy in (RandomAcquisitionStrategy(), EntropyClassificationStrategy()):
    np.random.seed(0)
    splits = {"train_indices": [*range(1200)], "labelled_indices": [*range(30)], "test_indices": [*range(1200, 1797)]}
    manager = DataManager(Digits(), **splits, loader_batch_size=200)
    pipeline = Pipeline(manager, Model(None, {}, {}), strategy)
    pipeline.run(num_annotate=50, num_iterations=6)
    name = type(strategy).__name__
    curves[name] = [scores["accuracy"] for scores in pipeline.performances.values()]
    print(f"{name}: {pipeline.model_manager.n_fits} trainings, accuracy {np.round(curves[name], 3).tolist()}")
random, entropy = curves.values()
if len(set(random[:-1])) != 1 or random[-1] <= random[0] or len(set(entropy)) < 5:
    sys.exit("changed: the model is trained in every round of random picks")
PY
