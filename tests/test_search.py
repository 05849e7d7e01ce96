"""The search: what judges a recipe, what it never looks at, and that stops and company change nothing."""

import multiprocessing
import os
import signal
import sqlite3
import sys
from dataclasses import replace

import numpy as np
import optuna
import pandas as pd
import pytest
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedKFold

from alkit import search as module
from alkit.data import Dataset, Images
from alkit.recipe import Recipe
from alkit.search import best, search, space, training_images, validate
from alkit.training import fit, predict_proba


@pytest.fixture(scope="module")
def brief(study):
    """The tiny study with one seed, and one epoch for all networks."""
    recipes = {name: replace(recipe, epochs=1) for name, recipe in study.recipes.items()}
    return replace(study, seeds=(0,), recipes=recipes)


def trials_of(study, experiment, n_trials, **options):
    return search(replace(study, n_trials=n_trials), experiment, **options)


def f1_of(study, train, images, recipe):
    predicted = predict_proba(fit(train, recipe, 0, "cpu", n_classes=10), images.images, **recipe.views()).argmax(1)
    return predicted, f1_score(images.labels, predicted, average="macro")


def same(trials, others):
    pd.testing.assert_frame_equal(trials.drop(columns="seconds"), others.drop(columns="seconds"))


@pytest.mark.filterwarnings("ignore:The least populated class")
def test_folds_of_the_labelled_validate_and_picks_only_train(brief):
    labelled, added, recipe = brief.labelled, brief.pool[:20], brief.recipes["random"]
    predicted = np.empty(60, int)
    folds = StratifiedKFold(3, shuffle=True, random_state=0).split(labelled.labels, labelled.labels)
    for others, held_out in folds:
        predicted[held_out], _ = f1_of(brief, labelled[others] + added, labelled[held_out], recipe)
    expected = f1_score(labelled.labels, predicted, average="macro")
    assert validate(labelled, added, recipe, 3, 0, "cpu") == pytest.approx(expected)
    # Other folds with another seed, and so another score.
    assert validate(labelled, added, recipe, 3, 1, "cpu") != pytest.approx(expected)


def test_picks_to_train_on_cost_no_training_but_of_the_base_model(brief, records):
    picked = training_images(brief, "entropy", 0)[1].images
    assert len(list(records.glob("*.json"))) == 1
    np.testing.assert_array_equal(picked, brief.pool.images[brief.run("entropy", 0)["picks"]])


def test_a_database_that_fails_in_the_middle_is_told_of_in_a_sentence(brief, monkeypatch):
    def fail(*_, **__):
        raise optuna.exceptions.StorageInternalError("no database") from sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr("optuna.Study.optimize", fail)
    with pytest.raises(OSError, match=r"Trials cannot be kept \(disk I/O error\); search again"):
        search(brief, "original_label")


def test_what_an_experiment_adds_to_the_labelled_images(brief):
    picks = {"original_label": [], "entropy": brief.run("entropy", 0)["picks"], "full_training_set": range(1237)}
    for experiment, expected in picks.items():
        labelled, added = training_images(brief, experiment, 0)
        np.testing.assert_array_equal(labelled.images, brief.labelled.images)
        np.testing.assert_array_equal(added.images, brief.pool.images[np.array(expected, int)])
        np.testing.assert_array_equal(added.labels, brief.pool.labels[np.array(expected, int)])


@pytest.mark.parametrize("experiment", ["original_label", "entropy", "full_training_set"])
def test_a_search_never_looks_at_the_test_set(brief, experiment, monkeypatch):
    if experiment == "full_training_set":  # in this test a smaller one
        small = Dataset("small", brief.dataset.class_names, brief.dataset.train[:150], brief.dataset.test)
        brief = replace(brief, dataset=small)
    trials = trials_of(brief, experiment, 2)
    assert trials["test_f1"].isna().all()
    noise = np.random.default_rng(0).integers(0, 256, brief.test.images.shape, np.uint8)
    other = replace(brief.dataset, test=Images(noise, brief.test.labels[::-1].copy()))
    assert other.fingerprint != brief.dataset.fingerprint
    same(trials_of(replace(brief, dataset=other), experiment, 2), trials)


def test_selection_by_test_scores_each_trial_by_both_and_draws_at_random(brief):
    trials = trials_of(brief, "original_label", 3, selection="test", n_folds=2)
    recipe = best(trials.iloc[[1]], brief.recipes["original_label"])
    assert trials["validation_f1"][1] == validate(brief.labelled, brief.pool[:0], recipe, 2, 0, "cpu")
    # By a network with all labelled images.
    assert trials["test_f1"][1] == pytest.approx(f1_of(brief, brief.labelled, brief.test, recipe)[1])
    other = trials_of(replace(brief, n_query=1), "random", 3, selection="test", n_folds=2)
    drawn = list(space(Recipe(), (8, 8, 1)))
    pd.testing.assert_frame_equal(trials[drawn], other[drawn])
    # Notebook 08 takes them for independent draws, which the given recipe is not.
    assert not (trials["learning_rate"] == brief.recipes["original_label"].learning_rate).any()


