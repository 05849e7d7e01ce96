"""The search: what judges a recipe, what it never looks at, and that stops and company change nothing."""

import subprocess
import sys
from dataclasses import asdict, replace

import numpy as np
import optuna
import pandas as pd
import pytest
from conftest import TINY
from sklearn.metrics import f1_score

from alkit import store, tuning, validation
from alkit.__main__ import main
from alkit.data import split
from alkit.profiles import load_study, write_profile
from alkit.recipe import Recipe
from alkit.study import run
from alkit.training import fit, predict_proba
from alkit.tuning import best, search, space
from alkit.validation import training_images, validate

SEARCH = """
import sys
from alkit.data import load
from alkit.profiles import load_study
from alkit.tuning import search
storage = sys.argv[4] if len(sys.argv) > 4 else None
study = load_study(sys.argv[1], n_trials=int(sys.argv[3]))
search(study, load("digits"), sys.argv[2], storage=storage)
"""

# As kill -9 would, in the middle of a trial.
KILLED = """
import os
from alkit import validation
fitted, predict = [], validation._predict
def killed(*given):
    fitted.append(given)
    if len(fitted) > N_FITS:
        os.kill(os.getpid(), 9)
    return predict(*given)
validation._predict = killed
"""


def trials_of(study, dataset, experiment, n_trials, **options):
    return search(replace(study, n_trials=n_trials), dataset, experiment, **options)


def searching(experiment, n_trials, *storage):
    return subprocess.Popen([sys.executable, "-c", SEARCH, str(TINY), experiment, str(n_trials), *storage])


@pytest.fixture
def seen(monkeypatch):
    """The training images and the predicted images of every fit."""
    seen, predict = [], validation._predict

    def watched(train, images, *arguments):
        seen.append((train, images))
        return predict(train, images, *arguments)

    monkeypatch.setattr(validation, "_predict", watched)
    return seen


def same(part, *parts):
    images = np.concatenate([other.images for other in parts])
    return sorted(map(bytes, part.images)) == sorted(map(bytes, images))


def test_folds_of_the_labelled_validate_and_picks_only_train(digits, study, seen):
    parts = split(digits, 60)
    picks = parts.pool[:20]
    f1 = validate(parts.labelled, picks, study.recipes["random"], 3, 0)
    assert len(seen) == 3
    predicted = np.empty(60, int)
    for train, held_out in seen:
        assert same(train, picks, *[other for _, other in seen if other is not held_out])
        where = [
            next(i for i, image in enumerate(parts.labelled.images) if (image == one).all()) for one in held_out.images
        ]
        model = fit(train.images, train.labels, study.recipes["random"], 0, n_classes=10)
        predicted[where] = predict_proba(model, held_out.images, shift=1).argmax(1)
    assert same(parts.labelled, *[held_out for _, held_out in seen])
    assert f1 == pytest.approx(f1_score(parts.labelled.labels, predicted, average="macro"))


@pytest.mark.parametrize(
    ("experiment", "n_train"), [("original_label", 48), ("entropy", 50), ("full_training_set", 1267)]
)
def test_a_search_never_looks_at_the_test_set(digits, study, seen, experiment, n_train):
    trials = trials_of(study, digits, experiment, 2)
    assert trials["test_f1"].isna().all()
    labelled = set(map(bytes, split(digits, 60).labelled.images))
    assert all(set(map(bytes, images.images)) <= labelled for _, images in seen)
    assert len(seen[0][0]) == n_train
    if experiment == "entropy":
        picks = split(digits, 60).pool[run(study, digits, "entropy", 0).arrays["picks"]]
        assert all(set(map(bytes, picks.images)) <= set(map(bytes, train.images)) for train, _ in seen)


def test_selection_by_test_scores_each_trial_by_both_and_draws_at_random(digits, study, seen):
    trials = trials_of(study, digits, "original_label", 3, selection="test", n_folds=2)
    assert trials[["validation_f1", "test_f1"]].notna().all(axis=None)
    train, images = seen[2]
    assert same(train, split(digits, 60).labelled)
    assert same(images, digits.test)
    other = trials_of(replace(study, n_query=1), digits, "random", 3, selection="test", n_folds=2)
    drawn = list(tuning.space(Recipe(), (8, 8, 1)))
    pd.testing.assert_frame_equal(trials[drawn], other[drawn])
    # `flattery` takes them for independent draws, which the given recipe is not.
    assert not (trials["learning_rate"] == study.recipes["original_label"].learning_rate).any()


