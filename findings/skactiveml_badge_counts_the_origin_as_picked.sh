#!/usr/bin/env bash
# scikit-activeml: Badge draws as if a gradient of 0 had been picked first.
# Expected: BADGE (Ash et al. 2020): after the first pick, each next one is drawn in proportion to the squared distance
#   of its gradient from the nearest pick, as k-means++ does.
# Happens: the squared length of each gradient, which chooses the first pick, is kept as the distance to a first
#   centre. So a draw is in proportion to the smaller of that and the distance to the picks: the origin counts as
#   picked, and images with short gradients, of which the model is sure, are drawn less often than in the paper and in
#   the authors' code.
# Hurts: papers that compare with BADGE by this class: its batches lean to uncertainty more than BADGE's do.
# Instead: scikit-learn's kmeans_plusplus on the gradients, with n_local_trials=1, or the authors' code.
# Seen: scikit-activeml 1.0.1, 28 November 2026. From: query and _d_2 in skactiveml/pool/_badge.py.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q scikit-activeml==1.0.1 scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1
export MPLCONFIGDIR="$tmp/mpl"
"$tmp/venv/bin/python" - <<'PY'
import sys
import warnings

import numpy as np
from skactiveml.classifier import SklearnClassifier
from skactiveml.pool import Badge
from sklearn.cluster import kmeans_plusplus
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

warnings.simplefilter("ignore")
x, truth = load_digits(return_X_y=True)
x = (x - x.mean(axis=0)) / 16
y = np.full(len(x), np.nan)
labelled = np.random.default_rng(0).choice(len(x), 100, replace=False)
y[labelled] = truth[labelled]
pool = np.flatnonzero(np.isnan(y))
model = SklearnClassifier(LogisticRegression(max_iter=1000), classes=range(10)).fit(x, y)
p = model.predict_proba(x[pool])
g = ((p - np.eye(10)[p.argmax(axis=1)])[:, :, None] * x[pool][:, None, :]).reshape(len(pool), -1)
length = (g**2).sum(axis=1)

pick, utilities = Badge(random_state=0).query(x, y, model, fit_clf=False, batch_size=2, return_utilities=True)
away = ((g - g[pool == pick[0]]) ** 2).sum(axis=1)
chances = np.nan_to_num(utilities[1][pool])  # NaN for the first pick
paper, capped = away / away.sum(), np.minimum(away, length) / np.minimum(away, length).sum()
print(f"largest difference of the chances of the second pick: to the paper's {np.abs(chances - paper).max():.1e},"
      f" to those with the origin picked {np.abs(chances - capped).max():.1e}")
sure = p.max(axis=1) > np.median(p.max(axis=1))
mass = {name: float(each[sure].sum()) for name, each in (("Badge", chances), ("paper", paper))}
print(f"chance that the second pick is of the half of which the model is surer: {mass['Badge']:.3f},"
      f" in the paper {mass['paper']:.3f}")
share = []
for seed in range(30):
    theirs = Badge(random_state=seed).query(x, y, model, fit_clf=False, batch_size=100)
    plus = kmeans_plusplus(g, 100, n_local_trials=1, random_state=seed)[1]
    share.append([np.isin(theirs, pool[sure]).mean(), sure[plus].mean()])
print("of 100 picks, such images: {:.1%}, by k-means++ on the gradients {:.1%} (means of 30 seeds)".format(*np.mean(share, axis=0)))
if not np.allclose(chances, capped) or np.allclose(chances, paper):
    sys.exit("changed: Badge draws in proportion to the distance to its picks alone")
PY
