"""Put a report into the repository: its charts and tables, its verdicts, and its runs, made small enough for git."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import yaml
from sklearn.decomposition import TruncatedSVD

from alkit import ROOT, records
from alkit.commands.pages import FILES
from alkit.profiles import PROFILES
from alkit.strategies import BEYOND
from alkit.study import EXPERIMENTS, Study

README, PUBLISHED = ROOT / "README.md", ROOT / "figures" / "records"
OF_SEARCHES = {"search", "confirmed", "fidelity", "n_folds", "n_trials"}  # what a search adds to the config of a run
VERDICTS = ("<!-- verdicts: written by `alkit report --publish` -->\n", "<!-- end of verdicts -->")


def publish_report(study: Study, report: Path) -> None:
    """Copy a report's charts and tables to figures/, its verdicts to README.md, and its runs to figures/records.

    These are the runs and searches of the study, with any n_query, n_rounds and order, and its labels, but not its
    images; the profile `replay` is written anew, with which notebooks read them.
    """
    kept = ((path.stem, records.read(path.stem, path.parent)) for path in sorted(records.folder().glob("*.json")))
    published = {name: _small(done, study) for name, done in kept if done and _belongs(done.get("config", {}), study)}
    shutil.rmtree(PUBLISHED, ignore_errors=True)  # after all that can fail
    for name, done in published.items():
        records.write(name, done, PUBLISHED)
    labels = {f"y_{name}": getattr(study.dataset, name).labels.astype(np.uint16) for name in ("train", "test")}
    names = {"name": study.dataset.name, "class_names": study.dataset.class_names, "shape": study.test.images.shape[1:]}
    np.savez_compressed(PUBLISHED / "labels.npz", **labels, **names, known_as=study.dataset.fingerprint)
    place = PUBLISHED.relative_to(ROOT).as_posix()
    comment = f"The published runs on {study.dataset.name}, to be read. Written by `alkit report --publish`."
    write_profile(PROFILES / "replay.yaml", replace(study, shipped=place), {"data": f"{place}/labels.npz"}, comment)
    for path in report.glob(FILES):
        shutil.copy(path, PUBLISHED.parent)
    shown = (report / "claims.md").read_text(encoding="utf-8")
    text = re.sub(f"(?<={VERDICTS[0]}).*(?={VERDICTS[1]})", lambda _: shown, README.read_text("utf-8"), flags=re.DOTALL)
    records.replace_file(README, lambda path: path.write_text(text, encoding="utf-8"))


def write_profile(path: Path, study: Study, sources: dict[str, str], comment: str) -> None:
    """Write a study as a profile, named like its file, with its `data`, and perhaps `weights`, and a comment on top."""
    names = ("n_labelled", "n_query", "device", "n_trials", "fidelity", "shipped")
    values = {"profile": path.stem} | sources | {name: getattr(study, name) for name in names}
    values |= {"seeds": list(study.seeds), "recipes": {name: each.changes() for name, each in study.recipes.items()}}
    text = yaml.safe_dump(values, sort_keys=False, default_flow_style=None, width=200)
    path.parent.mkdir(parents=True, exist_ok=True)
    records.replace_file(path, lambda partial: partial.write_text(f"# {comment}\n{text}", encoding="utf-8"))


def _belongs(config: dict, study: Study) -> bool:
    """Whether a record is of a run of the study, or of a search of its recipes."""
    name = config.get("experiment")
    if name not in {*EXPERIMENTS, *BEYOND} or config["seed"] not in study.seeds:
        return False
    if (config["data"], config.get("n_labelled", study.n_labelled)) != (study.dataset.fingerprint, study.n_labelled):
        return False  # whose other sizes may be too large for this study
    sizes = {name: config[name] for name in ("n_query", "n_rounds", "order") if name in config}
    own = replace(study, **sizes).config(BEYOND.get(name, name), config["seed"])
    return {name: value for name, value in config.items() if name not in OF_SEARCHES} == own


def _small(done: dict, study: Study) -> dict:
    """A result with the arrays that notebooks look at, in as many digits as they need."""
    first, brief = done["config"]["seed"] == study.seeds[0], done["config"].keys() & {"n_rounds", "order"}
    small = {name: value for name, value in done.items() if not name.startswith("weights.")}
    if "picks" in small:
        small["picks"] = small["picks"].astype(np.int32)
    for name, digits in {"test_probabilities": 2, "pool_probabilities": 4}.items():
        exact = small.pop(name, None)
        if exact is not None and not brief:
            # Of the first seed, notebooks rank the pool.
            small[name] = exact if first and name == "pool_probabilities" else _rounded(exact, digits)
    if first and "pool_probabilities" in small:
        features = study.view(study.seeds[0]).features
        vectors = TruncatedSVD(min(32, features.shape[1]), random_state=0).fit_transform(features)
        small["pool_features"] = vectors.astype(np.float16)
    return small


def _rounded(probabilities: np.ndarray, digits: int) -> np.ndarray:
    """Probabilities in float16, the largest of a row still the largest."""
    rounded, top = probabilities.round(digits).astype(np.float16), probabilities.argmax(1)
    (tied,) = np.nonzero(rounded.argmax(1) != top)
    rounded[tied, top[tied]] = np.nextafter(rounded[tied].max(1), np.float16(2))
    return rounded