def test_the_own_recipe_comes_first_and_the_best_is_found_again(digits, study):
    own = replace(study.recipes["original_label"], learning_rate=0.9, shift=3, batch_size=1000)
    study = replace(study, recipes=study.recipes | {"original_label": own})
    trials = trials_of(study, digits, "original_label", 3)
    assert best(trials.iloc[:1], own) == own
    chosen = best(trials, own)
    row = trials.loc[trials["validation_f1"].idxmax()]
    assert (chosen.epochs, chosen.width, chosen.flip) == (own.epochs, own.width, own.flip)
    assert (chosen.batch_size, chosen.learning_rate) == (row["batch_size"], row["learning_rate"])
    assert type(chosen.batch_size) is int
    parts = training_images(study, digits, "original_label", 0)
    assert validate(*parts, chosen, 5, 0, "cpu") == row["validation_f1"]


def test_fewer_epochs_search_for_a_recipe_with_all_of_them(digits, study, monkeypatch):
    recipe = replace(study.recipes["original_label"], epochs=8)
    study, epochs, predict = replace(study, recipes=study.recipes | {"original_label": recipe}), [], validation._predict
    monkeypatch.setattr(validation, "_predict", lambda *given: epochs.append(given[2].epochs) or predict(*given))
    assert best(trials_of(replace(study, fidelity=0.25), digits, "original_label", 1), recipe).epochs == 8
    assert set(epochs) == {2}


def test_a_diverged_trial_scores_nothing_and_the_search_goes_on(digits, study, monkeypatch):
    def diverged(*_):
        raise FloatingPointError

    monkeypatch.setattr(validation, "_predict", diverged)
    trials = trials_of(study, digits, "original_label", 2)
    assert len(trials) == 2
    assert trials["validation_f1"].isna().all()
    assert not trials["given_up"].any()


def test_what_is_worse_than_the_median_is_given_up(digits, study, monkeypatch):
    scores = iter([1.0] * 5 * 5 + [0.0] * 100)
    monkeypatch.setattr(validation, "f1_score", lambda *_, **__: next(scores))
    trials = trials_of(study, digits, "original_label", 7)
    assert trials["given_up"].tolist() == [False] * 5 + [True] * 2
    assert trials["validation_f1"].isna().tolist() == trials["given_up"].tolist()


def test_a_killed_search_ends_as_if_it_had_not_been(digits, study, records, tmp_path, monkeypatch):
    whole = trials_of(study, digits, "original_label", 9)
    monkeypatch.setenv("ALKIT_RECORDS", str(tmp_path / "killed"))
    for n_fits in (12, 22):
        script = KILLED.replace("N_FITS", str(n_fits)) + SEARCH
        killed = subprocess.run([sys.executable, "-c", script, str(TINY), "original_label", "9"])
        assert killed.returncode != 0
    assert 6 <= len(finished(tmp_path / "killed")) < 9
    resumed = trials_of(study, digits, "original_label", 9)
    pd.testing.assert_frame_equal(resumed.drop(columns="seconds"), whole.drop(columns="seconds"))
    recipe = study.recipes["original_label"]
    assert best(resumed, recipe) == best(whole, recipe)


def finished(folder):
    try:
        (study,) = tuning.optuna.get_all_study_names(f"sqlite:///{folder / 'search.db'}")
        return tuning.optuna.load_study(study_name=study, storage=f"sqlite:///{folder / 'search.db'}").get_trials(
            states=tuning.FINISHED
        )
    except Exception:  # not there yet
        return []


