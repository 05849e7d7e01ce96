"""Profiles: what a study is made from, what replaces it, and what is refused."""

from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest
from conftest import TINY

from alkit import ROOT
from alkit.commands.publish import write_profile
from alkit.profiles import PROFILES, ParameterError, load_study, open_study, read_profile
from alkit.recipe import Recipe
from alkit.study import EXPERIMENTS


@pytest.fixture
def cifar10(tmp_path, monkeypatch):
    """A data set of the sizes of CIFAR-10's, in the place where the kit keeps it."""
    zeros, labels = np.zeros((50_000, 8, 8), np.uint8), np.arange(50_000) % 10
    (tmp_path / "data").mkdir()
    arrays = {"x_train": zeros, "y_train": labels, "x_test": zeros[:10_000], "y_test": labels[:10_000]}
    np.savez_compressed(tmp_path / "data" / "cifar10.npz", **arrays)


def test_changes_replace_values_of_the_profile():
    study = load_study(
        "quick", n_query=7, seeds=[3], device=None, recipes={"default": {"width": 8}, "random": {"epochs": 5}}
    )
    given = read_profile("quick")
    assert (study.n_query, study.seeds, study.n_labelled) == (7, (3,), given["n_labelled"])
    assert (study.recipes["random"].epochs, study.recipes["random"].width) == (5, 8)
    assert study.recipes["entropy"].epochs == given["recipes"]["default"]["epochs"]
    assert study.recipes["full_training_set"].width == 8


@pytest.mark.parametrize("seeds", [3, [0, 1, 2], (0, 1, 2), range(3), np.arange(3)])
def test_seeds_are_a_list_or_a_range_or_how_many(seeds):
    assert load_study("quick", seeds=seeds).seeds == (0, 1, 2)


def test_a_changed_default_holds_where_the_profile_spells_out_each_recipe(tmp_path, cifar10):
    original = load_study("cifar10")
    write_profile(tmp_path / "mine.yaml", original, {"data": "cifar10"}, "each recipe whole")
    changed = {"default": {"epochs": 3}, "entropy": {"epochs": 4}}
    for profile in ("cifar10", str(tmp_path / "mine.yaml")):
        recipes = load_study(profile, recipes=changed).recipes
        assert {name: recipe.epochs for name, recipe in recipes.items()} == dict.fromkeys(EXPERIMENTS, 3) | {
            "entropy": 4
        }
        assert recipes["original_label"].batch_size == original.recipes["original_label"].batch_size


def test_a_profile_that_was_written_is_the_same_study(tmp_path, study):
    own = replace(study.recipes["random"], colour=0.25, learning_rate=0.04594756367249529)
    changed = replace(study, n_trials=7, fidelity=0.5, seeds=(3, 1), recipes=study.recipes | {"entropy": own})
    write_profile(tmp_path / "folder" / "mine.yaml", changed, {"data": "digits"}, "a comment")
    text = (tmp_path / "folder" / "mine.yaml").read_text(encoding="utf-8")
    assert text.startswith("# a comment\n")
    read = load_study(str(tmp_path / "folder" / "mine.yaml"))
    assert read.dataset.fingerprint == changed.dataset.fingerprint
    assert replace(read, dataset=changed.dataset) == replace(changed, profile="mine")


def test_in_a_notebook_a_sentence_stands_without_a_traceback():
    with pytest.raises(ValueError) as refusal:
        load_study("quick", n_query=0)
    with pytest.raises(ParameterError) as in_notebook:
        open_study("quick", n_query=0)
    # What IPython shows of an error that says how it is to be shown.
    assert in_notebook.value._render_traceback_() == [str(refusal.value)]


def test_a_device_is_looked_for_before_a_notebook_trains_and_not_to_read_published_runs(study):
    with pytest.raises(ParameterError, match="device is 'gpu'"):
        open_study("quick", device="gpu")
    assert load_study("quick", device="gpu").device == "gpu"  # which a cluster may have
    assert open_study("replay", device="gpu").device == "gpu"


def test_open_study_says_what_the_study_is(capsys):
    study = open_study(str(TINY))
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 2
    assert "torch" in printed[0]
    sizes = f"{len(study.labelled)} labelled, {len(study.pool)} in the pool, {len(study.test)} to test on"
    assert printed[1] == f"scikit-learn digits: {sizes}"


def test_a_name_may_be_a_date(tmp_path):
    dated = tmp_path / "2026-11-24.yaml"  # as YAML reads it
    dated.write_text(TINY.read_text(encoding="utf-8").replace("profile: tiny", "profile: 2026-11-24"))
    assert load_study(str(dated)).profile == "2026-11-24"


def test_a_profile_is_found_whatever_the_case_of_its_name():
    assert load_study(" Quick ").profile == "quick"


def test_the_profiles_are_studies_and_cifar10_has_the_sizes_of_the_report(cifar10):
    names = {path.stem for path in PROFILES.glob("*.yaml")}
    assert names == {"quick", "cifar10", "cifar10-fixed", "cifar10-pretrained", "live", "replay"}
    on_real_images = {"cifar10-pretrained"}  # its weights are of a network for these
    assert {load_study(name).profile for name in names - on_real_images} == names - on_real_images
    study = load_study("cifar10")
    assert (read_profile("cifar10")["data"], study.n_labelled, study.n_query) == ("cifar10", 1000, 5000)


def test_live_is_the_same_split_of_cifar10_with_features_of_every_image():
    live, replay = load_study("live"), load_study("replay")
    assert live.dataset.trains and not replay.dataset.trains
    assert live.dataset.known_as == replay.dataset.fingerprint != live.dataset.fingerprint
    for part in ("labelled", "pool", "test"):
        np.testing.assert_array_equal(getattr(live, part).labels, getattr(replay, part).labels)
        assert getattr(live, part).inputs.shape == (len(getattr(replay, part)), 256)
    assert len(live.seeds) == 50 and (live.n_labelled, live.n_query) == (1000, 5000)
    assert live.run("original_label", 0)["f1"] > 0.64  # 0.67 on AVX2


def test_replay_has_the_recipes_and_seeds_of_cifar10():
    replay, values = load_study("replay"), read_profile("cifar10")
    assert replay.seeds == tuple(values["seeds"])
    for experiment in EXPERIMENTS:
        given = values["recipes"]["default"] | values["recipes"].get(experiment, {})
        assert replay.recipes[experiment] == Recipe(**given)


def test_cifar10_has_the_recipes_that_the_committed_search_chose():
    tried = pd.read_csv(ROOT / "figures" / "search.csv")
    tried = tried[tried["fidelity"] == tried.groupby("experiment")["fidelity"].transform("max")]
    chosen = tried.loc[tried.groupby("experiment")["validation_f1"].idxmax()].set_index("experiment")
    for experiment, recipe in load_study("replay").recipes.items():
        for name in ("batch_size", "learning_rate", "shift", "cutout", "colour"):
            # Before 3.0 pandas reads some numbers with a last bit that was not written.
            assert chosen.loc[experiment, name] == pytest.approx(asdict(recipe)[name], 1e-12), (experiment, name)
