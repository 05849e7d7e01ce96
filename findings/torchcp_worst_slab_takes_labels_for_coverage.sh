#!/usr/bin/env bash
# TorchCP: worst-slab coverage looks for the slab with the lowest class numbers, not with the lowest coverage.
# Expected: the metric WSC finds, on a quarter of the rows, the slab of the features in which sets cover the truth
#   least, and gives the coverage in it on the other rows (Romano, Sesia and Candes 2020, whose code it names).
# Happens: calWSC has the arguments X, y, covered and is called with X, covered, labels. It minimises the mean label.
# Hurts: the measure of conditional coverage that conformal papers report does not measure it: sets that cover 40 % of a
#   region of one row in six get 88 to 99 %, and other numbers for the same classes change it. No error, no warning.
# Instead: calWSC(X, y=labels, covered=covered, ...) on one's own half, and wsc_vab on the other; both are in that file.
# Seen: torchcp 1.2.1, 29 November 2026. From: WSC in torchcp/classification/utils/metrics.py.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q torch==2.13.0 numpy==2.4.6 scikit-learn==1.9.1 tqdm==4.67.1
"$tmp/venv/bin/pip" install -q --no-deps torchcp==1.2.1
"$tmp/venv/bin/python" - <<'PY'
import sys
import warnings
from unittest.mock import MagicMock

import numpy as np
import torch

warnings.simplefilter("ignore")
sys.modules.update({name: MagicMock() for name in ("torchsort", "torchcp.graph", "torchcp.llm")})  # not used here
from torchcp.classification.utils.metrics import Metrics  # noqa: E402

torch.manual_seed(0)
features, labels = torch.randn(2000, 2), torch.randint(0, 3, (2000,))
covered = torch.rand(2000) < torch.where(features[:, 0] > 1, 0.4, 0.98)


def by_hand(z, hit, train):  # worst run of a tenth or more of the training rows along z, judged on the others
    order = np.argsort(z[train])
    sums, at = np.r_[0, np.cumsum(hit[train][order])], np.arange(train.sum() + 1)
    length = at[None] - at[:, None]
    share = np.where(length >= 0.1 * train.sum(), (sums[None] - sums[:, None]) / np.maximum(length, 1), 1)
    first, last = np.unravel_index(share.argmin(), share.shape)
    low, high = z[train][order][[first, last - 1]]
    return share.min(), hit[~train & (z >= low) & (z <= high)].mean()


train = np.arange(2000) < 500
angles = np.linspace(0, 2 * np.pi, 60)
found = [by_hand(features.numpy() @ [np.cos(a), np.sin(a)], covered.numpy(), train) for a in angles]
truth = min(found)[1]
print(f"covered {covered.float().mean():.1%}, in the slab x > 1 {covered[features[:, 0] > 1].float().mean():.1%}")
print(f"worst slab by hand {truth:.1%}")
seen = []
for names in ([0, 1, 2], [1, 2, 0], [2, 0, 1]):
    renamed = torch.tensor(names)[labels]
    sets = torch.zeros(2000, 3, dtype=torch.bool)
    sets[torch.arange(2000), renamed] = covered
    seen.append(Metrics()("WSC")(features, sets, renamed, M=60))
    print(f"worst slab by the package, classes numbered {names}: {seen[-1]:.1%}")
if min(seen) < 0.6:
    sys.exit("changed: the worst slab is found")
PY
