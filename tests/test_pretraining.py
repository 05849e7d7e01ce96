"""A network trained without labels: the loss, what it sees, stops; and the command that makes features of images."""

import os
import re
from contextlib import nullcontext
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from conftest import arrays
from sklearn.neighbors import KNeighborsClassifier

from alkit import pretraining
from alkit.commands import main
from alkit.loading import arrays_of, load
from alkit.pretraining import loss_of, pretrain, views_of
from alkit.profiles import load_study, read_profile
from alkit.recipe import Recipe
from alkit.search import search, validate
from alkit.training import fit, predict_features, predict_proba

TINY = views_of(Recipe(epochs=3, batch_size=20, width=8, flip=False), (8, 8, 1))


def test_the_loss_is_that_of_its_paper():
    """Computed from the formulas of Bardes et al., number by number."""
    generator = np.random.default_rng(0)
    one, other = generator.normal(0, 0.7, (2, 6, 3))
    by_hand = 25 * np.mean((one - other) ** 2)
    for rows in (one, other):
        for j in range(3):
            variance = sum((x - rows[:, j].mean()) ** 2 for x in rows[:, j]) / 5
            by_hand += 25 * max(0, 1 - np.sqrt(variance + 1e-4)) / 3
            for k in range(3):
                shared = sum((rows[i, j] - rows[:, j].mean()) * (rows[i, k] - rows[:, k].mean()) for i in range(6)) / 5
                by_hand += (j != k) * shared**2 / 3
    assert float(loss_of(torch.tensor(one), torch.tensor(other))) == pytest.approx(by_hand)
    same = torch.zeros(6, 3, dtype=torch.float64)
    assert float(loss_of(same, same)) == pytest.approx(2 * 25 * (1 - 0.01))  # all alike: only the spread is missing


def test_what_it_sees_tells_classes_apart_better_than_an_untrained_network_does(digits):
    train, pool = digits.train[:100], digits.train[700:]
    recipe, shares = replace(TINY, epochs=12, batch_size=125, width=16), []
    for n_epochs, images in ((12, digits.train.images), (1, digits.train.images[:4])):
        model = pretrain(images, replace(recipe, epochs=n_epochs), 0, "cpu")
        seen = [predict_features(model, part.images) for part in (train, pool)]
        neighbours = KNeighborsClassifier(5).fit(seen[0], train.labels)
        shares.append(neighbours.score(seen[1], pool.labels))
    assert shares[0] > shares[1] + 0.1


