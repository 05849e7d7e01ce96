"""The protocol as data, and one run of it: split, fit, predict the pool, sample, fit again, score, record."""

import platform
import time
from dataclasses import asdict, dataclass, fields
from datetime import date
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import yaml
from IPython import get_ipython
from sklearn.metrics import accuracy_score, f1_score

from alkit import ROOT, __version__, store
from alkit.data import Dataset, class_counts, split
from alkit.recipe import Recipe
from alkit.samplers import SAMPLERS, Pool, sample
from alkit.store import Run
from alkit.training import choose_device, choose_precision, fit, predict_proba

PROFILES = ROOT / "notebooks" / "profiles"
EXPERIMENTS = ("original_label", *SAMPLERS, "full_training_set")
# Raise it with every change of the kit that changes a run's numbers: older records then no longer count. The hash of a
# run sees all parameters and the data, but no edit of network.py, training.py or samplers.py.
PROTOCOL = 3


@dataclass(frozen=True)
class Study:
    """Everything a study is: which data, how many images, which seeds, and how each experiment is trained.

    data: what `alkit.data.load` takes. n_labelled: images labelled at the start. n_query: images each strategy picks.
    seeds: one base model and one run of every experiment for each. device: what `choose_device` takes. recipes: one
    for each of EXPERIMENTS. Raises TypeError or ValueError for a value of the wrong type or out of range.
    """

    profile: str
    data: str
    n_labelled: int
    n_query: int
    seeds: tuple[int, ...]
    device: str
    recipes: dict[str, Recipe]

    def __post_init__(self):
        for name in ("profile", "data", "device"):
            if not isinstance(getattr(self, name), str):
                raise TypeError(f"{name} is {getattr(self, name)!r}; give a text.")
        for name in ("n_labelled", "n_query"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise TypeError(f"{name} is {value!r}; give a whole number of at least 1.")
        listed = self.seeds if isinstance(self.seeds, tuple) else ()
        whole = all(type(seed) is int and seed >= 0 for seed in listed)
        if not listed or not whole or len(set(listed)) < len(listed):
            raise TypeError(f"seeds is {self.seeds!r}; give distinct whole numbers from 0, such as [0, 1, 2].")


def load_study(profile: str = "quick", **changes) -> Study:
    """Read a profile and replace what is given and not None.

    `profile` is the name of a file in notebooks/profiles or the path of one. `recipes` maps "default" or an experiment
    to the hyper-parameters that differ; the default's hold for all experiments. Raises FileNotFoundError, TypeError or
    ValueError for a profile, a name or a value that is not accepted, in a notebook also for a parameter that papermill
    injected and no notebook knows.
    """
    values = read_profile(profile)
    names = {field.name for field in fields(Study)}
    changes = {name: value for name, value in changes.items() if value is not None}
    unknown = (set(changes) | set(values)) - names | _unknown_parameters()
    if unknown or names - set(values):
        problem = f"unknown parameters {sorted(unknown)}" if unknown else f"no {', '.join(sorted(names - set(values)))}"
        raise ValueError(f"Profile {profile} has {problem}; a study has {', '.join(sorted(names))}.")
    given = {"default": {}} | values["recipes"]
    changed = changes.pop("recipes", {})
    for recipes in (given, changed):
        if not isinstance(recipes, dict) or not all(isinstance(recipe, dict) for recipe in recipes.values()):
            raise TypeError(f'recipes is {recipes!r}; give a mapping such as {{"default": {{"epochs": 10}}}}.')
    given |= {kind: given.get(kind, {}) | recipe for kind, recipe in changed.items()}
    values |= changes
    if isinstance(values["seeds"], list):
        values["seeds"] = tuple(values["seeds"])
    return Study(**values | {"recipes": _recipes(given)})


def read_profile(profile: str) -> dict:
    """Return the parameters in a profile, by its name or path; its `profile` entry has to be the file's name.

    Raises FileNotFoundError or ValueError for a profile that is not there or does not say what it is.
    """
    path = Path(profile) if Path(profile).suffix == ".yaml" else PROFILES / f"{profile}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in PROFILES.glob("*.yaml")))
        raise FileNotFoundError(f"profile is {str(profile)!r}; give {known} or the path of a .yaml file.")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is no YAML file: {' '.join(str(error).split())}.") from error
    if (
        not isinstance(values, dict)
        or values.get("profile") != path.stem
        or not isinstance(values.get("recipes"), dict)
    ):
        raise ValueError(f"{path} needs an entry `profile: {path.stem}` and a mapping `recipes`.")
    return values


def run(study: Study, dataset: Dataset, experiment: str, seed: int) -> Run:
    """Do one experiment with one seed, or read it if it was done before.

    The record holds macro F1 and accuracy on the test set, F1 and picks for each class, what it was run on and how; the
    arrays `test_probabilities`, and `pool_probabilities` (original_label) or `picks` (positions in the pool, most
    informative first). The pool is predicted from each image as it is, the test set as an average over its views.
    Raises ValueError for an unknown experiment or sizes that the data set cannot give.
    """
    if experiment not in EXPERIMENTS:
        raise ValueError(f"experiment is {experiment!r}; give one of {', '.join(EXPERIMENTS)}.")
    name = store.key(identity(study, dataset, experiment, seed))
    return store.read(name) or _run(study, dataset, experiment, seed, name)


def results(study: Study, dataset: Dataset, experiments: tuple[str, ...] = EXPERIMENTS) -> pd.DataFrame:
    """Run, or read, the experiments with every seed; one row a run, columns as in the report's results.csv."""
    records = [run(study, dataset, experiment, seed).record for seed in study.seeds for experiment in experiments]
    columns = [
        "experiment", "seed", "n_train", "f1", "accuracy", "seconds", "dataset", "fingerprint", "device", "precision",
        "profile", "versions", "day",
    ]  # fmt: skip
    return pd.DataFrame(records).assign(profile=study.profile, dataset=dataset.name)[columns]


def identity(study: Study, dataset: Dataset, experiment: str, seed: int) -> dict:
    """Everything that can change the numbers of a run."""
    device = choose_device(study.device)
    what = {
        "protocol": PROTOCOL,
        "fingerprint": dataset.fingerprint,
        "experiment": experiment,
        "seed": seed,
        "recipe": asdict(study.recipes[experiment]),
        "device": device.type,
        "precision": choose_precision(device),
    }
    if experiment != "full_training_set":
        what["n_labelled"] = study.n_labelled
    if experiment in SAMPLERS:
        what |= {"n_query": study.n_query, "base": identity(study, dataset, "original_label", seed)}
    return what


def run_on(results: pd.DataFrame) -> str:
    """Say in one line what results were measured on."""

    def values(column):
        return ", ".join(map(str, results[column].unique()))

    return (
        f"{values('dataset')}; profile {values('profile')}; seeds {values('seed')}; {values('device')}, "
        f"{values('precision')}; {values('versions')}; {results['day'].max()}"
    )


def _run(study: Study, dataset: Dataset, experiment: str, seed: int, name: str) -> Run:
    parts = split(dataset, study.n_labelled)
    device = choose_device(study.device)
    precision = choose_precision(device)
    recipe = study.recipes[experiment]
    arrays, picked = {}, np.empty(0, np.int64)
    train = dataset.train if experiment == "full_training_set" else parts.labelled
    if experiment in SAMPLERS:
        base = run(study, dataset, "original_label", seed)
        picked = sample(experiment, Pool(base.arrays["pool_probabilities"]), study.n_query, seed)
        arrays["picks"] = picked
        train = parts.labelled + parts.pool[picked]
    start = time.perf_counter()
    n_classes = len(dataset.class_names)
    model = fit(
        train.images, train.labels, recipe, seed, study.device,
        n_classes=n_classes, precision=precision, progress=f"{experiment}, seed {seed}",
    )  # fmt: skip
    if experiment == "original_label":
        arrays["pool_probabilities"] = predict_proba(model, parts.pool.images, precision=precision)
    arrays["test_probabilities"] = predict_proba(
        model, parts.test.images, flip=recipe.flip, shift=min(recipe.shift, 1), precision=precision
    )
    predicted = arrays["test_probabilities"].argmax(1)
    record = {
        "experiment": experiment,
        "seed": seed,
        "f1": float(f1_score(parts.test.labels, predicted, average="macro")),
        "accuracy": float(accuracy_score(parts.test.labels, predicted)),
        "f1_per_class": f1_score(parts.test.labels, predicted, average=None).tolist(),
        "picks_per_class": class_counts(parts.pool[picked], n_classes).tolist(),
        "n_train": len(train),
        "seconds": round(time.perf_counter() - start, 2),
        "dataset": dataset.name,
        "fingerprint": dataset.fingerprint,
        "device": f"cuda ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else device.type,
        "precision": precision,
        "versions": versions(),
        "day": date.today().isoformat(),
        "identity": identity(study, dataset, experiment, seed),
    }
    store.write(name, Run(record, arrays))
    return Run(record, arrays)


def versions() -> str:
    """The versions that a number depends on, in one line."""
    packages = " ".join(f"{package} {version(package)}" for package in ("torch", "numpy", "scikit-learn"))
    return f"python {platform.python_version()} {packages} alkit {__version__}"


def _recipes(given: dict[str, dict]) -> dict[str, Recipe]:
    unknown = set(given) - {"default", *EXPERIMENTS}
    known = {field.name for field in fields(Recipe)}
    unknown |= {name for recipe in given.values() for name in recipe} - known
    if unknown:
        raise ValueError(
            f"recipes name {sorted(unknown)}; give default or {', '.join(EXPERIMENTS)}, each with some of "
            f"{', '.join(sorted(known))}."
        )
    return {experiment: Recipe(**given["default"] | given.get(experiment, {})) for experiment in EXPERIMENTS}


def _unknown_parameters() -> set[str]:
    """What papermill injected into this notebook though its parameters cell lacks it; papermill itself only warns."""
    shell = get_ipython()
    cells = shell.user_ns.get("In", []) if shell else []
    unknown = set()
    for declared, injected in pairwise(cells):
        if injected.startswith("# Parameters\n"):
            names = [set(compile(cell, "cell", "exec").co_names) for cell in (injected, declared)]
            unknown |= names[0] - names[1]
    return unknown
