#!/usr/bin/env bash
# torchsampler: ImbalancedDatasetSampler of indices that are not sorted weighs the wrong rows.
# Expected: given indices and their labels it draws every class alike often, whatever the order of the indices.
# Happens: the weights are put in the order of the sorted indices, but a drawn position is looked up in the indices as
#   they were given, so a row gets the weight of another row.
# Hurts: labelled rows in the order in which they were bought, or a random split, are not balanced at all: of 10 % rare
#   rows 10 % are drawn instead of 50 %, and some rows of a frequent class eight times as often as others. No error,
#   no warning.
# Instead: sort the indices first, and the labels with them, or torch.utils.data.WeightedRandomSampler.
# Seen: torchsampler 0.1.2, 29 November 2026. From: __init__ and __iter__ of ImbalancedDatasetSampler in
#   torchsampler/imbalanced.py.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q torchsampler==0.1.2 torch==2.14.1 torchvision==0.29.1 numpy==2.4.6 pandas==3.1.1
OMP_NUM_THREADS=1 "$tmp/venv/bin/python" - <<'PY'
import sys

import numpy as np
import torch
from torchsampler import ImbalancedDatasetSampler

torch.manual_seed(0)
labels = np.repeat([0, 1], [1800, 200])
dataset = torch.utils.data.TensorDataset(torch.arange(2000), torch.tensor(labels))
bought = np.random.default_rng(0).choice(2000, 1000, replace=False)  # labelled rows, in the order of purchase
shares = {}
for name, rows in {"in the order of purchase": bought, "sorted": np.sort(bought)}.items():
    sampler = ImbalancedDatasetSampler(
        dataset, labels=labels[rows].tolist(), indices=rows.tolist(), num_samples=100_000)
    drawn = np.array([*sampler])
    shares[name] = labels[drawn].mean()
    counts = np.bincount(drawn, minlength=2000)[rows][labels[rows] == 0]
    print(f"{name}: of {labels[rows].mean():.1%} rare rows {shares[name]:.1%} are drawn, 50.0% expected;",
          f"a frequent row is drawn {counts.min()} to {counts.max()} times")
if shares["in the order of purchase"] > 0.3 or abs(shares["sorted"] - 0.5) > 0.02:
    sys.exit("changed: the order of the indices does not matter")
PY
