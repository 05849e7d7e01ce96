"""The hyper-parameter search: Optuna proposes recipes, cross-validation on the labelled images judges them."""

from dataclasses import asdict, fields, replace
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState

from alkit import store
from alkit.data import Dataset, check_folds, replace_file, split
from alkit.profiles import load_study, profile_path, write_profile
from alkit.recipe import Recipe
from alkit.samplers import SAMPLERS
from alkit.store import Run
from alkit.study import EXPERIMENTS, Study, identity, prepare, recorded
from alkit.training import progress_bar
from alkit.validation import score, training_images, validate

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
N_FOLDS = {"original_label": 5}  # of the others 2: their added images train in each fold, which takes longer


def search(
    study: Study,
    dataset: Dataset,
    experiment: str,
    *,
    selection: str = "validation",
    n_folds: int | None = None,
    seed: int = 0,
    storage: str | None = None,
) -> pd.DataFrame:
    """Try recipes for an experiment until `study.n_trials` are finished, and return one row a trial.

    Columns: `validation_f1`, `test_f1`, `given_up` (after a fold that was worse than the median of earlier trials),
    `seconds`, and what was tried, from which `best` makes a recipe. Each trial trains for the share `study.fidelity` of
    its epochs. Trials done before are read, not repeated; without `storage`, a search that was stopped ends as if it
    had not been.
    selection: "validation" begins with the experiment's own recipe, proposes others by a tree-structured Parzen
    estimator of validation F1 and never looks at the test set. "test" draws recipes at random and scores each by both:
    it is there to measure what choosing on the test set adds. n_folds: into how many parts the labelled images are
    split, each of which validates once; 5 for original_label and 2 for the others, whose added images only ever train.
    storage: a database URL that Optuna takes, which several processes may share, each proposing at random; a file among
    the records, for one process, unless given.
    Raises ValueError for another selection, for a storage that cannot be used, and where no class has as many labelled
    images as there are folds.
    """
    if selection not in ("validation", "test"):
        raise ValueError(f"selection is {selection!r}; give validation or test.")
    n_folds = n_folds or N_FOLDS.get(experiment, 2)
    check_folds(split(dataset, study.n_labelled).labelled, n_folds)
    recipe = study.recipes[experiment]
    ranges = space(recipe, dataset.train.images.shape[1:])
    what = {"search": selection, "fidelity": study.fidelity, "n_folds": n_folds}
    what |= identity(study, dataset, experiment, seed)
    whole = what | {"n_trials": study.n_trials}
    own = {name: getattr(recipe, name) for name in ranges}
    if done := recorded(study, store.key(whole)):
        return pd.DataFrame(done.record["trials"])
    store.check()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    url = storage or f"sqlite:///{store.folder() / 'search.db'}"
    try:
        tuner = optuna.create_study(
            study_name=f"{experiment} {store.key(what)}",
            storage=url,
            direction="maximize",
            pruner=optuna.pruners.MedianPruner(),
            load_if_exists=True,
        )
    except Exception as error:  # whatever a database and its driver raise
        problem = str(error).split("\n")[0]
        raise ValueError(
            f"storage is {url!r} ({problem}); give the URL of a database, such as sqlite:///trials.db."
        ) from error
    labelled, added = training_images(study, dataset, experiment, seed)
    finished = len(tuner.get_trials(states=FINISHED))
    with progress_bar(study.n_trials, f"search, {experiment}", "trial", initial=finished) as bar:
        while (n := len(done := tuner.get_trials(states=FINISHED))) < study.n_trials:
            bar.update(n - bar.n)
            waiting = tuner.get_trials(states=(TrialState.WAITING,))
            if selection == "validation" and not waiting and own not in [trial.params for trial in done]:
                tuner.enqueue_trial(own)
            # Alone, a proposal follows from the finished trials and the seed, whatever was interrupted before; of
            # processes that share a storage, each needs its own.
            tuner.sampler = _sampler(selection, None if storage else [seed, n, 0, 0])
            trial = tuner.ask(ranges)
            tried = replace(recipe, **trial.params, epochs=max(1, round(study.fidelity * recipe.epochs)))
            try:
                judged = trial if selection == "validation" else None
                f1 = validate(labelled, added, tried, n_folds, seed, study.device, judged)
                trial.set_user_attr("validation_f1", f1)
                if selection == "test":
                    f1 = score(labelled + added, dataset.test, tried, seed, study.device)
                    trial.set_user_attr("test_f1", f1)
                tuner.tell(trial, f1)
            except optuna.TrialPruned:
                tuner.tell(trial, state=TrialState.PRUNED)
            except FloatingPointError:  # the training diverged
                tuner.tell(trial, 0.0)
    # In the order of their ends: processes that share a storage may finish more than asked for, and read the same.
    done = sorted(tuner.get_trials(states=FINISHED), key=lambda trial: trial.datetime_complete)
    trials = [_row(trial) for trial in done[: study.n_trials]]
    store.write(store.key(whole), Run({"identity": whole, "trials": trials}, {}))
    return pd.DataFrame(trials)


