"""The protocol as data, and one run of it: split, fit, predict the pool, sample, fit again, score, record."""

import inspect
import platform
import time
from dataclasses import asdict, dataclass
from datetime import date
from importlib.metadata import version

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import accuracy_score, f1_score

from alkit import __version__, store
from alkit.data import Dataset, check_folds, class_counts, load, split
from alkit.recipe import Recipe
from alkit.samplers import BUILT_IN, SAMPLERS, Pool, sample
from alkit.store import Run
from alkit.training import choose_device, choose_precision, fit, predict_features, predict_proba

EXPERIMENTS = ("original_label", *SAMPLERS, "full_training_set")
# Raise it with every change of the kit that changes a run's numbers: older records then no longer count. The hash of a
# run sees all parameters and the data, but no edit of network.py, training.py or samplers.py.
PROTOCOL = 3


@dataclass(frozen=True)
class Study:
    """Everything a study is: which data, how many images, which seeds, and how each experiment is trained.

    data: what `alkit.data.load` takes. n_labelled: images labelled at the start. n_query: images each strategy picks,
    in n_rounds equal parts: after each but the last a new model is trained on what is labelled by then, and asked.
    seeds: one base model and one run of every experiment for each. device: what `choose_device` takes, or "records":
    nothing is trained, and the runs published with the kit are read. recipes: one for each of EXPERIMENTS. n_trials,
    fidelity: how many recipes a search tries for each experiment, and for which share of their epochs.
    Raises TypeError or ValueError for a value of the wrong type or out of range.
    """

    profile: str
    data: str
    n_labelled: int
    n_query: int
    seeds: tuple[int, ...]
    device: str
    recipes: dict[str, Recipe]
    n_rounds: int = 1
    n_trials: int = 20
    fidelity: float = 1.0

    def __post_init__(self):
        for name in ("profile", "data", "device"):
            if not isinstance(getattr(self, name), str):
                raise TypeError(f"{name} is {getattr(self, name)!r}; give a text.")
        for name in ("n_labelled", "n_query", "n_rounds", "n_trials"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise TypeError(f"{name} is {value!r}; give a whole number of at least 1.")
        if type(self.fidelity) not in (int, float) or not 0 < self.fidelity <= 1:
            raise TypeError(f"fidelity is {self.fidelity!r}; give a number above 0 to 1.")
        if self.n_query % self.n_rounds:
            raise ValueError(f"n_rounds is {self.n_rounds}; give a number that divides n_query, {self.n_query}.")
        listed = self.seeds if isinstance(self.seeds, tuple) else ()
        whole = all(type(seed) is int and seed >= 0 for seed in listed)
        if not listed or not whole or len(set(listed)) < len(listed):
            raise TypeError(f"seeds is {self.seeds!r}; give distinct whole numbers from 0, such as [0, 1, 2].")


def run(study: Study, dataset: Dataset, experiment: str, seed: int, round_number: int | None = None) -> Run:
    """Do one experiment with one seed, or read it if it was done before.

    A sampler of your own becomes an experiment with `SAMPLERS["mine"] = function`; it is given the pool's probabilities
    only, trains with the recipe of random, and is done again when the text of the function changes. After a change of
    what it calls, give it another name.

    A strategy's `round_number` is 1 to `study.n_rounds`, the last unless given; what it needs of earlier rounds is done
    first. The record holds macro F1 and accuracy on the test set, F1 and picks for each class, what it was run on and
    how; the arrays `test_probabilities`, `picks` (positions in the pool, of all rounds in order, each round's most
    informative first), and `pool_probabilities` where a later round needs them. The pool is predicted from each image
    as it is, the test set as an average over its views.
    Raises ValueError for an unknown experiment, sizes that the data set cannot give, and a sampler whose text cannot be
    read, FloatingPointError for a training that diverged.
    """
    known = dict.fromkeys([*EXPERIMENTS, *SAMPLERS])
    if experiment not in known:
        raise ValueError(f"experiment is {experiment!r}; give one of {', '.join(known)}.")
    name = store.key(identity(study, dataset, experiment, seed, round_number))
    done = recorded(study, name)
    if done is None:
        choose_device(study.device)
        store.check()
        asked = before(study, experiment, round_number)
        base = run(study, dataset, asked[0], seed, asked[1]) if asked else None
        done = compute(study, dataset, experiment, seed, round_number, base)
        store.write(name, done)
    return done


def prepare(study: Study) -> Dataset:
    """Load a study's data, and find before its first run what would stop a later one.

    Raises what `load`, `split`, `choose_device` and `identity` raise, OSError for records that cannot be written, and
    ValueError for more picks than the pool has images, and for too few labelled images to validate with.
    """
    dataset = load(study.data)
    parts = split(dataset, study.n_labelled)
    if study.n_query > len(parts.pool):
        raise ValueError(f"n_query is {study.n_query}, but the pool has {len(parts.pool)} images; choose fewer.")
    check_folds(parts.labelled, 2)
    identity(study, dataset, EXPERIMENTS[0], study.seeds[0])
    if study.device == "records":
        results(study, dataset)
    else:
        store.check()
    return dataset


def results(
    study: Study, dataset: Dataset, experiments: tuple[str, ...] = EXPERIMENTS, every_round: bool = False
) -> pd.DataFrame:
    """Run, or read, the experiments with every seed; one row a run, columns as in the report's results.csv.

    With `every_round` each round of a strategy has a row, as a learning curve needs it.
    """
    records = [
        run(study, dataset, experiment, seed, round_number).record
        for seed in study.seeds
        for experiment in experiments
        for round_number in (rounds(study, experiment) if every_round else (None,))
    ]
    columns = [
        "experiment", "seed", "n_train", "f1", "accuracy", "seconds", "dataset", "fingerprint", "device", "precision",
        "profile", "versions", "day",
    ]  # fmt: skip
    return pd.DataFrame(records).assign(profile=study.profile, dataset=dataset.name)[columns]


def identity(study: Study, dataset: Dataset, experiment: str, seed: int, round_number: int | None = None) -> dict:
    """Everything that can change the numbers of a run.

    Raises ValueError if the study would train on a data set that was published without its images.
    """
    if study.device == "records":
        device = precision = "records"
    elif dataset.without_images:
        raise ValueError(
            f"device is {study.device!r}, but {dataset.name} has labels only, and nothing can be trained on stand-ins; "
            'give the device "records", or data with images.'
        )
    else:
        chosen = choose_device(study.device)
        device, precision = chosen.type, choose_precision(chosen)
    what = {
        "protocol": PROTOCOL,
        "fingerprint": dataset.fingerprint,
        "experiment": experiment,
        "seed": seed,
        "recipe": asdict(_recipe(study, experiment)),
        "device": device,
        "precision": precision,
    }
    if experiment != "full_training_set":
        what["n_labelled"] = study.n_labelled
    if SAMPLERS.get(experiment) is not BUILT_IN.get(experiment):
        if experiment in BUILT_IN:
            raise ValueError(f"{experiment} was replaced by another sampler; give yours a name of its own.")
        try:
            what["source"] = inspect.getsource(SAMPLERS[experiment])
        except (TypeError, OSError) as error:
            raise ValueError(
                f"{experiment} is {SAMPLERS[experiment]!r}, whose text cannot be read; write a function with def."
            ) from error
    if experiment in SAMPLERS:
        asked, number = before(study, experiment, round_number)
        what |= {"n_query": study.n_query, "base": identity(study, dataset, asked, seed, number)}
        if study.n_rounds > 1:
            what |= {"n_rounds": study.n_rounds, "round": round_number or study.n_rounds}
    return what


def recorded(study: Study, name: str) -> Run | None:
    """Return what was done before under this name, or None."""
    return store.read(name, store.PUBLISHED if study.device == "records" else None)


def compute(
    study: Study, dataset: Dataset, experiment: str, seed: int, round_number: int | None = None, base: Run | None = None
) -> Run:
    """Do one experiment with one seed and return it, neither reading nor keeping any record.

    `base` is the run whose model says what it is unsure of: for a strategy original_label, or its round before.
    """
    parts = split(dataset, study.n_labelled)
    device = choose_device(study.device)
    precision = choose_precision(device)
    recipe = _recipe(study, experiment)
    number = round_number or study.n_rounds
    arrays, picked = {}, np.empty(0, np.int64)
    train = dataset.train if experiment == "full_training_set" else parts.labelled
    if experiment in SAMPLERS:
        earlier = base.arrays.get("picks", picked)
        left = np.setdiff1d(np.arange(len(parts.pool)), earlier)
        pool = Pool(base.arrays["pool_probabilities"][left])
        picked = sample(experiment, pool, study.n_query // study.n_rounds, seed if number == 1 else (seed, number))
        arrays["picks"] = picked = np.concatenate([earlier, left[picked]])
        train = parts.labelled + parts.pool[picked]
    start = time.perf_counter()
    n_classes = len(dataset.class_names)
    model = fit(
        train.images, train.labels, recipe, seed, study.device,
        n_classes=n_classes, progress=f"{experiment}, seed {seed}",
    )  # fmt: skip
    if experiment == "original_label" or (experiment in SAMPLERS and number < study.n_rounds):
        arrays["pool_probabilities"] = predict_proba(model, parts.pool.images)
    arrays["test_probabilities"] = predict_proba(model, parts.test.images, **recipe.views())
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
        "identity": identity(study, dataset, experiment, seed, round_number),
    }
    return Run(record, arrays)


def pool_features(study: Study, dataset: Dataset, seed: int) -> np.ndarray:
    """What the last layer of the base model sees of each image of the pool, (N, D) float32; kept like a run.

    The base model itself is not kept, so it is trained again, on the same machine to the same bits.
    """
    what = identity(study, dataset, "original_label", seed) | {"what": "pool features"}
    name = store.key(what)
    done = recorded(study, name)
    if done is None:
        parts = split(dataset, study.n_labelled)
        images, labels, recipe = parts.labelled.images, parts.labelled.labels, study.recipes["original_label"]
        model = fit(images, labels, recipe, seed, study.device, n_classes=len(dataset.class_names))
        features = predict_features(model, parts.pool.images).astype(np.float16)
        done = Run({"identity": what}, {"pool_features": features})
        store.write(name, done)
    return done.arrays["pool_features"].astype(np.float32)


def run_on(results: pd.DataFrame) -> str:
    """Say in one line what results were measured on."""

    def values(column):
        return ", ".join(map(str, results[column].unique()))

    return (
        f"{values('dataset')}; profile {values('profile')}; seeds {values('seed')}; {values('device')}, "
        f"{values('precision')}; {values('versions')}; {results['day'].max()}"
    )


def versions() -> str:
    """The versions that a number depends on, in one line."""
    packages = " ".join(f"{package} {version(package)}" for package in ("torch", "numpy", "scikit-learn"))
    return f"python {platform.python_version()} {packages} alkit {__version__}"


def rounds(study: Study, experiment: str) -> list[int | None]:
    """The rounds of an experiment, from 1; None stands for an experiment that picks nothing."""
    return [*range(1, study.n_rounds + 1)] if experiment in SAMPLERS else [None]


def _recipe(study: Study, experiment: str) -> Recipe:
    return study.recipes.get(experiment, study.recipes["random"])


def before(study: Study, experiment: str, round_number: int | None) -> tuple[str, int | None] | None:
    """The experiment and the round whose model a run asks; None for a run that asks none."""
    if experiment not in SAMPLERS:
        return None
    number = study.n_rounds if round_number is None else round_number
    if not 1 <= number <= study.n_rounds:
        raise ValueError(f"round_number is {number}; give 1 to {study.n_rounds}.")
    return (experiment, number - 1) if number > 1 else ("original_label", None)
