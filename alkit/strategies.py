"""Strategies beyond the report's: they look at features or at other models, or draw. Each is a function of a pool.

As in `samplers`, of equals the earliest counts. Distances are Euclidean, in float64 but for `badge`, where they weigh
draws; their squares are rounded to nine decimals, for the last bits differ between machines, and so that duplicates are
at 0. Of an N by N matrix there are never more than 500 columns, or 4,096 of both; `probcover` keeps near pairs.
"""

from collections.abc import Callable, Iterator
from functools import reduce
from itertools import count, islice, zip_longest

import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from scipy.special import entr
from sklearn.cluster import KMeans
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize
from threadpoolctl import threadpool_limits

from alkit.samplers import Pool, highest, least_certainty_margin

AT_ONCE = 4096  # images between which all distances are held


def power_margin(pool: Pool, n_query: int, generator: np.random.Generator) -> np.ndarray:
    """Draw in proportion to 1 - (p1 - p2), without replacement, as the highest of log(1 - (p1 - p2)) + Gumbel noise.

    The highest margins alone are much alike; noise spreads a batch (Kirsch et al. 2023: power acquisition, beta = 1).
    """
    with np.errstate(divide="ignore"):  # what is certain comes last
        scores = np.log1p(least_certainty_margin(pool.probabilities))
    return highest(scores + generator.gumbel(size=len(pool)), n_query)


def class_balanced_margin(pool: Pool, n_query: int, generator: np.random.Generator) -> np.ndarray:
    """Pick the smallest margins, as many of each predicted class while it has images left.

    The simplest answer to classes that a batch leaves out; Bengar et al. 2022 solve for the balance instead.
    """
    order = highest(least_certainty_margin(pool.probabilities), len(pool))
    predicted = pd.Series(pool.probabilities[order].argmax(axis=1))
    return order[np.argsort(predicted.groupby(predicted).cumcount(), kind="stable")][:n_query]


def bald(pool: Pool, n_query: int, generator: np.random.Generator) -> np.ndarray:
    """Pick where models disagree most: the highest H(mean p) - mean H(p) over `pool.ensemble`, in nats.

    The information that a label gives about the model (Houlsby et al. 2011; Gal et al. 2017, there by dropout, here as
    in Beluch et al. 2018 by models that differ in their seed). Costs the training of these models.
    """
    disagreement = entr(pool.ensemble.mean(axis=0)).sum(axis=1) - entr(pool.ensemble).sum(axis=2).mean(axis=0)
    return highest(disagreement, n_query)


def k_center(pool: Pool, n_query: int, generator: np.random.Generator) -> np.ndarray:
    """Pick again and again the image that is farthest from all that are labelled or picked, by features.

    The greedy k-center of Sener and Savarese 2018, at most twice as far from the best cover (Gonzalez 1985). Distances
    only shrink: while the farthest of some images is farther than all others were, the others need no update. So most
    of the N * n_query distances come from products of matrices, in order N * n_query * D.
    """
    seen, labelled = pool.features.astype(float), pool.labelled_features.astype(float)
    nearest, picks = _nearest(seen, labelled), []
    while len(picks) < n_query:
        order = np.argsort(-nearest, kind="stable")
        front, others = np.sort(order[:AT_ONCE]), order[AT_ONCE:]
        near, between, before = nearest[front], distances(seen[front], seen[front]), len(picks)
        limit = nearest[others[0]] if len(others) else -np.inf
        while len(picks) < n_query and (len(picks) == before or near.max() > limit):
            picks.append(front[place := near.argmax()])
            near = np.minimum(near, between[place])
            near[place] = -1
        nearest = np.minimum(nearest, _nearest(seen, seen[picks[before:]]))
        nearest[picks] = -1
    return np.array(picks)


