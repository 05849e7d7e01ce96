#!/usr/bin/env bash
# Crowd-Kit: MACE mixes up its workers unless their names first appear in sorted order, and so depends on the row order.
# Expected: the order of the rows makes no difference to the likelihood of the model (Hovy et al. 2013).
# Happens: workers and labels are numbered as they appear, while the counts of their spam strategies are sorted by name.
#   From the first step on workers are given the strategies of others. No error, no warning. method="vb" does the same.
# Hurts: on a table that is not sorted labels may be worse than a majority vote, and a shuffled copy gives others.
# Instead: number workers and labels as they appear, data[name] = pd.factorize(data[name])[0], and map labels back.
# Seen: crowd-kit 1.4.2, 29 November 2026. From: _e_step in crowdkit/aggregation/classification/mace.py.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q numpy==2.4.6 scipy==1.17.1 pandas==3.1.1 scikit-learn==1.9.1 attrs==26.1.0 nltk==3.10.4
"$tmp/venv/bin/pip" install -q --no-deps crowd-kit==1.4.2
OMP_NUM_THREADS=1 "$tmp/venv/bin/python" - <<'PY'
import sys

import numpy as np
import pandas as pd
from crowdkit.aggregation import MACE, MajorityVote
from scipy.special import softmax

rng = np.random.default_rng(0)
truth, honest, favourite = rng.integers(3, size=200), rng.uniform(0.1, 0.7, 12), rng.integers(3, size=12)
rows = []
for task in range(200):
    for worker in rng.choice(12, 5, replace=False):
        rows.append((task, worker, truth[task] if rng.random() < honest[worker] else favourite[worker]))
by_name = pd.DataFrame(rows, columns=["task", "worker", "label"]).sort_values(["worker", "label"], ignore_index=True)


def em(data):
    task, worker, label = data.to_numpy().T
    honest, strategy = np.full(12, 0.5), np.full((12, 3), 1 / 3)
    for _ in range(51):
        spam = ((1 - honest)[worker] * strategy[worker, label])[:, None]
        true = honest[worker][:, None] * (label[:, None] == np.arange(3))
        joint, counts = np.zeros((200, 3)), np.full((12, 3), 0.01 / 3)
        np.add.at(joint, task, np.log(spam + true + 1e-300))
        belief = softmax(joint, axis=1)
        spammed = (belief[task] * spam / (spam + true)).sum(axis=1)
        np.add.at(counts, (worker, label), spammed)
        strategy = counts / counts.sum(axis=1, keepdims=True)
        honest = 1 - np.bincount(worker, spammed) / np.bincount(worker)
    return belief.argmax(axis=1)


vote = (MajorityVote().fit_predict(by_name).loc[range(200)] == truth).mean()
print(f"share of right labels by majority vote {vote:.3f}")
shares, tables = [], {f"shuffle {n}": by_name.sample(frac=1, random_state=n) for n in (0, 1, 2)}
for name, data in {"sorted rows": by_name, **tables}.items():
    codes, names = pd.factorize(data["label"])
    numbered = data.assign(worker=pd.factorize(data["worker"])[0], label=codes)
    found, safe = (MACE(n_restarts=1, method="em").fit_predict(rows).loc[range(200)] for rows in (data, numbered))
    shares.append([(labels == truth).mean() for labels in (found, names[safe], em(data))])
    print(f"{name}: MACE {shares[-1][0]:.3f}, of numbered names {shares[-1][1]:.3f}, a plain EM {shares[-1][2]:.3f}")
if max(share[0] for share in shares[1:]) > vote:
    sys.exit("changed: the order of rows does not matter")
PY
