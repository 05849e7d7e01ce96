"""What a recipe is worth: cross-validation on the labelled images, while what a strategy added only ever trains."""

import io
import warnings
from contextlib import redirect_stdout

import numpy as np
import optuna
from optuna.trial import Trial
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedKFold

from alkit.data import Dataset, Part, split
from alkit.recipe import Recipe
from alkit.study import Study, run
from alkit.training import fit, predict_proba


def validate(
    labelled: Part,
    added: Part,
    recipe: Recipe,
    n_folds: int,
    seed: int,
    device: str = "auto",
    trial: Trial | None = None,
) -> float:
    """Macro F1 on the labelled images, each predicted by a network that was trained without its fold, but on all added.

    A `trial` is told the F1 after each fold. Raises optuna.TrialPruned if it is to be given up.
    """
    predicted = np.empty_like(labelled.labels)
    done = np.empty(0, np.int64)
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # A class with fewer images than folds is in some of them only, which does no harm.
        warnings.simplefilter("ignore", UserWarning)
        split_up = list(folds.split(labelled.labels, labelled.labels))
    for fold, (others, held_out) in enumerate(split_up):
        predicted[held_out] = _predict(labelled[others] + added, labelled[held_out], recipe, seed, device)
        done = np.concatenate([done, held_out])
        f1 = f1_score(labelled.labels[done], predicted[done], average="macro")
        if trial:
            trial.report(f1, fold)
            if fold + 1 < n_folds and trial.should_prune():
                raise optuna.TrialPruned
    return float(f1)


def score(train: Part, images: Part, recipe: Recipe, seed: int, device: str = "auto") -> float:
    """Macro F1 on some images of a network that was trained on others."""
    return float(f1_score(images.labels, _predict(train, images, recipe, seed, device), average="macro"))


def training_images(study: Study, dataset: Dataset, experiment: str, seed: int) -> tuple[Part, Part]:
    """The labelled images, and what the experiment adds to them."""
    parts = split(dataset, study.n_labelled)
    if experiment == "full_training_set":
        return parts.labelled, parts.pool
    picks = np.empty(0, np.int64)
    if experiment != "original_label":
        picks = run(study, dataset, experiment, seed).arrays["picks"]
    return parts.labelled, parts.pool[picks]


def _predict(train: Part, images: Part, recipe: Recipe, seed: int, device: str) -> np.ndarray:
    n_classes = int(max(train.labels.max(), images.labels.max())) + 1
    # The search has a progress bar; one within the other would spoil both.
    with redirect_stdout(io.StringIO()):
        model = fit(train.images, train.labels, recipe, seed, device, n_classes=n_classes)
        return predict_proba(model, images.images, **recipe.views()).argmax(1)
