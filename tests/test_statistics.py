"""Means, intervals and paired differences against scipy and a case computed by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from alkit.statistics import calibration_error, paired_differences, summary


def table(**values):
    """A row a run: experiment, seed and F1, from the F1 of each seed of each experiment."""
    rows = [(name, seed, f1) for name, column in values.items() for seed, f1 in enumerate(column)]
    return pd.DataFrame(rows, columns=["experiment", "seed", "f1"])


@pytest.fixture(params=[2, 3, 10])
def results(request):
    base = np.random.default_rng(request.param).normal(0.7, 0.02, request.param)
    noise = np.random.default_rng(0).normal(0.1, 0.005, (2, request.param))
    return table(zebra=base, random=base + noise[0], entropy=base + noise[1])


def columns(results):
    return {name: group.sort_values("seed")["f1"].to_numpy() for name, group in results.groupby("experiment")}


def test_by_hand():
    results = table(a=[0.70, 0.72, 0.74], b=[0.75, 0.76, 0.83])
    # b - a is 0.05, 0.04 and 0.09; t(0.975) with 2 degrees of freedom is 4.30265.
    rows = [summary(results).loc["a"], paired_differences(results, "a").loc["b"]]
    expected = [
        [3, 0.72, 0.02, 0.72 - 4.30265 * 0.02 / 3**0.5, 0.72 + 4.30265 * 0.02 / 3**0.5],
        [3, 0.06, 0.0007**0.5, 0.06 - 4.30265 * (0.0007 / 3) ** 0.5, 0.06 + 4.30265 * (0.0007 / 3) ** 0.5],
    ]
    for row, values in zip(rows, expected, strict=True):
        np.testing.assert_allclose(row[["n_seeds", "mean", "std", "low", "high"]], values, atol=1e-6)


def test_summary_matches_scipy(results):
    rows = summary(results)
    for name, f1 in columns(results).items():
        low, high = stats.t.interval(0.95, len(f1) - 1, loc=f1.mean(), scale=stats.sem(f1))
        expected = [len(f1), f1.mean(), f1.std(ddof=1), low, high]
        np.testing.assert_allclose(rows.loc[name, ["n_seeds", "mean", "std", "low", "high"]], expected)


def test_paired_differences_match_scipy(results):
    rows = paired_differences(results.sample(frac=1, random_state=0), "zebra")
    f1 = columns(results)
    assert set(rows.index) == {"random", "entropy"}
    for name, row in rows.iterrows():
        test = stats.ttest_rel(f1[name], f1["zebra"])
        np.testing.assert_allclose(row[["low", "high"]], test.confidence_interval(0.95))
        # The same pair by its mean and deviation: t is the mean over the standard error.
        np.testing.assert_allclose(row["mean"] / row["std"] * len(f1[name]) ** 0.5, test.statistic)


def test_a_missing_seed_is_left_out():
    results = table(a=[0.70, 0.72, 0.74, 0.71], b=[0.75, 0.76, 0.83, 0.99]).iloc[:-1]
    complete = results[results["seed"] < 3]
    pd.testing.assert_frame_equal(paired_differences(results, "a"), paired_differences(complete, "a"))
    assert summary(results)["n_seeds"].to_dict() == {"a": 4, "b": 3}


def test_one_seed_has_a_mean_and_no_interval():
    results = table(a=[0.7], b=[0.8])
    for row, mean in ((summary(results).loc["b"], 0.8), (paired_differences(results, "a").loc["b"], 0.1)):
        assert row["n_seeds"] == 1
        assert row["mean"] == pytest.approx(mean)
        assert row[["low", "high"]].isna().all()


def test_experiments_keep_their_order(results):
    assert summary(results).index.tolist() == ["zebra", "random", "entropy"]
    assert paired_differences(results, "random").index.tolist() == ["zebra", "entropy"]
    backwards = results[::-1]
    assert summary(backwards).index.tolist() == ["entropy", "random", "zebra"]
    pd.testing.assert_frame_equal(summary(backwards)[::-1], summary(results))


def test_another_metric(results):
    other = results.assign(accuracy=results["f1"] + 1)
    for name in ("mean", "low", "high"):
        np.testing.assert_allclose(summary(other, "accuracy")[name], summary(results)[name] + 1)
    pd.testing.assert_frame_equal(
        paired_differences(other, "zebra", metric="accuracy"), paired_differences(results, "zebra")
    )


def test_nine_in_ten_intervals_and_a_half_more_hold_the_truth():
    runs = np.random.default_rng(0).normal(0.7, 0.01, (4000, 5))
    rows = summary(table(**{str(i): f1 for i, f1 in enumerate(runs)}))
    held = ((rows["low"] < 0.7) & (rows["high"] > 0.7)).mean()
    # Three standard deviations of a proportion of 4,000.
    assert abs(held - 0.95) < 3 * (0.95 * 0.05 / 4000) ** 0.5


def test_an_unknown_baseline_is_refused_with_the_known_ones(results):
    with pytest.raises(ValueError, match=r"'full'; give one of (?=.*zebra)(?=.*random).*entropy"):
        paired_differences(results, "full")


def test_calibration_error_by_hand():
    # Two images predicted with 0.9, one of them right; two with 0.6, both right: (2 * |0.9 - 0.5| + 2 * |0.6 - 1|) / 4.
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.4, 0.6]])
    assert calibration_error(probabilities, np.array([0, 1, 0, 1])) == pytest.approx(0.4)
    # In one bin the gaps cancel: |1.8 + 1.2 - 3| / 4.
    assert calibration_error(probabilities, np.array([0, 1, 0, 1]), n_bins=1) == pytest.approx(0)


def test_labels_drawn_from_the_probabilities_are_calibrated():
    random = np.random.default_rng(0)
    probabilities = random.dirichlet(np.ones(4), 40_000)
    drawn = (probabilities.cumsum(1) < random.random((40_000, 1))).sum(1)
    assert calibration_error(probabilities, drawn) < 0.02
    assert calibration_error(probabilities, (drawn + 1) % 4) > 0.2
    overconfident = probabilities**3 / (probabilities**3).sum(1, keepdims=True)
    expected = overconfident.max(1).mean() - probabilities.max(1).mean()
    assert calibration_error(overconfident, drawn) == pytest.approx(expected, abs=0.02)
