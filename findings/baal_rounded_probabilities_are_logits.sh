#!/usr/bin/env bash
# Baal: probabilities in half precision, or rounded, are taken for logits, all at once or batch by batch.
# Expected: heuristics convert logits to probabilities "if needed", and probabilities are left alone.
# Happens: they are left alone only if the rows of the array sum to 1 within 1e-5. In float16, bfloat16 or with three
#   digits one row does not, and then a softmax is taken of every row: of ten classes the least entropy becomes
#   2.2 instead of 0, and the ranking is another. With a generator, each batch is judged by itself: scores of batches
#   with and without a second softmax are ranked together, and the picks come from batches with a rounded row, sure or
#   not. No warning.
# Hurts: predictions under autocast, or kept small on disk: one pick in seven is another here, of batches nine in ten.
# Instead: probabilities = p.astype(np.float64); p /= p.sum(axis=1, keepdims=True), before any heuristic.
# Seen: baal 2.1.0, 29 November 2026. From: to_prob in baal/utils/array_utils.py, which Entropy, Margin, BALD, BatchBALD
#   and EPIG ask.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q torch==2.14.1 torchmetrics==1.9.0 numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1 \
  structlog==22.3.0 matplotlib==3.10.9 tqdm==4.67.1
"$tmp/venv/bin/pip" install -q --no-deps baal==2.1.0 # what else it requires, notebooks use
"$tmp/venv/bin/python" - <<'PY'
import sys

import numpy as np
from baal.active.heuristics import Entropy
from scipy.stats import entropy
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

images, labels = load_digits(return_X_y=True)
model = LogisticRegression(max_iter=2000).fit(images[:300] / 4, labels[:300])
probabilities = model.predict_proba(images[300:] / 4)
half = probabilities.astype(np.float16)
best = set(np.argsort(-entropy(half.astype(float), axis=1), kind="stable")[:100].tolist())


def batches():
    yield from (half[i : i + 10] for i in range(0, len(half), 10))


seen = {}
for name, given in (("float64", probabilities), ("float16", half), ("float16, 10 at a time", batches())):
    picks, scores = Entropy().get_ranks(given)
    sure = (probabilities[picks[:100]].max(axis=1) > 0.95).sum()
    seen[name] = len(best & set(picks[:100].tolist())), sure
    print(f"{name}: {seen[name][0]} of the 100 of highest entropy; {sure} picks with a confidence above 0.95; "
          f"scores from {scores.min():.2f}")
if seen["float64"][0] < 95 or seen["float16"][0] > 95 or seen["float16, 10 at a time"][0] > 70:
    sys.exit("changed: probabilities in half precision are ranked as such")
PY
