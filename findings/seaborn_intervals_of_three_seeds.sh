#!/usr/bin/env bash
# seaborn: the band around a learning curve of three seeds is no 95 % interval.
# Expected: lineplot's default errorbar=("ci", 95) covers the true mean 95 times in 100.
# Happens: it is a percentile bootstrap of the few values there are. With 3 seeds it covers the true
#   mean about 74 times in 100 and is 2.6 times narrower than Student's t interval, with no warning.
# Hurts: whoever compares strategies by bands over 3 or 5 seeds: gaps look real that are noise.
# Instead: compute mean +- t(0.975, n-1) * sd / sqrt(n) and hand it over as errorbar=function,
#   or draw every seed's curve; from about 20 seeds on the two agree.
# Seen: seaborn 0.13.2, 27 November 2026. From: EstimateAggregator in seaborn/_statistics.py,
#   which calls bootstrap() in seaborn/algorithms.py and takes percentiles.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q seaborn==0.13.2 matplotlib==3.11.2 pandas==3.1.1 numpy==2.4.6 scipy==1.17.1
export MPLBACKEND=Agg MPLCONFIGDIR="$tmp/mpl"
"$tmp/venv/bin/python" - <<'PY'
import sys

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from scipy import stats

STUDIES = 500  # each x of the plot is one study; the true mean is 0 in all
rng = np.random.default_rng(0)


def student(values):
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return np.mean(values) - half, np.mean(values) + half


def drawn(scores, **how):
    """Lower and upper edge of the band that seaborn drew at each study."""
    frame = pd.DataFrame({"study": np.repeat(np.arange(STUDIES), scores.shape[1]), "score": scores.ravel()})
    figure, axes = plt.subplots()
    sns.lineplot(frame, x="study", y="score", seed=0, ax=axes, **how)
    corners = pd.DataFrame(axes.collections[0].get_paths()[0].vertices, columns=["study", "edge"])
    plt.close(figure)
    edges = corners.groupby(corners["study"].round().astype(int))["edge"].agg(["min", "max"])
    return edges["min"].to_numpy(), edges["max"].to_numpy()


cover, width = {}, {}
for seeds in (3, 10):
    scores = rng.normal(size=(STUDIES, seeds))
    for name, how in (("seaborn's default", {}), ("Student's t", {"errorbar": student})):
        low, high = drawn(scores, **how)
        cover[seeds, name] = np.mean((low <= 0) & (0 <= high))
        width[seeds, name] = np.mean(high - low)
        print(f"{seeds:2d} seeds, {name:17s}: covers the true mean in {cover[seeds, name]:.1%} of {STUDIES} studies,"
              f" mean width {width[seeds, name]:.2f}")

if not 0.66 < cover[3, "seaborn's default"] < 0.82:
    sys.exit("changed: seaborn's default band of 3 seeds no longer covers about 74 %")
if cover[3, "Student's t"] < 0.92 or width[3, "Student's t"] < 2 * width[3, "seaborn's default"]:
    sys.exit("changed: the t interval of 3 seeds is no longer much wider than seaborn's band")
PY