def test_the_own_recipe_comes_first_and_the_best_is_found_again(brief):
    own = replace(brief.recipes["original_label"], learning_rate=0.9, shift=3, batch_size=1000)
    study = replace(brief, recipes=brief.recipes | {"original_label": own})
    trials = trials_of(study, "original_label", 3)
    assert best(trials.iloc[:1], own) == own
    chosen, row = best(trials, own), trials.loc[trials["validation_f1"].idxmax()]
    assert (chosen.epochs, chosen.width, chosen.flip) == (own.epochs, own.width, own.flip)
    assert (chosen.batch_size, chosen.learning_rate) == (row["batch_size"], row["learning_rate"])
    assert type(chosen.batch_size) is int
    assert validate(study.labelled, study.pool[:0], chosen, 5, 0, "cpu") == row["validation_f1"]


def test_fewer_epochs_search_for_a_recipe_with_all_of_them(brief):
    recipe = replace(brief.recipes["original_label"], epochs=8)
    study = replace(brief, recipes=brief.recipes | {"original_label": recipe})
    trials = trials_of(replace(study, fidelity=0.25), "original_label", 1)
    assert best(trials, recipe).epochs == 8
    a_quarter = validate(study.labelled, study.pool[:0], replace(recipe, epochs=2), 5, 0, "cpu")
    assert trials["validation_f1"].tolist() == [a_quarter]


def test_a_search_that_was_done_is_read(brief, records):
    trials = trials_of(brief, "original_label", 2)
    before = {path: path.stat().st_mtime_ns for path in records.iterdir()}
    pd.testing.assert_frame_equal(trials_of(brief, "original_label", 2), trials)
    assert {path: path.stat().st_mtime_ns for path in records.iterdir()} == before


def test_what_a_search_was_told_is_part_of_its_name(brief):
    """All in one store: none reads the trial of another."""
    study = replace(
        brief, recipes=brief.recipes | {"original_label": replace(brief.recipes["original_label"], epochs=2)}
    )
    ways = (1.0, {}), (0.5, {}), (1.0, {"n_folds": 3}), (1.0, {"selection": "test"})
    found = [trials_of(replace(study, fidelity=share), "original_label", 1, **way) for share, way in ways]
    assert len({trials["validation_f1"][0] for trials in found}) == len(ways)


def test_a_diverged_trial_scores_nothing_and_the_search_goes_on(brief, monkeypatch):
    def diverged(*_, **__):
        raise FloatingPointError

    monkeypatch.setattr(module, "predict_proba", diverged)
    trials = trials_of(brief, "original_label", 2)
    assert len(trials) == 2
    assert trials["validation_f1"].isna().all()
    assert not trials["given_up"].any()
    with pytest.raises(ValueError, match="None of 2 trials"):
        best(trials, Recipe())


def test_what_is_worse_than_the_median_is_given_up(brief, monkeypatch):
    scores = iter([1.0] * 5 * 5 + [0.0] * 100)
    monkeypatch.setattr(module, "f1_score", lambda *_, **__: next(scores))
    trials = trials_of(brief, "original_label", 7)
    assert trials["given_up"].tolist() == [False] * 5 + [True] * 2
    assert trials["validation_f1"].isna().tolist() == trials["given_up"].tolist()


def after(n_fits, stop):
    """In place of `fit`, which it is until some networks are trained."""
    done = []

    def fitted(*given, **options):
        done.append(given)
        if len(done) > n_fits:
            stop()
        return fit(*given, **options)

    return fitted


def interrupted():
    raise KeyboardInterrupt


