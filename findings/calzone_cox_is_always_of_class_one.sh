#!/usr/bin/env bash
# calzone: Cox slope and intercept are those of class 1, whatever class is asked for.
# Expected: CalibrationMetrics(class_to_calculate=2) calculates metrics for "the class index" 2, and
#   cox_regression_analysis takes class_to_calculate, "the class to treat as the positive class".
# Happens: CalibrationMetrics does not hand the class on. cox_regression_analysis itself, if given one, takes the labels
#   of that class but the probabilities of class 1. Spiegelhalter's z, ECE, Hosmer-Lemeshow and Loess follow the class.
# Hurts: with a calibrated class 1 and an overconfident class 2, the table for class 2 shows a slope of 1.0, which reads
#   as calibrated, beside an ECE that does not; given the class, the function returns a negative slope for a useful
#   classifier. "COX ICI" applies the slope of class 1 to class 2. No error, no warning.
# Instead: hand over two columns: np.stack([1 - p, p], 1) with p = y_proba[:, 2], and y_true == 2 as integers.
# Seen: calzone-tool 0.1.0, 29 November 2026. From: CalibrationMetrics.calculate_metrics and cox_regression_analysis in
#   calzone/metrics.py.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q calzone-tool==0.1.0 numpy==2.4.6 scipy==1.17.1
"$tmp/venv/bin/python" - <<'PY'
import sys

import numpy as np
from calzone.metrics import CalibrationMetrics, cox_regression_analysis
from scipy.optimize import minimize

generator = np.random.default_rng(0)
true = generator.dirichlet(np.ones(3), 5000)
labels = (generator.uniform(size=(5000, 1)) < true.cumsum(axis=1)).argmax(axis=1)
over = (1 - true[:, 1]) * true[:, 2] ** 3 / (true[:, 0] ** 3 + true[:, 2] ** 3)  # too sure between classes 0 and 2
probs = np.stack([1 - true[:, 1] - over, true[:, 1], over], axis=1)


def slope_by_hand(target, p):
    odds = np.log(p / (1 - p))
    return minimize(lambda w: np.mean(np.logaddexp(0, w[0] * odds + w[1]) - target * (w[0] * odds + w[1])), [1, 0]).x[0]


table = CalibrationMetrics(class_to_calculate=2).calculate_metrics(labels, probs, metrics=["COX", "ECE-H"])
given = cox_regression_analysis(labels, probs, class_to_calculate=2)[0]
hand = slope_by_hand(labels == 2, over)
print(f"slope for class 2: {table['COX coef']:.3f}, ECE {table['ECE-H']:.3f}; given the class {given:.3f}")
print(f"by hand: class 2 {hand:.3f}, class 1 {slope_by_hand(labels == 1, probs[:, 1]):.3f}")
two = CalibrationMetrics().calculate_metrics((labels == 2).astype(int), np.stack([1 - over, over], 1), metrics=["COX"])
print(f"of two columns: {two['COX coef']:.3f}")
if abs(table["COX coef"] - hand) < 0.1 or abs(given - hand) < 0.1:
    sys.exit("changed: the slope is that of the class")
PY
