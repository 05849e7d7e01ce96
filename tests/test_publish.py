"""What a report puts into the repository: tables and verdicts, and runs that are read where nothing is trained."""

import shutil
from dataclasses import replace
from itertools import product
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from conftest import TINY
from numpy.testing import assert_allclose, assert_array_equal
from rename import rename
from sklearn.metrics import f1_score

from alkit import ROOT, records, strategies
from alkit.commands import main, publish
from alkit.profiles import load_study
from alkit.search import search
from alkit.study import EXPERIMENTS


def others(study):
    """Studies whose runs are not those of the study, as a folder of records may hold them."""
    brief = study.recipes | {"original_label": replace(study.recipes["original_label"], epochs=1)}
    return replace(study, n_labelled=70), replace(study, recipes=brief), replace(study, seeds=(9,))


def extras(study):
    """Tables of what notebooks do beside the six experiments: rounds, another order, a search."""
    rounds, reordered = replace(study, n_rounds=2, seeds=(0,)), replace(study, order=1)
    return [
        study.results(),
        rounds.results(("entropy",), every_round=True),
        reordered.results(("original_label", "random")),
        search(replace(study, n_trials=2), "original_label", selection="test", n_folds=2),
    ]


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A study, what it gave, and the same as the profile `replay` has it."""
    folder = tmp_path_factory.mktemp("published")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALKIT_RECORDS", str(folder / "all"))
        patch.setenv("ALKIT_DATA", str(folder / "data"))
        study = load_study(str(TINY))
        made = extras(study)
        for other in others(study):
            other.run("entropy", other.seeds[0])
        for seed, name in product(study.seeds, EXPERIMENTS):
            # The same on a GPU, with another outcome.
            config = study.config(name, seed) | {"device": "cuda"}
            records.write(records.key(config), study.run(name, seed) | {"config": config, "f1": 0.0}, records.folder())
        records.write("of another program", {"config": {"hello": 1}}, records.folder())
        (folder / "figures" / "records").mkdir(parents=True)
        (folder / "figures" / "records" / "old.json").touch()
        (folder / "report").mkdir()
        (folder / "report" / "claims.csv").touch()
        (folder / "report" / "claims.md").write_text("new table\n")
        (folder / "report" / "chart.svg").touch()
        (folder / "report" / "index.html").touch()
        (folder / "README.md").write_text("Before.\n\n" + "old table\n".join(publish.VERDICTS) + "\n\nAfter.\n")
        for name, value in {"ROOT": folder, "PROFILES": folder, "README": folder / "README.md"}.items():
            patch.setattr(publish, name, value)
        patch.setattr(publish, "PUBLISHED", folder / "figures" / "records")
        publish.publish_report(study, folder / "report")
    return SimpleNamespace(study=study, made=made, folder=folder)


@pytest.fixture
def replay(published, monkeypatch):
    """The study in the project that it was published in, with nothing but that."""
    monkeypatch.chdir(published.folder)
    for module in ("alkit.records", "alkit.loading"):
        monkeypatch.setattr(f"{module}.ROOT", published.folder)
    return load_study(str(published.folder / "replay.yaml"))


def test_runs_of_other_data_or_sizes_do_not_belong_whatever_they_hold(study):
    config = study.config("random", 0)
    assert publish._belongs(config, study)
    for change in ({"data": "other", "n_query": 10**6}, {"n_labelled": 5, "n_query": len(study.pool) + 1}):
        assert not publish._belongs(config | change, study)


def test_what_was_published_stays_where_publishing_fails(study, tmp_path, monkeypatch):
    monkeypatch.setattr(publish, "PUBLISHED", tmp_path)
    monkeypatch.setattr(publish, "_small", lambda *_: 1 / 0)
    study.run("original_label", 0)
    (tmp_path / "old.json").touch()
    with pytest.raises(ZeroDivisionError):
        publish.publish_report(study, tmp_path)
    assert (tmp_path / "old.json").exists()


def test_charts_tables_and_verdicts_go_to_their_places(published):
    assert sorted(path.name for path in (published.folder / "figures").iterdir()) == [
        "chart.svg",
        "claims.csv",
        "records",
    ]
    written = (published.folder / "README.md").read_text()
    assert written == "Before.\n\n" + "new table\n".join(publish.VERDICTS) + "\n\nAfter.\n"


def test_published_runs_are_read_without_images_and_without_training(published, replay, monkeypatch):
    study = published.study
    assert (replay.dataset.train.images == 128).all()
    assert replay.dataset.train.images.shape == study.dataset.train.images.shape
    assert_array_equal(replay.test.labels, study.test.labels)
    for shown, made in zip(extras(replay), published.made, strict=True):
        same = made.columns.difference(["dataset", "profile"])
        pd.testing.assert_frame_equal(shown[same], made[same])
    small = {(name, seed): replay.run(name, seed) for name in EXPERIMENTS for seed in study.seeds}
    features = replay.view(0).features
    monkeypatch.setenv("ALKIT_RECORDS", str(published.folder / "all"))
    for (name, seed), done in small.items():
        whole = study.run(name, seed)
        assert {key: value for key, value in done.items() if not isinstance(value, np.ndarray)} == {
            key: value for key, value in whole.items() if not isinstance(value, np.ndarray)
        }
        assert not [key for key in done if key.startswith("weights.")]
        assert_array_equal(done.get("picks"), whole.get("picks"))
        for kind, far in {"pool_probabilities": 0.0005, "test_probabilities": 0.006}.items():
            if kind in whole:
                assert_array_equal(done[kind].argmax(1), whole[kind].argmax(1))
                assert_allclose(done[kind], whole[kind], atol=far)
        if name == "original_label" and seed == study.seeds[0]:
            # Notebooks 04 to 06 rank the pool, and would pick others by rounded numbers.
            assert_array_equal(done["pool_probabilities"], whole["pool_probabilities"])
    # Distances are what notebook 09 looks at.
    whole = study.view(0).features
    assert features.shape[1] == min(32, whole.shape[1])
    assert_allclose(features @ features[:20].T, whole @ whole[:20].T, rtol=0.05, atol=0.05 * (whole**2).sum(1).max())


def test_what_was_not_published_is_refused_and_not_trained_on_grey_squares(replay):
    for other in others(replay):
        with pytest.raises(ValueError, match="not among the published runs"):
            other.run("entropy", other.seeds[0])
    with pytest.raises(ValueError, match="not among the published runs"):
        replace(replay, order=2).run("original_label", 0)
    with pytest.raises((ValueError, AttributeError)):
        replay.view(1).features  # noqa: B018


def test_images_of_cifar10_are_shown_if_they_are_there(published, replay, tmp_path, monkeypatch):
    study = published.study
    monkeypatch.setenv("ALKIT_DATA", str(tmp_path))
    arrays = {"x_train": study.dataset.train.images, "y_train": study.dataset.train.labels}
    arrays |= {"x_test": study.test.images[::-1], "y_test": study.test.labels[::-1]}
    np.savez(tmp_path / "cifar10.npz", **arrays)
    dataset = load_study(str(published.folder / "replay.yaml")).dataset
    assert dataset.name == "scikit-learn digits (pictures of the original)"
    assert_array_equal(dataset.train.images, study.dataset.train.images)
    # In another order, so nobody knows which picture belongs to which label.
    assert (dataset.test.images == 128).all()
    assert dataset.fingerprint == study.dataset.fingerprint


def test_published_runs_are_found_again_after_an_edit_that_changed_no_number(published, tmp_path, monkeypatch):
    shutil.copytree(published.folder / "figures", tmp_path / "figures")
    shutil.copy(published.folder / "replay.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    for module in ("alkit.records", "alkit.loading"):
        monkeypatch.setattr(f"{module}.ROOT", tmp_path)
    monkeypatch.setattr("alkit.profiles.PROFILES", tmp_path)
    folder = tmp_path / "figures" / "records"
    before = {path.name for path in folder.iterdir()}
    monkeypatch.setattr("alkit.records.digest_of_numbers", lambda: "edited")
    assert not load_study("replay").is_done("entropy", 0)
    rename(folder)
    assert (
        load_study("replay").results(("entropy",))["f1"].tolist()
        == published.study.results(("entropy",))["f1"].tolist()
    )
    after = {path.name for path in folder.iterdir()}
    assert len(after) == len(before)
    assert before & after == {"labels.npz"}


def test_figures_are_only_written_when_asked(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("alkit.commands.pages.NOTEBOOKS", tmp_path)
    monkeypatch.setattr("alkit.commands.pages.write_index", lambda titles, output: output)
    monkeypatch.setattr("alkit.runs.run_all", lambda *_, **__: None)
    monkeypatch.setattr(publish, "publish_report", lambda study, output: asked.append(output))
    arguments = ["report", "--profile", str(TINY), "--output", str(tmp_path / "out")]
    assert main(arguments) == 0
    assert asked == []
    assert main([*arguments, "--publish"]) == 0
    assert asked == [tmp_path / "out"]


def test_runs_are_not_published_from_the_folder_that_publishing_empties(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ALKIT_RECORDS", str(tmp_path / "published" / ".." / "published" / "old"))
    monkeypatch.setattr("alkit.commands.publish.PUBLISHED", tmp_path / "published")
    assert main(["report", "--profile", str(TINY), "--output", str(tmp_path / "report"), "--publish"]) == 2
    assert "published anew; give a profile and ALKIT_RECORDS that do not read it" in capsys.readouterr().err
    assert not (tmp_path / "report").exists()


def test_a_rounded_row_keeps_its_largest():
    rows = np.array([[0.3314, 0.3356, 0.333], [0.1, 0.45, 0.45], [0, 0, 1.0]])
    assert_array_equal(publish._rounded(rows, 2).argmax(1), [1, 1, 2])
    assert_array_equal(publish._rounded(rows[:, ::-1], 2).argmax(1), [1, 0, 0])


def test_the_published_runs_are_those_of_the_published_tables():
    study = load_study("replay")
    table = study.results()
    columns = ["experiment", "seed", "n_train", "f1"]
    pd.testing.assert_frame_equal(table[columns], pd.read_csv(ROOT / "figures" / "results.csv")[columns])
    # F1 was computed before the probabilities were rounded, and rounding moved no prediction.
    for name in EXPERIMENTS:
        done = study.run(name, study.seeds[0])
        predicted = done["test_probabilities"].argmax(1)
        assert f1_score(study.test.labels, predicted, average="macro") == pytest.approx(done["f1"])
    assert study.recipes == load_study("cifar10", data="digits", n_labelled=60, n_query=100).recipes


@pytest.mark.parametrize(
    ("name", "asked"), [("learning_curves", ("entropy",)), ("rounds", (strategies.k_center, strategies.badge))]
)
def test_the_published_curves_are_those_of_the_published_runs(name, asked):
    study = load_study("replay")
    rounds = replace(study, n_rounds=5, seeds=study.seeds[:3])
    table = rounds.results(("random", "least_certainty_margin", *asked), every_round=True)
    columns = ["experiment", "seed", "n_train", "f1"]
    curves = pd.read_csv(ROOT / "figures" / f"{name}.csv")
    curves = curves[curves["n_train"] > study.n_labelled].reset_index(drop=True)
    pd.testing.assert_frame_equal(curves[columns], table[columns])
