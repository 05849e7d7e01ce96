"""The strategies: which images of the pool to have labelled next.

A score measures how uncertain each row of class probabilities is; a sampler picks `k` positions of the pool.
"""

from collections import deque
from collections.abc import Callable, Iterator
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
    """Let a formula on (rows, n_classes) tensors take any array or tensor, and return (N,) float64 of the same kind.

    The rows are checked and go through the formula some 65,000 numbers at a time: fast and in bounded memory.
    `rough` is the same in the precision of the rows.
    """

    @wraps(formula)
    def checked(probabilities):
        scores = torch.cat([formula(rows.double()) for rows in check_probabilities(probabilities)])
        return scores if isinstance(probabilities, torch.Tensor) else scores.numpy()

    checked.rough = lambda probabilities: torch.cat([formula(rows) for rows in check_probabilities(probabilities)])
    return checked


@score
def least_certainty(probabilities):
    """1 - p1: what the most probable class leaves over, 0 to 1 - 1/n_classes (Lewis and Gale 1994, for many
    classes Culotta and McCallum 2005)."""
    return 1 - probabilities.amax(1)


@score
def least_certainty_margin(probabilities):
    """-(p1 - p2): minus the gap between the two most probable classes, -1 to 0 (Scheffer et al. 2001)."""
    first, most_probable = probabilities.max(1, keepdim=True)
    second = probabilities.scatter(1, most_probable, 0).amax(1, keepdim=True)
    return (second - first).squeeze(1)


@score
def entropy(probabilities):
    """-sum p log p, with 0 log 0 = 0: the entropy of the prediction in nats, 0 to log n_classes (Shannon 1948)."""
    # A number just above 0 keeps log finite; times 0 it is 0. torch.special.entr does the same, but slowly.
    return -(probabilities * probabilities.clamp(min=torch.finfo(probabilities.dtype).tiny).log()).sum(1)


def random(pool: Pool, k: int, generator: np.random.Generator) -> np.ndarray:
    """Pick k positions of the pool at random, without looking at it."""
    return generator.permutation(len(pool.probabilities))[:k]


def highest(formula) -> Sampler:
    """Make the sampler that picks the k highest scores of a formula, highest first; of equals, the earliest.

    The formula takes probabilities (N, n_classes) and returns (N,), each row's own score; those of SCORES are faster.
    The sampler raises ValueError for scores that are NaN.
    """

    @wraps(formula)
    def sampler(pool: Pool, k: int, generator: np.random.Generator) -> np.ndarray:
        rough = -torch.as_tensor(getattr(formula, "rough", formula)(pool.probabilities)).cpu().numpy()
        if np.isnan(rough).any():
            raise ValueError(f"The formula gives NaN for {np.isnan(rough).sum()} of {len(rough)} images; give numbers.")
        # Only what may be among the k highest is worth all digits.
        near = np.flatnonzero(rough <= np.partition(rough, k - 1)[k - 1] + 1e-3)
        # Twelve decimals: the last bits of a logarithm or a sum differ between machines and must not decide.
        scores = torch.as_tensor(formula(pool.probabilities[near])).cpu().numpy().round(12)
        return near[(-scores).argsort(kind="stable")[:k]]

    return sampler


SCORES = {
    "least_certainty": least_certainty,
    "least_certainty_margin": least_certainty_margin,
    "entropy": entropy,
}
SAMPLERS: dict[str, Sampler] = {"random": random} | {name: highest(formula) for name, formula in SCORES.items()}
BUILT_IN = dict(SAMPLERS)  # what SAMPLERS holds before anybody adds to it


def sample(sampler: Sampler | str, pool: Pool, k: int, seed: int | tuple[int, int]) -> np.ndarray:
    """Pick k distinct positions of the pool, (k,) int64, most informative first.

    `sampler` is a name in SAMPLERS or any function of (pool, k, generator). Same input and seed: the same picks.
    Raises ValueError for probabilities that are none, for k outside 1..N, and for picks that are not k distinct
    positions of the pool.
    """
    if isinstance(sampler, str) and sampler not in SAMPLERS:
        raise ValueError(f"sampler is {sampler!r}; give one of {', '.join(SAMPLERS)} or a function.")
    checked = check_probabilities(pool.probabilities)
    next(checked)
    if not isinstance(sampler, str) or sampler not in SCORES:  # the scores check what they read
        deque(checked, maxlen=0)
    n = len(pool.probabilities)
    if not 1 <= k <= n:
        raise ValueError(f"k is {k}, but the pool has {n} images; choose 1 to {n}.")
    function = SAMPLERS[sampler] if isinstance(sampler, str) else sampler
    picks = np.asarray(function(pool, k, np.random.default_rng(seed)))
    valid = picks.shape == (k,) and np.issubdtype(picks.dtype, np.integer) and 0 <= picks.min() <= picks.max() < n
    if not valid or np.bincount(picks).max() > 1:
        raise ValueError(f"The sampler must return {k} distinct integers from 0 to {n - 1}, one for each pick.")
    return picks.astype(np.int64)


def check_probabilities(probabilities: np.ndarray | torch.Tensor) -> Iterator[torch.Tensor]:
    """Yield probabilities (N, n_classes) in order as tensors (rows, n_classes), some 65,000 numbers at a time.

    Raises ValueError for another shape, fewer than two classes, NaN, a negative number, or a row whose sum is not 1.
    """
    if probabilities.ndim != 2 or len(probabilities) == 0 or probabilities.shape[1] < 2:
        raise ValueError(
            f"probabilities have shape {tuple(probabilities.shape)}; give (N, n_classes) with two classes or more."
        )
    n_rows = max(1, 2**16 // probabilities.shape[1])
    for start in range(0, len(probabilities), n_rows):
        rows = probabilities[start : start + n_rows]
        if not isinstance(rows, torch.Tensor):
            rows = torch.as_tensor(np.require(rows, requirements="W"))  # torch warns of read-only arrays
        rows = rows if rows.dtype in (torch.float32, torch.float64) else rows.double()
        sums = rows.sum(1)
        if not (rows.amin() >= 0) & (sums.sub(1).abs().amax() <= 1e-3):
            if not (rows >= 0).all():
                raise ValueError("probabilities hold NaN or negative numbers; give each row as numbers from 0 to 1.")
            worst = int((sums - 1).abs().argmax())
            raise ValueError(
                f"probabilities of row {start + worst} sum to {sums[worst]:.4f}; each row has to sum to 1."
            )
        yield rows