@pytest.mark.parametrize("flip", [False, True])
def test_features_are_what_all_layers_see_in_each_quarter_whitened_by_half(flip, digits):
    """Computed apart: maps by hooks, quarters by slices, components by a singular value decomposition."""
    some, others = digits.train.images[:400], digits.train.images[400:460]
    model, seen = pretrain(some[:40], TINY, 0, "cpu"), []
    model.stages[0][1].register_forward_hook(lambda module, given, map_: seen.append(map_.numpy()))
    rows = []
    for images in (some, others):
        mirrored = [images[:, :, ::-1].copy()] * flip
        total = 0
        for side in (8, 12):
            for each in [images, *mirrored]:
                batch = torch.tensor(each).permute(0, 3, 1, 2).float()
                with torch.inference_mode():
                    batch = torch.nn.functional.interpolate(batch, size=(side, side), mode="bilinear")
                    model(batch)
                    first = (batch - model.mean) * model.scale
                    first = torch.nn.functional.conv2d(first, model.whitening, model.bias)
                    maps = [torch.nn.functional.gelu(first).numpy(), seen.pop()]
                quarters = []
                for map_ in maps:
                    half = -(-map_.shape[2] // 2)  # of an odd side, the middle counts twice
                    halves = slice(0, half), slice(map_.shape[2] - half, None)
                    quarters += [map_[:, :, a, b].mean((2, 3)) for a, b in product(halves, halves)]
                by_channel = [np.stack(quarters[start : start + 4], axis=2).reshape(len(each), -1) for start in (0, 4)]
                total = total + np.concatenate(by_channel, axis=1)
        rows.append(total / (2 if flip else 1))
    assert rows[0].shape[1] == 4 * (8 + 8)
    mean, spread = rows[0].mean(axis=0), rows[0].std(axis=0) + 1e-6
    standard = [(each - mean) / spread for each in rows]
    _, singular, components = np.linalg.svd(standard[0] - standard[0].mean(axis=0), full_matrices=False)
    expected = standard[1] @ components.T / np.maximum(singular**2 / 399, 1e-6) ** 0.25
    features = pretraining.feature_extractor(model, some, flip)(others)
    assert features.shape == (60, 64) and features.dtype == np.float32
    np.testing.assert_allclose(features @ features.T, expected @ expected.T, atol=2e-3)
    spreads = pretraining.feature_extractor(model, some, flip)(some).std(axis=0)
    assert spreads.max() < 4 * spreads.min(), "a model would standardise the halves away"


def test_a_view_of_a_large_image_is_a_part_of_it():
    """Of images whose pixels say where they are: 4 times the column, and 4 times the row."""
    place = np.broadcast_to(4 * np.arange(32, dtype=np.uint8), (400, 32, 32))
    images = torch.tensor(np.stack([place, place.transpose(0, 2, 1), place], axis=3))
    recipe = replace(views_of(Recipe(), (32, 32, 3)), colour=0.0)
    view = pretraining.view(images, recipe, torch.Generator().manual_seed(0)).numpy()
    assert view.shape == (400, 3, 24, 24)
    grey = (view[:, 0] == view[:, 1]).all(axis=(1, 2))
    assert 50 < grey.sum() < 110
    columns, rows = view[~grey, 0, 0, 2:-2], view[~grey, 1, 2:-2, 0]  # without what lies beside the outermost pixels
    steps, down = np.diff(columns), np.diff(rows)
    assert (down > 0).all(), "never upside down"
    assert (np.sign(steps) == np.sign(steps[:, :1])).all()
    assert 0.4 < (steps[:, 0] < 0).mean() < 0.6, "half are mirrored"
    areas = np.abs(steps).mean(axis=1) * down.mean(axis=1) * (24 / 32 / 4) ** 2
    assert 0.18 < areas.min() < 0.25 < 0.95 < areas.max() < 1.02
    assert 0.55 < areas.mean() < 0.65
    assert np.unique(np.abs(steps).mean(axis=1).round(3) - down.mean(axis=1).round(3)).size > 100, "stretched"
    np.testing.assert_array_equal(pretraining.view(images, recipe, torch.Generator().manual_seed(0)).numpy(), view)


def weights(model):
    return {name: value.numpy() for name, value in model.state_dict().items()}


def assert_same(one, other):
    for name, value in weights(one).items():
        np.testing.assert_array_equal(value, weights(other)[name], name)


@pytest.mark.parametrize("at", [1, 2])
def test_after_a_stop_it_ends_with_the_same_bits(at, digits, tmp_path, monkeypatch):
    images, state = digits.train.images[:90], tmp_path / "state.npz"
    through = pretrain(images, TINY, 7, "cpu")
    monkeypatch.setattr(pretraining, "SECONDS", 0)
    keep = pretraining._keep

    def stopped(place, epoch, *given):
        keep(place, epoch, *given)
        if epoch == at:
            raise KeyboardInterrupt

    monkeypatch.setattr(pretraining, "_keep", stopped)
    with pytest.raises(KeyboardInterrupt):
        pretrain(images, TINY, 7, "cpu", state)
    steps = []
    monkeypatch.setattr(pretraining, "rescale", lambda matrices, own=pretraining.rescale: steps.append(own(matrices)))
    monkeypatch.setattr(pretraining, "_keep", keep)
    assert_same(pretrain(images, TINY, 7, "cpu", state), through)
    assert len(steps) == (3 - at) * 4, "it began anew"
    assert not state.exists()
    assert not np.array_equal(weights(pretrain(images, TINY, 8, "cpu"))["bias"], weights(through)["bias"])


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", "another network"])
def test_a_state_that_is_of_no_use_is_begun_anew(content, digits, tmp_path):
    images, state = digits.train.images[:40], tmp_path / "state.npz"
    if isinstance(content, bytes):
        state.write_bytes(content)
    else:
        torch.save(([torch.zeros(3)], 1, torch.Generator().get_state()), state)
    assert_same(pretrain(images, TINY, 0, "cpu", state), pretrain(images, TINY, 0, "cpu"))


def ask_for_features(*given):
    return main(["features", "--epochs", "2", "--width", "8", *map(str, given)])


def test_labels_and_test_images_change_nothing(tmp_path, capsys, records):
    given = arrays(n_classes=4)
    others = {"y_train": given["y_train"][::-1], "x_test": given["x_test"][::-1]}
    for name, changes in (("one", {}), ("other", others)):
        np.savez(tmp_path / f"{name}.npz", **given | changes)
        assert ask_for_features("--data", tmp_path / f"{name}.npz", "--output", tmp_path / name / "f.npz") == 0
    one, other = (load(str(tmp_path / name / "f.npz")) for name in ("one", "other"))
    np.testing.assert_array_equal(one.train.features, other.train.features)
    np.testing.assert_allclose(one.test.features, other.test.features[::-1], atol=1e-2)
    assert len([*records.glob("*.json")]) == 1, "it was trained twice"
    assert "16 features learned without labels from 16 images" in capsys.readouterr().out
    assert ask_for_features("--data", tmp_path / "one.npz", "--output", tmp_path / "one.npz") == 2
    assert "give a new file FILE.npz" in capsys.readouterr().err
    assert ask_for_features("--data", "nowhere", "--output", tmp_path / "new.npz") == 2
    assert "data is 'nowhere' (no such file)" in capsys.readouterr().err
    (tmp_path / "cut.npz").write_bytes((tmp_path / "one.npz").read_bytes()[:-30])
    assert ask_for_features("--data", tmp_path / "cut.npz", "--output", tmp_path / "new.npz") == 2
    assert "cut.npz cannot be read" in capsys.readouterr().err


def test_a_study_learns_from_the_features_of_digits(tmp_path):
    more = ["--profile", "quick", "--epochs", "8", "--width", "16"]
    assert ask_for_features("--data", "digits", "--output", tmp_path / "digits.npz", *more) == 0
    study = load_study("quick", data=str(tmp_path / "digits.npz"), seeds=1, device="cpu")
    plain = load_study("quick")
    np.testing.assert_array_equal(study.labelled.images, plain.labelled.images)
    assert study.dataset.name == plain.dataset.name and study.dataset.class_names == plain.dataset.class_names
    assert study.run("original_label", 0)["f1"] > 0.5  # of ten classes


def test_compact_features_are_those_of_the_file_with_images_in_eight_bits(tmp_path, capsys):
    np.savez(tmp_path / "own.npz", **arrays(n_classes=4))
    for name, more in (("whole", []), ("compact", ["--compact"])):
        assert ask_for_features("--data", tmp_path / "own.npz", "--output", tmp_path / f"{name}.npz", *more) == 0
    whole, compact = (load(str(tmp_path / f"{name}.npz")) for name in ("whole", "compact"))
    assert compact.known_as == load(str(tmp_path / "own.npz")).fingerprint and compact.trains
    assert "16 features learned without labels (grey squares for pictures)" in compact.name
    assert "x_train" not in np.load(tmp_path / "compact.npz").files
    largest = np.abs(whole.train.features).max(axis=0)
    for part in ("train", "test"):
        exact, rounded = getattr(whole, part), getattr(compact, part)
        np.testing.assert_array_equal(rounded.labels, exact.labels)
        expected = np.clip(exact.features / largest, -1, 1)
        np.testing.assert_allclose(rounded.features / 127, expected, atol=0.6 / 127)
    given = {name: each for name, each in arrays(n_classes=4).items() if not name.endswith("_test")}
    np.savez(tmp_path / "pool.npz", **given, x_pool=given["x_train"])
    more = ["--output", tmp_path / "new.npz", "--compact"]
    assert ask_for_features("--data", tmp_path / "pool.npz", *more) == 2
    assert "has images without labels" in capsys.readouterr().err


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    """Digits with features, and the network that made them; the same in few digits; that of another width."""
    folder = tmp_path_factory.mktemp("pretrained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALKIT_RECORDS", str(folder / "records"))
        given = ["--data", "digits", "--profile", "quick", "--width", "16"]
        for name, more in (("whole", ["--epochs", "8"]), ("compact", ["--epochs", "8", "--compact"]), ("wide", [])):
            more = more or ["--epochs", "1", "--width", "24"]
            assert main(["features", *given, *more, "--output", str(folder / f"{name}.npz")]) == 0
    return folder


RECIPES = {"default": {"epochs": 4, "width": 16}}


def test_a_study_goes_on_from_the_weights_that_features_leaves(pretrained, records):
    study = load_study("quick", seeds=1, n_query=50, device="cpu", recipes=RECIPES)
    whole, compact = (
        load_study("quick", seeds=1, n_query=50, device="cpu", recipes=RECIPES, weights=str(pretrained / f"{name}.npz"))
        for name in ("whole", "compact")
    )
    assert whole.dataset.trains and whole.labelled.features is None, "from images, not from the file's features"
    start = arrays_of(pretrained / "whole.npz", weights=True)
    given = study.labelled, study.recipe("original_label"), 0, "cpu"
    expected = predict_proba(fit(*given, n_classes=10, weights=start), study.pool.images)
    np.testing.assert_array_equal(whole.run("original_label", 0)["pool_probabilities"], expected)
    runs = {name: each.results(("random",)) for name, each in (("new", study), ("whole", whole), ("compact", compact))}
    assert len({frame["f1"][0] for frame in runs.values()}) == 3, "a run was taken for one from other weights"
    assert runs["whole"]["f1"][0] > runs["new"]["f1"][0] + 0.1 and runs["compact"]["f1"][0] > runs["new"]["f1"][0] + 0.1


def assert_it_stays(model, start):
    """It is where it began, but for the last layer, which is new, and what counts on."""
    for name, value in model.state_dict().items():
        if "normalise" not in name and name != "classifier.weight":
            np.testing.assert_allclose(value.numpy(), start[f"weights.{name}"], atol=1e-6, err_msg=name)


def test_the_first_step_from_weights_is_where_they_stopped(pretrained, digits):
    start = arrays_of(pretrained / "whole.npz", weights=True)
    resting = Recipe(epochs=1, learning_rate=1e-9, width=16, flip=False)
    model = fit(digits.train[:200], resting, 0, "cpu", weights=start, precision="fp32")
    assert_it_stays(model, start)


def test_features_go_on_from_the_weights_of_a_file(pretrained, digits, records, tmp_path, capsys, monkeypatch):
    start = arrays_of(pretrained / "whole.npz", weights=True)
    resting = views_of(Recipe(epochs=1, learning_rate=1e-9, width=16, flip=False), (8, 8, 1))
    assert_it_stays(pretrain(digits.train.images[:200], resting, 5, "cpu", weights=start), start)

    given, own = ("--data", pretrained / "whole.npz", "--profile", "quick", "--width", "16"), pretrain
    used = []

    def watched(*given):
        used.append((given[1].learning_rate, given[5]))
        return own(*given)

    monkeypatch.setattr("alkit.commands.features.pretrain", watched)
    for more in ([], ["--weights", os.path.relpath(pretrained / "whole.npz")]):
        assert ask_for_features(*given, *more, "--output", tmp_path / f"{len(more)}.npz") == 0
    assert [rate for rate, _ in used] == [Recipe.learning_rate, Recipe.learning_rate / 2]
    assert used[0][1] == {} and used[1][1].keys() == start.keys()
    assert len([*records.glob("*.json")]) == 2, "a training from weights was taken for one of a new network"
    for name, said in (("wide", "not those of a network of width 16"), ("nowhere", "cannot be read")):
        more = "--weights", pretrained / f"{name}.npz", "--output", tmp_path / "new.npz"
        assert ask_for_features(*given, *more) == 2
        assert said in capsys.readouterr().err


def test_a_search_and_what_it_confirms_go_on_from_the_weights_too(pretrained, records, tmp_path):
    options = {"seeds": 1, "device": "cpu", "recipes": RECIPES, "weights": str(pretrained / "whole.npz")}
    study = load_study("quick", n_trials=1, fidelity=1.0, **options)
    trials = search(study, "original_label", n_folds=2)
    given = study.labelled, study.pool[:0], study.recipe("original_label"), 2, 0, "cpu"
    assert trials["validation_f1"][0] == validate(*given, study.dataset.weights) != validate(*given)
    profile = profile_of(tmp_path, weights=str(pretrained / "whole.npz"))
    more = ["--experiments", "original_label", "--trials", "1", "--output", str(tmp_path / "new.yaml")]
    assert main(["tune", "--profile", str(profile), *more, "--device", "cpu"]) == 0
    assert load_study(str(tmp_path / "new.yaml")).dataset.weights, "the profile that was found begins anew"


def profile_of(folder, name="own", **values):
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(read_profile("quick") | {"profile": name, "recipes": RECIPES} | values), "utf-8")
    return path


