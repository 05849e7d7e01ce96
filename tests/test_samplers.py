"""The strategies against modAL, scipy and cases worked out by hand."""

from math import log

import numpy as np
import pytest
from modAL.uncertainty import classifier_entropy, classifier_margin, classifier_uncertainty
from scipy.special import entr
from scipy.stats import entropy as entropy_of_scipy

from alkit.samplers import SAMPLERS, SCORES, Pool, highest, sample

MODAL = {
    "least_certainty": classifier_uncertainty,
    "least_certainty_margin": lambda *arguments: -classifier_margin(*arguments),
    "entropy": classifier_entropy,
}


class Says:
    """A classifier that predicts what it was given."""

    def __init__(self, probabilities):
        self.predict_proba = lambda _: probabilities


def dirichlet(n, n_classes, seed=0, concentration=0.5):
    return np.random.default_rng(seed).dirichlet(np.full(n_classes, concentration), n)


def near_zero():
    """One class certain, or two of them at one half, and 1e-30 for all others."""
    one = np.eye(6)
    return np.concatenate([np.where(one, 1, 1e-30), np.where(one + one[::-1], 0.5, 1e-30)])


MATRICES = {
    "binary": dirichlet(400, 2),
    "ten": dirichlet(400, 10),
    "thousand": dirichlet(100, 1000),
    "sharp": dirichlet(400, 10, concentration=0.01),
    "300 rows, of which only 4 differ": dirichlet(4, 5)[np.random.default_rng(1).integers(0, 4, 300)],
    "one-hot": np.eye(7)[np.random.default_rng(2).integers(0, 7, 50)],
    "uniform": np.full((20, 4), 0.25),
    "near zero": near_zero(),
}


@pytest.fixture(params=MATRICES)
def matrix(request):
    return MATRICES[request.param]


@pytest.fixture(params=SCORES)
def name(request):
    return request.param


def eighths(n=200, n_classes=6, seed=0):
    """Probabilities in steps of 1/8: exact in every floating-point type, and full of ties."""
    return np.random.default_rng(seed).multinomial(8, np.full(n_classes, 1 / n_classes), n) / 8


def test_scores_match_modal(name, matrix):
    np.testing.assert_allclose(SCORES[name](matrix), MODAL[name](Says(matrix), matrix), rtol=0, atol=1e-12)


def test_entropy_matches_scipy(matrix):
    np.testing.assert_allclose(SCORES["entropy"](matrix), entropy_of_scipy(matrix, axis=1), rtol=0, atol=1e-12)


