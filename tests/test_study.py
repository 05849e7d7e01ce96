"""The protocol: what a run records, what is shared and read again, what strategies see, and which runs are found."""

import json
import pickle
import subprocess
import sys
from dataclasses import asdict, dataclass, replace
from shutil import copytree

import numpy as np
import pytest
from conftest import in_a_cell
from scipy.spatial.distance import cdist
from scipy.stats import entropy
from skactiveml.pool import CoreSet

from alkit import ROOT, strategies
from alkit.data import Dataset, Images, reveal
from alkit.profiles import load_study
from alkit.recipe import Recipe
from alkit.records import key
from alkit.samplers import sample
from alkit.strategies import bald
from alkit.study import EXPERIMENTS
from alkit.training import fit, predict_features, predict_proba


def model_of(study, experiment, seed, train):
    return fit(train, study.recipe(experiment), seed, "cpu", n_classes=10)


def same(run, other, apart=("seconds", "day")):
    """Whether two runs are the same to the bit, but for the time they took."""
    assert run.keys() - set(apart) == other.keys() - set(apart)
    return all(np.array_equal(run[name], other[name]) for name in run.keys() - set(apart))


def files(folder):
    return {path: path.stat().st_mtime_ns for path in folder.iterdir()}


# Runs and their records.


def test_a_study_is_one_run_an_experiment_and_seed_and_is_then_read(finished, tiny_store):
    before = files(tiny_store)
    table = finished.results()
    assert table["experiment"].tolist() == list(EXPERIMENTS) * 2
    assert table["seed"].tolist() == [0] * 6 + [1] * 6
    assert table["n_train"].tolist() == [60, 80, 80, 80, 80, 1297] * 2
    assert finished.results().equals(table)
    assert files(tiny_store) == before
    assert all(finished.is_done(experiment, seed) for experiment in EXPERIMENTS for seed in (0, 1))
    assert not finished.is_done("random", 77)  # which no other test does here


def test_scores_follow_from_the_kept_probabilities(finished, digits):
    for experiment in ("original_label", "entropy"):
        done = finished.run(experiment, 0)
        predicted, labels = done["test_probabilities"].argmax(1), digits.test.labels
        hits = np.zeros((10, 10))
        np.add.at(hits, (labels, predicted), 1)
        of_class = 2 * hits.diagonal() / (hits.sum(0) + hits.sum(1))  # 2 TP / (2 TP + FP + FN)
        np.testing.assert_allclose(done["f1_per_class"], of_class)
        assert done["f1"] == pytest.approx(of_class.mean())
        assert done["accuracy"] == pytest.approx(np.mean(predicted == labels))


@pytest.mark.parametrize("experiment", ["original_label", "entropy", "full_training_set"])
def test_an_experiment_trains_on_what_it_says(finished, digits, experiment):
    done = finished.run(experiment, 1)
    picks = reveal(finished.pool, done.get("picks", np.empty(0, int)))
    train = digits.train if experiment == "full_training_set" else finished.labelled + picks
    assert done["n_train"] == len(train)
    model = model_of(finished, experiment, 1, train)
    expected = predict_proba(model, digits.test.images, **finished.recipe(experiment).views())
    np.testing.assert_array_equal(done["test_probabilities"], expected)


def test_another_seed_is_another_network(finished):
    one, other = (finished.run("original_label", seed)["test_probabilities"] for seed in (0, 1))
    assert not np.array_equal(one, other)


def test_the_test_set_is_averaged_over_views_and_the_pool_is_not(finished):
    recipe = replace(finished.recipes["original_label"], flip=True, shift=2)
    study = replace(finished, recipes=finished.recipes | {"original_label": recipe})
    done, model = study.run("original_label", 0), model_of(study, "original_label", 0, study.labelled)
    of_test = predict_proba(model, study.test.images, flip=True, shift=1)
    np.testing.assert_array_equal(done["test_probabilities"], of_test)
    np.testing.assert_array_equal(done["pool_probabilities"], predict_proba(model, study.pool.images))


