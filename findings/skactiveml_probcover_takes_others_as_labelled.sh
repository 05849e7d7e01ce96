#!/usr/bin/env bash
# scikit-activeml: ProbCover on a part of the pool takes the rest of the pool as labelled.
# Expected: candidates are the rows that may be picked; of these the one is picked that covers most rows which no
#   labelled or picked row covers (Yehuda et al. 2022).
# Happens: whatever is not among the candidates covers its neighbours as labelled rows do, though nobody knows its label.
#   Where half of the pool is offered nearly everything counts as covered, and the picks are those of chance; of a
#   tenth they are worse. No error, no warning.
# Hurts: large pools, of which a sample is offered (SubSamplingWrapper does so), and comparisons made that way.
# Instead: pass X and y of the labelled rows and the candidates alone, and map the picks back.
# Seen: scikit-activeml 1.0.1, 29 November 2026. From: query in skactiveml/pool/_prob_cover.py, which asks for the edges
#   of all that is no candidate.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q scikit-activeml==1.0.1 scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1
"$tmp/venv/bin/python" - <<'PY'
import sys

import numpy as np
from scipy.spatial.distance import cdist
from skactiveml.pool import ProbCover
from sklearn.datasets import load_digits
from sklearn.preprocessing import normalize

images, labels = load_digits(return_X_y=True)
images, rng = normalize(images), np.random.default_rng(0)
known = rng.choice(len(images), 50, replace=False)
given = np.full(len(images), np.nan)
given[known] = labels[known]
unlabelled = np.setdiff1d(np.arange(len(images)), known)
as_expected = {}
for share in (1.0, 0.5, 0.1):
    candidates = rng.choice(unlabelled, round(share * len(unlabelled)), replace=False)
    strategy = ProbCover(n_classes=10, deltas=np.arange(0.05, 0.6, 0.05), random_state=0)
    picks = strategy.query(images, given, candidates=candidates, batch_size=50)
    near = cdist(images, images) <= strategy.delta_max_
    covered, plain = near[known].any(axis=0), []
    for _ in range(50):
        plain.append(candidates[(near[candidates] & ~covered).sum(axis=1).argmax()])
        covered = covered | near[plain[-1]]
    chance = np.mean([near[[*known, *rng.choice(candidates, 50, replace=False)]].any(axis=0).mean() for _ in range(50)])
    seen, best = (near[[*known, *rows]].any(axis=0).mean() for rows in (picks, plain))
    as_expected[share] = seen > (best + chance) / 2
    print(f"{share:.0%} of the pool offered: covered {seen:.3f}, by a plain loop {best:.3f}, by chance {chance:.3f}")
if list(as_expected.values()) != [True, False, False]:
    sys.exit("changed: what is not offered does not count as labelled")
PY
