"""The strategies: functions of a pool, of how many images to pick and of a random generator, that give positions."""

from collections.abc import Callable

import numpy as np
from scipy.special import entr


class Pool:
    """What a strategy may look at: what a model says of the images of the pool, and what it sees in them.

    probabilities (N, n_classes) float64, each row sums to 1. features (N, D): what the model's last layer sees of the
    same images; labelled_features (L, D): of all images labelled so far; ensemble (M, N, n_classes): probabilities by
    this and other models. Each may be a function, called when first asked for. Raises ValueError for bad probabilities.
    """

    def __init__(self, probabilities: np.ndarray, features=None, labelled_features=None, ensemble=None):
        self._given = {"features": features, "labelled_features": labelled_features, "ensemble": ensemble}
        rows = np.asarray(probabilities)
        if rows.dtype.kind not in "biuf" or rows.ndim != 2 or len(rows) == 0 or rows.shape[1] < 2:
            problem = f"probabilities are {rows.dtype} of shape {rows.shape}"
            raise ValueError(f"{problem}; give numbers (N, n_classes) with two classes or more.")
        self.probabilities = rows = rows.astype(float, copy=False)
        if len(wrong := rows[~((rows >= 0).all(axis=1) & (np.abs(rows.sum(axis=1) - 1) <= 1e-3))]):
            raise ValueError(f"probabilities hold a row {wrong[0].tolist()}; give numbers from 0 to 1 that sum to 1.")

    def __len__(self) -> int:
        return len(self.probabilities)

    def __getattr__(self, name: str) -> np.ndarray:
        if (given := vars(self).get("_given", {}).get(name)) is None:
            raise AttributeError(f"this pool has no {name}; that of Study.view has all that Pool describes.")
        return vars(self).setdefault(name, np.asarray(given() if callable(given) else given))


def least_certainty(probabilities: np.ndarray) -> np.ndarray:
    """1 - p1: (N, n_classes) to (N,), 0 to 1 - 1/n_classes (Lewis and Gale 1994; also called least confidence)."""
    return 1 - probabilities.max(axis=1)


def least_certainty_margin(probabilities: np.ndarray) -> np.ndarray:
    """p2 - p1 of the two most probable classes: (N, n_classes) to (N,), -1 to 0 (Scheffer et al. 2001)."""
    return -np.diff(np.partition(probabilities, -2, axis=1)[:, -2:], axis=1)[:, 0]


def entropy(probabilities: np.ndarray) -> np.ndarray:
    """-sum p log p with 0 log 0 = 0, in nats: (N, n_classes) to (N,), 0 to log n_classes (Shannon 1948)."""
    return entr(probabilities).sum(axis=1)


def random(pool: Pool, n_query: int, generator: np.random.Generator) -> np.ndarray:
    """Pick n_query positions of the pool at random, without looking at it."""
    return generator.permutation(len(pool))[:n_query]


def highest(scores: np.ndarray, n_query: int) -> np.ndarray:
    """Positions of the n_query highest scores (N,), highest first; of equals the earliest. Raises ValueError for NaN.

    Equal are scores that agree in twelve decimals: the last bits of a logarithm or a sum differ between machines.
    """
    if np.isnan(scores).any():
        raise ValueError(f"the scores are NaN for {np.isnan(scores).sum()} of {len(scores)} images; give numbers.")
    return np.argsort(-np.round(scores, 12), kind="stable")[:n_query]


SCORES = {score.__name__: score for score in (least_certainty, least_certainty_margin, entropy)}
SAMPLERS: dict[str, Callable] = {"random": random} | {
    name: lambda pool, n_query, generator, score=score: highest(score(pool.probabilities), n_query)
    for name, score in SCORES.items()
}


def sample(sampler: str | Callable, pool: Pool, n_query: int, seed: int | tuple[int, int]) -> np.ndarray:
    """The picks of a strategy, a name in SAMPLERS or a function: (n_query,) int64, the most informative first.

    Same input and seed: the same picks. Raises ValueError for an unknown name and picks that are none.
    """
    function, n = SAMPLERS.get(sampler) if isinstance(sampler, str) else sampler, len(pool)
    if not callable(function) or not isinstance(pool, Pool) or type(n_query) is float or n_query not in range(1, n + 1):
        given = f"sampler is {sampler!r}, pool a {type(pool).__name__}, n_query {n_query!r}"
        raise ValueError(f"{given}; give {', '.join(SAMPLERS)} or a function, a Pool, 1 to {n}.")
    picks = np.asarray(function(pool, n_query, np.random.default_rng(seed)))
    values, counts = np.unique(picks if (whole := picks.dtype.kind in "iu") else 0, return_counts=True)
    if picks.shape != (n_query,) or not whole:
        found = "a mask: use np.flatnonzero" if picks.dtype == bool else f"{picks.dtype} of shape {picks.shape}"
    elif values[0] < 0 or values[-1] >= n or counts.max() > 1:
        found = f"positions from {values[0]} to {values[-1]}, position {values[counts.argmax()]} {counts.max()} times"
    else:
        return picks.astype(np.int64)
    raise ValueError(f"the sampler gave {found}; return {n_query} distinct positions from 0 to {n - 1}, as integers.")
