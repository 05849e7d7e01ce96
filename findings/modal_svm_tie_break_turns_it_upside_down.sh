#!/usr/bin/env bash
# modAL: SVM_binary_minimum with random_tie_break=True picks the row that is farthest from all boundaries.
# Expected: the row nearest to a boundary of any label (Brinker 2006); where several are as near, one of them by chance.
# Happens: without the option it is that row. With it the highest distance is looked for instead of the lowest: the row
#   that the machine is surest of. No error, no warning.
# Hurts: multi-label studies that break ties at random, as one should: the strategy loses to random picks.
# Instead: leave the option out, and shuffle the pool before the query.
# Seen: modAL-python 0.4.2.1, 29 November 2026. From: SVM_binary_minimum in modAL/multilabel.py, which calls
#   shuffled_argmax where min_confidence calls shuffled_argmin.
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
from modAL.multilabel import SVM_binary_minimum
from sklearn.datasets import make_multilabel_classification
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import SVC

rows, labels = make_multilabel_classification(500, n_classes=4, random_state=0)
learner = ActiveLearner(OneVsRestClassifier(SVC(kernel="linear")), X_training=rows[:50], y_training=labels[:50])
distances = np.abs(np.stack([svm.decision_function(rows[50:]) for svm in learner.estimator.estimators_])).min(axis=0)
picks = {tie: int(np.ravel(SVM_binary_minimum(learner, rows[50:], random_tie_break=tie)[0] if tie else
                           SVM_binary_minimum(learner, rows[50:]))[0]) for tie in (False, True)}
for tie, pick in picks.items():
    rank = int((distances < distances[pick]).sum()) + 1
    print(f"random_tie_break={tie}: nearest boundary at {distances[pick]:.4f}, rank {rank} of {len(distances)}")
if picks[False] != distances.argmin() or picks[True] != distances.argmax():
    sys.exit("changed: with either the row nearest to a boundary is picked")
PY
