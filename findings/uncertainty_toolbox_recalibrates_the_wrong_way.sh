#!/usr/bin/env bash
# Uncertainty Toolbox: the quantile recalibrator moves predictions that are off further off, twice as far.
# Expected: get_proportion_under_quantile returns "the proportion of data below the quantile level", as its docstring
#   says, and quantiles recalibrated with it (Kuleshov et al. 2018) have that share of the data below them.
# Happens: it compares prediction minus truth with the quantile, so it counts truths above the mirrored quantile. Where
#   errors lie evenly on both sides nothing shows. Where a model is biased, the share for 50 % is that above, not below,
#   and the correction learned from it points away from the data.
# Hurts: of a model that is one standard deviation too low, the "recalibrated" median has 2 % of the data below it; it
#   was 17 % before. No error, no warning. The calibration errors with prop_type="quantile" are mirrored too, which
#   mean absolute values hide. Intervals and the factor for standard deviations are symmetric and not affected.
# Instead: mirror what goes in and what comes out: fit on (-y_pred, y_std, -y_true), but keep y_pred when asking.
# Seen: uncertainty-toolbox 0.1.1, 29 November 2026. From: get_proportion_under_quantile and
#   get_proportion_lists_vectorized in uncertainty_toolbox/metrics_calibration.py, which
#   get_quantile_recalibrator in recalibration.py uses.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q uncertainty-toolbox==0.1.1 numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1
"$tmp/venv/bin/python" - <<'PY'
import sys

import numpy as np
from uncertainty_toolbox.metrics_calibration import get_proportion_under_quantile, get_quantile
from uncertainty_toolbox.recalibration import get_quantile_recalibrator

truth = np.random.default_rng(0).normal(size=5000)
mean, std = np.full(5000, -1.0), np.ones(5000)  # every prediction is one standard deviation too low
under = get_proportion_under_quantile(mean, std, truth, 0.5)
print(f"below the predicted median: {under:.1%} by the package, counted {np.mean(truth <= mean):.1%}")

recalibrated = get_quantile_recalibrator(mean, std, truth)
mirrored = get_quantile_recalibrator(-mean, std, -truth)
below = {}
for level in (0.25, 0.5, 0.75):
    before, after = get_quantile(mean, std, level), recalibrated(mean, std, level)
    right = mirrored(mean, std, level)
    below[level] = np.mean(truth <= after)
    print(
        f"{level:.0%} quantile {before[0]:.2f}, of the data {np.quantile(truth, level):.2f}: recalibrated"
        f" {after[0]:.2f}, {below[level]:.1%} below; on mirrored data {right[0]:.2f}, {np.mean(truth <= right):.1%}"
    )
if under < 0.5 or below[0.5] > 0.3:
    sys.exit("changed: the recalibrated median moves towards the data")
PY
