"""What a report puts into the repository: tables and verdicts, and runs that are read where nothing is trained."""

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import f1_score

from alkit import publish, store
from alkit.data import load, reordered
from alkit.profiles import load_study
from alkit.publish import FIGURES, publish_runs, verdicts
from alkit.statistics import flattery
from alkit.store import Run
from alkit.study import EXPERIMENTS, pool_features, results, run
from alkit.tuning import search


def others(study):
    """Studies whose runs are not those of the study, as a store may hold them."""
    brief = study.recipes | {"original_label": replace(study.recipes["original_label"], epochs=1)}
    return replace(study, n_labelled=70), replace(study, recipes=brief), replace(study, seeds=(9,))


@pytest.fixture
def published(tmp_path, monkeypatch, study, digits):
    """A study, its data set, and the same as the profile `replay` has them."""
    rounds = replace(study, n_rounds=2, seeds=(0,))
    results(study, digits)
    results(rounds, digits, ("entropy",), every_round=True)
    results(study, reordered(digits, 1), ("original_label",))
    search(replace(study, n_trials=2), digits, "original_label", selection="test", n_folds=2)
    pool_features(study, digits, 0)
    for other in others(study):
        run(other, digits, "entropy", other.seeds[0])
    for seed, name in product(study.seeds, EXPERIMENTS):
        # The same on a GPU, with another outcome.
        done = run(study, digits, name, seed)
        what = done.record["identity"] | {"device": "cuda"}
        store.write(store.key(what), Run(done.record | {"identity": what, "f1": 0.0}, done.arrays))
    monkeypatch.setattr(publish, "ROOT", tmp_path)
    monkeypatch.setattr(publish, "PROFILES", tmp_path)
    monkeypatch.setattr(store, "PUBLISHED", tmp_path / "figures" / "records")
    monkeypatch.chdir(tmp_path)
    publish_runs(study, digits)
    monkeypatch.setenv("ALKIT_RECORDS", str(tmp_path / "nothing here"))
    replay = load_study(str(tmp_path / "replay.yaml"))
    return study, digits, replay, load(replay.data)


def test_published_runs_are_read_without_images_and_without_training(published, records, monkeypatch):
    study, digits, replay, dataset = published
    assert (dataset.train.images == 128).all()
    assert dataset.train.images.shape == digits.train.images.shape
    assert_array_equal(dataset.test.labels, digits.test.labels)
    shown = [results(replay, dataset), results(replay, reordered(dataset, 1), ("original_label",))]
    shown.append(results(replace(replay, n_rounds=2, seeds=(0,)), dataset, ("entropy",), every_round=True))
    runs = {(name, seed): run(replay, dataset, name, seed).arrays for name in EXPERIMENTS for seed in study.seeds}
    trials = search(replace(replay, n_trials=2), dataset, "original_label", selection="test", n_folds=2)
    features = pool_features(replay, dataset, 0)

    monkeypatch.setenv("ALKIT_RECORDS", str(records))
    made = [results(study, digits), results(study, reordered(digits, 1), ("original_label",))]
    made.append(results(replace(study, n_rounds=2, seeds=(0,)), digits, ("entropy",), every_round=True))
    for table, original in zip(shown, made, strict=True):
        same = original.columns.drop(["dataset", "profile"])
        pd.testing.assert_frame_equal(table[same], original[same])
    for (name, seed), arrays in runs.items():
        whole = run(study, digits, name, seed).arrays
        assert arrays.keys() == whole.keys()
        assert_array_equal(arrays.get("picks"), whole.get("picks"))
        for kind in ("pool_probabilities", "test_probabilities"):
            if kind in whole:
                assert_array_equal(arrays[kind].argmax(1), whole[kind].argmax(1))
                assert_allclose(arrays[kind], whole[kind], atol=0.006 if kind == "test_probabilities" else 0.0005)
        if "pool_probabilities" in whole and seed == study.seeds[0]:
            # Notebooks 04 to 06 rank the pool, and would pick others by rounded numbers.
            assert_array_equal(arrays["pool_probabilities"], whole["pool_probabilities"])
    pd.testing.assert_frame_equal(
        trials, search(replace(study, n_trials=2), digits, "original_label", selection="test", n_folds=2)
    )
    # Distances are what notebook 09 looks at.
    whole = pool_features(study, digits, 0)
    assert_allclose(features @ features[:20].T, whole @ whole[:20].T, rtol=0.05, atol=0.05 * (whole**2).sum(1).max())


