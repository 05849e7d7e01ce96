#!/usr/bin/env bash
# Optuna: a given recipe whose first attempt was killed or raised is never tried again.
# Expected: enqueue_trial(recipe, skip_if_exists=True) skips a recipe that already has a result.
# Happens: any trial with these parameters counts, whatever its state: RUNNING for ever after the job
#   was killed, or FAIL after an exception. The second call queues nothing, and tells it at INFO only.
# Hurts: searches that start from the published recipe and are resumed on a cluster: the baseline is
#   missing from the study, and "the search beat the default" compares with nothing.
# Instead: look yourself for a COMPLETE trial with these parameters; where there is none, enqueue
#   without skip_if_exists.
# Seen: optuna 5.0.0 with SQLite, 27 November 2026. From: Study.enqueue_trial, which asks
#   Study._should_skip_enqueue; that one never looks at trial.state.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q optuna==5.0.0 numpy==2.4.6
cd "$tmp"
"$tmp/venv/bin/python" - <<'PY'
import math
import os
import sys

import optuna

optuna.logging.set_verbosity(optuna.logging.WARNING)
logger = optuna.logging.get_logger("optuna")
DEFAULT = {"rate": 0.01, "momentum": 0.9}
STATE = optuna.trial.TrialState


def loss(trial):
    """Lowest, 0, at the default recipe."""
    rate = trial.suggest_float("rate", 1e-5, 1.0, log=True)
    momentum = trial.suggest_float("momentum", 0.0, 0.99)
    return abs(math.log10(rate / 0.01)) + abs(momentum - 0.9)


def killed(trial):
    loss(trial)
    os._exit(9)  # as when the batch system ends the job


def error(trial):
    loss(trial)
    raise OSError("the data disk was away for a moment")


def open_study(name):
    return optuna.create_study(storage=f"sqlite:///{name}.db", study_name=name, load_if_exists=True,
                               sampler=optuna.samplers.TPESampler(seed=0))


def states_of_default(study):
    return [t.state.name for t in study.trials if t.system_attrs.get("fixed_params", t.params) == DEFAULT]


found, repaired = {}, {}
for first in (killed, error):
    name = first.__name__
    child = os.fork()
    if child == 0:  # the first job: queues the default and tries it
        logger.setLevel(optuna.logging.CRITICAL)
        study = open_study(name)
        study.enqueue_trial(DEFAULT, skip_if_exists=True)
        study.optimize(first, n_trials=1, catch=(OSError,))
        os._exit(0)
    os.waitpid(child, 0)

    study = open_study(name)  # the second job: the same lines, and all is well again
    study.enqueue_trial(DEFAULT, skip_if_exists=True)
    study.optimize(loss, n_trials=30)
    found[name] = states_of_default(study)
    print(f"first attempt {name}: after 30 more trials the default recipe's states are {found[name]},"
          f" best value {study.best_value:.3f} (the default's is 0)")

    if STATE.COMPLETE.name not in found[name]:  # what to do instead
        study.enqueue_trial(DEFAULT)
        study.optimize(loss, n_trials=1)
    repaired[name] = states_of_default(study)
    print(f"  queued without skip_if_exists: {repaired[name]}, best value {study.best_value:.3f}")

if found != {"killed": ["RUNNING"], "error": ["FAIL"]}:
    sys.exit("changed: the second enqueue_trial no longer skips a recipe that has no result")
if any(states[-1] != "COMPLETE" for states in repaired.values()):
    sys.exit("changed: queueing without skip_if_exists no longer evaluates the recipe")
PY
