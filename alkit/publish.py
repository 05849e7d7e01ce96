"""Put a report into the repository: its charts and tables, its verdicts, and its runs, made small enough for git."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.decomposition import TruncatedSVD

from alkit import ROOT, store
from alkit.data import Dataset, replace_file
from alkit.profiles import PROFILES, write_profile
from alkit.store import Run
from alkit.study import EXPERIMENTS, Study, identity

FIGURES = ROOT / "figures"
README = ROOT / "README.md"
FILES = (
    "comparison.svg", "comparison.png", "results.csv", "summary.csv", "claims.csv", "flattery.svg", "flattery.csv",
    "learning_curves.svg", "learning_curves.csv", "labels_saved.csv",
)  # fmt: skip
VERDICTS = ("<!-- verdicts: written by `alkit report --publish` -->\n", "<!-- end of verdicts -->")


def publish_report(study: Study, dataset: Dataset, report: Path) -> None:
    """Copy a report's charts and tables to figures/, its verdicts to README.md, and its runs to figures/records.

    The profile `replay` is written anew: with it every notebook reads the published runs; only 02 trains, a short look.
    """
    FIGURES.mkdir(exist_ok=True)
    for name in FILES:
        shutil.copyfile(report / name, FIGURES / name)
    before, rest = README.read_text(encoding="utf-8").split(VERDICTS[0])
    after = rest.split(VERDICTS[1])[1]
    text = "".join([before, VERDICTS[0], verdicts(pd.read_csv(FIGURES / "claims.csv")), VERDICTS[1], after])
    replace_file(README, lambda path: path.write_text(text, encoding="utf-8"))
    publish_runs(study, dataset)


def publish_runs(study: Study, dataset: Dataset) -> None:
    """Copy a study's runs on a data set, its labels but not its images, and the study as the profile `replay`.

    Its runs are those with its recipes and seeds, done on its device, with any number of picks and rounds, those on the
    data set in other orders, and searches and features of them.
    """
    shutil.rmtree(store.PUBLISHED, ignore_errors=True)
    for path in sorted(store.folder().glob("*.json")):
        run = store.read(path.stem)
        what = run.record["identity"] if run else {}
        if _belongs(what, study, dataset):
            arrays = _small(what, run.arrays, exact=what["seed"] == study.seeds[0])
            store.write(store.key(_anywhere(what)), Run(run.record, arrays), store.PUBLISHED)
    labels = {f"y_{name}": getattr(dataset, name).labels.astype(np.uint16) for name in ("train", "test")}
    np.savez_compressed(
        store.PUBLISHED / "labels.npz", **labels, shape=dataset.train.images.shape[1:], name=dataset.name,
        class_names=dataset.class_names, known_as=dataset.fingerprint,
    )  # fmt: skip
    source = (store.PUBLISHED / "labels.npz").relative_to(ROOT).as_posix()
    comment = f"The published runs on {dataset.name}, to be read. Written by `alkit report --publish`."
    write_profile(PROFILES / "replay.yaml", replace(study, data=source, device="records"), comment)


def verdicts(claims: pd.DataFrame) -> str:
    """The claims as a table in Markdown: claim, the report's figure, ours with its interval, verdict; what it is of."""
    lines = ["| claim of the report | in the report | ours (95 % interval) | verdict |", "|---|---|---|---|"]
    for row in claims.itertuples():
        ours = f"{row.ours:z.3f}" + (f" ({row.low:z.3f} to {row.high:z.3f})" if pd.notna(row.low) else "")
        lines.append(f"| `{row.claim.replace(' ', '` ', 1)} | {row.report:.3f} | {ours} | {row.verdict} |")
    return "\n".join([*lines, "", f"*Measured on {claims['run_on'].iloc[0]}.*", ""])


def _belongs(what: dict, study: Study, dataset: Dataset) -> bool:
    if what.get("experiment") not in EXPERIMENTS or what["seed"] not in study.seeds:
        return False
    own = identity(study, dataset, what["experiment"], what["seed"])
    same = {"protocol", "recipe", "device", "precision", "n_labelled"} & own.keys()
    ours = what["fingerprint"].split("-")[0] == dataset.fingerprint and all(what[name] == own[name] for name in same)
    return ours and ("base" not in what or _belongs(what["base"], study, dataset))


def _anywhere(what: dict) -> dict:
    """The identity of a run as a study with the device "records" has it."""
    inner = {name: _anywhere(value) if isinstance(value, dict) else value for name, value in what.items()}
    return inner | dict.fromkeys(("device", "precision") & what.keys(), "records")


def _small(what: dict, arrays: dict[str, np.ndarray], exact: bool) -> dict[str, np.ndarray]:
    """The arrays that notebooks look at, with as many digits as they need: all, where they rank the pool."""
    small = {}
    for name, array in arrays.items():
        if name == "picks":
            small[name] = array.astype(np.int32)
        elif name == "pool_features":
            n_kept = min(32, array.shape[1])
            small[name] = (
                TruncatedSVD(n_kept, random_state=0).fit_transform(array.astype(np.float32)).astype(np.float16)
            )
        elif "round" not in what and "-" not in what["fingerprint"]:
            whole = exact and name == "pool_probabilities"
            small[name] = array if whole else _rounded(array, 2 if name == "test_probabilities" else 4)
    return small


def _rounded(probabilities: np.ndarray, digits: int) -> np.ndarray:
    """Probabilities in float16, the largest of a row still the largest."""
    rounded = probabilities.round(digits).astype(np.float16)
    rows, top = np.arange(len(rounded)), probabilities.argmax(1)
    tied = rounded.argmax(1) != top
    rounded[rows[tied], top[tied]] = np.nextafter(rounded[tied].max(1), np.float16(2))
    return rounded