@pytest.fixture(scope="module")
def whole(brief, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALKIT_RECORDS", str(tmp_path_factory.mktemp("whole")))
        return trials_of(brief, "original_label", 7)


def test_an_interrupted_search_ends_as_if_it_had_not_been(brief, whole, monkeypatch):
    for n_fits in (2, 12):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(module, "fit", after(n_fits, interrupted))
            trials_of(brief, "original_label", 7)
    same(trials_of(brief, "original_label", 7), whole)


def test_a_clock_that_was_set_back_by_a_day_changes_no_order(brief, whole, records, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(module, "fit", after(12, interrupted))
        trials_of(brief, "original_label", 7)
    with sqlite3.connect(records / "search.db") as trials:
        trials.execute("UPDATE trials SET datetime_complete = datetime(datetime_complete, '+1 day')")
    same(trials_of(brief, "original_label", 7), whole)


def killed():
    os.kill(os.getpid(), signal.SIGKILL)


def at_once(*searches):
    """The exit codes of processes that each search, by arguments of `trials_of`."""
    forked = multiprocessing.get_context("fork")
    processes = [forked.Process(target=trials_of, args=given, kwargs=options) for *given, options in searches]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return [process.exitcode for process in processes]


def forks(test):
    """Of a test that forks this process."""
    test = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")(test)
    return pytest.mark.skipif(sys.platform != "linux", reason="no process can be forked safely")(test)


@forks
def test_a_killed_search_ends_as_if_it_had_not_been(brief, whole, monkeypatch):
    for n_fits in (12, 8):
        with monkeypatch.context() as patch:
            patch.setattr(module, "fit", after(n_fits, killed))
            assert at_once((brief, "original_label", 7, {})) == [-signal.SIGKILL]
    same(trials_of(brief, "original_label", 7), whole)


@forks
def test_two_processes_that_search_alike_without_a_storage_end_as_one_does(brief, whole):
    assert at_once(*[(brief, "original_label", 7, {})] * 2) == [0, 0]
    same(trials_of(brief, "original_label", 7), whole)


def test_a_search_reads_the_trials_of_others_that_share_its_storage_in_the_order_of_their_ends(study, tmp_path):
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    trials_of(study, "original_label", 1, storage=url)
    (name,) = optuna.get_all_study_names(url)
    tuner = optuna.load_study(study_name=name, storage=url)
    ranges = space(study.recipes["original_label"], (8, 8, 1))
    slow, quick = tuner.ask(ranges), tuner.ask(ranges)
    for trial, f1 in ((quick, 0.7), (slow, 0.9)):
        trial.set_user_attr("validation_f1", f1)
        tuner.tell(trial, f1)
    assert trials_of(study, "original_label", 2, storage=url)["validation_f1"].iloc[-1] == 0.7


def test_the_given_recipe_does_not_wait_where_two_processes_might_both_take_it(brief, tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(optuna.Study, "optimize", lambda *_, **__: interrupted())
        trials_of(brief, "original_label", 1, storage=url)
    (name,) = optuna.get_all_study_names(url)
    assert optuna.load_study(study_name=name, storage=url).trials == []
    trials = trials_of(brief, "original_label", 1, storage=url)
    assert best(trials, Recipe(epochs=1, width=8, flip=False)) == brief.recipes["original_label"]


@forks
def test_two_searches_that_begin_at_once_on_an_empty_folder_do_not_stop_each_other(brief, whole, records):
    assert not records.exists()
    assert at_once(*((brief, "original_label", 2, {"seed": seed}) for seed in (0, 1))) == [0, 0]
    assert len(list(records.glob("*.json"))) == 2
    same(trials_of(brief, "original_label", 2), whole[:2])


@forks
def test_two_processes_share_one_database_and_its_trials(brief, tmp_path):
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    assert at_once(*[(brief, "original_label", 8, {"storage": url})] * 2) == [0, 0]
    trials = trials_of(brief, "original_label", 8, storage=url)
    assert len(trials) == 8
    # Only the given recipe, which each begins with, may have been tried twice.
    assert trials["learning_rate"].nunique() >= 7


@pytest.mark.parametrize("content", [b"no database", b"SQLite format 3\0" + 84 * b"\0", None])
def test_an_own_storage_that_cannot_be_used_is_named_with_what_it_holds(content, brief, records, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    records.mkdir(exist_ok=True)
    if content is None:
        (records / "search.db").mkdir()
    else:
        (records / "search.db").write_bytes(content)
    with pytest.raises(ValueError, match=r"search\.db cannot be used.* trials of unfinished searches") as refusal:
        search(brief, "original_label")
    assert not {"delete", "remove"} & set(str(refusal.value).lower().split())


def test_a_full_disk_under_the_trials_is_no_reason_to_move_them_away(brief, monkeypatch):
    full = sqlite3.OperationalError("database or disk is full")
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setattr("optuna.storages.RDBStorage", lambda *_, **__: (_ for _ in ()).throw(full))
    with pytest.raises(ValueError, match=r"search\.db cannot be used \(.*full\); make room, or set ALKIT_RECORDS to"):
        search(brief, "original_label")


def test_space_goes_with_the_images_and_holds_the_own_recipe():
    assert (space(Recipe(shift=1), (8, 8, 1))["shift"].high, space(Recipe(), (32, 32, 3))["shift"].high) == (1, 4)
    assert space(Recipe(), (96, 96, 3))["cutout"].high == 48
    own = space(Recipe(batch_size=7, learning_rate=0.9), (8, 8, 1))
    assert (own["batch_size"].low, own["learning_rate"].high) == (7, 0.9)
    assert not {"epochs", "width", "flip", "label_smoothing"} & own.keys()


def test_best_gives_each_hyper_parameter_its_own_type_and_a_recipe_that_is_kept_its_old_name():
    recipe = Recipe(colour=0, cutout=0)
    row = {name: getattr(recipe, name) for name in space(recipe, (8, 8, 1))}
    trials = pd.DataFrame([row | {"colour": 0.73, "cutout": 2.0, "validation_f1": 0.5}])
    assert best(trials, recipe) == replace(recipe, colour=0.73, cutout=2)
    kept = best(pd.DataFrame([row | {"validation_f1": 0.5, "colour": 0.0}]), recipe)
    assert kept.changes() == recipe.changes() == {}
    two = pd.concat([trials, trials.assign(cutout=3)], ignore_index=True)
    assert best(two, recipe).cutout == 2  # of equals the first
