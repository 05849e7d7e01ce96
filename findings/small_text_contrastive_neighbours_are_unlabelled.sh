#!/usr/bin/env bash
# small-text: contrastive active learning compares a row with itself and with other unlabelled rows.
# Expected: as in the paper it cites (Margatina et al. 2021, algorithm 1), the neighbours of a candidate are sought
#   among the labelled rows: it is contrastive if the model says something else of what is alike and was learned.
# Happens: neighbours are sought in the whole data set. The first of them is the row itself, at no divergence, and of
#   the others almost none is labelled while labels are few: 4 % here.
# Hurts: it measures how rough the model is around a row. Of 100 picks 10 are those of the paper, 6 by chance.
# Instead: scikit-activeml's ContrastiveAL, or a NearestNeighbors that is fitted on the embeddings of labelled rows.
# Seen: small-text 1.4.1, 29 November 2026. From: ContrastiveActiveLearning.sample in
#   small_text/query_strategies/strategies.py.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q small-text==1.4.1 scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1
"$tmp/venv/bin/python" - <<'PY'
import sys

import numpy as np
from scipy.special import rel_entr
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize
from small_text.query_strategies import ContrastiveActiveLearning

images, labels = load_digits(return_X_y=True)
rows, labelled, pool = normalize(images), np.arange(100), np.arange(100, 1797)
proba = LogisticRegression(max_iter=2000).fit(images[labelled] / 16, labels[labelled]).predict_proba(images / 16)
given = None, images, pool, labelled, labels[labelled], 100
picks = ContrastiveActiveLearning(k=10, pbar=None).sample(*given, embeddings=images, embeddings_proba=proba)


def by_neighbours_among(others):
    _, near = NearestNeighbors(n_neighbors=10).fit(rows[others]).kneighbors(rows[pool])
    scores = [rel_entr(proba[others[some]], proba[row]).sum(axis=1).mean() for row, some in zip(pool, near)]
    print(f"of {len(others):,} rows: {np.isin(others[near], labelled).mean():.0%} of the neighbours are labelled", end="")
    print(f", {(others[near[:, 0]] == pool).mean():.0%} of the nearest are the row itself")
    return len({*picks} & {*np.argsort(scores)[::-1][:100]})


common = by_neighbours_among(labelled), by_neighbours_among(np.arange(1797))
print(f"picks in common: {common[0]} of 100 with labelled neighbours, {common[1]} with any")
if common[0] > 50 or common[1] < 95:
    sys.exit("changed: neighbours are sought among labelled rows")
PY
