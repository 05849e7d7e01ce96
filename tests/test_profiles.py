"""Profiles: what a study is made from, what replaces it, and what is refused."""

from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import TINY

from alkit import ROOT
from alkit.profiles import PROFILES, ParameterError, load_study, open_study, read_profile, write_profile
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


@pytest.mark.parametrize("seeds", [3, [0, 1, 2], (0, 1, 2), range(3)])
def test_seeds_are_a_list_or_a_range_or_how_many(seeds):
    assert load_study("quick", seeds=seeds).seeds == (0, 1, 2)


def test_a_changed_default_holds_where_the_profile_spells_out_each_recipe(tmp_path, cifar10):
    original = load_study("cifar10")
    write_profile(tmp_path / "mine.yaml", original, "cifar10", "each recipe whole")
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
    write_profile(tmp_path / "folder" / "mine.yaml", changed, "digits", "a comment")
    text = (tmp_path / "folder" / "mine.yaml").read_text(encoding="utf-8")
    assert text.startswith("# a comment\n")
    read = load_study(str(tmp_path / "folder" / "mine.yaml"))
    assert read.dataset.fingerprint == changed.dataset.fingerprint
    assert replace(read, dataset=changed.dataset) == replace(changed, profile="mine")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"n_lablled": 3}, "n_lablled"),
        ({"n_query": "5000"}, "n_query is '5000'"),
        ({"n_query": 0}, "n_query is 0"),
        ({"n_query": True}, "n_query is True"),
        ({"n_query": 5000}, "n_query is 5000; give 1 to 1237"),
        ({"n_labelled": 60.0}, "n_labelled is 60.0"),
        ({"n_labelled": 1297}, "n_labelled is 1297"),
        ({"seeds": [0, 0]}, "seeds is"),
        ({"seeds": []}, "seeds is"),
        ({"seeds": 0}, "seeds is"),
        ({"seeds": [-1]}, "seeds is"),
        ({"seeds": [2**32]}, "seeds is"),
        ({"seeds": "3"}, "seeds is '3'"),
        ({"device": 1}, "device is 1"),
        ({"data": ["digits"]}, "data is"),
        ({"fidelity": 0}, "fidelity is 0"),
        ({"fidelity": 1.5}, "fidelity is 1.5"),
        ({"n_trials": 0}, "n_trials is 0"),
        ({"n_rounds": 2}, "n_rounds"),
        ({"recipes": "10 epochs"}, "recipes is '10 epochs'"),
        ({"recipes": {"default": None}}, "recipes is {'default': None}"),
        ({"recipes": {"margin": {}}}, "margin"),
        ({"recipes": {"default": {"epoch": 3}}}, "epoch"),
        ({"recipes": {"default": {"epochs": "3"}}}, "recipe.epochs is '3'"),
        ({"recipes": {"default": {"flip": "false"}}}, "recipe.flip is 'false'"),
    ],
    ids=str,
)
def test_wrong_names_and_types_are_refused_and_in_a_notebook_without_a_traceback(changes, named):
    with pytest.raises((ValueError, TypeError)) as refusal:
        load_study("quick", **changes)
    assert named in str(refusal.value)
    with pytest.raises(ParameterError) as in_notebook:
        open_study("quick", **changes)
    # What IPython shows of an error that says how it is to be shown.
    assert in_notebook.value._render_traceback_() == [str(refusal.value)]


def test_open_study_says_what_the_study_is(capsys):
    study = open_study(str(TINY))
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 2
    assert "torch" in printed[0]
    sizes = f"{len(study.labelled)} labelled, {len(study.pool)} in the pool, {len(study.test)} to test on"
    assert printed[1] == f"scikit-learn digits: {sizes}"


def test_a_profile_must_exist_and_be_whole(tmp_path):
    with pytest.raises(FileNotFoundError, match="cifar10, cifar10-fixed, quick, replay"):
        load_study("quik")
    values = yaml.safe_load(TINY.read_text(encoding="utf-8"))
    own = tmp_path / "own.yaml"
    for content in ("profile: größer".encode("latin-1"), b"profile: [own"):
        own.write_bytes(content)
        with pytest.raises(ValueError, match=r"own\.yaml"):
            load_study(str(own))
    own.write_text(yaml.safe_dump(values))
    with pytest.raises(ValueError, match="profile: own"):
        load_study(str(own))
    dated = tmp_path / "2026-11-24.yaml"  # YAML reads a date
    dated.write_text(TINY.read_text(encoding="utf-8").replace("profile: tiny", "profile: 2026-11-24"))
    assert load_study(str(dated)).profile == "2026-11-24"
    own.write_text(yaml.safe_dump(values | {"profile": "own", "n_quer": 3}))
    with pytest.raises(ValueError, match="n_quer"):
        load_study(str(own))
    del values["n_query"]
    own.write_text(yaml.safe_dump(values | {"profile": "own"}))
    with pytest.raises(ValueError, match="no n_query"):
        load_study(str(own))


def test_a_profile_is_found_whatever_the_case_of_its_name():
    assert load_study(" Quick ").profile == "quick"


def test_the_profiles_are_studies_and_cifar10_has_the_sizes_of_the_report(cifar10):
    names = {path.stem for path in PROFILES.glob("*.yaml")}
    assert {load_study(name).profile for name in names} == names == {"quick", "cifar10", "cifar10-fixed", "replay"}
    study = load_study("cifar10")
    assert (read_profile("cifar10")["data"], study.n_labelled, study.n_query) == ("cifar10", 1000, 5000)


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
