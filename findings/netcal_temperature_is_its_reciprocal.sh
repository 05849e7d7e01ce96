#!/usr/bin/env bash
# netcal: TemperatureScaling.temperature is 1 / T, by its own formula and by the paper's.
# Expected: probabilities are softmax(logits / T) (Guo et al. 2017, and the class's docstring); of an overconfident
#   network T is above 1, and dividing its logits by T calibrates them.
# Happens: the property returns the weight that logits are multiplied by. transform() is right; whoever divides by
#   the property makes confidence worse than it was. No note in the docstring of the property.
# Hurts: reports that compare temperatures of seeds, rounds or networks read underconfident for overconfident; networks
#   that are deployed with the number are wrong where the evaluation by transform() was right.
# Instead: T = 1 / method.temperature.item(), or scipy.optimize.minimize_scalar over sklearn's log_loss.
# Seen: netcal 1.4.0, 29 November 2026. From: temperature in netcal/scaling/TemperatureScaling.py, which is `weights`, and
#   the product in model() of netcal/scaling/LogisticCalibration.py.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q netcal==1.4.0 torch==2.14.1 numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1
"$tmp/venv/bin/python" - <<'PY'
import sys

import numpy as np
from netcal.metrics import ECE
from netcal.scaling import TemperatureScaling
from scipy.optimize import minimize_scalar
from scipy.special import softmax
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier

images, labels = load_digits(return_X_y=True)
images = images + np.random.default_rng(0).normal(scale=8, size=images.shape)  # or there is little to be unsure of
network = MLPClassifier(max_iter=500, random_state=0).fit(images[:600], labels[:600])
held_out, test = slice(600, 1200), slice(1200, None)
probabilities = network.predict_proba(images).clip(1e-6)
logits = np.log(probabilities)
method = TemperatureScaling()
method.fit(probabilities[held_out], labels[held_out])
given = np.asarray(method.temperature).item()
best = minimize_scalar(
    lambda t: log_loss(labels[held_out], softmax(logits[held_out] / t, axis=1)), bounds=(0.05, 20), method="bounded"
).x
results = {
    "as it is": probabilities[test],
    "transform()": method.transform(probabilities[test]),
    "divided by .temperature": softmax(logits[test] / given, axis=1),
    "divided by 1 / .temperature": softmax(logits[test] * given, axis=1),
}
errors = {name: ECE(10).measure(each, labels[test]) for name, each in results.items()}
print(f".temperature {given:.2f}; T of the least held-out log loss {best:.2f}")
for name, error in errors.items():
    print(f"expected calibration error, {name}: {error:.3f}")
worse = errors["divided by .temperature"] > errors["as it is"] > errors["transform()"]
if not worse or abs(given * best - 1) > 0.1:
    sys.exit("changed: the property is the temperature that logits are divided by")
PY
