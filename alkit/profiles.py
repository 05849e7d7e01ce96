"""Profiles: papermill parameter files, each of which describes a study."""

import sys
from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import yaml

from alkit import ROOT
from alkit.data import Dataset
from alkit.loading import arrays_of, load
from alkit.recipe import Recipe
from alkit.records import versions
from alkit.study import EXPERIMENTS, Study
from alkit.training import choose_device, new_network

PROFILES = ROOT / "notebooks" / "profiles"


class _Loader(yaml.SafeLoader):
    """Refuses what YAML lets through: a key twice, of which one would count, and aliases, of which few can be huge."""

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError(f"an alias{self.peek_event().start_mark}; write what it stands for")
        if isinstance(index, yaml.Node) and index.value in [key.value for key, _ in parent.value]:  # it is a key
            raise yaml.YAMLError(f"{index.value} a second time{index.start_mark}")
        return super().compose_node(parent, index)


class ParameterError(ValueError):
    """A parameter that cannot be used; in a notebook its sentence stands alone, without a traceback."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


def open_study(profile: str = "quick", **changes) -> Study:
    """`load_study` for a notebook: says what the study is, with which versions; raises all errors as ParameterError."""
    try:
        study = load_study(profile, **changes)
        if study.dataset.trains:  # published runs need no device to be read
            choose_device(study.device)
    except (ValueError, TypeError, OSError) as error:
        raise ParameterError(f"{error}") from None
    sizes = f"{len(study.labelled)} labelled, {len(study.pool)} in the pool, {len(study.test)} to test on"
    learned = "" if study.test.features is None else f"; models learn from {study.test.features.shape[1]} features"
    print(f"{versions()}\n{study.dataset.name}: {sizes}{learned}")
    return study


def load_study(profile: str = "quick", **changes) -> Study:
    """Read a profile, replace what is given and not None, and load its data.

    `profile` is the name of a file in notebooks/profiles or the path of one. `recipes` maps "default" or an experiment
    to the hyper-parameters that differ; the default's hold for all experiments, also where the profile has others.
    `weights` is a file of `alkit features`, seen from the profile's or the project's folder, to go on from.
    `seeds` may be a list, a range or how many: 3 is 0, 1, 2.
    Raises FileNotFoundError, TypeError or ValueError for a profile, a name or a value that is not accepted, in a
    notebook also for a parameter that papermill injected and no notebook knows, and what `load` and `Study` raise.
    """
    values = read_profile(profile)
    recipes = values["recipes"], changes.pop("recipes", None) or {}
    names = {field.name for field in fields(Study)} - {"dataset", "n_rounds", "order"} | {"data", "weights"}
    unknown = (set(changes) | set(values)) - names | _unknown_parameters(values)
    if unknown or (missing := {"data", "n_labelled", "n_query", "seeds"} - set(values)):
        problem = f"unknown parameters {sorted(map(str, unknown))}" if unknown else f"no {', '.join(sorted(missing))}"
        raise ValueError(f"Profile {profile} has {problem}; a study has {', '.join(sorted(names))}.")
    values |= {name: value for name, value in changes.items() if value is not None}
    seeds, source, weights = values["seeds"], values.pop("data"), values.pop("weights", "")
    seeds = range(seeds) if type(seeds) is int else seeds.tolist() if isinstance(seeds, np.ndarray) else seeds
    if not isinstance(seeds, list | tuple | range) or not isinstance(source, str):
        raise TypeError(f"seeds is {seeds!r}, data is {source!r}; give a list or how many, and a text.")
    if not seeds or seeds[1000:]:
        raise ValueError(f"seeds is {values['seeds']!r}; give 1 to 1,000 of them.")
    values |= {"seeds": tuple(seeds), "recipes": recipes_of(*recipes)}
    return Study(dataset=with_weights(load(source), weights, profile, values["recipes"]), **values)


def with_weights(dataset: Dataset, source: str | None, profile: str, recipes: dict[str, Recipe]) -> Dataset:
    """A data set with weights of `alkit features`, if any, that fit the recipes; raises ValueError for others."""
    if source in ("", None):
        return dataset
    if not (weights := arrays_of(weights_path(str(source), profile), weights=True)):
        raise ValueError(f"weights is {source!r}, which holds none; give a file that `alkit features` wrote.")
    for width in {recipe.width for recipe in recipes.values()}:
        new_network(dataset.train.inputs[:2], 2, width, 0, weights)
    return replace(dataset, name=f"{dataset.name}, from weights", weights=weights)


def weights_path(source: str, profile: str) -> Path:
    """Where a profile's weights are: beside it, or seen from the project's folder, wherever one works."""
    beside = profile_path(profile).resolve().parent / source
    return beside if beside.exists() else ROOT / source


def read_profile(profile: str) -> dict:
    """The parameters in a profile, by name or path; raises FileNotFoundError, or ValueError for what is no profile."""
    path = profile_path(profile)
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in PROFILES.glob("*.yaml")))
        raise FileNotFoundError(f"profile is {str(profile)!r}; give {known} or the path of a .yaml file.")
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except Exception as error:  # not only YAML's own
        raise ValueError(f"{path} cannot be read as YAML in UTF-8: {' '.join(str(error).split())}.") from error
    named = isinstance(values, dict) and str(values.get("profile")) == path.stem
    if not named or not isinstance(values.get("recipes"), dict):
        raise ValueError(f"{path} needs an entry `profile: {path.stem}` and a mapping `recipes`.")
    return values | {"profile": path.stem}


def profile_path(profile: str) -> Path:
    """The file of a profile, by its name or path; capital letters in a name do not matter."""
    path = Path(str(profile).strip())
    return path if path.suffix in (".yaml", ".yml") else PROFILES / f"{path.name.lower()}.yaml"


def recipes_of(*given: dict[str, dict]) -> dict[str, Recipe]:
    """The recipe of each experiment; what is given later counts."""
    for recipes in given:
        if not isinstance(recipes, dict) or not all(isinstance(each, dict) for each in recipes.values()):
            raise TypeError(f'recipes is {recipes!r}; give a mapping such as {{"default": {{"epochs": 10}}}}.')
    known, kinds = [field.name for field in fields(Recipe)], ["default", *EXPERIMENTS]
    unknown = {kind for recipes in given for kind in recipes} - set(kinds)
    unknown |= {name for recipes in given for recipe in recipes.values() for name in recipe} - set(known)
    if unknown:
        accepted = f"{', '.join(kinds)}, each with some of {', '.join(known)}"
        raise ValueError(f"recipes name {sorted(map(str, unknown))}; give {accepted}.")
    layers = {each: [recipes.get(kind, {}) for recipes in given for kind in ("default", each)] for each in EXPERIMENTS}
    return {each: Recipe(**{name: own[name] for own in layers[each] for name in own}) for each in EXPERIMENTS}


def _unknown_parameters(profile: dict) -> set[str]:
    """What papermill injected unlike the profile and without a place in the parameters cell; papermill only warns."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    own = shell and profile["profile"] == profile_path(shell.user_ns.get("profile", "")).stem  # and no other's
    cells, unknown = shell.user_ns.get("In", []) if own else [], set()
    for declared, injected in pairwise(cells):
        if injected.startswith("# Parameters\n"):
            names = [set(compile(cell, "cell", "exec").co_names) for cell in (injected, declared)]
            unknown |= {name for name in names[0] - names[1] if shell.user_ns[name] != profile.get(name)}
    return unknown
