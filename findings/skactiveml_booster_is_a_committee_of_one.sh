#!/usr/bin/env bash
# scikit-activeml: query by committee over LightGBM is random sampling.
# Expected: a committee that cannot be split into members is refused with an error.
# Happens: an estimator that has n_estimators but no estimators_, as LGBMClassifier, is taken n times
#   over as its own committee. All members agree, every utility is 0, and the pick is drawn at random:
#   no warning, and the curve in the paper is labelled QBC.
# Hurts: studies on tables, where boosted trees are the usual model; vote_entropy, variation_ratios,
#   KL_divergence and BALD alike.
# Instead: pass a list of separately seeded, bagged models as ensemble; check that utilities differ.
# Seen: scikit-activeml 1.0.1 with LightGBM 4.7.0, 27 November 2026. From: _check_ensemble in
#   skactiveml/pool/_query_by_committee.py, its branch for n_estimators.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q scikit-activeml==1.0.1 lightgbm==4.7.0 scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1
export MPLCONFIGDIR="$tmp/mpl"
"$tmp/venv/bin/python" - <<'PY'
import sys
import warnings

import numpy as np
from lightgbm import LGBMClassifier
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from skactiveml.classifier import SklearnClassifier
from skactiveml.pool import QueryByCommittee

X, truth = load_iris(return_X_y=True)
y = np.full(150, np.nan)
labelled = np.random.default_rng(0).choice(150, 40, replace=False)
y[labelled] = truth[labelled]


def booster(seed):
    return SklearnClassifier(LGBMClassifier(n_estimators=20, min_child_samples=2, subsample=0.6, subsample_freq=1,
                                            n_jobs=1, verbose=-1, random_state=seed), classes=[0, 1, 2], random_state=seed)


committees = {
    "one LightGBM of 20 trees": booster(0),
    "one forest of 20 trees": SklearnClassifier(RandomForestClassifier(20, random_state=0), classes=[0, 1, 2]),
    "list of 5 LightGBMs": [booster(seed) for seed in range(5)],
}
most, picks = {}, {}
with warnings.catch_warnings(record=True) as raised:
    warnings.simplefilter("always")
    for name, committee in committees.items():
        most[name], picks[name] = [], set()
        for seed in range(12):
            pick, utilities = QueryByCommittee(method="vote_entropy", random_state=seed).query(
                X, y, committee, return_utilities=True)
            most[name].append(float(np.nanmax(utilities)))
            picks[name].add(int(pick[0]))
        print(f"{name:25s}: largest vote entropy in the pool {max(most[name]):.3f},"
              f" {len(picks[name])} different picks under 12 seeds")
told = {str(w.message) for w in raised if "committee" in str(w.message).lower() or "ensemble" in str(w.message).lower()}
print("warnings about the committee:", sorted(told) or "none")
one = "one LightGBM of 20 trees"
if max(most[one]) > 0 or len(picks[one]) < 6 or told:
    sys.exit("changed: LightGBM is no longer a committee whose members all agree")
if min(max(most[name]) for name in committees if name != one) <= 0:
    sys.exit("changed: a forest or a list of LightGBMs no longer disagrees anywhere")
PY
