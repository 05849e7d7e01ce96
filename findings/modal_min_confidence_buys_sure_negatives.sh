#!/usr/bin/env bash
# modAL: min_confidence, for several labels a row, buys the rows whose labels are surest to be absent.
# Expected: as in the paper it cites (Esuli and Sebastiani 2009), confidence is how far a decision is from undecided,
#   for a yes as for a no: here |P - 1/2|; the rows with the least confident label are bought.
# Happens: it takes P(label) itself for the confidence, so the smallest is that of the surest no.
# Hurts: of 100 picks 3 are those of the paper, where 7 would be by chance; their least sure label is surer than that
#   of all rows on average. With many labels almost every row has one that is surely absent. No error, no warning.
# Instead: np.abs(learner.predict_proba(pool) - 0.5).min(axis=1).argsort()[:n].
# Seen: modAL-python 0.4.2.1, 29 November 2026. From: min_confidence in modAL/multilabel.py.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q numpy==2.4.6 scipy==1.17.1 scikit-learn==1.7.2 pandas==3.1.1
"$tmp/venv/bin/pip" install -q --no-deps modAL-python==0.4.2.1
"$tmp/venv/bin/python" - <<'PY'
import sys

import numpy as np
from modAL.models import ActiveLearner
from modAL.multilabel import min_confidence
from sklearn.datasets import make_multilabel_classification
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

rows, labels = make_multilabel_classification(1500, n_classes=4, random_state=0)
model = OneVsRestClassifier(LogisticRegression(max_iter=1000))
learner, pool = ActiveLearner(model, X_training=rows[:100], y_training=labels[:100]), rows[100:]
proba = learner.predict_proba(pool)
confidence = np.abs(2 * proba - 1).min(axis=1)  # of the least sure label: 0 undecided, 1 sure
picks, _ = min_confidence(learner, pool, 100)
common = len({*picks} & {*confidence.argsort()[:100]})
print(f"{common} of 100 picks have the least confident labels; by chance {100 * 100 / len(pool):.0f}")
print(f"confidence of the least sure label {confidence[picks].mean():.2f}, of all rows {confidence.mean():.2f}")
print(f"P of the least likely label, of all picks at most {proba[picks].min(axis=1).max():.4f}")
if common > 30 or confidence[picks].mean() < confidence.mean():
    sys.exit("changed: the least confident rows are bought")
PY