def test_what_was_not_published_is_refused_and_not_trained_on_grey_squares(published):
    _, _, replay, dataset = published
    for other in others(replay):
        with pytest.raises(ValueError, match="what you ask for is not among them"):
            run(other, dataset, "entropy", other.seeds[0])
    for ask in (
        lambda: search(replace(replay, n_trials=3), dataset, "original_label"),
        lambda: pool_features(replay, dataset, 7),
    ):
        with pytest.raises(ValueError, match='device is "records", which reads published runs'):
            ask()


def test_nothing_is_trained_on_stand_ins_for_images_whatever_the_device(published):
    _, _, replay, dataset = published
    with pytest.raises(ValueError, match=r"device is 'cpu', but .* has labels only"):
        run(replace(replay, device="cpu"), dataset, "random", 0)
    with pytest.raises(ValueError, match="has labels only"):
        run(replace(replay, device="cpu"), reordered(dataset, 1), "original_label", 0)


def test_a_rounded_row_keeps_its_largest():
    rows = np.array([[0.3314, 0.3356, 0.333], [0.1, 0.45, 0.45], [0, 0, 1.0]])
    assert_array_equal(publish._rounded(rows, 2).argmax(1), [1, 1, 2])
    assert_array_equal(publish._rounded(rows[:, ::-1], 2).argmax(1), [1, 0, 0])


def test_images_of_cifar10_are_shown_if_they_are_there(published, tmp_path, monkeypatch):
    _, digits, replay, _ = published
    monkeypatch.setenv("ALKIT_DATA", str(tmp_path))
    arrays = {"x_train": digits.train.images, "y_train": digits.train.labels}
    arrays |= {"x_test": digits.test.images[::-1], "y_test": digits.test.labels[::-1]}
    np.savez(tmp_path / "cifar10.npz", **arrays)
    dataset = load(replay.data)
    assert dataset.name == "scikit-learn digits (pictures of the original)"
    assert_array_equal(dataset.train.images, digits.train.images)
    # In another order, so nobody knows which picture belongs to which label.
    assert (dataset.test.images == 128).all()
    assert dataset.fingerprint == digits.fingerprint


def test_verdicts_are_a_table_with_intervals():
    rows = pd.DataFrame(
        [
            ["entropy beats random", 0.004, 0.01, 0.002, 0.018, "holds", "digits, seed 0"],
            ["margin beats random", 0.01, -0.0004, -0.0001, 0.0, "", ""],
        ]
    )
    rows.columns = ["claim", "report", "ours", "low", "high", "verdict", "run_on"]
    lines = verdicts(rows).splitlines()
    assert lines[2] == "| `entropy` beats random | 0.004 | 0.010 (0.002 to 0.018) | holds |"
    assert lines[3].split(" | ")[2] == "0.000 (0.000 to 0.000)"
    assert lines[-1] == "*Measured on digits, seed 0.*"


def test_the_published_runs_are_those_of_the_published_tables():
    study = load_study("replay")
    dataset = load(study.data)
    table = results(study, dataset)
    columns = ["experiment", "seed", "n_train", "f1"]
    pd.testing.assert_frame_equal(table[columns], pd.read_csv(FIGURES / "results.csv")[columns])
    # F1 was computed before the probabilities were rounded, and rounding moved no prediction.
    for name in EXPERIMENTS:
        done = run(study, dataset, name, study.seeds[0])
        predicted = done.arrays["test_probabilities"].argmax(1)
        assert f1_score(dataset.test.labels, predicted, average="macro") == pytest.approx(done.record["f1"])
    assert study.recipes == load_study("cifar10").recipes


def test_the_published_curves_are_those_of_the_published_runs():
    study = load_study("replay")
    dataset = load(study.data)
    rounds = replace(study, n_rounds=5, seeds=study.seeds[:3])
    table = results(rounds, dataset, ("random", "least_certainty_margin", "entropy"), every_round=True)
    columns = ["experiment", "seed", "n_train", "f1"]
    curves = pd.read_csv(FIGURES / "learning_curves.csv")
    curves = curves[curves["n_train"] > study.n_labelled].reset_index(drop=True)
    pd.testing.assert_frame_equal(curves[columns], table[columns])
    shown = pd.read_csv(FIGURES / "flattery.csv").set_index(["experiment", "n_trials"])
    for name, n_trials in (("original_label", study.n_trials), ("random", study.n_trials // 4)):
        tried = search(replace(study, n_trials=n_trials), dataset, name, selection="test", n_folds=2)
        expected = flattery(tried)
        assert_allclose(shown.loc[name, list(expected)], expected)