@pytest.mark.parametrize(
    "change, said",
    [
        ({}, ""),
        ({"weights.bias": None}, "not those of a network of width 16"),
        ({"weights.bias": np.zeros(7, np.float32)}, "not those of a network of width 16"),
        ({"weights.more": np.zeros(7, np.float32)}, "not those of a network of width 16"),
        ({"weights.bias": np.full(8, np.nan, np.float32)}, "not those of a network of width 16"),
        ({"weights.bias": np.zeros(8, complex)}, "not those of a network of width 16"),
        ({"weights.bias": np.array(["a"] * 8)}, "not those of a network of width 16"),
        ({"weights.bias": np.array([None] * 8)}, "weights.bias.* cannot be read: it holds Python objects"),
    ],
)
def test_weights_that_do_not_fit_are_a_sentence_before_anything_is_trained(change, said, pretrained, tmp_path):
    with np.load(pretrained / "whole.npz") as file:
        arrays = {**file} | change
    np.savez(tmp_path / "changed.npz", **{name: each for name, each in arrays.items() if each is not None})
    path = profile_of(tmp_path, weights="changed.npz")  # beside it, wherever one works
    with pytest.raises(ValueError, match=said) if said else nullcontext():
        load_study(str(path))


@pytest.mark.parametrize(
    "given, said",
    [
        ({"weights": "nowhere.npz"}, "nowhere.npz cannot be read"),
        ({"weights": 3}, "3 cannot be read"),
        ({"weights": "figures/records/labels.npz"}, "weights is 'figures/records/labels.npz', which holds none"),
        ({"weights": "{}/wide.npz"}, "not those of a network of width 16"),
        ({"weights": "{}/whole.npz", "recipes": {"entropy": {"width": 16}}}, "not those of a network of width"),
        ({"weights": "{}/whole.npz", "data": "{}/whole.npz"}, "not those of a network of width 16 for what this one"),
    ],
)
def test_a_profile_with_weights_that_cannot_be_used_is_a_sentence(given, said, pretrained, tmp_path, capsys):
    given = {name: each.format(pretrained) if isinstance(each, str) else each for name, each in given.items()}
    path = profile_of(tmp_path, **given)
    with pytest.raises(ValueError, match=said):
        load_study(str(path))
    assert main(["report", "--profile", str(path)]) == 2
    assert re.search(said, capsys.readouterr().err)


def test_runs_from_weights_are_told_from_others(pretrained, records, tmp_path, capsys):
    path = str(pretrained / "whole.npz")
    assert load_study(str(profile_of(tmp_path, weights=None))).dataset.weights == {}
    own = str(profile_of(tmp_path, weights=path))
    assert load_study(own).dataset.name == "scikit-learn digits, from weights"
    assert main(["report", "--profile", own, "--publish"]) == 2
    assert "is not published" in capsys.readouterr().err
    weights = arrays_of(Path(path), weights=True)
    names = "weights.bias", "weights.stages.0.0.normalise.bias"
    swapped = weights | {names[0]: weights[names[1]], names[1]: weights[names[0]]}
    for data in (load("digits"), load_study("replay").dataset):  # never a published run that began anew
        assert len({replace(data, weights=each).fingerprint for each in ({}, weights, swapped)}) == 3
    renamed = {f"{name}.": each for name, each in weights.items()}
    assert replace(data, weights=renamed).fingerprint != replace(data, weights=weights).fingerprint
