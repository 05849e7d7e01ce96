#!/usr/bin/env bash
# River: EntropySampler never asks for a label while its model has seen none, so most models never get one.
# Expected: a model that knows nothing is the least sure; and discount_factor=0 selects all samples, as documented.
# Happens: trees, forests, naive Bayes, neighbours and softmax regression predict {} before the first label. The sampler
#   takes the entropy of {} as 0 and never asks, whatever the discount factor. After a warm start that shows one class
#   only it is the same. Logistic regression of two classes escapes: it starts at 0.5 and 0.5.
# Hurts: the loop of the documentation buys 0 labels and predicts {} to the end. No error, no warning.
# Instead: learn rows of each class before the loop, and ask yourself whenever predict_proba_one gives fewer than two
#   classes.
# Seen: river 0.26.1, 29 November 2026. From: _p in river/active/entropy.py.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q river==0.26.1 numpy==2.4.6 scipy==1.17.1
OMP_NUM_THREADS=1 "$tmp/venv/bin/python" - <<'PY'
import sys

from river import active, datasets, forest, linear_model, naive_bayes, neighbors, tree

rows = list(datasets.ImageSegments().take(500))
bought = []
models = [tree.HoeffdingTreeClassifier(), naive_bayes.GaussianNB(), neighbors.KNNClassifier(),
          forest.ARFClassifier(seed=0), linear_model.SoftmaxRegression()]
for model in models:
    for factor in (3, 0):
        for warm in (0, 20):
            sampler = active.EntropySampler(model.clone(), discount_factor=factor, seed=0)
            known = [row for row in rows if row[1] == rows[0][1]][:warm]
            for x, y in known:
                sampler.learn_one(x, y)
            asked = right = 0
            for x, y in rows:
                guess, ask = sampler.predict_one(x)
                right += guess == y
                asked += ask
                if ask:
                    sampler.learn_one(x, y)
            bought.append(asked)
            plan = "all 500 documented" if factor == 0 else "of 500"
            start = f"{warm} rows of one class known"
            print(f"{type(model).__name__}, {factor=}, {start}: labels bought {asked} ({plan}), right {right}")
if sum(bought) > 100:
    sys.exit("changed: a model that knows nothing asks")
PY
