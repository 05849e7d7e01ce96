"""Profiles: papermill parameter files, each of which describes a study."""

import sys
from dataclasses import fields
from itertools import pairwise
from pathlib import Path

import yaml

from alkit import ROOT
from alkit.loading import load
from alkit.recipe import Recipe
from alkit.records import replace_file
from alkit.study import EXPERIMENTS, Study, versions

PROFILES = ROOT / "notebooks" / "profiles"


class ParameterError(ValueError):
    """A parameter that cannot be used; in a notebook its sentence stands alone, without a traceback."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


def open_study(profile: str = "quick", **changes) -> Study:
    """`load_study` for a notebook: says what the study is, with which versions; raises all errors as ParameterError."""
    try:
        study = load_study(profile, **changes)
    except (ValueError, TypeError, OSError) as error:
        raise ParameterError(f"{error}") from None
    sizes = f"{len(study.labelled)} labelled, {len(study.pool)} in the pool, {len(study.test)} to test on"
    print(f"{versions()}\n{study.dataset.name}: {sizes}")
    return study


def load_study(profile: str = "quick", **changes) -> Study:
    """Read a profile, replace what is given and not None, and load its data.

    `profile` is the name of a file in notebooks/profiles or the path of one. `recipes` maps "default" or an experiment
    to the hyper-parameters that differ; the default's hold for all experiments, also where the profile has others.
    `seeds` may be a list, a range or how many: 3 is 0, 1, 2.
    Raises FileNotFoundError, TypeError or ValueError for a profile, a name or a value that is not accepted, in a
    notebook also for a parameter that papermill injected and no notebook knows, and what `load` and `Study` raise.
    """
    values = read_profile(profile)
    recipes = values["recipes"], changes.pop("recipes", None) or {}
    names = {field.name for field in fields(Study) if field.name not in ("dataset", "n_rounds", "order")} | {"data"}
    unknown = (set(changes) | set(values)) - names | _unknown_parameters(values)
    if unknown or (missing := {"data", "n_labelled", "n_query", "seeds"} - set(values)):
        problem = f"unknown parameters {sorted(unknown)}" if unknown else f"no {', '.join(sorted(missing))}"
        raise ValueError(f"Profile {profile} has {problem}; a study has {', '.join(sorted(names))}.")
    values |= {name: value for name, value in changes.items() if value is not None}
    seeds, source = values["seeds"], values.pop("data")
    seeds = range(seeds) if type(seeds) is int else seeds
    if not isinstance(seeds, list | tuple | range) or not isinstance(source, str):
        raise TypeError(f"seeds is {seeds!r}, data is {source!r}; give a list or how many, and a text.")
    return Study(dataset=load(source), **values | {"seeds": tuple(seeds), "recipes": _recipes(*recipes)})


def read_profile(profile: str) -> dict:
    """Return the parameters in a profile, by its name or path; its `profile` entry has to be the file's name.

    Raises FileNotFoundError or ValueError for a profile that is not there or does not say what it is.
    """
    path = profile_path(profile)
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in PROFILES.glob("*.yaml")))
        raise FileNotFoundError(f"profile is {str(profile)!r}; give {known} or the path of a .yaml file.")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no YAML file in UTF-8: {' '.join(str(error).split())}.") from error
    named = isinstance(values, dict) and str(values.get("profile")) == path.stem
    if not named or not isinstance(values.get("recipes"), dict):
        raise ValueError(f"{path} needs an entry `profile: {path.stem}` and a mapping `recipes`.")
    return values | {"profile": path.stem}


def profile_path(profile: str) -> Path:
    """The file of a profile, by its name or path; capital letters in a name do not matter."""
    path = Path(str(profile).strip())
    return path if path.suffix in (".yaml", ".yml") else PROFILES / f"{path.name.lower()}.yaml"


def write_profile(path: Path, study: Study, data: str, comment: str) -> None:
    """Write a study as a profile, named like its file, with a comment on top; `data` is what `load` takes."""
    names = ("n_labelled", "n_query", "device", "n_trials", "fidelity", "shipped")
    values = {"profile": path.stem, "data": data} | {name: getattr(study, name) for name in names}
    values["seeds"] = list(study.seeds)
    values["recipes"] = {name: recipe.changes() for name, recipe in study.recipes.items()}
    text = yaml.safe_dump(values, sort_keys=False, default_flow_style=None, width=200)
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, lambda partial: partial.write_text(f"# {comment}\n{text}", encoding="utf-8"))


def _recipes(*given: dict[str, dict]) -> dict[str, Recipe]:
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
    cells, unknown = shell.user_ns.get("In", []) if shell else [], set()
    for declared, injected in pairwise(cells):
        if injected.startswith("# Parameters\n"):
            names = [set(compile(cell, "cell", "exec").co_names) for cell in (injected, declared)]
            unknown |= {name for name in names[0] - names[1] if shell.user_ns[name] != profile.get(name)}
    return unknown
