"""The strategies beyond the report's against scikit-activeml, small-text, plain loops and cases worked out by hand."""

from itertools import cycle
from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as draw
from scipy.spatial.distance import cdist
from scipy.stats import chisquare, ks_2samp
from skactiveml.pool import CoreSet
from sklearn.cluster import KMeans, kmeans_plusplus

from alkit import strategies
from alkit.samplers import Pool, sample

NAMES = ["power_margin", "class_balanced_margin", "bald", "k_center", "badge", "typiclust", "probcover"]


def pool_of(n=300, n_labelled=40, n_classes=10, n_features=12, seed=0):
    generator = np.random.default_rng(seed)
    ensemble = generator.dirichlet(np.full(n_classes, 0.5), (5, n))
    features = generator.normal(size=(n + n_labelled, n_features)).astype(np.float32)
    return Pool(ensemble[0], features[:n], features[n:], ensemble)


def picks(name, pool, n_query, seed=0):
    return sample(getattr(strategies, name), pool, n_query, seed)


# What all of them keep to.


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
@pytest.mark.parametrize("name", NAMES)
@given(draw.data())
def test_any_pool_gives_distinct_picks_that_the_seed_decides(name, data):
    """Also of few images, one-hot probabilities, and features that are equal, 0, repeated or in two places only."""
    n, n_labelled, n_classes = (data.draw(draw.integers(*ends)) for ends in ((1, 30), (1, 12), (2, 5)))
    pool = pool_of(n, n_labelled, n_classes, n_features=3, seed=data.draw(draw.integers(0, 99)))
    kind = data.draw(draw.sampled_from(["any", "equal", "zero", "repeated", "two places"]))
    features = np.concatenate([pool.features, pool.labelled_features])
    if kind != "any":
        features = {
            "equal": features * 0 + 1,
            "zero": features * 0,
            "two places": np.sign(features[:, :1]) * [[1, 2, 3]],
        }.get(kind, features[np.arange(len(features)) // 4])
    ensemble = pool.ensemble if data.draw(draw.booleans()) else np.eye(n_classes)[pool.ensemble.argmax(axis=2)]
    pool, n_query = Pool(ensemble[0], features[:n], features[n:], ensemble), data.draw(draw.integers(1, n))
    first = picks(name, pool, n_query)  # `sample` refuses any that are not distinct and within the pool
    np.testing.assert_array_equal(first, picks(name, pool, n_query))


@pytest.mark.parametrize("name", ["k_center", "typiclust", "probcover"])
def test_a_change_of_the_last_bits_of_features_and_their_duplicates_change_no_pick(name):
    pool = pool_of()
    features = np.repeat(pool.features[:150], 2, axis=0).astype(float)
    noise = 1 + 1e-15 * np.random.default_rng(0).integers(-2, 3, features.shape)
    expected, found = (
        picks(name, Pool(pool.probabilities, each, pool.labelled_features), 100)
        for each in (features, features * noise)
    )
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", NAMES)
def test_no_images_are_labelled_yet(name):
    pool = pool_of()
    pool = Pool(pool.probabilities, pool.features, pool.labelled_features[:0], pool.ensemble)
    assert len(picks(name, pool, 50)) == 50


# Margins.


def test_power_margin_draws_in_proportion_to_one_minus_the_margin():
    """Margins 0.8, 0.5 and 0.2, so chances of 2, 5 and 8 of 15; of two without replacement, as for an urn."""
    pool = Pool([[0.9, 0.1], [0.75, 0.25], [0.6, 0.4]])
    drawn = np.array([picks("power_margin", pool, 2, seed) for seed in range(6000)])
    assert chisquare(np.bincount(drawn[:, 0], minlength=3), 6000 * np.array([2, 5, 8]) / 15).pvalue > 1e-4
    second = drawn[drawn[:, 0] == 2, 1]
    assert chisquare(np.bincount(second, minlength=3)[:2], len(second) * np.array([2, 5]) / 7).pvalue > 1e-4


def test_class_balanced_margin_takes_turns_until_a_class_runs_out():
    """Predicted 0 with margins 0.2, 0.4, 0.6, 0.8; predicted 1 with margins 0.1 and 0.9."""
    pool = Pool([[0.6, 0.4], [0.7, 0.3], [0.8, 0.2], [0.9, 0.1], [0.45, 0.55], [0.05, 0.95]])
    assert picks("class_balanced_margin", pool, 6).tolist() == [4, 0, 1, 5, 2, 3]


# Bald.


def test_bald_is_the_information_of_the_label_about_the_model():
    """Two models that are sure of different classes: log 2; that agree, however unsure: 0."""
    from skactiveml.pool._bald import batch_bald
    from small_text.query_strategies.bayesian import _bald

    pool = pool_of()
    scores = batch_bald(pool.ensemble.copy(), 1)[0]
    np.testing.assert_allclose(scores, _bald(np.swapaxes(pool.ensemble, 0, 1)) * log(2), atol=1e-6)
    np.testing.assert_array_equal(picks("bald", pool, 300), np.argsort(-scores))
    ensemble = np.array([[[1, 0], [0.5, 0.5], [0.8, 0.2]], [[0, 1], [0.5, 0.5], [0.4, 0.6]]])
    assert picks("bald", Pool(ensemble[0], ensemble=ensemble), 3).tolist() == [0, 2, 1]


# Distances.


@pytest.mark.parametrize("at_once", [7, 4096])
def test_k_center_picks_what_core_set_of_scikit_activeml_does(at_once, monkeypatch):
    monkeypatch.setattr(strategies, "AT_ONCE", at_once)
    pool = pool_of()
    both = np.concatenate([pool.features, pool.labelled_features]).astype(float)
    labels = np.r_[np.full(300, np.nan), np.zeros(40)]
    expected = CoreSet(random_state=0).query(both, labels, batch_size=150)
    np.testing.assert_array_equal(picks("k_center", pool, 150), expected)


def test_k_center_by_hand():
    """Labelled at 0; the pool at 1, 10, 6, 4 and 10: 10, then 4 or 6 are 4 away, the earliest is 6; then 4, 1, 10."""
    pool = Pool(np.full((5, 2), 0.5), np.array([[1], [10], [6], [4], [10]]), np.array([[0]]))
    assert picks("k_center", pool, 5).tolist() == [1, 2, 3, 0, 4]


def gradients(pool):
    errors = pool.probabilities - np.eye(pool.probabilities.shape[1])[pool.probabilities.argmax(axis=1)]
    return (errors[:, :, None] * pool.features[:, None, :]).reshape(len(pool), -1)


def test_badge_draws_in_proportion_to_the_squared_distance_of_gradients():
    pool = pool_of(6, n_classes=3, n_features=4)
    away = cdist(gradients(pool), gradients(pool), "sqeuclidean")
    first = np.linalg.norm(gradients(pool), axis=1).argmax()
    drawn = np.array([picks("badge", pool, 3, seed) for seed in range(6000)])
    assert (drawn[:, 0] == first).all()
    others = np.delete(np.arange(6), first)
    counts = np.bincount(drawn[:, 1], minlength=6)[others]
    assert chisquare(counts, 6000 * away[first, others] / away[first].sum()).pvalue > 1e-4
    second = np.bincount(drawn[:, 1]).argmax()
    chances = away[[first, second]].min(axis=0)
    third = drawn[drawn[:, 1] == second, 2]
    left = np.flatnonzero(chances > 1e-9)
    counts = np.bincount(third, minlength=6)[left]
    assert chisquare(counts, len(third) * chances[left] / chances.sum()).pvalue > 1e-4


def potential(pool, chosen):
    """What k-means++ makes small: the mean squared distance of a gradient to the nearest pick."""
    return cdist(gradients(pool), gradients(pool)[chosen], "sqeuclidean").min(axis=1).mean()


def test_batches_of_badge_are_as_good_as_those_of_k_means_plus_plus_in_scikit_learn():
    """Which begins with any image, where badge begins with the longest gradient: equals, after many picks."""
    pool, seeds = pool_of(120), range(150)
    ours = [potential(pool, picks("badge", pool, 60, seed)) for seed in seeds]
    theirs = (kmeans_plusplus(gradients(pool), 60, n_local_trials=1, random_state=seed)[1] for seed in seeds)
    theirs = [potential(pool, chosen) for chosen in theirs]
    assert ks_2samp(ours, theirs).pvalue > 1e-3
    assert np.mean(ours) < np.mean([potential(pool, picks("power_margin", pool, 60, seed)) for seed in seeds])


# Typical images, and covers.


def typical_by_loops(seen, clusters, n_labelled, n_query):
    """The authors' loop, with the plain distance of the paper: turns of clusters, the most typical of those left."""
    of, found = clusters.copy(), []
    known, sizes = np.bincount(of[:n_labelled], minlength=99), np.bincount(of, minlength=99)
    of[:n_labelled] = -1
    turns = sorted((each for each in range(99) if sizes[each] > 5), key=lambda each: (known[each], -sizes[each], each))
    for cluster in cycle(turns):
        members = np.flatnonzero(of == cluster)
        k = min(20, len(members) // 2)
        if len(members):
            nearest = np.sort(cdist(seen[members], seen[members]), axis=1)[:, 1 : k + 1]
            found.append(members[0 if k == 0 else np.argmin(nearest.mean(axis=1).round(9))])
            of[found[-1]] = -1
        if len(found) == n_query:
            return np.array(found) - n_labelled


@pytest.mark.parametrize("at_once", [7, 4096])
def test_typiclust_picks_what_loops_do(at_once, monkeypatch):
    monkeypatch.setattr(strategies, "AT_ONCE", at_once)
    generator = np.random.default_rng(1)
    seen, clusters = generator.normal(size=(340, 6)), generator.integers(0, 12, 340)
    clusters[100:103] = 12  # too few to take part
    for n_query in (5, 12, 250):
        expected = typical_by_loops(seen, clusters, 40, n_query)
        np.testing.assert_array_equal(strategies.most_typical(seen, clusters, 40, n_query), expected)
    assert set(strategies.most_typical(seen, clusters, 40, 300)) == set(range(300))


def test_typiclust_by_hand():
    """Three groups alike, the third image of each in the middle of three; in the second group one is labelled.

    So the first and the third group come first, by their number, and then the second.
    """
    group = np.array([[0, -9], [3, 0], [0, 0], [-1.5, 2.6], [-1.5, -2.6], [9, 9]])
    seen = np.concatenate([[[100, 50]], group, group + np.array([100, 0]), group + np.array([200, 0])])
    clusters = np.array([1] + [0] * 6 + [1] * 6 + [2] * 6)
    assert strategies.most_typical(seen, clusters, 1, 3).tolist() == [2, 14, 8]


def cover_by_loops(pool, n_query, number):
    """The paper's graph, whole: the largest ball of which 95 % are pure, then the ball of most that are not covered."""
    seen = np.concatenate([pool.labelled_features, pool.features]).astype(float)
    seen /= np.linalg.norm(seen, axis=1, keepdims=True)
    clusters = KMeans(pool.probabilities.shape[1], random_state=number).fit_predict(seen)
    between, found = cdist(seen, seen).round(9), []
    impure, n = clusters[:, None] != clusters, len(pool.labelled_features)
    purity = {each: 1 - ((between < each) & impure).any(axis=1).mean() for each in np.unique(between)}
    edges = between < max(each for each, share in purity.items() if share >= 0.95)
    free = ~edges[:n].any(axis=0)
    while len(found) < n_query and (edges[n:] & free).any():
        found.append((edges[n:] & free).sum(axis=1).argmax())
        free &= ~edges[n + found[-1]]
    return found


def test_probcover_picks_what_the_whole_graph_gives_and_draws_the_rest():
    pool = pool_of(260, n_features=6)
    number = int(np.random.default_rng(0).integers(2**31))
    expected = cover_by_loops(pool, 260, number)
    assert 20 < len(expected) < 200
    found, other = picks("probcover", pool, 260), picks("probcover", pool, len(expected))
    assert found[: len(expected)].tolist() == other.tolist() == expected
    assert sorted(found) == list(range(260))
