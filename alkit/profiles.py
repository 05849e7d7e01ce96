"""Profiles: papermill parameter files, each of which describes a study."""

from dataclasses import MISSING, asdict, fields, replace
from itertools import pairwise
from pathlib import Path

import yaml
from IPython import get_ipython

from alkit import ROOT
from alkit.data import replace_file
from alkit.recipe import Recipe
from alkit.study import EXPERIMENTS, Study

PROFILES = ROOT / "notebooks" / "profiles"


def load_study(profile: str = "quick", **changes) -> Study:
    """Read a profile and replace what is given and not None.

    `profile` is the name of a file in notebooks/profiles or the path of one. `recipes` maps "default" or an experiment
    to the hyper-parameters that differ; the default's hold for all experiments, also where the profile has others.
    Raises FileNotFoundError, TypeError or ValueError for a profile, a name or a value that is not accepted, in a
    notebook also for a parameter that papermill injected and no notebook knows.
    """
    values = read_profile(profile)
    names = {field.name for field in fields(Study)}
    needed = {field.name for field in fields(Study) if field.default is MISSING}
    changes = {name: value for name, value in changes.items() if value is not None}
    unknown = (set(changes) | set(values)) - names | _unknown_parameters(values)
    if unknown or needed - set(values):
        missing = ", ".join(sorted(needed - set(values)))
        problem = f"unknown parameters {sorted(unknown)}" if unknown else f"no {missing}"
        raise ValueError(f"Profile {profile} has {problem}; a study has {', '.join(sorted(names))}.")
    if values.get("n_rounds", 1) != 1:
        raise ValueError(
            f"Profile {profile} has n_rounds {values['n_rounds']}, but notebooks show what was asked at once; leave it "
            "out, and ask in rounds as notebook 09 does."
        )
    given = values["recipes"], changes.pop("recipes", {})
    for recipes in given:
        if not isinstance(recipes, dict) or not all(isinstance(recipe, dict) for recipe in recipes.values()):
            raise TypeError(f'recipes is {recipes!r}; give a mapping such as {{"default": {{"epochs": 10}}}}.')
    values |= changes
    if isinstance(values["seeds"], list):
        values["seeds"] = tuple(values["seeds"])
    return Study(**values | {"recipes": _recipes(*given)})


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
    if (
        not isinstance(values, dict)
        or str(values.get("profile")) != path.stem
        or not isinstance(values.get("recipes"), dict)
    ):
        raise ValueError(f"{path} needs an entry `profile: {path.stem}` and a mapping `recipes`.")
    return values | {"profile": path.stem}


def profile_path(profile: str) -> Path:
    """The file of a profile, by its name or path."""
    return Path(profile) if Path(profile).suffix == ".yaml" else PROFILES / f"{profile}.yaml"


def write_profile(path: Path, study: Study, comment: str) -> None:
    """Write a study as a profile, named like its file, with a comment on top."""
    values = asdict(replace(study, profile=path.stem))
    path.parent.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(values, sort_keys=False, default_flow_style=None, width=200)
    replace_file(path, lambda partial: partial.write_text(f"# {comment}\n{text}", encoding="utf-8"))


def _recipes(*given: dict[str, dict]) -> dict[str, Recipe]:
    """The recipe of each experiment; what is given later counts."""
    unknown = {kind for recipes in given for kind in recipes} - {"default", *EXPERIMENTS}
    known = {field.name for field in fields(Recipe)}
    unknown |= {name for recipes in given for recipe in recipes.values() for name in recipe} - known
    if unknown:
        raise ValueError(
            f"recipes name {sorted(unknown)}; give default or {', '.join(EXPERIMENTS)}, each with some of "
            f"{', '.join(sorted(known))}."
        )

    def values(experiment):
        layers = [recipes.get(kind, {}) for recipes in given for kind in ("default", experiment)]
        return {name: value for layer in layers for name, value in layer.items()}

    return {experiment: Recipe(**values(experiment)) for experiment in EXPERIMENTS}


def _unknown_parameters(profile: dict) -> set[str]:
    """What papermill injected unlike the profile and without a place in the parameters cell; papermill only warns."""
    shell = get_ipython()
    cells = shell.user_ns.get("In", []) if shell else []
    unknown = set()
    for declared, injected in pairwise(cells):
        if injected.startswith("# Parameters\n"):
            names = [set(compile(cell, "cell", "exec").co_names) for cell in (injected, declared)]
            unknown |= {name for name in names[0] - names[1] if shell.user_ns[name] != profile.get(name)}
    return unknown