def test_two_processes_share_one_database_and_its_trials(digits, study, tmp_path):
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    # Made beforehand, for two processes that make the same tables stop each other.
    tuning.optuna.storages.RDBStorage(url)
    processes = [searching("original_label", 8, url) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    trials = trials_of(study, digits, "original_label", 8, storage=url)
    assert len(trials) == 8
    # Only the given recipe, which each begins with, may have been tried twice.
    assert trials["learning_rate"].nunique() >= 7


def test_what_a_search_was_told_is_part_of_its_name(digits, study):
    """All in one store: none reads the trial of another."""
    ways = (1.0, {}), (0.5, {}), (1.0, {"n_folds": 3}), (1.0, {"selection": "test"})
    found = [trials_of(replace(study, fidelity=share), digits, "original_label", 1, **way) for share, way in ways]
    assert len({trials["validation_f1"][0] for trials in found}) == len(ways)


def test_the_test_f1_of_a_trial_is_that_of_a_network_with_all_labelled_images(digits, study):
    trials = trials_of(study, digits, "original_label", 1, selection="test", n_folds=2)
    recipe, labelled = best(trials, study.recipes["original_label"]), split(digits, 60).labelled
    predicted = validation._predict(labelled, digits.test, recipe, 0, "cpu")
    assert trials["test_f1"][0] == pytest.approx(f1_score(digits.test.labels, predicted, average="macro"))


def test_folds_hold_equally_many_of_each_class_and_go_with_the_seed(digits, study, seen):
    labelled, recipe = split(digits, 60).labelled, replace(study.recipes["original_label"], epochs=1)
    validate(labelled, labelled[:0], recipe, 3, 0, "cpu")
    validate(labelled, labelled[:0], recipe, 3, 1, "cpu")
    counts = np.array([np.bincount(images.labels, minlength=10) for _, images in seen])
    assert np.ptp(counts[:3], axis=0).max() <= 1
    assert not same(seen[0][1], seen[3][1])


def test_another_selection_is_refused(digits, study):
    with pytest.raises(ValueError, match="selection is 'best'; give validation or test"):
        search(study, digits, "original_label", selection="best")


def test_tune_writes_a_profile_with_the_recipes_it_found_and_asks_the_base_it_found(digits, study, tmp_path):
    path, names = tmp_path / "found.yaml", ("original_label", "entropy")
    database = f"sqlite:///{tmp_path / 'trials.db'}"
    command = ["tune", "--profile", str(TINY), "--experiments", *names, "--trials", "4", "--fidelity", "0.5"]
    assert main([*command, "--device", "cpu", "--storage", database, "--output", str(path)]) == 0
    found = load_study(str(path))
    study = replace(study, n_trials=4, fidelity=0.5)
    for name in names:
        given = study.recipes[name]
        trials = search(study, digits, name)
        proposed = best(trials, given)
        parts, n_folds = training_images(study, digits, name, 1), 5 if name == "original_label" else 2
        for_all_epochs = [validate(*parts, recipe, n_folds, 1, "cpu") for recipe in (given, proposed)]
        chosen = proposed if for_all_epochs[1] > for_all_epochs[0] else given
        study = replace(study, recipes=study.recipes | {name: chosen})
    assert found == replace(study, profile="found")
    assert len(optuna.get_all_study_names(database)) == 2
    tried = pd.read_csv(path.with_suffix(".csv"))
    assert set(tried["experiment"]) == set(names)
    rows = tried[(tried["experiment"] == "entropy") & (tried["fidelity"] == 0.5)]
    for column in ("validation_f1", "seconds", *space(given, (8, 8, 1))):
        np.testing.assert_allclose(rows[column], trials[column])


@pytest.mark.parametrize("better", ["given", "found"])
def test_tune_keeps_the_given_recipe_unless_another_is_better_for_all_epochs(study, tmp_path, monkeypatch, better):
    """Whatever is not the given recipe wins for a share of the epochs; for all epochs the one named wins."""
    given, judged = study.recipes["original_label"], []

    def validated(labelled, added, recipe, n_folds, seed, device, trial=None):
        judged.append((recipe, seed, trial))
        own = replace(recipe, epochs=given.epochs) == given
        return float(own if recipe.epochs == given.epochs and better == "given" else not own)

    monkeypatch.setattr(tuning, "validate", validated)
    tuning.tune(tmp_path / "found.yaml", str(TINY), experiments=("original_label",), n_trials=3, fidelity=0.5)
    kept = load_study(str(tmp_path / "found.yaml")).recipes["original_label"]
    assert (kept == given) == (better == "given")
    assert [seed for _, seed, _ in judged] == [0, 0, 0, 1, 1]
    assert judged[3] == (given, 1, None)
    assert judged[4] == (replace(judged[1][0], epochs=given.epochs), 1, None)
    # Once more: all is read.
    tuning.tune(tmp_path / "found.yaml", str(TINY), experiments=("original_label",), n_trials=3, fidelity=0.5)
    assert len(judged) == 5


def test_a_strategy_tries_what_was_chosen_for_those_before_it(study, tmp_path, monkeypatch):
    """Only random's batch size has any score, which no search proposes."""
    monkeypatch.setattr(tuning, "validate", lambda labelled, added, recipe, *more: float(recipe.batch_size == 7))
    path = tmp_path / "given.yaml"
    given = study.recipes | {"random": replace(study.recipes["random"], batch_size=7, epochs=2)}
    write_profile(path, replace(study, profile="given", recipes=given), "")
    names = ("entropy", "full_training_set")
    tuning.tune(tmp_path / "found.yaml", str(path), experiments=names, n_trials=2, fidelity=0.5)
    recipes = load_study(str(tmp_path / "found.yaml")).recipes
    assert recipes == given | {"entropy": replace(given["entropy"], batch_size=7)}
    tried = pd.read_csv(tmp_path / "found.csv").groupby(["experiment", "fidelity"])["batch_size"].agg(list).to_dict()
    assert tried[("entropy", 1.0)] == [given["entropy"].batch_size, 7]
    assert {key: len(sizes) for key, sizes in tried.items() if key[1] == 0.5} == {(name, 0.5): 2 for name in names}
    assert len(tried) == 3


def test_a_recipe_that_is_kept_keeps_the_name_of_its_runs(study):
    given = replace(study.recipes["original_label"], colour=0)
    row = {name: getattr(given, name) for name in space(given, (8, 8, 1))} | {"validation_f1": 0.5, "colour": 0.0}
    assert store.key(asdict(best(pd.DataFrame([row]), given))) == store.key(asdict(given))


def test_tune_does_not_write_over_the_profile_that_it_reads(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY.read_text(encoding="utf-8"))
    with pytest.raises(ValueError, match="with which a search that was stopped goes on; give another file"):
        tuning.tune(path, str(path))


@pytest.mark.parametrize(("output", "experiments"), [("found.txt", ("random",)), ("found.yaml", ("rnadom",))])
def test_tune_refuses_what_it_cannot_write_or_search(output, experiments, tmp_path):
    with pytest.raises(ValueError, match=r"give a file FILE.yaml and some of original_label"):
        tuning.tune(tmp_path / output, str(TINY), experiments=experiments)


def test_space_goes_with_the_images():
    assert (space(Recipe(shift=1), (8, 8, 1))["shift"].high, space(Recipe(), (32, 32, 3))["shift"].high) == (1, 4)
    assert space(Recipe(), (96, 96, 3))["cutout"].high == 48


def test_best_gives_each_hyper_parameter_its_own_type_and_needs_a_score():
    recipe = Recipe(colour=0, cutout=0)
    row = {name: getattr(recipe, name) for name in space(recipe, (8, 8, 1))} | {"colour": 0.73, "cutout": 2.0}
    assert best(pd.DataFrame([row | {"validation_f1": 0.5}]), recipe) == replace(recipe, colour=0.73, cutout=2)
    with pytest.raises(ValueError, match="None of 1 trials has a validation F1"):
        best(pd.DataFrame([row | {"validation_f1": np.nan}]), recipe)


def test_a_search_reads_the_trials_that_ended_first(digits, study, tmp_path):
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    trials_of(study, digits, "original_label", 1, storage=url)
    (name,) = tuning.optuna.get_all_study_names(url)
    tuner = tuning.optuna.load_study(study_name=name, storage=url)
    ranges = space(study.recipes["original_label"], (8, 8, 1))
    slow, quick = tuner.ask(ranges), tuner.ask(ranges)
    for trial, f1 in ((quick, 0.7), (slow, 0.9)):
        trial.set_user_attr("validation_f1", f1)
        tuner.tell(trial, f1)
    assert trials_of(study, digits, "original_label", 2, storage=url)["validation_f1"].iloc[-1] == 0.7


def test_folds_without_images_and_a_storage_that_is_none_are_refused(digits, study):
    with pytest.raises(ValueError, match=r"no class has more than \d+ labelled images, but 50 folds need one each"):
        search(study, digits, "original_label", n_folds=50)
    with pytest.raises(ValueError, match=r"storage is 'foo' \(.*\); give the URL of a database"):
        search(study, digits, "original_label", storage="foo")
