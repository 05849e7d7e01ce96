#!/usr/bin/env bash
# uncertainty-calibration: confidence intervals of the calibration error are those of 99.9 % where 90 % is asked for.
# Expected: get_calibration_error_uncertainties(alpha=0.1) gives "1-alpha confidence intervals", as its docstring says:
#   the 5th and 95th percentiles of 100 bootstrap estimates, mirrored at the estimate.
# Happens: alpha is handed on as a percentage. With alpha=0.1, the default, they are the 0.05th and 99.95th percentile:
#   the extremes of the 100 estimates. Another alpha changes next to nothing: even 0.9 gives the extremes.
# Hurts: intervals of 90 % are 1.3 times as wide as they should be, those of 50 % 3.3 times: two models that
#   differ look the same, and a table "with 90 % intervals" is wrong. No error, no warning.
# Instead: alpha in percent, alpha=10 for intervals of 90 %.
# Seen: uncertainty-calibration 0.1.4, 29 November 2026. From: get_calibration_error_uncertainties and
#   bootstrap_uncertainty in calibration/utils.py.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q uncertainty-calibration==0.1.4 numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1
"$tmp/venv/bin/python" - <<'PY'
import sys

import calibration
import numpy as np

generator = np.random.default_rng(0)
probs = generator.uniform(size=1000)
labels = (generator.uniform(size=1000) < 0.8 * probs + 0.05).astype(int)
error = calibration.get_calibration_error(probs, labels, 1, False)
rows = [generator.choice(1000, 1000) for _ in range(1000)]
estimates = np.array([calibration.get_calibration_error(probs[row], labels[row], 1, False) for row in rows])


def by_hand(alpha):
    return 2 * error - np.quantile(estimates, [1 - alpha / 2, alpha / 2])


def by_package(alpha):
    np.random.seed(0)
    low, _, high = calibration.get_calibration_error_uncertainties(probs, labels, p=1, alpha=alpha)
    return low, high


widths = {}
for alpha in (0.01, 0.1, 0.5, 0.9):
    (low, high), (hand_low, hand_high) = by_package(alpha), by_hand(alpha)
    widths[alpha] = (high - low) / (hand_high - hand_low)
    print(f"alpha {alpha}: {low:.4f} to {high:.4f}, by hand {hand_low:.4f} to {hand_high:.4f}, {widths[alpha]:.1f} x")
print("alpha 10: {:.4f} to {:.4f}".format(*by_package(10)))
if widths[0.1] < 1.2 or widths[0.9] < 5:
    sys.exit("changed: alpha is a share")
PY