def test_picks_match_a_sort_by_score_then_position(name, matrix):
    scores = np.round(MODAL[name](Says(matrix), matrix), 12)
    expected = np.lexsort((np.arange(len(matrix)), -scores))
    for n_query in (1, len(matrix) // 2, len(matrix)):
        np.testing.assert_array_equal(sample(name, Pool(matrix), n_query, seed=0), expected[:n_query])


@pytest.mark.parametrize(
    ("name", "expected", "order"),
    [
        ("least_certainty", [0.5, 0.4, 0.6], [2, 0, 1]),
        ("least_certainty_margin", [0.0, -0.25, -0.1], [0, 2, 1]),
        (
            "entropy",
            [log(2), log(20) - 0.6 * log(12) - 0.35 * log(7), log(10) - 0.6 * log(3) - 0.4 * log(4)],
            [2, 1, 0],
        ),
    ],
)
def test_three_images_by_hand(name, expected, order):
    p = np.array([[0.5, 0.5, 0.0], [0.05, 0.6, 0.35], [0.3, 0.3, 0.4]])
    np.testing.assert_allclose(SCORES[name](p), expected, rtol=0, atol=1e-12)
    assert sample(name, Pool(p), 3, seed=0).tolist() == order


@pytest.mark.parametrize("strategy", SAMPLERS)
@pytest.mark.parametrize("n_query", [1, 37, 200])
def test_picks_are_distinct_positions_and_repeat_with_the_seed(strategy, n_query):
    pool = Pool(dirichlet(200, 5))
    picks = sample(strategy, pool, n_query, seed=3)
    assert picks.dtype == np.int64
    assert len(picks) == n_query == len(set(picks.tolist()) & set(range(200)))
    np.testing.assert_array_equal(picks, sample(strategy, pool, n_query, seed=3))


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_classes_does_not_matter(name, seed):
    p = np.concatenate([dirichlet(150, 8, seed), eighths(150, 8, seed)])
    shuffled = np.random.default_rng(seed).permuted(p, axis=1)
    np.testing.assert_array_equal(sample(name, Pool(p), 300, 0), sample(name, Pool(shuffled), 300, 0))


def test_the_most_informative_come_first_and_of_equals_the_earliest(name):
    p = eighths()
    scores = MODAL[name](Says(p), p).round(12)
    picks = sample(name, Pool(p), 120, seed=0)
    assert scores[picks].min() >= np.delete(scores, picks).max()
    drops = np.diff(scores[picks])
    assert (drops <= 0).all()
    assert (drops == 0).sum() > 50
    assert (np.diff(picks)[drops == 0] > 0).all()
    left_out = np.setdiff1d(np.flatnonzero(scores == scores[picks[-1]]), picks)
    assert (left_out > picks[-1]).all()


@pytest.mark.parametrize("n_classes", [3, 1000])
def test_differences_below_single_precision_decide(name, n_classes):
    # Rows of float32 that are the same but for a last bit: their scores differ by less than float32 can hold.
    p = np.repeat(dirichlet(3, n_classes).astype(np.float32), 100, axis=0)
    p = np.nextafter(p, np.random.default_rng(0).choice(np.float32([0, 1]), p.shape))
    p = p.astype(float)  # whose rows sum to 1 but for 1e-7, which modAL would divide by
    first, second = -np.sort(-p, axis=1)[:, :2].T
    exact = {"least_certainty": 1 - first, "least_certainty_margin": second - first, "entropy": entr(p).sum(1)}
    scores = exact[name].round(12)
    assert len(np.unique(scores)) > 3
    assert len(np.unique(scores.astype(np.float16))) <= 6
    expected = np.lexsort((np.arange(300), -scores))
    for n_query in (1, 50, 150, 299):
        np.testing.assert_array_equal(sample(name, Pool(p), n_query, seed=0), expected[:n_query])


def test_uncertainty_does_not_depend_on_the_seed(name):
    pool = Pool(eighths())
    np.testing.assert_array_equal(sample(name, pool, 50, seed=0), sample(name, pool, 50, seed=1))


@pytest.mark.parametrize("strategy", SAMPLERS)
@pytest.mark.parametrize("precision", [np.float16, np.float32, np.float64])
def test_arrays_of_every_precision_and_order_are_alike_and_left_as_they_were(strategy, precision):
    exact = eighths()
    expected = sample(strategy, Pool(exact), 80, seed=0)
    for given in (exact.astype(precision), np.asfortranarray(exact.astype(precision)), exact.tolist()):
        np.testing.assert_array_equal(sample(strategy, Pool(given), 80, seed=0), expected)
        np.testing.assert_array_equal(given, exact)


def test_random_does_not_look_and_prefers_no_position():
    p = dirichlet(10, 3)
    np.testing.assert_array_equal(sample("random", Pool(p), 10, 0), sample("random", Pool(p[::-1].copy()), 10, 0))
    counts = np.zeros((10, 3))
    for seed in range(1000):
        counts[sample("random", Pool(p), 3, seed), range(3)] += 1
    # Each position is expected 100 times in each place, with a standard deviation of 9.5.
    assert abs(counts - 100).max() < 5 * 9.5


def test_a_formula_that_looks_at_the_whole_pool_is_called_once_on_all_of_it():
    p, calls = dirichlet(5000, 10), []

    def nearest_to_the_median(pool, n_query, generator):
        """Prefers images of which the model is as certain as it is of half of the pool."""

        def score(probabilities):
            calls.append(len(probabilities))
            return -abs(probabilities.max(axis=1) - np.median(probabilities.max(axis=1)))

        return highest(score(pool.probabilities), n_query)

    picks = sample(nearest_to_the_median, Pool(p), 50, seed=0)
    median = sorted(row.max() for row in p)
    median = (median[2499] + median[2500]) / 2
    distances = [(round(abs(row.max() - median), 12), position) for position, row in enumerate(p)]
    assert picks.tolist() == [position for _, position in sorted(distances)[:50]]
    assert calls == [5000]


def test_scores_that_agree_in_twelve_decimals_are_equal():
    scores = np.array([0.5, 0.5 + 4e-13, 0.5 + 2e-12, 0.5 - 4e-13])
    assert highest(scores, 4).tolist() == [2, 0, 1, 3]
    assert highest(np.array([-np.inf, 1, np.inf]), 3).tolist() == [2, 1, 0]


def test_probabilities_as_a_network_in_half_precision_gives_them_are_accepted():
    assert len(Pool(dirichlet(300, 1000).astype(np.float16))) == 300


@pytest.mark.parametrize("n_query", [1, 4])
def test_a_function_of_features_and_generator_is_a_strategy(n_query):
    def farthest(pool, n_query, generator):
        distances = np.linalg.norm(pool.features[:, None] - pool.labelled_features, axis=2).min(1)
        return np.lexsort((generator.random(len(distances)), -distances))[:n_query].astype(np.int32)

    pool = Pool(dirichlet(6, 3), np.arange(6.0)[:, None], np.zeros((2, 1)))
    picks = sample(farthest, pool, n_query, seed=0)
    assert picks.dtype == np.int64
    assert picks.tolist() == [5, 4, 3, 2][:n_query]


def test_features_are_computed_once_and_only_when_they_are_asked_for():
    calls = []

    def features_of(kind, n):
        return lambda: calls.append(kind) or np.ones((n, 2))

    pool = Pool(dirichlet(6, 3), features_of("pool", 6), features_of("labelled", 2))
    sample("entropy", pool, 2, 0)
    assert calls == []
    assert (pool.features.shape, pool.features.shape, calls) == ((6, 2), (6, 2), ["pool"])
    assert (pool.labelled_features.shape, calls) == ((2, 2), ["pool", "labelled"])
    with pytest.raises(AttributeError, match="no features"):
        _ = Pool(dirichlet(6, 3)).features
