#!/usr/bin/env bash
# ALiPy: the one-error of a perfect multi-label answer is 1, the worst there is.
# Expected: one-error is the share of rows whose top-ranked label is not a true one: 0 at best.
# Happens: it is the share of rows where true and given labels sum to the same: 1 when every label is
#   right, 1 too when all are wrong but as many, and 0 when no label is given. For scores, which the
#   docstring asks for, it is 0 however they rank. No error, no warning.
# Hurts: multi-label studies that choose or stop by it, or print it: better strategies look worse.
# Instead: np.mean(y_true[np.arange(len(y_true)), scores.argmax(axis=1)] == 0), from the scores.
# Seen: alipy 1.2.5, 27 November 2026. From: one_error in alipy/metrics/performance.py: it counts rows
#   whose summed difference is zero, and counts them as errors.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1 matplotlib==3.11.2 prettytable==3.17.0
"$tmp/venv/bin/pip" install -q --no-deps alipy==1.2.5
export MPLBACKEND=Agg MPLCONFIGDIR="$tmp/mpl"
"$tmp/venv/bin/python" - <<'PY'
import sys
import warnings

import numpy as np

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # about old syntax in files of the package that are not used here
    from alipy.metrics import one_error

ROWS, LABELS, TRUE = 400, 6, 3
rng = np.random.default_rng(0)
truth = np.zeros((ROWS, LABELS), dtype=int)
for row in truth:
    row[rng.choice(LABELS, TRUE, replace=False)] = 1
noise = rng.uniform(0, 0.4, size=truth.shape)


def by_hand(given):
    """Share of rows whose top-ranked label is not true; a row that is given no label counts as wrong."""
    hit = truth[np.arange(ROWS), given.argmax(axis=1)] == 1
    return float(np.mean(~hit | (given.max(axis=1) == 0)))


answers = {
    "every label right": truth,
    "every label wrong": 1 - truth,
    "half right, half wrong": np.where(np.arange(ROWS)[:, None] % 2 == 0, truth, 1 - truth),
    "no label at all": np.zeros_like(truth),
    "scores, all ranked right": 0.5 * truth + noise,
    "scores, all ranked wrong": 0.5 * (1 - truth) + noise,
}
seen = {}
with warnings.catch_warnings(record=True) as raised:
    warnings.simplefilter("always")
    for name, given in answers.items():
        seen[name] = by_hand(given), float(one_error(truth, given))
        print(f"{name:24s}: one-error is {seen[name][0]:.2f}, ALiPy says {seen[name][1]:.2f}")
print("warnings:", sorted({str(w.message) for w in raised}) or "none")
was = {"every label right": (0, 1), "every label wrong": (1, 1), "half right, half wrong": (0.5, 1),
       "no label at all": (1, 0), "scores, all ranked right": (0, 0), "scores, all ranked wrong": (1, 0)}
wrong = [name for name in was if seen[name] != was[name]]
if wrong or raised:
    sys.exit(f"changed: ALiPy's one-error is another, or it warns: {', '.join(wrong)}")
PY