def tune(
    output: Path,
    profile: str = "quick",
    *,
    experiments: tuple[str, ...] = EXPERIMENTS,
    storage: str | None = None,
    **changes,
) -> Path:
    """Search for each experiment in turn, and write the recipes that were chosen as a profile, `output`.

    What a search at a reduced fidelity found has to beat the given recipe for all epochs too, with another seed and so
    on other folds; otherwise the given one is kept. There a strategy also tries what was chosen for other strategies
    before it, so that none is ahead by a lucky proposal. The picks of a strategy are those of the base model with the
    recipe chosen for it. Beside the profile, a table with the same name and the suffix .csv has a row for each recipe
    that was tried. Both are written anew after each experiment, so a stop loses none that was finished. `changes`
    as for `load_study`. Raises ValueError for an output that is no .yaml file or the profile itself, and an unknown
    experiment, otherwise what `load_study` and `prepare` raise.
    """
    unknown = set(experiments) - set(EXPERIMENTS)
    if unknown or output.suffix != ".yaml":
        raise ValueError(
            f"output is {str(output)!r}, experiments are {' '.join(experiments)}; give a file FILE.yaml and some of "
            f"{', '.join(EXPERIMENTS)}."
        )
    if output.resolve() == profile_path(profile).resolve():
        raise ValueError(
            f"output is the profile {profile} itself, with which a search that was stopped goes on; give another file."
        )
    study = load_study(profile, **changes)
    dataset = prepare(study)
    tried = []
    for experiment in experiments:
        given = study.recipes[experiment]
        trials = search(study, dataset, experiment, storage=storage)
        found = best(trials, given)
        print(f"{experiment}: validation F1 {trials['validation_f1'].max():.4f} with the best of {len(trials)} recipes")
        tried.append(trials.drop(columns="test_f1").assign(experiment=experiment, fidelity=study.fidelity))
        searched = list(space(given, dataset.train.images.shape[1:]))
        others = [asdict(study.recipes[name]) for name in SAMPLERS if experiment in SAMPLERS]
        others = [replace(given, **{name: other[name] for name in searched}) for other in others]
        candidates = list(dict.fromkeys([given, found, *others]))
        if study.fidelity < 1 and len(candidates) > 1:
            scores = [_confirm(study, dataset, experiment, recipe) for recipe in candidates]
            found = candidates[int(np.argmax(scores))]
            print(f"for all epochs and on other folds {max(scores):.4f}, and {scores[0]:.4f} with the recipe given")
            table = pd.DataFrame(map(asdict, candidates))[searched]
            tried.append(table.assign(validation_f1=scores, experiment=experiment, fidelity=1.0))
        study = replace(study, recipes=study.recipes | {experiment: found})
        table = pd.concat(tried).set_index(["experiment", "fidelity"])
        replace_file(output.with_suffix(".csv"), table.to_csv)
        trials_each = f"{study.n_trials} trials each, by validation F1, for {study.fidelity:.0%} of the epochs"
        write_profile(output, study, f"Recipes that alkit tune found on {dataset.name}: {trials_each}.")
    return output


def _confirm(study: Study, dataset: Dataset, experiment: str, recipe: Recipe) -> float:
    """Validation F1 of a recipe for all its epochs, with a seed and so on folds that its search did not have."""
    seed, n_folds = 1, N_FOLDS.get(experiment, 2)
    tried = replace(study, recipes=study.recipes | {experiment: recipe})
    what = {"confirmed": "validation", "n_folds": n_folds} | identity(tried, dataset, experiment, seed)
    done = recorded(study, store.key(what))
    if done is None:
        labelled, added = training_images(study, dataset, experiment, seed)
        f1 = validate(labelled, added, recipe, n_folds, seed, study.device)
        done = Run({"identity": what, "f1": f1}, {})
        store.write(store.key(what), done)
    return done.record["f1"]


def best(trials: pd.DataFrame, recipe: Recipe) -> Recipe:
    """The recipe, with its own epochs, of the trial that scored highest in validation; of equals, the first.

    Raises ValueError if no trial has a score.
    """
    if trials["validation_f1"].isna().all():
        raise ValueError(
            f"None of {len(trials)} trials has a validation F1, for their training diverged; lower learning_rate."
        )
    row = trials.loc[trials["validation_f1"].idxmax()]
    kinds = {field.name: field.type for field in fields(Recipe)}
    found = replace(recipe, **{name: kinds[name](row[name]) for name in space(recipe, (8, 8, 1))})
    # The same recipe keeps its very numbers, 0 or 0.0, by which its runs are known.
    return recipe if found == recipe else found


def space(recipe: Recipe, image_shape: tuple[int, int, int]) -> dict[str, BaseDistribution]:
    """What is searched, and between which values, the recipe's own among them.

    Epochs and width are the budget, and whether images may be flipped one knows. Label smoothing stays as it is: F1
    does not see what it does to the probabilities, at which samplers look.
    """
    side = min(image_shape[:2])
    ranges = {
        "batch_size": (16, 512),
        "learning_rate": (0.02, 0.5),
        "shift": (0, side // 8),
        "cutout": (0, side // 2),
        "colour": (0.0, 1.0),
    }
    distributions = {}
    for name, (low, high) in ranges.items():
        kind = IntDistribution if isinstance(low, int) else FloatDistribution
        own = getattr(recipe, name)
        distributions[name] = kind(min(low, own), max(high, own), log=name in ("batch_size", "learning_rate"))
    return distributions


def _sampler(selection: str, seed: list[int] | None) -> optuna.samplers.BaseSampler:
    number = int(np.random.SeedSequence(seed).generate_state(1)[0])
    if selection == "test":
        return optuna.samplers.RandomSampler(number)
    return optuna.samplers.TPESampler(seed=number, n_startup_trials=5, multivariate=True, constant_liar=seed is None)


def _row(trial: FrozenTrial) -> dict:
    scores = {name: trial.user_attrs.get(name, np.nan) for name in ("validation_f1", "test_f1")}
    seconds = (trial.datetime_complete - trial.datetime_start).total_seconds()
    return scores | {"given_up": trial.state == TrialState.PRUNED, "seconds": seconds} | trial.params