def test_picks_are_those_of_the_shared_base_model(finished):
    base = finished.run("original_label", 1)["pool_probabilities"]
    done = finished.run("least_certainty", 1)
    assert base.shape == (1237, 10)
    assert done["picks"].tolist() == np.argsort(base.max(1).astype(float), kind="stable")[:20].tolist()
    assert done["picks_per_class"] == np.bincount(finished.pool.labels[done["picks"]], minlength=10).tolist()
    assert finished.run("random", 0)["picks"].tolist() != finished.run("random", 1)["picks"].tolist()


def test_a_record_says_what_it_was_run_on(finished, digits):
    done = finished.run("random", 0)
    expected = {"dataset": "scikit-learn digits", "fingerprint": digits.fingerprint, "experiment": "random", "seed": 0}
    expected |= {"device": "cpu", "n_train": 80, "threads": 1}
    assert expected.items() <= done.items()
    assert done["precision"] in ("fp32", "bf16")
    assert {"python", "torch", "numpy", "scikit-learn", "alkit"} <= set(done["versions"].split())
    assert done["config"]["recipe"]["epochs"] == 2
    # Nothing in it is more than a reader of JSON and arrays knows.
    json.dumps({name: value for name, value in done.items() if not isinstance(value, np.ndarray)})


def test_an_interrupted_study_resumes_and_ends_the_same(finished, tiny_store, records, monkeypatch):
    class Control:
        stop = True

    def stopped(pool, n_query, generator):
        if Control.stop:
            raise KeyboardInterrupt
        return np.arange(n_query)

    names = ("original_label", "random", stopped, "entropy")
    monkeypatch.setenv("ALKIT_RECORDS", str(records))
    with pytest.raises(KeyboardInterrupt):
        finished.results(names)
    begun = files(records)
    assert 2 * 2 <= len(begun) < 2 * 8
    Control.stop = False
    resumed = finished.results(names)
    assert begun.items() <= files(records).items()
    assert resumed["n_train"].tolist() == [60, 80, 80, 80] * 2
    monkeypatch.setenv("ALKIT_RECORDS", str(tiny_store))
    for name in ("original_label", "random", "entropy"):
        assert resumed[resumed["experiment"] == name]["f1"].tolist() == [
            finished.run(name, seed)["f1"] for seed in (0, 1)
        ]


@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_a_damaged_run_is_done_again_with_the_same_numbers(study, records, suffix):
    first = study.run("original_label", 0)
    (file,) = records.glob(f"*{suffix}")
    file.write_bytes(file.read_bytes()[:-50])
    assert same(study.run("original_label", 0), first, ("seconds", "day", "config"))
    assert file.stat().st_size > 50


def test_where_no_record_can_be_kept_nothing_is_trained(study, records, monkeypatch):
    records.write_text("a file where the folder should be")
    monkeypatch.setattr("alkit.study.fit", None)
    with pytest.raises(OSError, match="ALKIT_RECORDS"):
        study.run("original_label", 0)
    with pytest.raises(OSError, match="ALKIT_RECORDS"):
        study.results()


def test_a_study_is_sent_to_other_processes_with_its_data_once(study):
    sent = pickle.dumps(study)
    assert len(sent) < 1.1 * sum(part.images.nbytes + part.labels.nbytes for part in (study.dataset.train, study.test))
    arrived = pickle.loads(sent)
    for part, other in zip(study.split, arrived.split, strict=True):
        np.testing.assert_array_equal(part.images, other.images)
    assert arrived.config("entropy", 0) == study.config("entropy", 0)


# What a record is known by.


