#!/usr/bin/env bash
# Baal: Entropy and Margin of several passes' logits average the logits, where BALD averages probabilities.
# Expected: predictive entropy (Gal, Islam and Ghahramani 2017): that of the mean probability over the passes, the first
#   term of BALD; logits are converted to probabilities first, as heuristics say they do.
# Happens: the mean over the passes is taken before the conversion. One pass with large logits outvotes those that
#   disagree. Of the same passes as probabilities the ranking is another. Certainty takes the largest logit as it is.
#   No warning, though models mostly return logits, and ModelWrapper.predict_on_dataset gives what the model returns.
# Hurts: comparisons of Entropy, Margin or Certainty with BALD by Monte Carlo dropout or ensembles.
# Instead: heuristic(scipy.special.softmax(logits, axis=1)), with axis 1 the classes.
# Seen: baal 2.1.0, 29 November 2026. From: the order of @singlepass and @requireprobs in Entropy and Margin, and its
#   absence in Certainty, in baal/active/heuristics/heuristics.py.
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
from baal.active.heuristics import BALD, Certainty, Entropy, Margin
from scipy.special import softmax
from scipy.stats import entropy
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

images, labels = load_digits(return_X_y=True)
rng, passes = np.random.default_rng(0), []
for _ in range(10):  # an ensemble, each of other images
    some = rng.choice(150, 100, replace=False)
    model = LogisticRegression(C=100, max_iter=5000).fit(images[some], labels[some])
    passes.append(model.decision_function(images[150:]))
logits = np.stack(passes, axis=-1)
mean = softmax(logits, axis=1).mean(axis=-1)
top = np.sort(mean, axis=1)
scores = {"Entropy": -entropy(mean, axis=1), "Margin": top[:, -1] - top[:, -2], "Certainty": top[:, -1]}
seen = {}
for heuristic in (Entropy(), Margin(), Certainty()):
    name = type(heuristic).__name__
    best = set(np.argsort(scores[name])[:100].tolist())
    given = {"logits": logits, "probabilities": softmax(logits, axis=1)}
    seen[name] = {kind: len(best & set(heuristic(each)[:100].tolist())) for kind, each in given.items()}
    print(f"{name}: of the 100 by mean probability, {seen[name]['logits']} are picked from logits, "
          f"{seen[name]['probabilities']} from probabilities")
same = set(BALD()(logits)[:100].tolist()) & set(BALD()(softmax(logits, axis=1))[:100].tolist())
print(f"BALD: {len(same)} of 100 picks are the same from logits and from probabilities")
if any(each["logits"] > 90 or each["probabilities"] < 99 for each in seen.values()) or len(same) < 99:
    sys.exit("changed: logits of several passes become probabilities before their mean is taken")
PY
