"""The protocol: split, fit, predict the pool, query, reveal, fit again, score, record, compare."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property, partial

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import accuracy_score, f1_score

from alkit import records
from alkit.data import Dataset, Images, Split, reveal, split
from alkit.recipe import Recipe, check_fields, is_seed
from alkit.samplers import SAMPLERS, SCORES, Pool, highest, sample
from alkit.training import choose_device, choose_precision, fit, network_of, predict_features, predict_proba, weights_of

EXPERIMENTS = ("original_label", *SAMPLERS, "full_training_set")
COLUMNS = "experiment seed n_train f1 accuracy seconds dataset fingerprint device precision profile versions day"
Experiment = str | Callable  # one of EXPERIMENTS, or a strategy of your own


@dataclass(frozen=True)
class Study:
    """Everything a study is: its data, how many images, which seeds, and how each experiment is trained.

    n_labelled: images labelled at the start. n_query: images each strategy picks, in n_rounds equal parts: after each
    but the last a new model is trained on what is labelled by then, and queried. seeds: one base model and one run of
    every experiment for each. recipes: one for each of EXPERIMENTS. device: what `choose_device` takes. n_trials,
    fidelity: how many recipes a search tries, and for which share of their epochs. order: 0, or the seed of a random
    order of the training images. shipped: a folder of finished runs, seen from the project's.
    Raises TypeError or ValueError for a value of the wrong type or out of range, and what `split` raises.
    """

    profile: str
    dataset: Dataset = field(repr=False)
    n_labelled: int
    n_query: int
    seeds: tuple[int, ...]
    recipes: dict[str, Recipe]
    device: str = "auto"
    n_rounds: int = 1
    n_trials: int = 20
    fidelity: float = 1.0
    order: int = 0
    shipped: str = ""

    def __post_init__(self):
        check_fields(self, above_zero=("n_labelled", "n_query", "n_rounds", "n_trials", "fidelity"))
        distinct = all(map(is_seed, self.seeds)) and 0 < len(set(self.seeds)) == len(self.seeds)
        for name, right, accepted in (
            ("seeds", distinct, "distinct whole numbers from 0 to 2**32 - 1"),
            ("fidelity", self.fidelity <= 1, "a number above 0 to 1"),
            ("n_rounds", self.n_query % self.n_rounds == 0, f"a number that divides n_query, {self.n_query}"),
            ("n_query", self.n_query <= len(self.pool), f"1 to {len(self.pool)}, for that many images are in the pool"),
        ):
            if not right:
                raise ValueError(f"{name} is {getattr(self, name)!r}; give {accepted}.")

    @cached_property
    def split(self) -> Split:
        return split(self.dataset, self.n_labelled, self.order)

    labelled = property(lambda self: self.split.labelled)
    pool = property(lambda self: self.split.pool)
    test = property(lambda self: self.split.test)

    def recipe(self, experiment: Experiment) -> Recipe:
        """The recipe of an experiment, for a strategy of your own that of random or what `with_recipe` gave it."""
        return self.recipes.get(name_of(experiment), self.recipes["random"])

    def with_recipe(self, strategy: Callable, **changes) -> "Study":
        """The same study, in which a strategy of your own trains with the recipe of random but for these changes."""
        return replace(self, recipes=self.recipes | {name_of(strategy): replace(self.recipes["random"], **changes)})

    def run(self, experiment: Experiment, seed: int) -> dict:
        """Do one experiment with one seed, or read it if it was done.

        The result has `f1` (macro), `accuracy` and `f1_per_class` on the test set, `picks_per_class`, `n_train`, what
        it ran on, and `test_probabilities` (N, n_classes), an average over views of each image; for original_label also
        `pool_probabilities` and the network's weights; for a strategy `picks`, positions in the pool, the most
        informative of each round first, and `curve`: n_train, f1 and accuracy after each round. A strategy of your own
        is done again when its text changes, or that of what it names in its module. Raises ValueError for an unknown
        experiment and picks that are none, FloatingPointError for a training that diverged, OSError without a record.
        """
        return self.once(self.config(experiment, seed), lambda: train_and_test(self, experiment, seed))

    def results(self, experiments: tuple[Experiment, ...] = EXPERIMENTS, *, every_round: bool = False) -> pd.DataFrame:
        """Read, or `run_all`, these with every seed: a row a run, or with `every_round` one after each; see COLUMNS."""
        if isinstance(experiments, str) or callable(experiments):
            raise TypeError(f"experiments is {experiments!r}; give a tuple of them, such as ('random', 'entropy').")
        if len(names := dict.fromkeys(map(name_of, experiments))) < len(experiments):
            raise ValueError(f"{len(experiments)} experiments are called {', '.join(names)}; give each its own name.")
        if not all(self.is_done(experiment, seed) for experiment in experiments for seed in self.seeds):
            from alkit.runs import run_all  # which stands above

            run_all(self, experiments)
        rows = []
        for seed, experiment in ((seed, experiment) for seed in self.seeds for experiment in experiments):
            done = self.run(experiment, seed) | {"profile": self.profile, "dataset": self.dataset.name}
            rows += [done | point for point in done["curve"]] if every_round and "curve" in done else [done]
        # A run that was kept before a column was added has nothing there.
        return pd.DataFrame([{name: row.get(name) for name in COLUMNS.split()} for row in rows])

    def view(self, seed: int, base: dict | None = None) -> Pool:
        """What strategies see in their first round; `base`: what `run` gives for original_label with this seed."""
        base = base or self.run("original_label", seed)
        width, n_classes = self.recipe("original_label").width, len(self.dataset.class_names)
        model = partial(network_of, base, self.test.inputs, n_classes, width, self.device)
        by_base = lambda of: self.run("original_label", of)["pool_probabilities"]  # noqa: E731
        view = _view(self, seed, model, base["pool_probabilities"], by_base)
        if "pool_features" in base:  # published without the weights
            view.features = base["pool_features"].astype(np.float32)
        return view

    def once(self, config: dict, compute: Callable[[], dict]) -> dict:
        """`records.once` with the runs that are shipped; raises ValueError where images are nothing but stand-ins."""

        def checked() -> dict:
            if not self.dataset.trains:
                problem = f"{config['experiment']} with seed {config['seed']} is not among the published runs"
                raise ValueError(f"{problem} of {self.dataset.name}; give a profile that trains, as cifar10.")
            return compute()

        return records.once(config, checked, self.shipped)

    def is_done(self, experiment: Experiment, seed: int) -> bool:
        """Whether a run was done before."""
        return records.exists(self.config(experiment, seed), self.shipped)

    def config(self, experiment: Experiment, seed: int) -> dict:
        """What a record is known by: all that can change its numbers but edits of this module, `data` and `recipe`."""
        name = name_of(experiment)
        if not is_seed(seed):
            raise ValueError(f"seed is {seed!r}; give a whole number from 0 to 2**32 - 1.")
        config = {"code": records.digest_of_numbers(), "data": self.dataset.fingerprint, "experiment": name}
        config |= {"seed": seed, "recipe": self.recipe(experiment).changes()}
        defaults = {"device": "auto", "order": 0}
        config |= {"n_labelled": self.n_labelled} if name != "full_training_set" else {}
        if is_strategy(experiment):
            formula = (SCORES[name], highest) if name in SCORES else (SAMPLERS.get(name, experiment),)
            config |= {"n_query": self.n_query, "strategy": records.digest_of(*formula)}
            config["base"], defaults["n_rounds"] = self.recipe("original_label").changes(), 1
        # Only what differs from the default, so that a new field changes no name.
        return config | {name: getattr(self, name) for name, value in defaults.items() if getattr(self, name) != value}

    def __getstate__(self) -> dict:
        # Other processes split the data anew, for parts of an array would be sent as copies.
        return {name: value for name, value in vars(self).items() if name != "split"}


def train_and_test(study: Study, experiment: Experiment, seed: int, base: dict | None = None, device: str = "") -> dict:
    """What `Study.run` gives, not read or kept; on `device`, if given, or that of the study; `base` as for `view`."""
    view = study.view(seed, base) if is_strategy(experiment) else None
    start, dataset, place = time.perf_counter(), study.dataset, choose_device(device or study.device)
    picks, curve, extra, n_classes = np.empty(0, np.int64), [], {}, len(dataset.class_names)
    if view:
        for number in range(1, study.n_rounds + 1):
            left = np.setdiff1d(np.arange(len(study.pool)), picks)
            chosen = sample(experiment, view, study.n_query // study.n_rounds, (seed, number) if number > 1 else seed)
            picks = np.concatenate([picks, left[chosen]])
            train = study.labelled + reveal(study.pool, picks)
            model, scores = _fit_and_score(study, experiment, seed, train, place)
            curve.append({name: scores[name] for name in ("n_train", "f1", "accuracy")})
            if number < study.n_rounds:

                def by_another(seed: int, train: Images = train) -> np.ndarray:
                    return predict_proba(_trained(study, experiment, seed, train, place), study.pool.inputs)

                given = predict_proba(model, study.pool.inputs)
                view = _view(study, seed, lambda model=model: model, given, by_another, picks)
        extra = {"picks": picks, "curve": curve}
    else:
        train = study.labelled if experiment == "original_label" else dataset.train
        model, scores = _fit_and_score(study, experiment, seed, train, place)
    if experiment == "original_label":
        extra = {"pool_probabilities": predict_proba(model, study.pool.inputs)} | weights_of(model)
    device = f"cuda ({torch.cuda.get_device_name(place)})" if place.type == "cuda" else place.type
    return scores | extra | {
        "picks_per_class": np.bincount(study.pool.labels[picks], minlength=n_classes).tolist(),
        "experiment": name_of(experiment), "seed": seed, "seconds": round(time.perf_counter() - start, 2),
        "dataset": dataset.name, "fingerprint": dataset.fingerprint, "threads": model.n_threads, "device": device,
        "precision": choose_precision(place), "versions": records.versions(), "day": date.today().isoformat(),
    }  # fmt: skip


def _fit_and_score(study: Study, experiment: Experiment, seed: int, train: Images, device: torch.device) -> tuple:
    """Train with the recipe of an experiment, and test once: the model, and its scores with the test probabilities."""
    labels, model = study.test.labels, _trained(study, experiment, seed, train, device)
    probabilities = predict_proba(model, study.test.inputs, **study.recipe(experiment).views())
    predicted = probabilities.argmax(axis=1)
    f1, accuracy = f1_score(labels, predicted, average="macro"), accuracy_score(labels, predicted)
    scores = {"n_train": len(train), "f1": float(f1), "accuracy": float(accuracy), "test_probabilities": probabilities}
    return model, scores | {"f1_per_class": f1_score(labels, predicted, average=None).tolist()}


def _trained(study: Study, experiment: Experiment, seed: int, train: Images, device: torch.device) -> torch.nn.Module:
    options = {"n_classes": len(study.dataset.class_names), "weights": study.dataset.weights}
    return fit(train, study.recipe(experiment), seed, device, progress=f"{name_of(experiment)}, seed {seed}", **options)


def _view(study: Study, seed: int, model: Callable, given: np.ndarray, by_another: Callable, picks=()) -> Pool:
    """What a model, given by a function, says of the images of the pool that are not picked yet, and sees in them.

    given: its probabilities of the whole pool; by_another: gives those by a model of another seed, here the next four.
    """
    left = np.setdiff1d(np.arange(len(study.pool)), picks)
    return Pool(
        given[left],
        lambda: predict_features(model(), study.pool[left].inputs),
        lambda: predict_features(model(), (study.labelled + study.pool[np.array(picks, int)]).inputs),
        lambda: np.stack([given, *(by_another((seed + number) % 2**32) for number in range(1, 5))])[:, left],
    )


def name_of(experiment: Experiment) -> str:
    """The name of an experiment, for a strategy of your own that of its function; raises ValueError for all else."""
    name = experiment if isinstance(experiment, str) else getattr(experiment, "__name__", "")
    if isinstance(experiment, str) != (name in EXPERIMENTS) or not name:
        accepted = f"{', '.join(EXPERIMENTS)}, or a function of another name"
        raise ValueError(f"experiment is {experiment!r}; give one of {accepted}.")
    return name


def is_strategy(experiment: Experiment) -> bool:
    """Whether an experiment picks images of the pool."""
    return callable(experiment) or name_of(experiment) in SAMPLERS
