"""The protocol and its store: what a run records, what is shared, and what an interruption leaves."""

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from conftest import TINY
from scipy.special import softmax

from alkit import ROOT, store
from alkit import study as study_module
from alkit.data import Dataset, Part, split
from alkit.profiles import PROFILES, load_study, read_profile, write_profile
from alkit.recipe import Recipe
from alkit.study import EXPERIMENTS, identity, pool_features, results, run
from alkit.training import predict_proba


@pytest.fixture
def fits(monkeypatch):
    """The sizes of the training sets that networks were fitted on."""
    sizes, fit = [], study_module.fit

    def counted(images, *arguments, **options):
        sizes.append(len(images))
        return fit(images, *arguments, **options)

    monkeypatch.setattr(study_module, "fit", counted)
    return sizes


def f1_by_class(labels, predicted, n_classes):
    """From the definition: 2 TP / (2 TP + FP + FN)."""
    hits = np.zeros((n_classes, n_classes))
    np.add.at(hits, (labels, predicted), 1)
    return 2 * hits.diagonal() / (hits.sum(0) + hits.sum(1))


def test_a_study_is_one_fit_an_experiment_and_seed_and_is_then_read(study, digits, fits):
    table = results(study, digits)
    assert fits == [60, 80, 80, 80, 80, 1297] * 2
    assert table["experiment"].tolist() == list(EXPERIMENTS) * 2
    assert table["n_train"].tolist() == fits
    again = results(study, digits)
    assert len(fits) == 12
    assert again.equals(table)


def test_scores_follow_from_the_stored_probabilities(study, digits):
    for experiment in ("original_label", "entropy"):
        done = run(study, digits, experiment, 0)
        predicted = done.arrays["test_probabilities"].argmax(1)
        assert done.record["f1"] == pytest.approx(f1_by_class(digits.test.labels, predicted, 10).mean())
        assert done.record["accuracy"] == pytest.approx(np.mean(predicted == digits.test.labels))
        of_class = f1_by_class(digits.test.labels, predicted, 10)
        np.testing.assert_allclose(done.record["f1_per_class"], of_class)


def test_a_strategy_trains_on_the_labelled_images_and_its_picks(study, digits, monkeypatch):
    seen, fit = [], study_module.fit

    def watched(images, labels, *arguments, **options):
        seen.append((images, labels))
        return fit(images, labels, *arguments, **options)

    monkeypatch.setattr(study_module, "fit", watched)
    picks, parts = run(study, digits, "entropy", 0).arrays["picks"], split(digits, 60)
    expected = parts.labelled + parts.pool[picks]
    np.testing.assert_array_equal(seen[-1][0], expected.images)
    np.testing.assert_array_equal(seen[-1][1], expected.labels)


def test_another_seed_is_another_network(study, digits):
    one, other = (run(study, digits, "original_label", seed).arrays["test_probabilities"] for seed in (0, 1))
    assert not np.array_equal(one, other)


def test_the_test_set_is_averaged_over_views_and_the_pool_is_not(study, digits):
    recipe = replace(study.recipes["original_label"], flip=True, shift=2)
    study = replace(study, recipes=study.recipes | {"original_label": recipe})
    done, parts = run(study, digits, "original_label", 0).arrays, split(digits, 60)
    model = study_module.fit(parts.labelled.images, parts.labelled.labels, recipe, 0, "cpu", n_classes=10)
    of_test = predict_proba(model, parts.test.images, flip=True, shift=1)
    np.testing.assert_array_equal(done["test_probabilities"], of_test)
    np.testing.assert_array_equal(done["pool_probabilities"], predict_proba(model, parts.pool.images))


def test_picks_are_those_of_the_shared_base_model(study, digits):
    base = run(study, digits, "original_label", 1).arrays["pool_probabilities"]
    picks = run(study, digits, "least_certainty", 1).arrays["picks"]
    assert base.shape == (1237, 10)
    expected = np.argsort(base.max(1).astype(np.float64), kind="stable")[:20]
    assert picks.tolist() == expected.tolist()
    counts = run(study, digits, "least_certainty", 1).record["picks_per_class"]
    assert counts == np.bincount(split(digits, 60).pool.labels[picks], minlength=10).tolist()
    assert (
        run(study, digits, "random", 0).arrays["picks"].tolist()
        != run(study, digits, "random", 1).arrays["picks"].tolist()
    )


def test_a_record_says_what_it_was_run_on(study, digits):
    record = run(study, digits, "random", 0).record
    assert record["dataset"] == "scikit-learn digits"
    assert record["fingerprint"] == digits.fingerprint
    assert (record["device"], record["n_train"]) == ("cpu", 80)
    assert "torch" in record["versions"]
    assert record["identity"]["recipe"]["epochs"] == 2


