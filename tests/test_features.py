"""Data that come with features of another model: models learn from these, and the images are what is shown."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import arrays, in_a_cell
from scipy.stats import norm
from sklearn.decomposition import PCA
from test_notebooks import PATHS, parts
from test_query import ask

import alkit
from alkit.augmentation import augmented_batches
from alkit.data import Images
from alkit.loading import load
from alkit.profiles import load_study
from alkit.recipe import Recipe
from alkit.samplers import SAMPLERS, highest, least_certainty_margin
from alkit.search import best, search
from alkit.strategies import BEYOND

SHORT = {"default": {"epochs": 4, "batch_size": 20, "width": 8}}


@pytest.fixture(scope="module")
def path(digits, tmp_path_factory):
    """Digits with their first 16 principal components, as float16."""
    train, test = digits.train[:200], digits.test[:60]
    flat = [part.images.reshape(len(part), -1) for part in (train, test)]
    components = PCA(16, random_state=0).fit(flat[0])
    given = {"x_train": train.images, "y_train": train.labels, "x_test": test.images, "y_test": test.labels}
    given |= {name: components.transform(each).astype(np.float16) for name, each in zip(FEATURES, flat, strict=True)}
    np.savez(place := tmp_path_factory.mktemp("features") / "own.npz", **given)
    return place


FEATURES = "features_train", "features_test"


@pytest.fixture
def study(path):
    return load_study("quick", data=str(path), n_query=20, seeds=2, recipes=SHORT, device="cpu")


def test_they_come_with_the_images_and_are_a_part_of_the_fingerprint(path, tmp_path):
    given, dataset = dict(np.load(path)), load(str(path))
    for part in ("train", "test"):
        read = getattr(dataset, part)
        assert read.features.dtype == np.float32 and read.inputs is read.features
        np.testing.assert_array_equal(read.features, given[f"features_{part}"])
        np.testing.assert_array_equal(read.images, given[f"x_{part}"])
    both = dataset.train[:3] + dataset.test[[5, 1]]
    np.testing.assert_array_equal(
        both.features, np.concatenate([dataset.train.features[:3], dataset.test.features[[5, 1]]])
    )
    given["features_test"][0, 0] += 1
    np.savez(tmp_path / "own.npz", **given)
    without = {name: each for name, each in given.items() if name not in FEATURES}
    np.savez(tmp_path / "images.npz", **without)
    others = [load(str(tmp_path / name)) for name in ("own.npz", "images.npz")]
    assert len({dataset.fingerprint, *(other.fingerprint for other in others)}) == 3
    assert others[1].train.features is None and others[1].train.inputs is others[1].train.images


def test_a_class_is_predicted_as_bayes_does_whatever_the_scale_of_a_feature():
    """Two classes that differ by 2 standard deviations in one of three features: at best 84 % can be right."""
    generator = np.random.default_rng(0)
    labels = np.arange(6000) % 2
    rows = generator.normal(size=(6000, 3)).astype(np.float32)
    rows[:, 1] += 2 * labels
    scaled = np.column_stack([1000 * rows - 70, np.full(6000, 5)]).astype(np.float32)
    images = np.zeros((6000, 8, 8, 1), np.uint8)
    recipe = Recipe(epochs=10, width=16, label_smoothing=0.0)
    said = []
    for given in (rows, scaled):
        part = Images(images, labels, given)
        model = alkit.fit(part[:2000], recipe, device="cpu", n_classes=2)
        said.append(alkit.predict_proba(model, given, **recipe.views()))
        np.testing.assert_array_equal(said[-1], alkit.predict_proba(model, given))
    right = [(each[2000:].argmax(axis=1) == labels[2000:]).mean() for each in said]
    assert abs(np.array(right) - norm.cdf(1)).max() < 0.02
    by_bayes = 1 / (1 + np.exp(2 - 2 * rows[:, 1]))
    assert abs(said[0][:, 1] - by_bayes).mean() < 0.04
    assert np.corrcoef(said[0][:, 1], said[1][:, 1])[0, 1] > 0.98


@pytest.mark.parametrize("strategy", {**SAMPLERS, **BEYOND})
def test_every_strategy_picks_by_what_a_model_of_features_says(strategy, study):
    name = strategy if strategy in SAMPLERS else BEYOND[strategy]
    rounds = replace(study, n_rounds=2, seeds=(0,))
    done = rounds.run(name, 0)
    assert len({*done["picks"]}) == 20 and len(done["curve"]) == 2
    assert done["n_train"] == 80


def test_a_round_is_what_one_does_by_hand_and_features_are_those_of_the_hidden_layer(study):
    recipe = study.recipe("original_label")
    model = alkit.fit(study.labelled, recipe, 1, "cpu", n_classes=10)
    probabilities = alkit.predict_proba(model, study.pool.features)
    view = study.view(1)
    np.testing.assert_array_equal(view.probabilities, probabilities)
    assert view.features.shape == (140, 8) and view.labelled_features.shape == (60, 8)
    logits = view.features @ model.classifier.weight.detach().numpy().T
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    np.testing.assert_allclose(odds / odds.sum(axis=1, keepdims=True), probabilities, atol=1e-6)
    picks = study.run("least_certainty_margin", 1)["picks"]
    np.testing.assert_array_equal(picks, highest(least_certainty_margin(probabilities), 20))


def test_a_search_tries_what_a_network_of_features_has(study):
    study = replace(study, n_trials=3)
    trials = search(study, "original_label", n_folds=2)
    assert {"shift", "cutout", "colour"}.isdisjoint(trials.columns)
    assert trials["swap"].between(0, 0.5).all() and trials["swap"].nunique() == 3
    chosen, recipe = best(trials, study.recipe("original_label")), study.recipe("original_label")
    assert chosen.swap == trials.loc[trials["validation_f1"].idxmax(), "swap"]
    assert replace(chosen, batch_size=recipe.batch_size, learning_rate=recipe.learning_rate, swap=0.0) == recipe


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_share_of_the_features_is_that_of_another_image_of_the_batch(share):
    """Each number says whose it is, and of which feature; its image is the label."""
    labels = np.arange(90)
    given = torch.tensor(labels[:, None] + 0.01 * np.arange(40), dtype=torch.float32)
    batches = list(augmented_batches(given, torch.tensor(labels), 3, Recipe(swap=share), torch.Generator()))
    assert sorted(torch.cat([each for _, each in batches]).tolist()) == labels.tolist()
    others = []
    for rows, own in batches:
        assert rows.shape == (30, 40)
        images, columns = np.divmod(rows.numpy() + 1e-4, 1)
        np.testing.assert_array_equal((columns * 100).astype(int), np.broadcast_to(np.arange(40), (30, 40)))
        assert {*images.ravel()} <= {*own.tolist()}, "of another batch"
        others.append(images != own.numpy()[:, None])
    assert abs(np.mean(others) - share) < 0.04


def test_a_query_learns_from_features_and_needs_those_of_the_pool(tmp_path, capsys):
    generator = np.random.default_rng(0)
    given = arrays(x_pool=np.zeros((20, 8, 8), np.uint8), x_test=None, y_test=None)
    given["features_train"] = generator.normal(size=(12, 4)) + 9 * given["y_train"][:, None]
    np.savez(tmp_path / "own.npz", **given)
    assert ask(tmp_path / "own.npz", tmp_path / "picks.csv", "--n", 3) == 2
    assert "features_pool of type float64 and shape (0,)" in capsys.readouterr().err
    truth = np.arange(20) % 3
    given["features_pool"] = generator.normal(size=(20, 4)) + 9 * truth[:, None]
    np.savez(tmp_path / "own.npz", **given)
    more = ["--n", 20, "--seed", 1, "--profile", "quick"]
    assert ask(tmp_path / "own.npz", tmp_path / "picks.csv", *more) == 0
    picks = pd.read_csv(tmp_path / "picks.csv")
    # Each picture is as black as the others: only features tell what is on it.
    assert (picks["predicted"] == truth[picks["position"]]).mean() > 0.9


@pytest.mark.parametrize("path_of", [PATHS[0], PATHS[1], PATHS[2]], ids=lambda each: each.stem)
def test_notebooks_that_train_by_hand_do_it_with_features(path_of, path, tmp_path, monkeypatch, capsys):
    names = {
        "profile": "quick",
        "data": str(path),
        "n_labelled": 60,
        "n_query": 20,
        "seeds": [0, 1],
        "recipes": SHORT,
        "device": "cpu",
    }
    names |= {"output": str(tmp_path), "display": print}
    monkeypatch.setattr("IPython.display.display", lambda *shown, **options: None)
    for cell in parts(path_of)[1][1:]:
        names = vars(in_a_cell(cell.source, **names))
    assert "60 to test on; models learn from 16 features" in capsys.readouterr().out


@pytest.fixture
def published(path, tmp_path):
    """The same as the kit publishes it: labels and features, these in eight bits, without the images."""
    given = dict(np.load(path))
    small = {name: given[name] for name in ("y_train", "y_test")}
    small |= {name: np.clip(given[name] * 20, -127, 127).astype(np.int8) for name in FEATURES}
    names = {
        "shape": (8, 8, 1),
        "name": "Digits",
        "class_names": [*map(str, range(10))],
        "known_as": "0123456789abcdef",
    }
    np.savez(place := tmp_path / "published.npz", **small, **names)
    return place


def test_published_features_are_learned_from_without_the_images(published, tmp_path):
    study = load_study("quick", data=str(published), n_query=20, seeds=1, recipes=SHORT, device="cpu")
    assert np.unique(study.pool.images).tolist() == [128] and study.dataset.trains
    assert study.pool.features.dtype == np.float32
    np.testing.assert_array_equal(study.test.features, np.load(published)["features_test"])
    table = study.results(("original_label", "random", "entropy"))
    assert table["f1"].between(0.1, 1).all()
    given = dict(np.load(published))
    given["features_train"][0, 0] ^= 1
    np.savez(tmp_path / "other.npz", **given)
    np.savez(tmp_path / "labels.npz", **{name: each for name, each in given.items() if name not in FEATURES})
    prints = [load(str(each)).fingerprint for each in (published, tmp_path / "other.npz", tmp_path / "labels.npz")]
    assert len({*prints}) == 3 and prints[2] == "0123456789abcdef"
    del given["features_test"]
    np.savez(tmp_path / "half.npz", **given)
    with pytest.raises(ValueError, match="features_test of type float64 and shape"):
        load(str(tmp_path / "half.npz"))
