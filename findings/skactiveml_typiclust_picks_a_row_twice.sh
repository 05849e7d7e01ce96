#!/usr/bin/env bash
# scikit-activeml: TypiClust on a part of the pool picks rows twice, and others by chance.
# Expected: candidates are the rows that may be picked; a batch of 50 of them are 50 rows, each typical of its cluster.
# Happens: the clusters are those of the whole pool. One that has no candidate is taken in its turn, every candidate has
#   a typicality of minus infinity there, and one of all of them is drawn, those already picked included.
#   No error, no warning; utilities of minus infinity are the only sign.
# Hurts: large pools, of which a sample is offered (SubSamplingWrapper does so): fewer labels than the axis says, and the
#   batch is in part random.
# Instead: pass X and y of the labelled rows and the candidates alone, and map the picks back; count np.unique(picks).
# Seen: scikit-activeml 1.0.1, 29 November 2026. From: query in skactiveml/pool/_typi_clust.py, whose argmax looks at
#   rows that were picked too.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q scikit-activeml==1.0.1 scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1
"$tmp/venv/bin/python" - <<'PY'
import sys

import numpy as np
from skactiveml.pool import TypiClust
from sklearn.datasets import load_digits

images, labels = load_digits(return_X_y=True)
rng = np.random.default_rng(0)
known = rng.choice(len(images), 50, replace=False)
given = np.full(len(images), np.nan)
given[known] = labels[known]
unlabelled = np.setdiff1d(np.arange(len(images)), known)
distinct, by_chance = {}, {}
for share in (1.0, 0.1):
    candidates = rng.choice(unlabelled, round(share * len(unlabelled)), replace=False)
    drawn = [
        TypiClust(random_state=seed).query(images, given, candidates=candidates, batch_size=50, return_utilities=True)
        for seed in range(5)
    ]
    distinct[share] = [len(np.unique(picks)) for picks, _ in drawn]
    by_chance[share] = [int(np.isinf(np.nanmax(utilities, axis=1)).sum()) for _, utilities in drawn]
    print(f"{share:.0%} of the pool offered: of 50 picks {distinct[share]} are distinct, {by_chance[share]} are by chance")
if set(distinct[1.0]) != {50} or min(distinct[0.1]) == 50 or min(by_chance[0.1]) == 0:
    sys.exit("changed: each pick is another row, typical of its cluster")
PY