def test_an_interrupted_study_resumes_and_ends_the_same(study, digits, fits, monkeypatch, records, tmp_path):
    whole = results(study, digits)
    monkeypatch.setenv("ALKIT_RECORDS", str(tmp_path / "interrupted"))
    counted = study_module.fit

    def stopped(images, *arguments, **options):
        if len(fits) == 12 + 4:
            raise KeyboardInterrupt
        return counted(images, *arguments, **options)

    monkeypatch.setattr(study_module, "fit", stopped)
    with pytest.raises(KeyboardInterrupt):
        results(study, digits)
    monkeypatch.setattr(study_module, "fit", counted)
    resumed = results(study, digits)
    assert len(fits) == 12 + 12
    assert resumed.drop(columns=["seconds", "day"]).equals(whole.drop(columns=["seconds", "day"]))


@pytest.mark.parametrize("damage", ["truncated arrays", "no arrays", "truncated record"])
def test_a_damaged_run_is_done_again(study, digits, fits, records, damage):
    first = run(study, digits, "original_label", 0)
    json_file, array_file = next(records.glob("*.json")), next(records.glob("*.npz"))
    if damage == "no arrays":
        array_file.unlink()
    else:
        file = array_file if damage == "truncated arrays" else json_file
        file.write_bytes(file.read_bytes()[:-50])
    second = run(study, digits, "original_label", 0)
    assert fits == [60, 60]
    assert second.record["f1"] == first.record["f1"]
    assert np.array_equal(second.arrays["pool_probabilities"], first.arrays["pool_probabilities"])


def test_a_stop_while_writing_leaves_no_record(records, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(store.json, "dumps", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            store.write("name", store.Run({"f1": 0.5}, {"picks": np.arange(3)}))
    assert store.read("name") is None
    assert [path.name for path in records.iterdir()] == ["name.npz"]
    store.write("name", store.Run({"f1": 0.5}, {"picks": np.arange(3)}))
    assert store.read("name").record == {"f1": 0.5}


def test_rounds_device_precision_and_protocol_are_part_of_the_name(study, digits, monkeypatch):
    def name(n_rounds=1, round_number=None):
        return store.key(identity(replace(study, n_rounds=n_rounds), digits, "entropy", 0, round_number))

    names = [name(), name(2), name(4), name(2, 1), name(4, 1)]
    monkeypatch.setattr(study_module, "choose_precision", lambda device: "other")
    names.append(name())
    monkeypatch.setattr(study_module, "choose_device", lambda device: torch.device("meta"))
    names.append(name())
    monkeypatch.setattr(study_module, "PROTOCOL", study_module.PROTOCOL + 1)
    names.append(name())
    assert len(set(names)) == len(names)
    assert name(2, 2) == name(2)


def test_all_that_changes_a_number_changes_the_name(study, digits):
    def name(study, dataset=digits, experiment="entropy", seed=0):
        return store.key(identity(study, dataset, experiment, seed))

    images = digits.train.images.copy()
    images[0, 0, 0, 0] ^= 1
    other_data = Dataset(digits.name, digits.class_names, Part(images, digits.train.labels), digits.test)
    other_recipe = replace(study, recipes=study.recipes | {"entropy": Recipe(epochs=3)})
    other_base = replace(study, recipes=study.recipes | {"original_label": Recipe(epochs=3)})
    names = [
        name(study),
        name(study, seed=1),
        name(study, experiment="random"),
        name(study, other_data),
        name(other_recipe),
        name(other_base),
        name(replace(study, n_query=21)),
        name(replace(study, n_labelled=61)),
    ]
    assert len(set(names)) == len(names)
    assert name(replace(study, seeds=(5,), profile="x")) == names[0]
    assert name(replace(study, n_query=21), experiment="original_label") == name(study, experiment="original_label")
    assert name(replace(study, n_labelled=61), experiment="full_training_set") == name(
        study, experiment="full_training_set"
    )


def test_a_renamed_data_set_reads_its_runs_under_the_new_name(study, digits, fits):
    experiments = ("original_label",)
    results(study, digits, experiments)
    renamed = results(study, replace(digits, name="renamed"), experiments)
    assert renamed["dataset"].unique() == ["renamed"]
    assert len(fits) == 2


def test_an_unknown_experiment_is_refused(study, digits):
    with pytest.raises(ValueError, match="experiment is 'margin'; give one of original_label"):
        run(study, digits, "margin", 0)


def test_changes_replace_values_of_the_profile():
    study = load_study(
        "quick", n_query=7, seeds=[3], device=None, recipes={"default": {"width": 8}, "random": {"epochs": 5}}
    )
    assert (study.n_query, study.seeds, study.n_labelled) == (7, (3,), read_profile("quick")["n_labelled"])
    assert (study.recipes["random"].epochs, study.recipes["random"].width) == (5, 8)
    assert study.recipes["entropy"].epochs == read_profile("quick")["recipes"]["default"]["epochs"]
    assert study.recipes["full_training_set"].width == 8


def test_a_changed_default_holds_where_the_profile_spells_out_each_recipe(tmp_path):
    write_profile(tmp_path / "mine.yaml", load_study("cifar10"), "each recipe whole")
    changed = {"default": {"epochs": 3}, "entropy": {"epochs": 4}}
    for profile in ("cifar10", str(tmp_path / "mine.yaml")):
        recipes = load_study(profile, recipes=changed).recipes
        assert {name: recipe.epochs for name, recipe in recipes.items()} == dict.fromkeys(EXPERIMENTS, 3) | {
            "entropy": 4
        }
        assert recipes["original_label"].batch_size == load_study("cifar10").recipes["original_label"].batch_size


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_lablled": 3}, r"unknown parameters \['n_lablled'\]"),
        ({"n_query": "5000"}, "n_query is '5000'; give a whole number"),
        ({"n_query": 0}, "n_query is 0"),
        ({"n_query": True}, "n_query is True"),
        ({"n_labelled": 60.0}, "n_labelled is 60.0"),
        ({"seeds": [0, 0]}, "give distinct whole numbers"),
        ({"seeds": []}, "seeds is"),
        ({"seeds": [-1]}, "seeds is"),
        ({"seeds": "3"}, "seeds is"),
        ({"seeds": 3}, "seeds is 3"),
        ({"device": 1}, "device is 1; give a text"),
        ({"data": ["digits"]}, "data is"),
        ({"recipes": "10 epochs"}, "recipes is '10 epochs'; give a mapping"),
        ({"recipes": {"default": None}}, "recipes is {'default': None}"),
        ({"recipes": {"margin": {}}}, r"recipes name \['margin'\]"),
        ({"recipes": {"default": {"epoch": 3}}}, r"recipes name \['epoch'\]"),
        ({"recipes": {"default": {"epochs": "3"}}}, "recipe.epochs is '3'"),
        ({"recipes": {"default": {"flip": "false"}}}, "recipe.flip is 'false'"),
    ],
)
def test_wrong_names_and_types_are_refused(changes, message):
    with pytest.raises((ValueError, TypeError), match=message):
        load_study("quick", **changes)