def test_all_that_changes_a_number_changes_the_name_and_nothing_else_does(study, digits):
    def name(study, experiment="entropy", seed=0):
        return key(study.config(experiment, seed))

    images = digits.train.images.copy()
    images[0, 0, 0, 0] ^= 1
    other_data = Dataset(digits.name, digits.class_names, Images(images, digits.train.labels), digits.test)
    changed = {experiment: study.recipes | {experiment: Recipe(epochs=3)} for experiment in EXPERIMENTS}
    names = [
        name(study),
        name(study, seed=1),
        name(study, experiment="random"),
        name(replace(study, dataset=other_data)),
        name(replace(study, recipes=changed["entropy"])),
        name(replace(study, recipes=changed["original_label"])),
        name(replace(study, n_query=21)),
        name(replace(study, n_labelled=61)),
        name(replace(study, n_rounds=2)),
        name(replace(study, n_rounds=4)),
        name(replace(study, order=1)),
        name(replace(study, device="auto")),
    ]
    assert len(set(names)) == len(names)
    neutral = {"seeds": (5,), "profile": "x", "n_trials": 9, "fidelity": 0.5, "recipes": changed["random"]}
    assert name(replace(study, **neutral, dataset=replace(digits, name="renamed"))) == names[0]
    for experiment, neutral in {
        "original_label": {"n_query": 21, "n_rounds": 3, "recipes": changed["entropy"]},
        "full_training_set": {"n_labelled": 61, "n_query": 21, "n_rounds": 3, "recipes": changed["original_label"]},
    }.items():
        assert name(replace(study, **neutral), experiment) == name(study, experiment)


def test_a_renamed_data_set_reads_its_runs_under_the_new_name(finished, tiny_store, digits):
    before = files(tiny_store)
    renamed = replace(finished, dataset=replace(digits, name="renamed")).results(("original_label",))
    assert renamed["dataset"].unique() == ["renamed"]
    assert files(tiny_store) == before


