#!/usr/bin/env bash
# modAL: Monte Carlo dropout takes the softmax over all rows of a forward pass together.
# Expected: each row's logits become probabilities that sum to 1 over its classes; BALD follows from these.
# Happens: logits that are numbers are selected by a mask, which makes one long row of them, and the softmax is of that:
#   the probabilities of all rows of a pass, 1,000 unless told otherwise, sum to 1 together. A row's score depends on
#   what other rows stand in its batch, and is highest where logits are largest: where the network is surest.
#   No error, no warning.
# Hurts: mc_dropout_bald, mc_dropout_mean_st, mc_dropout_max_entropy and mc_dropout_max_variationRatios are not the
#   papers', and comparisons by them say nothing of those.
# Instead: sample_per_forward_pass=1, with which the long row is one row's; or compute the passes and the scores
#   yourself. (A logits_adaptor cannot help: the softmax comes after it.)
# Seen: modAL-python 0.4.2.1 with torch 2.14.1, 29 November 2026. From: get_predictions in modAL/dropout.py.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q torch==2.14.1 modAL-python==0.4.2.1 skorch==0.9.0 setuptools==80.9.0 scikit-learn==1.7.2 \
  numpy==2.4.6 scipy==1.17.1
"$tmp/venv/bin/python" - <<'PY'
import sys
from types import SimpleNamespace

import numpy as np
import torch
from modAL.dropout import get_predictions, mc_dropout_bald
from scipy.special import entr
from sklearn.datasets import load_digits
from skorch import NeuralNetClassifier
from torch import nn

images, labels = load_digits(return_X_y=True)
images = (images / 16).astype(np.float32)
torch.manual_seed(0)
network = nn.Sequential(nn.Linear(64, 100), nn.ReLU(), nn.Dropout(0.5), nn.Linear(100, 10))
estimator = NeuralNetClassifier(
    network, criterion=nn.CrossEntropyLoss, max_epochs=40, lr=0.01, optimizer=torch.optim.Adam, verbose=0,
    train_split=None,
)
estimator.fit(images[:200], labels[:200])
learner, pool = SimpleNamespace(estimator=estimator), torch.tensor(images[200:])
estimator.module_.eval()
confidence = estimator.module_(pool).softmax(1).max(1).values.detach().numpy()


def bald(passes):
    return entr(np.mean(passes, axis=0)).sum(axis=1) - entr(passes).sum(axis=2).mean(axis=0)


torch.manual_seed(0)
one = get_predictions(learner, pool, num_predictions=1, sample_per_forward_pass=1000)[0]
print(f"sums of the first 1,000 rows: {one[:1000].sum(axis=1).min():.1e} to {one[:1000].sum(axis=1).max():.1e}; "
      f"of all of them together: {one[:1000].sum():.3f}")
passes = []
for _ in range(50):  # by hand
    estimator.module_[2].train()
    passes.append(estimator.module_(pool).softmax(1).detach().numpy())
best = set(np.argsort(-bald(passes))[:100].tolist())
seen = {}
for name, size in (("1000", 1000), ("100", 100), ("1", 1)):
    torch.manual_seed(1)
    picks = mc_dropout_bald(learner, pool, n_instances=100, sample_per_forward_pass=size)[0].tolist()
    seen[name] = len(best & set(picks)), confidence[picks].mean()
    print(f"{name} rows a pass: {seen[name][0]} of 100 picks are those by hand; mean confidence {seen[name][1]:.2f}, "
          f"of the pool {confidence.mean():.2f}")
if abs(one[:1000].sum() - 1) > 1e-3 or seen["1000"][0] > 40 or seen["1"][0] < 60:
    sys.exit("changed: each row's probabilities sum to 1")
PY