def badge(pool: Pool, n_query: int, generator: np.random.Generator) -> np.ndarray:
    """Draw as k-means++ does, in proportion to the squared distance from all picks, of the gradients labels would give.

    Those of the last layer, if the predicted class were right: (p - onehot) times features (Ash et al. 2020). A long
    gradient is an uncertain image, and distance makes a batch diverse. The first pick has the longest, as in the
    authors' code. Products of two factors are never written out, so the costs are N * n_query * D.
    """
    seen, errors = pool.features.astype(np.float32), pool.probabilities.astype(np.float32)
    errors[np.arange(len(pool)), errors.argmax(axis=1)] -= 1
    squares = (errors**2).sum(axis=1) * (seen**2).sum(axis=1)
    nearest, left, picks = np.inf, np.ones(len(pool)), [int(squares.argmax())]
    while len(picks) < n_query:
        pick, left[picks[-1]] = picks[-1], 0
        away = squares + squares[pick] - 2 * (errors @ errors[pick]) * (seen @ seen[pick])
        nearest = np.minimum(nearest, away.clip(0))
        chances = np.cumsum(nearest * left if (nearest * left).any() else left)
        picks.append(int(np.searchsorted(chances, chances[-1] * generator.random(), side="right")))
    return np.array(picks)


def typiclust(pool: Pool, n_query: int, generator: np.random.Generator) -> np.ndarray:
    """Pick the most typical image of each cluster, in turn of those with the fewest labelled images, then the largest.

    k-means divides labelled and pool into as many clusters as there will be labels, at most 500 (Hacohen et al. 2022,
    with features of length 1, as in the authors' code). For few labels, where what a model is unsure of misleads.
    """
    seen, n_labelled = _directions(pool), len(pool.labelled_features)
    return most_typical(seen, _clusters(seen, min(n_labelled + n_query, 500), generator), n_labelled, n_query)


def most_typical(seen: np.ndarray, clusters: np.ndarray, n_labelled: int, n_query: int) -> np.ndarray:
    """What `typiclust` picks, positions in the pool, for features (N, D) and clusters (N,); labelled images come first.

    Clusters of five images or fewer take part only where the others have less than n_query.
    """
    sizes, known = np.bincount(clusters), np.bincount(clusters[:n_labelled], minlength=clusters.max() + 1)
    by_cluster = n_labelled + np.argsort(clusters[n_labelled:], kind="stable")
    members = np.split(by_cluster, np.cumsum(sizes - known)[:-1])
    order = [cluster for cluster in np.lexsort((-sizes, known)) if len(members[cluster])]
    large = [cluster for cluster in order if sizes[cluster] > 5]
    enough = sum(len(members[cluster]) for cluster in large) >= n_query
    taking = [members[cluster] for cluster in (large if enough else order)]
    lengths = np.array([len(each) for each in taking])
    n_turns = next(n for n in count(1) if np.minimum(lengths, n).sum() >= min(n_query, lengths.sum()))
    with threadpool_limits(1 if sizes.max() <= AT_ONCE else None):  # of small work, threads would make long work
        queues = [list(islice(_typical_first(seen, each), n_turns)) for each in taking]
    picks = (pick for turn in zip_longest(*queues) for pick in turn if pick is not None)
    return np.fromiter(islice(picks, n_query), int) - n_labelled