def test_a_profile_must_exist_and_be_whole(tmp_path):
    with pytest.raises(FileNotFoundError, match="give cifar10, cifar10-fixed, quick, replay or the path"):
        load_study("quik")
    values = yaml.safe_load(TINY.read_text(encoding="utf-8"))
    own = tmp_path / "own.yaml"
    own.write_bytes("profile: größer".encode("latin-1"))
    with pytest.raises(ValueError, match=r"own.yaml is no YAML file in UTF-8"):
        load_study(str(own))
    own.write_text(yaml.safe_dump(values))
    with pytest.raises(ValueError, match="profile: own"):
        load_study(str(own))
    dated = tmp_path / "2026-11-24.yaml"  # YAML reads a date
    dated.write_text(TINY.read_text(encoding="utf-8").replace("profile: tiny", "profile: 2026-11-24"))
    assert load_study(str(dated)).profile == "2026-11-24"
    own.write_text(yaml.safe_dump(values | {"profile": "own", "n_quer": 3}))
    with pytest.raises(ValueError, match=r"unknown parameters \['n_quer'\]"):
        load_study(str(own))
    del values["n_query"]
    own.write_text(yaml.safe_dump(values | {"profile": "own"}))
    with pytest.raises(ValueError, match="has no n_query"):
        load_study(str(own))


def test_the_profiles_are_studies_and_cifar10_has_the_sizes_of_the_report():
    names = {path.stem for path in PROFILES.glob("*.yaml")}
    assert {load_study(name).profile for name in names} == names == {"quick", "cifar10", "cifar10-fixed", "replay"}
    study = load_study("cifar10")
    assert (study.data, study.n_labelled, study.n_query) == ("cifar10", 1000, 5000)


