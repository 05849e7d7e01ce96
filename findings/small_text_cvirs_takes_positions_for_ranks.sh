#!/usr/bin/env bash
# small-text: CVIRS, for several labels a row, ranks rows by where they stand and not by how unsure they are.
# Expected: as in the paper it cites (Reyes, Morell and Ventura 2018), for each label rows are ranked by the margin
#   |P(yes) - P(no)|, ranks are added up, and what is unsure of all labels comes first.
# Happens: what argsort gives, the rows in order, is used as if it were the rank of each row; and the margin is
#   |p - sum of p over the labels|. If the rows happen to be in order of their probability, all looks well.
# Hurts: the same rows in another order give other picks; of the ten rows that a model is least sure of, 3 are found.
#   The entropy distance is calculated, and not used. No error, no warning.
# Instead: np.abs(2 * proba - 1), and argsort twice, or scipy.stats.rankdata, for ranks.
# Seen: small-text 1.4.1, 29 November 2026. From: _rank_by_margin in small_text/query_strategies/multi_label.py.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q small-text==1.4.1 scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1
"$tmp/venv/bin/python" - <<'PY'
import sys

import numpy as np
from scipy.sparse import csr_matrix
from small_text.classifiers import Classifier
from small_text.query_strategies import CategoryVectorInconsistencyAndRanking

generator, n_labels = np.random.default_rng(0), 4
sureness = np.sort(generator.uniform(0.5, 1, 50))  # of a yes to every label, so that only the ranking differs
known = csr_matrix((generator.random((20, n_labels)) < 0.5).astype(int))


class Given(Classifier):
    def __init__(self, proba):
        self.proba = proba

    def fit(self, train_set):
        return self

    def predict(self, rows, return_proba=False):
        return self.proba[rows] > 0.5

    def predict_proba(self, rows):
        return self.proba[rows]


found = {}
for order, places in {"in order": np.arange(50), "shuffled": generator.permutation(50)}.items():
    proba = np.repeat(sureness[places, None], n_labels, axis=1)
    strategy = CategoryVectorInconsistencyAndRanking(pbar=None)
    picks = strategy.query(Given(proba), np.arange(50), np.arange(50), np.empty(0, int), known, n=10)
    found[order] = sum(proba[picks, 0] <= sureness[9])
    print(f"rows {order}: {found[order]} of the 10 least sure; P(yes) of picks {np.sort(proba[picks, 0]).round(2)}")
if found["in order"] != 10 or found["shuffled"] > 5:
    sys.exit("changed: the order of the rows does not matter")
PY