# Each alone, in a copy of the package: what is replaced in a module, or added at its end, and whether runs are found.
DECAY = "colour: float = 0.0\n    decay: float = 0.0\n"
FIRST = "\n\ndef first(pool, n_query, generator):\n    return np.arange(n_query)\n\n\nSAMPLERS['first'] = first\n"
FORWARD = "def forward(self, images: torch.Tensor) -> torch.Tensor:\n"
EDITS = {
    "nothing": ("network.py", "", "", True),
    "a hyper-parameter": ("recipe.py", "colour: float = 0.0\n", DECAY, True),
    "a strategy": ("samplers.py", "", FIRST, True),
    "a column": ("study.py", "versions day", "versions day watts", True),
    "a result": ("study.py", '"experiment": name_of', '"watts": 9, "experiment": name_of', True),
    "a comment": ("network.py", "class Network", "# A comment.\nclass Network", True),
    "a docstring": ("training.py", '"""Return what the last layer', '"""Give what the last layer', True),
    "a new docstring": ("network.py", FORWARD, f'{FORWARD}        """Logits."""\n', True),
    "the layout": ("network.py", "self.classifier(self", "self.classifier(\n            self", True),
    "network": ("network.py", "functional.gelu(x)", "functional.relu(x)", False),
    "augmentation": ("augmentation.py", "128", "127", False),
    "optimizer": ("network.py", "mean.lerp_(matrix.grad, 0.4)", "mean.lerp_(matrix.grad, 0.3)", False),
    "training": ("training.py", "0.2 * n_steps", "0.3 * n_steps", False),
    "the rule for ties": ("samplers.py", "np.round(scores, 12)", "np.round(scores, 11)", None),
}
LOOK_UP = """
import json, sys
from dataclasses import replace
from pathlib import Path

def look_up(folder, names=("original_label", "random", "entropy", "full_training_set")):
    for name in [name for name in sys.modules if name.split(".")[0] == "alkit"]:
        del sys.modules[name]
    sys.path[0] = folder
    import alkit
    assert Path(alkit.__file__).is_relative_to(folder)
    alkit.ROOT = Path(sys.argv[1])  # of profiles and published runs
    from alkit.profiles import load_study
    study = load_study("replay")
    found = {name: sum(study.is_done(name, seed) for seed in study.seeds) for name in names}
    try:
        table = replace(study, seeds=study.seeds[:2]).results(names)
    except ValueError as error:
        return found | {"refused": str(error)}
    return found | {"f1": table["f1"].tolist(), "columns": list(table)}

print(json.dumps({folder: look_up(folder) for folder in sys.argv[2:]}))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What each edit finds of the published runs."""
    folders = {}
    for name, (file, old, new, _) in EDITS.items():
        folders[name] = tmp_path_factory.mktemp("copy")
        copytree(ROOT / "alkit", folders[name] / "alkit")
        path = folders[name] / "alkit" / file
        text = path.read_text(encoding="utf-8")
        assert old in text, name
        path.write_text(text.replace(old, new) if old else text + new, encoding="utf-8")
    command = [sys.executable, "-c", LOOK_UP, str(ROOT), *map(str, folders.values())]
    done = subprocess.run(command, cwd=folders["nothing"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    return {name: found[str(folder)] for name, folder in folders.items()}


@pytest.mark.xdist_group("edits")
@pytest.mark.parametrize("edit", EDITS)
def test_published_runs_are_found_after_an_edit_that_changes_no_number_and_only_then(found, edit):
    *_, kept = EDITS[edit]
    names = ("original_label", "random", "entropy", "full_training_set")
    # The rule for ties is that of the strategies which rank.
    expected = {name: 7 * (name != "entropy" if kept is None else kept) for name in names}
    assert {name: found[edit][name] for name in names} == expected
    if kept:
        assert found[edit]["f1"] == found["nothing"]["f1"]
        assert ("watts" in found[edit]["columns"]) == (edit == "a column")
    else:
        assert "not among the published runs" in found[edit]["refused"]


@dataclass(frozen=True)
class Extended(Recipe):
    decay: float = 0.0


def test_a_new_hyper_parameter_at_its_default_is_the_old_recipe_and_another_value_is_not(finished):
    extended = {name: Extended(**asdict(recipe)) for name, recipe in finished.recipes.items()}
    study = replace(finished, recipes=extended)
    assert study.results().equals(finished.results())
    changed = replace(study, recipes=extended | {"entropy": replace(extended["entropy"], decay=0.1)})
    assert not changed.is_done("entropy", 0)


def test_published_runs_train_nothing(records):
    study = load_study("replay")
    assert len(study.results()) == 7 * len(EXPERIMENTS)
    assert not records.exists()
    assert not study.is_done("original_label", 9)
    with pytest.raises(ValueError, match="seed 9 is not among the published runs"):
        study.run("entropy", 9)


# What strategies see.


def test_features_of_a_view_are_those_of_a_model_fitted_anew(finished):
    view, model = finished.view(1), model_of(finished, "original_label", 1, finished.labelled)
    np.testing.assert_array_equal(view.features, predict_features(model, finished.pool.images))
    np.testing.assert_array_equal(view.labelled_features, predict_features(model, finished.labelled.images))
    np.testing.assert_array_equal(view.probabilities, predict_proba(model, finished.pool.images))


def test_published_features_are_those_of_the_pool_for_the_first_seed():
    study = load_study("replay")
    assert study.view(0).features.shape == (len(study.pool), 32)
    with pytest.raises(ValueError, match="published without"):
        _ = study.view(1).features


def test_rounds_pick_from_what_is_left_by_the_model_of_the_round_before(finished):
    study = replace(finished, n_query=20, n_rounds=4, seeds=(0,))
    curve = study.results(("original_label", "entropy"), every_round=True)
    done, picks = study.run("entropy", 0), np.empty(0, int)
    assert curve["n_train"].tolist() == [60, 65, 70, 75, 80]
    assert curve["f1"].tolist()[1:] == [point["f1"] for point in done["curve"]]
    assert curve["f1"].tolist()[-1] == done["f1"]
    assert len(study.results(("original_label", "entropy"))) == 2
    probabilities = study.run("original_label", 0)["pool_probabilities"]
    for number in range(4):
        p = probabilities.astype(float)
        scores = -np.sum(p * np.log(np.maximum(p, 1e-300)), axis=1)
        scores[picks] = -1
        picks = np.concatenate([picks, np.argsort(-scores.round(12), kind="stable")[:5]])
        assert done["picks"][: len(picks)].tolist() == picks.tolist()
        model = model_of(study, "entropy", 0, study.labelled + study.pool[picks])
        of_test = predict_proba(model, study.test.images, **study.recipe("entropy").views())
        assert done["curve"][number]["accuracy"] == (of_test.argmax(1) == study.test.labels).mean()
        probabilities = predict_proba(model, study.pool.images)
    np.testing.assert_array_equal(done["test_probabilities"], of_test)


def test_one_round_is_the_study_without_rounds_and_its_picks_differ_from_those_in_rounds(finished):
    once = finished.run("random", 0)
    assert same(replace(finished, n_rounds=1).run("random", 0), once, ())
    picks = replace(finished, n_rounds=2).run("random", 0)["picks"]
    assert len(np.unique(picks)) == len(picks) == 20
    assert picks[:10].tolist() == once["picks"][:10].tolist()
    assert picks[10:].tolist() != once["picks"][10:].tolist()


def test_another_order_labels_other_images(finished):
    study = replace(finished, order=1)
    assert not np.array_equal(study.labelled.images, finished.labelled.images)
    done = study.run("original_label", 0)
    model = model_of(study, "original_label", 0, study.labelled)
    np.testing.assert_array_equal(done["pool_probabilities"], predict_proba(model, study.pool.images))


# Strategies of one's own.

CELL = """
FIRST = 0

def mine(pool, n_query, generator):
    return np.arange(FIRST, FIRST + n_query)
"""


def test_a_strategy_of_ones_own_is_an_experiment_and_done_again_only_when_it_changes(finished, tiny_store):
    mine, before = in_a_cell(CELL).mine, files(tiny_store)
    table = finished.results(("random", mine))
    assert table["experiment"].tolist() == ["random", "mine"] * 2
    done = finished.run(mine, 0)
    assert done["picks"].tolist() == list(range(20))
    assert len(files(tiny_store)) == len(before) + 4  # two runs: the base models were there
    # The same in another session, with another remark.
    again = in_a_cell(CELL.replace("    return", "    # The first.\n    return")).mine
    assert same(finished.run(again, 0), done, ())
    changed = in_a_cell(CELL.replace("FIRST = 0", "FIRST = 5")).mine
    assert not finished.is_done(changed, 0)
    assert finished.run(changed, 0)["picks"].tolist() == list(range(5, 25))
    assert same(finished.run(again, 0), done, ())


def test_with_recipe_gives_a_strategy_of_ones_own_a_recipe_and_no_other(finished):
    mine = in_a_cell(CELL).mine
    study = finished.with_recipe(mine, epochs=3)
    assert study.recipe(mine) == replace(finished.recipes["random"], epochs=3)
    assert finished.recipe(mine) == finished.recipes["random"]
    assert [study.recipe(name) for name in EXPERIMENTS] == [finished.recipe(name) for name in EXPERIMENTS]
    train = study.labelled + study.pool[np.arange(20)]
    expected = predict_proba(model_of(study, mine, 0, train), study.test.images, shift=1)
    np.testing.assert_array_equal(study.run(mine, 0)["test_probabilities"], expected)
    assert not np.array_equal(finished.run(mine, 0)["test_probabilities"], expected)
    with pytest.raises(TypeError):
        finished.with_recipe(mine, epoch=3)


def test_wrong_picks_are_refused_before_anything_is_trained_on_them(finished):
    few = in_a_cell(CELL.replace("FIRST + n_query", "n_query - 1")).mine
    with pytest.raises(ValueError, match="20 distinct positions from 0 to 1236"):
        finished.run(few, 0)
    assert not finished.is_done(few, 0)


def k_center(pool, n_query, generator):
    """Greedy k-center (Sener and Savarese 2018): each pick is farthest from all that is labelled or picked."""
    nearest = cdist(pool.features, pool.labelled_features).min(axis=1)
    picks = []
    for _ in range(n_query):
        picks.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, cdist(pool.features, pool.features[picks[-1:]])[:, 0])
    return np.array(picks)


def core_set(features, labelled_features, n_query):
    """What scikit-activeml picks: positions in features."""
    both = np.concatenate([features, labelled_features]).astype(float)
    labels = np.r_[np.full(len(features), np.nan), np.zeros(len(labelled_features))]
    return CoreSet(random_state=0).query(both, labels, batch_size=n_query)


def test_k_center_on_features_picks_what_core_set_of_scikit_activeml_does_with_five_seeds(finished):
    study = replace(finished, seeds=tuple(range(5)))
    assert len(study.results(("random", k_center))) == 10
    for seed in study.seeds:
        view = study.view(seed)
        expected = core_set(view.features, view.labelled_features, 20)
        np.testing.assert_array_equal(study.run(k_center, seed)["picks"], expected)
    assert len({tuple(study.run(k_center, seed)["picks"]) for seed in study.seeds}) == 5


def test_k_center_in_rounds_sees_the_features_of_the_model_of_the_round_before(finished):
    seen, study = [], replace(finished, n_query=21, n_rounds=3)

    def watched_k_center(pool, n_query, generator):
        seen.append((pool.features, pool.labelled_features))
        return k_center(pool, n_query, generator)

    done, picks = study.run(watched_k_center, 1), np.empty(0, int)
    for number, (features, labelled_features) in enumerate(seen):
        left, experiment = np.setdiff1d(np.arange(len(study.pool)), picks), watched_k_center
        known = study.labelled + study.pool[picks]
        model = model_of(study, experiment if number else "original_label", 1, known)
        np.testing.assert_array_equal(features, predict_features(model, study.pool.images[left]))
        np.testing.assert_array_equal(labelled_features, predict_features(model, known.images))
        assert len(labelled_features) == 60 + 7 * number
        picks = np.concatenate([picks, left[core_set(features, labelled_features, 7)]])
    assert len(seen) == 3
    np.testing.assert_array_equal(done["picks"], picks)


def test_an_ensemble_is_the_model_and_those_of_the_next_four_seeds_in_every_round(finished):
    seen, study = [], replace(finished, n_rounds=2)

    def watched_bald(pool, n_query, generator):
        seen.append(pool.ensemble)
        return bald(pool, n_query, generator)

    last = 2**32 - 1
    done, seeds = study.run(watched_bald, last), [last, 0, 1, 2, 3]
    bases = [study.run("original_label", seed)["pool_probabilities"] for seed in seeds]
    np.testing.assert_array_equal(seen[0], bases)
    first = done["picks"][:10]
    left, known = np.setdiff1d(np.arange(len(study.pool)), first), study.labelled + study.pool[first]
    models = [model_of(study, watched_bald, seed, known) for seed in seeds]
    np.testing.assert_array_equal(seen[1], [predict_proba(model, study.pool.images)[left] for model in models])
    for ensemble, positions, picks in (
        (seen[0], np.arange(len(study.pool)), first),
        (seen[1], left, done["picks"][10:]),
    ):
        information = entropy(ensemble.mean(axis=0), axis=1) - entropy(ensemble, axis=2).mean(axis=0)
        np.testing.assert_array_equal(picks, positions[np.argsort(-information)[:10]])


@pytest.mark.parametrize(
    "name", ["power_margin", "class_balanced_margin", "bald", "k_center", "badge", "typiclust", "probcover"]
)
def test_each_strategy_of_the_kit_does_a_run_that_is_read_again(name, finished):
    strategy = getattr(strategies, name)
    done = finished.run(strategy, 0)
    assert done["experiment"] == name and done["n_train"] == 80
    np.testing.assert_array_equal(done["picks"], sample(strategy, finished.view(0), 20, 0))
    assert finished.is_done(strategy, 0)
