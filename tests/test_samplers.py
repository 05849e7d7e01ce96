"""The strategies against modAL, numpy and hand-computed cases."""

import ast
import inspect
from math import log
from pathlib import Path

import numpy as np
import pytest
import torch
from modAL.uncertainty import classifier_entropy, classifier_margin, classifier_uncertainty
from scipy.special import entr

from alkit import samplers
from alkit.samplers import SAMPLERS, SCORES, Pool, sample

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


def tied():
    """300 rows, of which only 4 differ, in random order."""
    return dirichlet(4, 5)[np.random.default_rng(1).integers(0, 4, 300)]


def near_zero():
    """One class certain, or two of them at one half, and 1e-30 for all others."""
    one = np.eye(6)
    return np.concatenate([np.where(one, 1, 1e-30), np.where(one + one[::-1], 0.5, 1e-30)])


MATRICES = {
    "binary": dirichlet(400, 2),
    "ten": dirichlet(400, 10),
    "thousand": dirichlet(100, 1000),
    "sharp": dirichlet(400, 10, concentration=0.01),
    "tied": tied(),
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


def test_picks_match_a_sort_by_score_then_position(name, matrix):
    scores = np.round(MODAL[name](Says(matrix), matrix), 12)
    expected = np.lexsort((np.arange(len(matrix)), -scores))
    for k in (1, len(matrix) // 2, len(matrix)):
        np.testing.assert_array_equal(sample(name, Pool(matrix), k, seed=0), expected[:k])


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
@pytest.mark.parametrize("k", [1, 37, 200])
def test_picks_are_k_distinct_positions_and_repeat_with_the_seed(strategy, k):
    pool = Pool(dirichlet(200, 5))
    picks = sample(strategy, pool, k, seed=3)
    assert picks.dtype == np.int64
    assert len(picks) == k == len(set(picks.tolist()) & set(range(200)))
    np.testing.assert_array_equal(picks, sample(strategy, pool, k, seed=3))


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
    towards = np.random.default_rng(0).choice(np.float32([0, 1]), p.shape)
    p = np.nextafter(p, towards)
    first, second = -np.sort(-p.astype(float), axis=1)[:, :2].T
    exact = {
        "least_certainty": 1 - first,
        "least_certainty_margin": second - first,
        "entropy": entr(p.astype(float)).sum(1),
    }
    scores = exact[name].round(12)
    assert len(np.unique(scores)) > 3
    assert len(np.unique(scores.astype(np.float16))) <= 6
    expected = np.lexsort((np.arange(300), -scores))
    for k in (1, 50, 150, 299):
        np.testing.assert_array_equal(sample(name, Pool(p), k, seed=0), expected[:k])


def test_uncertainty_does_not_depend_on_the_seed(name):
    pool = Pool(eighths())
    np.testing.assert_array_equal(sample(name, pool, 50, seed=0), sample(name, pool, 50, seed=1))


@pytest.mark.parametrize("strategy", SAMPLERS)
@pytest.mark.parametrize("precision", ["float16", "bfloat16", "float32", "float64"])
def test_arrays_and_tensors_of_every_precision_are_alike(strategy, precision):
    exact = eighths()
    expected = sample(strategy, Pool(exact), 80, seed=0)
    tensor = torch.tensor(exact).to(getattr(torch, precision))
    variants = [tensor] if precision == "bfloat16" else [tensor, tensor.numpy(), np.asfortranarray(tensor.numpy())]
    for variant in variants:
        picks = sample(strategy, Pool(variant), 80, seed=0)
        assert isinstance(picks, np.ndarray)
        np.testing.assert_array_equal(picks, expected)
        if strategy in SCORES:
            scores = SCORES[strategy](variant)
            assert type(scores) is type(variant)
            np.testing.assert_allclose(scores, SCORES[strategy](exact), rtol=0, atol=1e-12)


def test_predictions_rounded_to_float16_are_accepted(name):
    p = dirichlet(300, 1000)
    np.testing.assert_allclose(SCORES[name](p.astype(np.float16)), SCORES[name](p), atol=0.01)


def test_the_pool_is_left_as_it_was(name):
    p = dirichlet(50, 4)
    before = p.copy()
    sample(name, Pool(p), 10, seed=0)
    np.testing.assert_array_equal(p, before)


def test_random_does_not_look_and_prefers_no_position():
    p = dirichlet(10, 3)
    np.testing.assert_array_equal(sample("random", Pool(p), 10, 0), sample("random", Pool(p[::-1].copy()), 10, 0))
    counts = np.zeros((10, 3))
    for seed in range(1000):
        counts[sample("random", Pool(p), 3, seed), range(3)] += 1
    # Each position is expected 100 times in each place, with a standard deviation of 9.5.
    assert abs(counts - 100).max() < 5 * 9.5


BAD_PROBABILITIES = {
    "NaN": ([[0.5, np.nan], [0.5, 0.5]], "NaN"),
    "infinite": ([[0.5, 0.5], [np.inf, 0]], "row 1"),
    "negative": ([[1.1, -0.1]], "negative"),
    "too much": ([[0.5, 0.5], [0.5, 0.6]], "row 1 sum to 1.1"),
    "too little": ([[0.5, 0.4]], "row 0 sum to 0.9"),
    "logits": ([[3.0, 2.0]], "sum to 5"),
    "one row": ([0.5, 0.5], r"\(2,\)"),
    "one class": ([[1.0], [1.0]], r"\(2, 1\)"),
    "three axes": (np.full((2, 2, 2), 0.5), r"\(2, 2, 2\)"),
    "no image": (np.empty((0, 3)), r"\(0, 3\)"),
}


@pytest.mark.parametrize(("bad", "message"), BAD_PROBABILITIES.values(), ids=BAD_PROBABILITIES)
@pytest.mark.parametrize("kind", [np.array, torch.tensor])
def test_what_are_no_probabilities_is_refused(bad, message, kind):
    for strategy in SAMPLERS:
        with pytest.raises(ValueError, match=f"(?s)probabilities.*{message}"):
            sample(strategy, Pool(kind(bad)), 1, seed=0)
    for formula in SCORES.values():
        with pytest.raises(ValueError, match=f"(?s)probabilities.*{message}"):
            formula(kind(bad))


@pytest.mark.parametrize("k", [0, -1, 11])
@pytest.mark.parametrize("strategy", SAMPLERS)
def test_k_out_of_range_is_refused(strategy, k):
    with pytest.raises(ValueError, match=f"k is {k}, .* 10 images; choose 1 to 10"):
        sample(strategy, Pool(dirichlet(10, 3)), k, seed=0)


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'margin'; give one of random, least_certainty, .*entropy"):
        sample("margin", Pool(dirichlet(10, 3)), 1, seed=0)


@pytest.mark.parametrize("k", [1, 4])
def test_a_function_is_a_sampler(k):
    def farthest(pool, k, generator):
        """Needs the features, the labelled ones and the generator."""
        distances = np.linalg.norm(pool.features[:, None] - pool.labelled_features, axis=2).min(1)
        return np.lexsort((generator.random(len(distances)), -distances))[:k].astype(np.int32)

    pool = Pool(dirichlet(6, 3), np.arange(6.0)[:, None], np.zeros((2, 1)))
    picks = sample(farthest, pool, k, seed=0)
    assert picks.dtype == np.int64
    assert picks.tolist() == [5, 4, 3, 2][:k]


BAD_PICKS = {
    "duplicates": [0, 1, 1],
    "too few": [0, 1],
    "too many": [0, 1, 2, 3],
    "floats": [0.0, 1.0, 2.0],
    "bools": [True, False, True],
    "beyond the end": [0, 1, 10],
    "negative": [0, 1, -1],
    "a column": [[0], [1], [2]],
    "nothing": None,
}


@pytest.mark.parametrize("picks", BAD_PICKS.values(), ids=BAD_PICKS)
def test_bad_picks_of_a_function_are_refused(picks):
    with pytest.raises(ValueError, match="3 distinct integers from 0 to 9"):
        sample(lambda pool, k, generator: picks, Pool(dirichlet(10, 3)), 3, seed=0)


def test_samplers_import_nothing_of_the_kit():
    nodes = list(ast.walk(ast.parse(Path(samplers.__file__).read_text())))
    modules = [name.name for node in nodes if isinstance(node, ast.Import) for name in node.names]
    modules += ["." * node.level + (node.module or "") for node in nodes if isinstance(node, ast.ImportFrom)]
    assert "numpy" in modules
    assert not [module for module in modules if module.startswith((".", "alkit"))]


def test_a_formula_of_ones_own_becomes_a_sampler_known_by_its_source():
    def far_from_half(probabilities):
        return abs(probabilities - 0.5).max(axis=1)

    p = dirichlet(100, 4)
    own = samplers.highest(far_from_half)
    np.testing.assert_array_equal(sample(own, Pool(p), 30, 0), (-far_from_half(p)).argsort(kind="stable")[:30])
    assert inspect.getsource(own) == inspect.getsource(far_from_half)


def test_a_formula_that_gives_no_number_is_refused():
    def careless(probabilities):
        with np.errstate(all="ignore"):
            return -(probabilities * np.log(probabilities)).sum(axis=1)

    pool = Pool(np.array([[0.5, 0.5, 0], [0.9, 0.05, 0.05], [0.4, 0.3, 0.3], [0.5, 0.5, 0]]))
    with pytest.raises(ValueError, match="NaN for 2 of 4 images; give numbers"):
        sample(samplers.highest(careless), pool, 2, 0)


def test_what_are_no_probabilities_is_found_at_the_end_of_a_large_pool_too():
    p = dirichlet(20_000, 10)
    p[-1] = 0.2
    for strategy in (*SAMPLERS, lambda pool, k, generator: np.arange(k)):
        with pytest.raises(ValueError, match="row 19999 sum to 2"):
            sample(strategy, Pool(p), 1, seed=0)
