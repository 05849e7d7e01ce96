"""The hyper-parameter search: Optuna proposes recipes, cross-validation on the labelled images judges them."""

import io
import time
import warnings
from contextlib import nullcontext, redirect_stdout
from dataclasses import fields, replace

import numpy as np
import optuna
import pandas as pd
from filelock import FileLock
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedKFold

from alkit import records
from alkit.data import Images, check_folds
from alkit.recipe import Recipe
from alkit.samplers import sample
from alkit.study import Study, is_strategy
from alkit.training import fit, predict_proba, progress_bar

N_FOLDS = {"original_label": 5}  # of the others 2: their added images train in each fold, which takes longer


def search(
    study: Study, experiment: str, *,
    selection: str = "validation", n_folds: int | None = None, seed: int = 0, storage: str | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Try recipes for an experiment until `study.n_trials` are finished, and return one row a trial.

    Columns: `validation_f1`, `test_f1`, `given_up` (after a fold that was worse than the median of earlier trials),
    `seconds`, and what was tried, from which `best` makes a recipe. Each trial trains for the share `study.fidelity` of
    its epochs. Without `storage`, a search that was stopped ends as if it had not been.
    selection: "validation" begins with the experiment's own recipe, proposes others by a tree-structured Parzen
    estimator of validation F1 and never looks at the test set. "test" draws recipes at random and scores each by both,
    to measure what choosing on the test set adds. n_folds: parts of the labelled images, each of which validates once;
    5 for original_label, 2 for others, whose added images only ever train. storage: a database URL that Optuna takes,
    which several processes may share; a file among the records unless given. Raises ValueError for another selection,
    a storage that cannot be used, and more folds than images of any class, and OSError for a storage that fails later.
    """
    if selection not in ("validation", "test"):
        raise ValueError(f"selection is {selection!r}; give validation or test.")
    config = study.config(experiment, seed)
    n_folds = N_FOLDS.get(experiment, 2) if n_folds is None else n_folds
    check_folds(study.labelled, n_folds)
    what = {"search": selection, "fidelity": study.fidelity, "n_folds": n_folds} | config
    recipe, ranges = study.recipe(experiment), space(study.recipe(experiment), study.test.inputs.shape[1:])

    def objective(trial: optuna.Trial) -> float:
        for name, of in ranges.items():
            suggest = trial.suggest_int if isinstance(of, IntDistribution) else trial.suggest_float
            suggest(name, of.low, of.high, log=of.log)
        tried = replace(recipe, **trial.params, epochs=max(1, round(study.fidelity * recipe.epochs)))
        parts, judged = training_images(study, experiment, seed), trial if selection == "validation" else None
        try:
            f1 = validate(*parts, tried, n_folds, seed, study.device, study.dataset.weights, judged)
            trial.set_user_attr("validation_f1", f1)
            if selection == "test":
                predicted = _predict(parts[0] + parts[1], study.test, tried, seed, study.device, study.dataset.weights)
                f1 = float(f1_score(study.test.labels, predicted, average="macro"))
                trial.set_user_attr("test_f1", f1)
        except FloatingPointError:
            trial.set_user_attr("diverged", True)  # a trial that was stopped fails too, but is none
            raise
        return f1

    def compute() -> dict:
        tuner = _tuner(f"{experiment} {records.key(what)}", storage)
        own, text = {name: getattr(recipe, name) for name in ranges}, f"search, {experiment}"
        # Where two processes search alike, one waits, and then finds all trials done: those of both would be others.
        lock = nullcontext() if storage else FileLock(records.folder() / f".{records.key(what)}.lock")
        with lock, progress_bar(study.n_trials, text, unit="trial", initial=len(done := _finished(tuner))) as bar:
            while len(done) < study.n_trials:
                # Alone, a proposal follows from finished trials and the seed; with a shared storage each has its own.
                given = {} if own in [trial.params for trial in done] else own
                tuner.sampler = _sampler(selection, None if storage else [seed, len(done), 0, 0], given)
                tuner.optimize(objective, n_trials=1, catch=FloatingPointError)  # a training that diverged
                done = _finished(tuner)
                bar.update(len(done) - bar.n)
        # A shared storage may hold more than asked for: what ended first. Otherwise a clock may have been set back.
        done.sort(key=lambda trial: trial.datetime_complete if storage else trial.number)
        return {"trials": [_row(trial) for trial in done[: study.n_trials]]}

    try:
        return pd.DataFrame(study.once(what | {"n_trials": study.n_trials}, compute)["trials"])
    except optuna.exceptions.StorageInternalError as error:  # of a server that went away, or a full disk
        problem = str(error.__cause__ or error).split("\n")[0]
        raise OSError(f"Trials cannot be kept ({problem}); search again, it goes on after the last one.") from error


def best(trials: pd.DataFrame, recipe: Recipe) -> Recipe:
    """The recipe, with its own epochs, of the best validation F1, of equals the first; raises ValueError for none."""
    if trials["validation_f1"].isna().all():
        raise ValueError(f"None of {len(trials)} trials has a validation F1: all diverged; lower learning_rate.")
    row, kinds = trials.loc[trials["validation_f1"].idxmax()], {field.name: field.type for field in fields(Recipe)}
    return replace(recipe, **{name: kinds[name](row[name]) for name in kinds.keys() & row.index})


def space(recipe: Recipe, shape: tuple[int, ...]) -> dict[str, BaseDistribution]:
    """What is searched for images of this shape, or features, and between which values, the recipe's own among them.

    Epochs and width are the budget, and flips one knows. What label smoothing does to probabilities F1 does not see.
    """
    side, kinds = min(shape[:2]), {int: IntDistribution, float: FloatDistribution}
    ranges = {"batch_size": (16, 512), "learning_rate": (0.02, 0.5)}
    if len(shape) == 3:  # what is changed in images
        ranges |= {"shift": (0, side // 8), "cutout": (0, side // 2), "colour": (0.0, 1.0)}
    else:
        ranges |= {"swap": (0.0, 0.5)}
    distributions = {}
    for name, (low, high) in ranges.items():
        own, kind = getattr(recipe, name), kinds[type(low)]
        distributions[name] = kind(min(low, own), max(high, own), log=name in ("batch_size", "learning_rate"))
    return distributions


def validate(
    labelled: Images, added: Images, recipe: Recipe, n_folds: int, seed: int, device: str = "auto",
    weights: dict | None = None, trial: optuna.Trial | None = None,
) -> float:  # fmt: skip
    """Macro F1 on the labelled images, each predicted by a network that was trained without its fold, but on all added.

    A `trial` is told the F1 after each fold. Raises optuna.TrialPruned if it is to be given up.
    """
    predicted, done = np.empty_like(labelled.labels), np.empty(0, np.int64)
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        # A class with fewer images than folds is in some of them only, which does no harm.
        folds = list(StratifiedKFold(n_folds, shuffle=True, random_state=seed).split(labelled.labels, labelled.labels))
    for number, (others, held_out) in enumerate(folds, 1):
        predicted[held_out] = _predict(labelled[others] + added, labelled[held_out], recipe, seed, device, weights)
        done = np.concatenate([done, held_out])
        f1 = f1_score(labelled.labels[done], predicted[done], average="macro")
        if trial:
            trial.report(f1, number - 1)
            if number < n_folds and trial.should_prune():
                raise optuna.TrialPruned
    return float(f1)


def training_images(study: Study, experiment: str, seed: int) -> tuple[Images, Images]:
    """The labelled images, and what the experiment adds to them."""
    if experiment == "full_training_set":
        return study.labelled, study.pool
    if not is_strategy(experiment):
        return study.labelled, study.pool[:0]
    if study.n_rounds == 1:  # the run itself would train once more, and test
        return study.labelled, study.pool[sample(experiment, study.view(seed), study.n_query, seed)]
    return study.labelled, study.pool[study.run(experiment, seed)["picks"]]


def _predict(train: Images, images: Images, recipe: Recipe, seed: int, device: str, weights: dict | None) -> np.ndarray:
    n_classes = int(max(train.labels.max(), images.labels.max())) + 1
    with redirect_stdout(io.StringIO()):  # the search has a progress bar; one within the other would spoil both
        model = fit(train, recipe, seed, device, n_classes=n_classes, weights=weights)
        return predict_proba(model, images.inputs, **recipe.views()).argmax(1)


def _tuner(name: str, storage: str | None) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # the kit says it in a sentence
    own = records.folder() / "search.db"
    url = str(storage or f"sqlite:///{own}")
    options = {"engine_kwargs": {"connect_args": {"timeout": 60}}} if url.startswith("sqlite") else {}
    for second in range(5):  # of processes that make the same tables at once, all but one fail
        try:
            kept = optuna.storages.RDBStorage(url, **options)  # the pruner is that of the median unless one is given
            return optuna.create_study(storage=kept, study_name=name, direction="maximize", load_if_exists=True)
        except Exception as error:  # whatever a database and its driver raise
            problem = str(error).split("\n")[0]
            time.sleep(0.2 * second)
    advice = "it holds only trials of unfinished searches, so it may be moved away"
    advice = "make room, or set ALKIT_RECORDS to another folder" if "full" in problem else advice
    advice = "give the URL of a database, such as sqlite:///trials.db" if storage else advice
    raise ValueError(f"{storage or own} cannot be used ({problem}); {advice}.")


def _finished(tuner: optuna.Study) -> list[FrozenTrial]:
    trials = tuner.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL))
    return [trial for trial in trials if trial.state != TrialState.FAIL or "diverged" in trial.user_attrs]


def _sampler(selection: str, seed: list[int] | None, given: dict) -> optuna.samplers.BaseSampler:
    """What proposes a recipe: that which is given, if any is. In Optuna's queue two processes might both take it."""
    number = int(np.random.SeedSequence(seed).generate_state(1)[0])
    if selection == "test":
        return optuna.samplers.RandomSampler(number)
    tpe = optuna.samplers.TPESampler(seed=number, n_startup_trials=5, multivariate=True, constant_liar=seed is None)
    with warnings.catch_warnings(action="ignore", category=optuna.exceptions.ExperimentalWarning):
        return optuna.samplers.PartialFixedSampler(given, tpe)


def _row(trial: FrozenTrial) -> dict:
    scores = {name: trial.user_attrs.get(name, np.nan) for name in ("validation_f1", "test_f1")}
    seconds = trial.duration.total_seconds()
    return scores | {"given_up": trial.state == TrialState.PRUNED, "seconds": seconds} | trial.params