def test_cifar10_has_the_recipes_that_the_committed_search_chose():
    tried = pd.read_csv(ROOT / "figures" / "search.csv")
    tried = tried[tried["fidelity"] == tried.groupby("experiment")["fidelity"].transform("max")]
    chosen = tried.loc[tried.groupby("experiment")["validation_f1"].idxmax()].set_index("experiment")
    for experiment, recipe in load_study("cifar10").recipes.items():
        for name in ("batch_size", "learning_rate", "shift", "cutout", "colour"):
            assert chosen.loc[experiment, name] == getattr(recipe, name), (experiment, name)


def test_rounds_pick_from_what_is_left_by_the_model_of_the_round_before(study, digits, fits):
    study = replace(study, n_query=20, n_rounds=4, seeds=(0,))
    curve = results(study, digits, ("original_label", "entropy"), every_round=True)
    assert fits == curve["n_train"].tolist() == [60, 65, 70, 75, 80]
    runs = [run(study, digits, "entropy", 0, number) for number in (1, 2, 3, 4)]
    before = run(study, digits, "original_label", 0)
    earlier = np.empty(0, int)
    for done in runs:
        p = before.arrays["pool_probabilities"].astype(float)
        scores = -np.sum(p * np.log(np.maximum(p, 1e-300)), axis=1)
        scores[earlier] = -1
        assert done.arrays["picks"].tolist() == [*earlier, *np.argsort(-scores.round(12), kind="stable")[:5]]
        before, earlier = done, done.arrays["picks"]
    assert "pool_probabilities" not in done.arrays
    assert len(fits) == 5


def test_one_round_is_the_study_without_rounds_and_its_picks_differ_from_those_in_rounds(study, digits):
    once = run(replace(study, n_rounds=1), digits, "random", 0)
    assert once.record == run(study, digits, "random", 0).record
    rounds = run(replace(study, n_rounds=2), digits, "random", 0)
    picks = rounds.arrays["picks"]
    assert len(np.unique(picks)) == len(picks) == 20
    assert picks[:10].tolist() == once.arrays["picks"][:10].tolist()
    assert picks[10:].tolist() != once.arrays["picks"][10:].tolist()


@pytest.mark.parametrize(("n_rounds", "error"), [(0, TypeError), (2.0, TypeError), (3, ValueError)])
def test_rounds_that_cannot_be_are_refused(study, n_rounds, error):
    with pytest.raises(error, match="n_rounds is"):
        replace(study, n_rounds=n_rounds)


def test_a_round_that_is_not_there_is_refused(study, digits):
    with pytest.raises(ValueError, match="round_number is 2; give 1 to 1"):
        run(study, digits, "entropy", 0, 2)


def test_features_of_the_pool_give_the_base_models_probabilities_and_are_kept(study, digits, fits):
    base = run(study, digits, "original_label", 0)
    features = pool_features(study, digits, 0)
    parts = split(digits, 60)
    model = study_module.fit(
        parts.labelled.images, parts.labelled.labels, study.recipes["original_label"], 0, "cpu", n_classes=10
    )
    logits = features.astype(np.float32) @ model.classifier.weight.detach().numpy().T
    np.testing.assert_allclose(softmax(logits, axis=1), base.arrays["pool_probabilities"], atol=0.01)
    n = len(fits)
    assert np.array_equal(pool_features(study, digits, 0), features)
    assert len(fits) == n


def first(pool, k, generator):
    """The k positions that come first."""
    return np.arange(k)


def last(pool, k, generator):
    """The k positions that come last."""
    return np.arange(len(pool.probabilities))[-k:]


def test_a_sampler_of_ones_own_is_an_experiment_and_done_again_when_it_changes(study, digits, fits, monkeypatch):
    monkeypatch.setitem(study_module.SAMPLERS, "mine", first)
    done = run(study, digits, "mine", 0)
    assert done.arrays["picks"].tolist() == list(range(20))
    assert done.record["identity"]["recipe"] == run(study, digits, "random", 0).record["identity"]["recipe"]
    n = len(fits)
    assert results(study, digits, ("mine",))["experiment"].tolist() == ["mine", "mine"]
    assert len(fits) == n + 2  # the base model and the run of the other seed
    monkeypatch.setitem(study_module.SAMPLERS, "mine", last)
    assert run(study, digits, "mine", 0).arrays["picks"].tolist() == list(range(1217, 1237))


def test_a_sampler_whose_text_cannot_be_read_is_refused(study, digits, monkeypatch):
    monkeypatch.setitem(study_module.SAMPLERS, "entropy", first)
    with pytest.raises(ValueError, match="entropy was replaced by another sampler; give yours a name of its own"):
        run(study, digits, "entropy", 0)
    monkeypatch.setitem(study_module.SAMPLERS, "mine", partial(first))
    with pytest.raises(ValueError, match=r"mine is functools.partial.*; write a function with def"):
        run(study, digits, "mine", 0)
