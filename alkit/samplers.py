"""The strategies: which images of the pool to have labelled next.

A score measures how uncertain each row of class probabilities is; a sampler picks `k` positions of the pool.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps

import numpy as np
import torch


@dataclass(frozen=True)
class Pool:
    """What a sampler may look at.

    probabilities: (N, n_classes), a model's prediction for every image of the pool. features: (N, D) or None, the same
    images as the network's last layer sees them. labelled_features: (L, D) or None, those of the labelled images.
    """

    probabilities: np.ndarray | torch.Tensor
    features: np.ndarray | torch.Tensor | None = None
    labelled_features: np.ndarray | torch.Tensor | None = None


Sampler = Callable[[Pool, int, np.random.Generator], np.ndarray]


def score(formula):
    """Let a formula on an (N, n_classes) float64 tensor take any array or tensor, and return (N,) of the same kind."""

    @wraps(formula)
    def checked(probabilities):
        scores = formula(check_probabilities(probabilities))
        return scores if isinstance(probabilities, torch.Tensor) else scores.numpy()

    return checked


@score
def least_certainty(probabilities):
    """1 - p1: what the most probable class leaves over, 0 to 1 - 1/n_classes (Lewis and Gale 1994)."""
    return 1 - probabilities.amax(1)


@score
def least_certainty_margin(probabilities):
    """-(p1 - p2): minus the gap between the two most probable classes, -1 to 0 (Scheffer et al. 2001)."""
    return probabilities.topk(2).values.diff().squeeze(1)


@score
def entropy(probabilities):
    """-sum p log p, with 0 log 0 = 0: the entropy of the prediction in nats, 0 to log n_classes (Shannon 1948)."""
    return torch.special.entr(probabilities).sum(1)


def random(pool: Pool, k: int, generator: np.random.Generator) -> np.ndarray:
    """Pick k positions of the pool at random, without looking at it."""
    return generator.permutation(len(pool.probabilities))[:k]


def highest(formula) -> Sampler:
    """Make the sampler that picks the k highest scores of a formula, highest first; of equals, the earliest."""

    def sampler(pool: Pool, k: int, generator: np.random.Generator) -> np.ndarray:
        # Twelve decimals: the last bits of a logarithm or a sum differ between machines and must not decide.
        scores = torch.as_tensor(formula(pool.probabilities)).round(decimals=12)
        return scores.argsort(descending=True, stable=True)[:k].cpu().numpy()

    return sampler


SCORES = {
    "least_certainty": least_certainty,
    "least_certainty_margin": least_certainty_margin,
    "entropy": entropy,
}
SAMPLERS: dict[str, Sampler] = {"random": random} | {name: highest(formula) for name, formula in SCORES.items()}


def sample(sampler: Sampler | str, pool: Pool, k: int, seed: int) -> np.ndarray:
    """Pick k distinct positions of the pool, (k,) int64, most informative first.

    `sampler` is a name in SAMPLERS or any function of (pool, k, generator). Same input and seed: the same picks.
    Raises ValueError for probabilities that are none, for k outside 1..N, and for picks that are not k distinct
    positions of the pool.
    """
    n = len(check_probabilities(pool.probabilities))
    if isinstance(sampler, str) and sampler not in SAMPLERS:
        raise ValueError(f"sampler is {sampler!r}; give one of {', '.join(SAMPLERS)} or a function.")
    if not 1 <= k <= n:
        raise ValueError(f"k is {k}, but the pool has {n} images; choose 1 to {n}.")
    function = SAMPLERS[sampler] if isinstance(sampler, str) else sampler
    picks = np.asarray(function(pool, k, np.random.default_rng(seed)))
    valid = picks.shape == (k,) and np.issubdtype(picks.dtype, np.integer)
    if not valid or picks.min() < 0 or picks.max() >= n or len(np.unique(picks)) < k:
        raise ValueError(f"The sampler must return {k} distinct integers from 0 to {n - 1}, one for each pick.")
    return picks.astype(np.int64)


def check_probabilities(probabilities) -> torch.Tensor:
    """Return (N, n_classes) probabilities as a float64 tensor where they are.

    Raises ValueError for another shape, fewer than two classes, NaN, a negative number, or a row whose sum is not 1.
    """
    if not isinstance(probabilities, torch.Tensor):
        probabilities = np.require(probabilities, requirements="W")  # torch warns of read-only arrays
    given = torch.as_tensor(probabilities)
    if given.ndim != 2 or len(given) == 0 or given.shape[1] < 2:
        raise ValueError(
            f"probabilities have shape {tuple(given.shape)}; give (N, n_classes) with two classes or more."
        )
    given = given.double()
    if not (given >= 0).all():
        raise ValueError("probabilities hold NaN or negative numbers; give each row as numbers from 0 to 1.")
    sums = given.sum(1)
    if (sums - 1).abs().amax() > 1e-3:
        worst = int((sums - 1).abs().argmax())
        raise ValueError(f"probabilities of row {worst} sum to {sums[worst]:.4f}; each row has to sum to 1.")
    return given