def _typical_first(seen: np.ndarray, members: np.ndarray) -> Iterator[int]:
    """Yield members of a cluster, of those left the one of the least mean distance to its 20 nearest, or to half."""
    seen, left = seen[members], np.ones(len(members), bool)
    held = distances(seen, seen) if len(seen) <= AT_ONCE else None
    mean, reach, stale = np.full(len(seen), np.inf), np.zeros(len(seen)), slice(None)
    for n_left in range(len(seen), 1, -1):
        k = min(20, n_left // 2)
        if held is None:
            mean[left] = NearestNeighbors(n_neighbors=k).fit(seen[left]).kneighbors()[0].mean(axis=1).round(9)
        else:  # with itself, at 0; means in billionths
            near = np.partition(held[stale], k, axis=1)[:, : k + 1]
            mean[stale], reach[stale] = (near.sum(axis=1) * (1e9 / k)).round(), near[:, k]
        yield members[best := mean.argmin()]
        mean[best], left[best] = np.inf, False
        if held is not None:
            # Others than those near it have the same neighbours as before, but for a smaller k.
            stale = np.flatnonzero(left & ((held[:, best] <= reach) | (n_left <= 40)))
            held[:, best] = np.inf
    yield from members[left]


def probcover(pool: Pool, n_query: int, generator: np.random.Generator) -> np.ndarray:
    """Pick again and again the image around which the most lie that no labelled or picked image has around it.

    Around is nearer than the largest distance at which 95 % of images have their own cluster alone around them, of as
    many clusters as classes (Yehuda et al. 2022, with features of length 1). Where nothing is left to cover, the rest
    is drawn. For few labels. It keeps what lies around each image; the costs are N * N * D.
    """
    seen, n_labelled, n_classes = _directions(pool), len(pool.labelled_features), pool.probabilities.shape[1]
    clusters, n = _clusters(seen, min(n_classes, len(seen)), generator), len(seen)
    apart, unsure, picks, pairs = np.full(n, np.inf), np.ones(n, bool), [], []
    for rows in (seen.astype(np.float32), seen):  # the faster first, then again what may be near the edge
        for own in (clusters == cluster for cluster in range(clusters.max() + 1)):
            apart[own & unsure] = _nearest(rows[own & unsure], rows[~own])
        limit = float(np.sort(apart)[n // 20]) ** 2 - 5e-10  # what is rounded to the radius is not in it
        unsure = apart**2 < limit + 0.02
    for start in range(0, n, 50):  # pairs are alike both ways
        places = np.flatnonzero(_squares(seen[start : start + 50], seen[start:]) < limit)
        pairs.append(start + np.array(np.divmod(places, n - start), np.int32))
    pairs = np.concatenate(pairs, axis=1)
    half = csr_array((np.ones(len(pairs[0]), bool), pairs), (n, n))
    del pairs
    around = half + half.T
    free = np.bincount(around[:n_labelled].indices, minlength=n) == 0
    gain = np.bincount(around[free].indices, minlength=n)
    while len(picks) < n_query and gain[n_labelled:].max() > 0:
        picks.append(gain[n_labelled:].argmax())
        new = [image for image in around[[n_labelled + picks[-1]]].indices if free[image]]
        gain, free[new] = gain - np.bincount(around[new].indices, minlength=n), False
    rest = generator.permutation(np.setdiff1d(np.arange(len(pool)), picks))
    return np.concatenate([picks, rest])[:n_query].astype(int)


def _clusters(seen: np.ndarray, n_clusters: int, generator: np.random.Generator) -> np.ndarray:
    """The number of each row's cluster, by k-means."""
    with threadpool_limits(1 if len(seen) <= AT_ONCE else None):
        return KMeans(n_clusters, random_state=int(generator.integers(2**31))).fit_predict(seen)


def distances(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Distances (N, M) between rows (N, D) and (M, D)."""
    return _roots(_squares(some, others))


def _nearest(seen: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The distance of each to the nearest of others; infinite where there are none."""
    least = (_squares(seen, others[start : start + 500]).min(axis=1) for start in range(0, len(others), 500))
    return _roots(reduce(np.minimum, least, np.full(len(seen), np.inf)))


def _squares(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    # As scikit-learn's euclidean_distances, whose checks take longer than a small cluster does.
    squares = some @ others.T  # of rows with themselves at half the cost
    squares *= -2
    lengths = np.einsum("nd,nd->n", others, others)
    squares += (lengths if some is others else np.einsum("nd,nd->n", some, some))[:, None]
    squares += lengths
    return squares


def _roots(squares: np.ndarray) -> np.ndarray:
    return np.sqrt(np.maximum(np.round(squares, 9, out=squares), 0, out=squares), out=squares)


def _directions(pool: Pool) -> np.ndarray:
    """Features of labelled images, then of the pool, of length 1; those of length 0 stay."""
    return normalize(np.concatenate([pool.labelled_features, pool.features]).astype(float))


BEYOND: dict[str, Callable] = {
    each.__name__: each for each in (power_margin, class_balanced_margin, bald, k_center, badge, typiclust, probcover)
}
