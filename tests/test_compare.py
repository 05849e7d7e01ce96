"""Means, intervals, paired differences and verdicts against scipy, simulations and cases computed by hand."""

import ast
import json
import re
from dataclasses import dataclass
from itertools import combinations
from types import SimpleNamespace

import compare
import numpy as np
import pandas as pd
import pytest
from compare import (
    at_hand,
    gap_closed,
    half_width,
    holm,
    labels_for,
    noise_of_test_set,
    paired_differences,
    seeds_needed,
    summary,
)
from report_2021 import F1, as_markdown, claims, further_claims, is_cifar10
from scipy import stats
from scipy.special import comb
from sklearn.metrics import f1_score

from alkit import ROOT
from alkit.data import Images

pytestmark = pytest.mark.filterwarnings("error")


def from_notebook(stem, name):
    """A function that a notebook defines."""
    cells = json.loads((ROOT / "notebooks" / f"{stem}.ipynb").read_text(encoding="utf-8"))["cells"]
    trees = [ast.parse("".join(cell["source"])) for cell in cells if cell["cell_type"] == "code"]
    (found,) = (node for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name)
    names = {"np": np, "pd": pd, "combinations": combinations, "comb": comb, "compare": compare}
    exec(ast.unparse(found), names)
    return names[name]


def calibration_error(probabilities, labels, capsys):
    """What notebook 02 prints, for the same images as pool and as test."""
    cells = json.loads((ROOT / "notebooks" / "02_baselines.ipynb").read_text(encoding="utf-8"))["cells"]
    (code,) = (code for cell in cells if "calibration error {" in (code := "".join(cell["source"])))
    part = Images(np.zeros((len(labels), 1, 1, 1), np.uint8), labels)
    base = {"pool_probabilities": probabilities, "test_probabilities": probabilities}
    exec(code, {"np": np, "pd": pd, "base": base, "study": SimpleNamespace(pool=part, test=part)})
    pool, test = re.findall(r"calibration error ([\d.]+)", capsys.readouterr().out)
    assert pool == test
    return float(test)


def macro_f1(labels, predicted):
    """That of scikit-learn, of many rows at once: (..., N) to (...)."""
    pairs = [((labels == k) & (predicted == k), (labels == k) * 1 + (predicted == k)) for k in range(4)]
    right, either = np.moveaxis([[right.sum(axis=-1), either.sum(axis=-1)] for right, either in pairs], 1, 0)
    return (2 * right / either.clip(1)).sum(axis=0) / (either > 0).sum(axis=0)


def interval(values, noise=0.0, level=0.05):
    """The interval of the mean of each row."""
    half = half_width(values.std(axis=1, ddof=1), values.shape[1], noise, level)
    return values.mean(axis=1) - half, values.mean(axis=1) + half


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


def test_nine_in_ten_intervals_and_a_half_more_hold_the_truth():
    low, high = interval(np.random.default_rng(0).normal(0.7, 0.01, (4000, 5)))
    # Three standard deviations of a proportion of 4,000.
    assert abs(((low < 0.7) & (high > 0.7)).mean() - 0.95) < 3 * (0.95 * 0.05 / 4000) ** 0.5


def test_an_unknown_baseline_is_refused_with_the_known_ones(results):
    with pytest.raises(ValueError, match=r"'full'; give one of (?=.*zebra)(?=.*random).*entropy"):
        paired_differences(results, "full")


def test_calibration_error_by_hand(capsys):
    # Two images predicted with 0.9, one of them right; two with 0.6, both right: (2 * |0.9 - 0.5| + 2 * |0.6 - 1|) / 4.
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.4, 0.6]])
    assert calibration_error(probabilities, np.array([0, 1, 0, 1]), capsys) == pytest.approx(0.4)
    # In one bin, here from 14/15 on, gaps cancel: |0.94 + 0.98 - 1| / 2.
    assert calibration_error(np.array([[0.94, 0.06], [0.98, 0.02]]), np.array([0, 1]), capsys) == pytest.approx(0.46)


def test_labels_drawn_from_the_probabilities_are_calibrated(capsys):
    random = np.random.default_rng(0)
    probabilities = random.dirichlet(np.ones(4), 40_000)
    drawn = (probabilities.cumsum(1) < random.random((40_000, 1))).sum(1)
    assert calibration_error(probabilities, drawn, capsys) < 0.02
    assert calibration_error(probabilities, (drawn + 1) % 4, capsys) > 0.2
    overconfident = probabilities**3 / (probabilities**3).sum(1, keepdims=True)
    expected = overconfident.max(1).mean() - probabilities.max(1).mean()
    assert calibration_error(overconfident, drawn, capsys) == pytest.approx(expected, abs=0.02)


def test_holm_by_hand():
    # The smallest of three is multiplied by 3, the next by 2, the largest by 1; none may fall below a smaller one.
    np.testing.assert_allclose(holm(np.array([0.04, 0.01, 0.03])), [0.06, 0.03, 0.06])
    np.testing.assert_allclose(holm(np.array([0.9, 0.5])), [1, 1])
    np.testing.assert_allclose(holm(np.array([np.nan, 0.01])), [np.nan, 0.02])


def test_differences_have_the_p_values_of_scipy(results):
    rows = paired_differences(results, "zebra")
    f1 = columns(results)
    expected = {name: stats.ttest_rel(f1[name], f1["zebra"]).pvalue for name in rows.index}
    np.testing.assert_allclose(rows["p"], list(expected.values()))
    np.testing.assert_allclose(rows["p_holm"], holm(rows["p"].to_numpy()))


@pytest.mark.parametrize(("n_seeds", "test_std"), [(3, 0), (5, 0), (2, 0.0007), (3, 0.001), (5, 0.0011)])
def test_intervals_cover_and_false_alarms_are_rare_in_simulated_studies(n_seeds, test_std):
    # Satterthwaite's degrees of freedom would give 25, 13 and 7 % with test noise: they trust a spread small by luck.
    random, n = np.random.default_rng(n_seeds), 2000
    leads = random.normal(0, 0.005, (3 * n, n_seeds)) + random.normal(0, 1, (3 * n, 1)) * test_std
    low, high = interval(leads, test_std)
    assert 0.94 < ((low <= 0) & (high >= 0)).mean() < (0.99 if test_std else 0.96)
    low, high = interval(leads, test_std, 0.05 / 3)  # at which Holm calls the smallest of three p-values found
    alarms = ((low > 0) | (high < 0)).reshape(n, 3).any(axis=1)
    # 5 % at most; three standard errors of that many simulations on top.
    assert alarms.mean() < 0.05 + 3 * (0.05 * 0.95 / n) ** 0.5


def test_the_smallest_of_three_p_values_is_found_where_its_interval_at_a_third_of_the_level_leaves_0():
    random = np.random.default_rng(0)
    leads = random.normal(0.004, 0.005, (60, 4))
    for three in leads.reshape(20, 3, 4):
        rows = paired_differences(table(random=np.zeros(4), a=three[0], b=three[1], c=three[2]), "random")
        low, high = interval(three, 0.0, 0.05 / 3)
        assert (rows["p_holm"].min() < 0.05) == ((low > 0) | (high < 0)).any()


@pytest.mark.parametrize("n_seeds", [2, 3, 5, 10])
@pytest.mark.parametrize("ratio", [0.1, 0.35, 1, 4])
def test_with_test_noise_the_intervals_cover_what_other_test_images_would_give(n_seeds, ratio):
    random, std = np.random.default_rng(0), 0.005
    noise = ratio * std / n_seeds**0.5
    values = random.normal(0, std, (20_000, n_seeds)) + random.normal(0, noise, (20_000, 1))
    covered = [((low <= 0) & (high >= 0)).mean() for low, high in (interval(values, noise), interval(values))]
    # Never too narrow; a little wide with few seeds, where both kinds of noise count.
    assert 0.945 < covered[0] < (0.97 if n_seeds >= 5 else 0.98 if n_seeds == 3 else 0.99)
    assert covered[1] < covered[0]


def test_the_p_value_is_the_level_at_which_the_interval_reaches_0():
    results = table(a=[0.70, 0.72, 0.74], b=[0.75, 0.76, 0.83], c=[0.70, 0.72, 0.74])
    rows = paired_differences(results, "a", pd.Series({"b": 0.01}))
    # b - a has the mean 0.06 and the standard error 0.0153 over seeds.
    p = rows.loc["b", "p"]
    half = np.hypot(stats.t.isf(p / 2, 2) * (0.0007 / 3) ** 0.5, stats.norm.isf(p / 2) * 0.01)
    assert half == pytest.approx(0.06)
    assert rows.loc["c", "p"] == 1
    assert rows["noise"].tolist() == [0.01, 0]
    expected = stats.ttest_1samp([0.05, 0.04, 0.09], 0).pvalue
    assert paired_differences(results, "a").loc["b", "p"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("mean", "std", "level"), [(0.01, 0.01, 0.05), (-0.004, 0.01, 0.05), (0.02, 0.004, 0.05), (0.01, 0.01, 0.05 / 3)]
)
def test_seeds_needed_find_a_difference_in_four_of_five_simulations(mean, std, level):
    n, random = int(seeds_needed(mean, std, level=level)), np.random.default_rng(0)
    found = [stats.ttest_1samp(random.normal(mean, std, (4000, size)), 0, axis=1).pvalue < level for size in (n, n - 1)]
    assert np.mean(found[0]) > 0.78
    assert np.mean(found[1]) < 0.82


def test_seeds_needed_with_noise_that_all_seeds_share_find_it_in_four_of_five_simulations():
    mean, std, noise, random = 0.01, 0.01, 0.002, np.random.default_rng(0)
    n = int(seeds_needed(mean, std, noise))
    assert n > seeds_needed(mean, std)
    low, _ = interval(random.normal(mean, std, (4000, n)) + random.normal(0, noise, (4000, 1)), noise)
    assert 0.78 < (low > 0).mean() < 0.84
    assert seeds_needed(mean, std, 0.005) == np.inf


def test_seeds_needed_of_a_textbook_case_and_at_the_ends():
    # Cohen 1988, table 2.4.1 asks for 33.4 pairs for d = 0.5 at two-sided 0.05 and power 0.8; exact: 34.
    assert seeds_needed(0.5, 1.0) == 34
    assert seeds_needed(0.0, 1.0) == np.inf
    assert seeds_needed(1e-9, 1.0) == np.inf
    assert seeds_needed(0.1, 0.0) == 2
    assert np.isnan(seeds_needed(0.1, np.nan))


def test_seeds_for_a_width_by_hand_and_at_the_ends():
    seeds_for_width = from_notebook("08_how_sure", "seeds_for_width")
    # Student's t: 2.7764 * 0.006 / sqrt(5) = 0.00745; 2.5706 * 0.006 / sqrt(6) = 0.00630.
    assert seeds_for_width(0.006, 0.007, 0) == 6
    # With noise of 0.002: sqrt(0.00630² + (1.96 * 0.002)²) = 0.0074; 2.4469 * 0.006 / sqrt(7) = 0.00555: 0.0068.
    assert seeds_for_width(0.006, 0.007, 0.002) == 7
    assert seeds_for_width(0.006, 0.007, 0.0036) == np.inf
    assert seeds_for_width(0.0, 0.007, 0) == 2
    assert np.isnan(seeds_for_width(np.nan, 0.007, 0))


@pytest.mark.parametrize(("mean", "std"), [(0.12, 0.02), (0.13, 0.02), (0.09, 0.01), (0.15, 0.015)])
def test_seeds_needed_between_two_bounds_keep_the_interval_within_or_without_in_four_of_five_simulations(mean, std):
    bounds, random = (0.10, 0.14), np.random.default_rng(0)
    n = int(seeds_needed(mean, std, bounds=bounds))
    shares = []
    for size in (n, n - 1):
        low, high = interval(random.normal(mean, std, (8000, size)))
        within = (low > 0.10) & (high < 0.14)
        shares.append((within if 0.10 < mean < 0.14 else (high < 0.10) | (low > 0.14)).mean())
    assert shares[0] > 0.785
    assert shares[1] < 0.815


def test_noise_of_the_test_set_is_the_spread_of_sklearns_f1_on_images_drawn_anew():
    random = np.random.default_rng(1)
    labels = random.choice(4, 30, p=[0.5, 0.3, 0.15, 0.05])  # so few that a class is missing in many draws
    runs = np.where(random.random((2, 30)) < 0.7, labels, random.integers(0, 4, (2, 30)))
    generator = np.random.default_rng(0)
    drawn = np.array([generator.integers(0, 30, 30) for _ in range(1000)])
    f1 = np.stack([macro_f1(labels[drawn], run[drawn]) for run in runs], axis=1)
    for some, values in zip(drawn[:50], f1, strict=False):
        expected = [f1_score(labels[some], run[some], average="macro") for run in runs]
        np.testing.assert_allclose(values, expected)
    found = noise_of_test_set(labels, {"one": runs[:1], "other": runs[1:]})
    assert found.loc["one", "one"] == pytest.approx(f1[:, 0].std(ddof=1), abs=1e-12)
    assert found.loc["one", "other"] == pytest.approx((f1[:, 0] - f1[:, 1]).std(ddof=1), abs=1e-12)
    assert found.loc["other", "one"] == found.loc["one", "other"]
    both = noise_of_test_set(labels, {"both": runs}).loc["both", "both"]
    assert both == pytest.approx(np.cov(*f1.T)[0, 1] ** 0.5, abs=1e-12)


def test_noise_of_the_test_set_is_that_of_f1_over_other_test_sets():
    random = np.random.default_rng(0)

    def test_set(n):
        labels = random.choice(3, n, p=[0.7, 0.2, 0.1])
        shares = ((0.7, 0.6, 0.7), random.random((3, n)), random.integers(0, 3, (3, n)))
        return labels, [np.where(given < share, labels, other) for share, given, other in zip(*shares, strict=True)]

    sets = [test_set(400) for _ in range(400)]
    f1 = np.array([macro_f1(labels, np.array(rows)) for labels, rows in sets])
    found = [noise_of_test_set(labels, {"a": [one, three], "b": [two, two]}) for labels, (one, two, three) in sets[:20]]
    alone = [noise_of_test_set(labels, {"a": [one]}).loc["a", "a"] for labels, (one, _, _) in sets[:20]]
    assert np.mean(alone) == pytest.approx(f1[:, 0].std(), rel=0.1)
    shared = np.cov(f1[:, 0] - f1[:, 1], f1[:, 2] - f1[:, 1])[0, 1]
    assert np.mean([table.loc["a", "b"] ** 2 for table in found]) == pytest.approx(shared, rel=0.2)


def test_equal_predictions_differ_by_nothing_whatever_the_test_images():
    labels = np.array([0, 0, 0, 1])
    # Right about all images, of which the only one of a class is missing in many draws: F1 is 1 in each.
    found = noise_of_test_set(labels, {"a": labels[None], "b": labels[None]})
    assert (found == 0).all(axis=None)
    wrong = 1 - labels[None]
    assert noise_of_test_set(labels, {"a": wrong, "b": wrong}).loc["a", "b"] == 0


def test_noise_of_the_test_set_and_of_the_seeds_add_up_to_that_of_studies_with_other_images_and_seeds():
    random, n_seeds, n_images = np.random.default_rng(0), 4, 300

    def study():
        """Some images are easy and some hard, for either strategy and for all seeds."""
        labels = random.integers(0, 2, n_images)
        shares = random.uniform(0.5, 1, (2, 1, n_images)) ** 0.5 - [[[0.05]], [[0.0]]]
        return labels, np.where(random.random((2, n_seeds, n_images)) < shares, labels, 1 - labels)

    studies = [study() for _ in range(400)]
    values = [np.subtract(*macro_f1(labels, predicted)) for labels, predicted in studies]
    noise = [noise_of_test_set(labels, {"a": a, "b": b}).loc["a", "b"] for labels, (a, b) in studies[:30]]
    estimates = np.square(noise) + np.var(values[:30], axis=1, ddof=1) / n_seeds
    assert np.mean(estimates) == pytest.approx(np.var(np.mean(values, axis=1)), rel=0.2)


def test_gap_closed_by_hand():
    rows = gap_closed(table(original_label=[0.5, 0.6], random=[0.7, 0.7], full_training_set=[0.8, 1.0]))
    # The far end is 0.9: shares 0.2 / 0.4 and 0.1 / 0.3.
    assert list(rows.index) == ["random"]
    assert rows.loc["random", "mean"] == pytest.approx((0.5 + 1 / 3) / 2)


def test_the_gap_that_is_closed_moves_with_the_test_images_too():
    seeds = np.arange(4)
    f1 = {name: value + 0.001 * seeds for name, value in F1.items()}
    f1["original_label"] = np.full(4, 0.5)
    f1["full_training_set"] = np.full(4, 0.9)
    rows = [(name, seed, value) for name, values in f1.items() for seed, value in zip(seeds, values, strict=True)]
    table = pd.DataFrame(rows, columns=["experiment", "seed", "f1"])
    verdicts = claims(table, pd.DataFrame({"original_label": {"entropy": 0.008}})).set_index("claim")
    row = verdicts.loc["entropy closes about half of the gap"]
    # The gap is 0.4 wide, so 0.008 are 0.02 of it; seeds spread by 0.001 sqrt(5/3), a mean of four by half of that.
    # Student's factor for 3 degrees of freedom on the one, the normal distribution's on the other, added as squares.
    half = np.hypot(3.18245 * 0.001 * (5 / 3) ** 0.5 / 2 / 0.4, 1.95996 * 0.02)
    assert (row["high"] - row["low"]) / 2 == pytest.approx(half, rel=1e-5)
    assert verdicts.loc["random closes about half of the gap", "high"] < row["high"]


def test_labels_for_interpolates_a_rising_curve():
    curve = pd.DataFrame({"n_train": [1000, 1000, 10_000, 2000, 4000], "f1": [0.5, 0.7, 0.9, 0.71, 0.69]})
    assert labels_for(curve, 0.6) == pytest.approx(1000)
    # 0.71 and 0.69 fall, so both count as 0.70; from there to 0.9 half the way on a logarithmic scale.
    middle = (2000 * 4000) ** 0.5
    assert labels_for(curve, 0.7) == pytest.approx(middle)
    assert labels_for(curve, 0.8) == pytest.approx((middle * 10_000) ** 0.5)
    assert np.isnan(labels_for(curve, 0.95))
    assert np.isnan(labels_for(curve, 0.55))
    # Where it falls, a size with three runs weighs three times as much: 0.575, not 0.55.
    falling = pd.DataFrame({"n_train": [1000, 1000, 1000, 2000, 4000], "f1": [0.6, 0.6, 0.6, 0.5, 0.7]})
    assert np.isnan(labels_for(falling, 0.56))
    assert labels_for(falling, 0.575) == pytest.approx((1000 * 2000) ** 0.5)
    # A curve that is flat everywhere says nothing about the number of labels.
    assert np.isnan(labels_for(falling.assign(f1=1.0), 1.0))


def study_with(random, entropy=(0.10, 0.10, 0.10), n=3):
    start = np.full(n, 0.65)
    return table(
        original_label=start,
        random=start + random,
        least_certainty=start + random + np.array([0.020, 0.021, 0.019]),
        least_certainty_margin=start + random - np.array([0.020, 0.021, 0.019]),
        entropy=start + np.array(entropy),
        full_training_set=start + 0.24,
    )


def test_verdicts_follow_from_the_intervals():
    rows = claims(study_with(np.array([0.12, 0.121, 0.119]), [0.12, 0.13, 0.11])).set_index("claim")
    assert len(rows) == 14
    assert rows.loc["random gains about 12 points", "verdict"] == "holds"
    assert rows.loc["random closes about half of the gap", "verdict"] == "holds"
    assert rows.loc["least_certainty beats random", "verdict"] == "holds"
    assert rows.loc["least_certainty_margin beats random", "verdict"] == "does not hold"
    assert rows.loc["entropy beats random", "verdict"].startswith("cannot tell with 3 seeds")
    for name, lead in (("least_certainty", 0.011), ("least_certainty_margin", 0.014), ("entropy", 0.004)):
        np.testing.assert_allclose(rows.loc[f"{name} beats random", "report"], lead)
    np.testing.assert_allclose(rows.loc["random closes about half of the gap", "report"], 0.12 / 0.238)
    # The leads of 2 points are neither about 1 nor about 0.4.
    assert rows.loc["least_certainty leads random by about 1 point", "verdict"] == "does not hold"
    assert rows.loc["entropy leads random by about 0.4 points", "verdict"].startswith("cannot tell with 3 seeds")
    assert rows.loc["entropy leads random by about 0.4 points", "report"] == pytest.approx(0.004)
    far = claims(study_with(np.array([0.05, 0.051, 0.049]))).set_index("claim")
    assert far.loc["random gains about 12 points", "verdict"] == "does not hold"


def test_a_size_holds_within_its_bounds_and_the_nearest_one_says_how_many_seeds():
    def verdicts(*gains, **given):
        return claims(study_with(np.array(gains)), **given).set_index("claim")["verdict"]

    for gain, verdict in ((0.095, "does not hold"), (0.105, "holds"), (0.135, "holds"), (0.145, "does not hold")):
        assert verdicts(gain - 0.001, gain, gain + 0.001)["random gains about 12 points"] == verdict
    # The gap is 0.24 wide: bounds of 0.4 and 0.6 are gains of 0.096 and 0.144.
    for gain, verdict in ((0.092, "does not hold"), (0.100, "holds"), (0.140, "holds"), (0.148, "does not hold")):
        assert verdicts(gain - 0.001, gain, gain + 0.001)["random closes about half of the gap"] == verdict
    low, middle, high = (
        verdicts(gain - 0.01, gain, gain + 0.01)["random gains about 12 points"] for gain in (0.105, 0.12, 0.135)
    )
    assert low.startswith("cannot tell with 3 seeds: ")
    assert low == high != middle
    noisy = verdicts(0.119, 0.12, 0.121, test_noise=pd.DataFrame({"original_label": {"random": 0.02}}))
    assert noisy["random gains about 12 points"].startswith("cannot tell")


def test_a_direction_is_judged_by_the_corrected_p_value():
    start = np.full(3, 0.65)
    at_random = start + np.array([0.12, 0.121, 0.119])
    ahead = at_random + 0.02 * np.array([0.69, 1, 1.31])  # p = 0.03 alone, 0.09 as one of three
    f1 = dict.fromkeys(["least_certainty", "least_certainty_margin", "entropy"], ahead)
    rows = claims(table(original_label=start, random=at_random, **f1, full_training_set=start + 0.24))
    beats = rows.set_index("claim").filter(like="beats random", axis=0)
    assert len(beats) == 3
    assert beats["verdict"].str.startswith("cannot tell").all()


def test_the_seeds_that_a_verdict_asks_for_are_enough_after_holms_correction():
    rows = claims(study_with(np.array([0.12, 0.121, 0.119]), [0.125, 0.135, 0.115])).set_index("claim")
    n, random = int(rows.loc["entropy beats random", "verdict"].split(": ")[1].split()[0]), np.random.default_rng(0)
    # Entropy is ahead by 0.005 and spreads by 0.009; that the other two differ from random is no rarer to be found.
    f1 = [random.normal(0.005, 0.009, (2000, size)) for size in (n, n - 2)]
    found = [stats.ttest_1samp(sample, 0, axis=1).pvalue < 0.05 / 3 for sample in f1]
    assert np.mean(found[0]) > 0.77
    assert np.mean(found[1]) < 0.83


def test_one_seed_can_tell_nothing():
    rows = claims(study_with(np.array([0.12, 0.121, 0.119])).query("seed == 0"))
    assert set(rows["verdict"]) == {"cannot tell with 1 seed"}


def test_noise_of_the_test_set_can_take_a_verdict_back():
    results = study_with(np.array([0.12, 0.121, 0.119]))
    rows = claims(results, pd.DataFrame({"random": {"least_certainty": 0.02}})).set_index("claim")
    verdict = "cannot tell with 3 seeds: it takes more test images too"
    assert rows.loc["least_certainty beats random", "verdict"] == verdict


NAMES = tuple(F1)
GAP = "closes about half of the gap"


def verdicts_of(results, **given):
    return claims(results, **given).set_index("claim")["verdict"]


@pytest.mark.parametrize(
    "start",
    [[0.98, 1.0, 0.97], [1.0, 1.0, 1.0], [0.98, 1.02, 0.97], [1.1, 1.2, 1.3], [0.98, 1.0, np.nan]],
    ids=["none for a seed", "none at all", "beyond the end for a seed", "beyond it for all", "a seed missing"],
)
def test_without_a_gap_no_share_of_it_can_be_told(start):
    f1 = {name: [1.0, 1.0, 1.0] for name in NAMES} | {"original_label": start, "random": [1.0, 0.99, 0.99]}
    results = table(**f1).dropna()
    shares, n = gap_closed(results), int(np.isfinite(start).sum())
    assert shares[["mean", "std", "low", "high"]].isna().all(axis=None)
    assert (shares["n_seeds"] == n).all()
    noise = pd.DataFrame(0.01, NAMES, ["random", "original_label"])
    for given in ({}, {"test_noise": noise}):
        found = verdicts_of(results, **given).filter(like=GAP)
        assert set(found) == {"cannot be told: there is no gap"}


def test_a_study_of_equal_results_finds_nothing_and_says_so():
    rows = claims(table(**{name: [1.0, 1.0, 1.0] for name in NAMES})).set_index("claim")
    assert (rows["n_seeds"] == 3).all()
    verdicts = rows["verdict"]
    assert set(verdicts.filter(like="gains about 12")) == {"does not hold"}
    assert set(verdicts.filter(like="beats random")) == {"cannot tell with 3 seeds: ours is the limit of the claim"}
    assert set(verdicts.filter(like="leads random")) == {"does not hold"}


def test_a_spread_of_0_makes_an_interval_without_width_and_a_certain_difference():
    results = table(random=[0.5, 0.625, 0.75], a=[0.75, 0.875, 1.0], b=[0.5, 0.625, 0.75])
    rows = paired_differences(results, "random")
    assert rows.loc["a", ["mean", "std", "low", "high", "p"]].tolist() == [0.25, 0, 0.25, 0.25, 0]
    assert rows.loc["b", ["mean", "std", "low", "high", "p"]].tolist() == [0, 0, 0, 0, 1]
    noisy = paired_differences(results, "random", pd.Series({"a": 0.1, "b": 0.1}))
    np.testing.assert_allclose(noisy["p"], 2 * stats.norm.sf([2.5, 0]))
    assert seeds_needed(0.25, 0) == 2


def test_a_seed_missing_for_one_experiment_is_left_out_of_its_claims_alone():
    results = study_with(np.array([0.12, 0.121, 0.119]))
    lost = results[(results["experiment"] != "entropy") | (results["seed"] > 0)]
    rows, whole = claims(lost).set_index("claim"), claims(results).set_index("claim")
    of_entropy = rows.index.str.startswith("entropy")
    assert set(rows.loc[of_entropy, "n_seeds"]) == {2}
    sizes = [name for name in rows.index[~of_entropy] if "beats" not in name]  # Holm's correction is for all three
    pd.testing.assert_frame_equal(rows.loc[sizes], whole.loc[sizes])
    base = results[(results["experiment"] != "original_label") | (results["seed"] != 1)]
    assert set(claims(base).set_index("claim").filter(like=GAP, axis=0)["n_seeds"]) == {2}


@pytest.mark.parametrize("f1", [[0.7], [np.nan, 0.7, np.nan]])
def test_one_seed_among_others_that_failed_can_tell_nothing(f1):
    results = table(**{name: np.asarray(f1) + i / 100 for i, name in enumerate(NAMES)})
    assert set(verdicts_of(results)) == {"cannot tell with 1 seed"}


def test_runs_of_different_seeds_cannot_be_paired():
    results = study_with(np.array([0.12, 0.121, 0.119]))
    results.loc[results["experiment"] == "entropy", "seed"] += 3
    found = verdicts_of(results).filter(like="entropy")
    assert set(found) == {"cannot be told: no seed has both runs"}
    assert verdicts_of(results)["random gains about 12 points"] == "holds"


@pytest.mark.parametrize(
    ("dataset", "said"),
    [
        ("CIFAR-10", ""),
        ("CIFAR-10, JPEG re-encoded", ""),
        ("scikit-learn digits", "on scikit-learn digits: "),
        ("CIFAR-100", "on CIFAR-100: "),
        ("my CIFAR-10, in grey", "on my CIFAR-10, in grey: "),
        ("US$10", "on US$10: "),
    ],
)
def test_a_verdict_names_the_data_unless_they_are_those_of_the_report(dataset, said):
    results = study_with(np.array([0.12, 0.121, 0.119]))
    plain = verdicts_of(results)
    assert verdicts_of(results.assign(dataset=dataset)).tolist() == (said + plain).tolist()


def test_flattery_is_the_mean_over_all_subsets_of_trials():
    random, flattery = np.random.default_rng(0), from_notebook("13_chosen_on_the_test_set", "flattery")
    trials = pd.DataFrame({"test_f1": random.random(7), "validation_f1": random.random(7)})
    rows = flattery(pd.concat([trials, pd.DataFrame({"test_f1": [np.nan], "validation_f1": [9.0]})]))
    assert rows.index.tolist() == [1, 2, 3, 4, 5, 6, 7]
    for n in rows.index:
        subsets = [trials.loc[list(some)] for some in combinations(range(7), n)]
        assert rows.loc[n, "chosen on test"] == pytest.approx(np.mean([some["test_f1"].max() for some in subsets]))
        chosen = [some["test_f1"][some["validation_f1"].idxmax()] for some in subsets]
        assert rows.loc[n, "chosen on validation"] == pytest.approx(np.mean(chosen))


def test_flattery_of_equal_validation_scores_is_that_of_any_of_them():
    flattery = from_notebook("13_chosen_on_the_test_set", "flattery")
    rows = flattery(pd.DataFrame({"test_f1": [0.2, 0.6, 0.4], "validation_f1": [0.5, 0.5, 0.5]}))
    np.testing.assert_allclose(rows["chosen on validation"], 0.4)
    # The best of two is 0.6, 0.4 and 0.6.
    np.testing.assert_allclose(rows["chosen on test"], [0.4, 1.6 / 3, 0.6])
    with pytest.raises(ValueError, match="each training diverged"):
        flattery(pd.DataFrame({"test_f1": [np.nan], "validation_f1": [0.5]}))


def test_orders_that_differ_by_hand():
    orders_differ = from_notebook("08_how_sure", "orders_differ")
    # b - a is 0.01, 0.01 and -0.04; the others' means are -0.015, -0.015 and 0.01: each seed contradicts the others.
    assert orders_differ(pd.DataFrame([[0.70, 0.72, 0.74], [0.71, 0.73, 0.70]])) == 1
    assert orders_differ(pd.DataFrame([[0.5, 0.5, 0.5], [0.5, 0.6, 0.7]])) == pytest.approx(1 / 6)
    assert np.isnan(orders_differ(pd.DataFrame([[0.5], [0.6]])))


def test_verdicts_are_a_table_with_intervals():
    rows = pd.DataFrame(
        [
            ["entropy beats random", 0.004, 0.01, 0.002, 0.018, 3, "holds"],
            ["least_certainty_margin beats random", 0.01, -0.0004, -0.0001, 0.0, 3, "does not hold"],
            ["random gains about 12 points", 0.12, 0.3, np.nan, np.nan, 1, "cannot tell with 1 seed"],
        ]
    )
    rows.columns = ["claim", "report", "ours", "low", "high", "n_seeds", "verdict"]
    lines = as_markdown(rows, "digits, seed 0").splitlines()
    assert lines[2:4] == ["| **beats random**, 3 seeds | | | |", "| entropy | 0.4 | 1.0 (0.2 to 1.8) | holds |"]
    assert lines[4] == "| least certainty margin | 1.0 | 0.0 (0.0 to 0.0) | does not hold |"
    assert lines[5:7] == [
        "| **gains about 12 points**, 1 seed | | | |",
        "| random | 12.0 | 30.0 | cannot tell with 1 seed |",
    ]
    assert lines[-1] == "*Measured on digits, seed 0.*" and "¹" not in lines[-3]


def test_what_the_verdicts_have_in_common_is_said_once():
    noise = pd.DataFrame({"random": {"entropy": 0.05}})
    results = study_with(np.array([0.105, 0.11, 0.13])).assign(dataset="<b>a|b: c")
    rows = claims(results, noise)
    text = as_markdown(rows, "these")
    assert "| verdict on &lt;b&gt;a&#124;b: c |" in text and text.count("&lt;b&gt;") == 1
    assert rows["verdict"].str.endswith("it takes more test images too").sum() == text.count("| cannot tell¹ |") > 0
    assert text.count("¹ More seeds alone would not tell") == 1
    numbers = rows["verdict"].str.extract(r": ([\d,]+) would be needed")[0].dropna()
    assert len(numbers) and all(f"| cannot tell; {number} seeds would |" in text for number in numbers)
    assert all(line.count("|") == 5 for line in text.splitlines() if line.startswith("|"))


# Strategies that the report has not.


def further(leads, n_seeds=6):
    """Results in which random has 0.8 and another value with each seed, and each strategy leads it by so much."""
    f1 = 0.8 + 0.01 * np.random.default_rng(0).normal(size=n_seeds)
    jitter = np.random.default_rng(1).normal(size=(len(leads), n_seeds)) * 1e-3
    rows = {"random": f1} | {name: f1 + lead + noise for (name, lead), noise in zip(leads.items(), jitter, strict=True)}
    frames = (pd.DataFrame({"experiment": name, "seed": range(n_seeds), "f1": each}) for name, each in rows.items())
    return pd.concat(frames, ignore_index=True)


def test_further_strategies_are_held_against_random_and_the_best_of_the_reports_and_corrected_for_their_number():
    leads = {"least_certainty": 0.01, "entropy": 0.03, "worse": -0.02, "between": 0.02, "best": 0.05}
    results = further(leads)
    names = results["experiment"].unique()
    no_noise = pd.DataFrame(0.0, names, names)
    claims = further_claims(results, no_noise).set_index("claim")
    assert len(claims) == 6
    held = claims.index[claims["verdict"] == "holds"].tolist()
    against = "reaches more than entropy, the report's best here"
    assert held == ["between reaches more than random", "best reaches more than random", f"best {against}"]
    assert (claims["verdict"].drop(held) == "does not hold").all()
    differences = results.pivot(index="experiment", columns="seed", values="f1")
    for baseline, text in (("random", "reaches more than random"), ("entropy", against)):
        of = [stats.ttest_rel(differences.loc[name], differences.loc[baseline]).pvalue for name in list(leads)[2:]]
        found = [claims.loc[f"{name} {text}", "p_holm"] for name in list(leads)[2:]]
        np.testing.assert_allclose(found, holm(np.array(of)), rtol=1e-6)
    assert claims["report"].isna().all()
    markdown = as_markdown(claims.reset_index(), "digits")
    assert "| **reaches more than random**, 6 seeds | | | |\n| worse |  | -2.0 (" in markdown


def test_with_one_seed_no_further_strategy_can_be_told():
    no_noise = pd.DataFrame(0.0, ["other"], ["random", "entropy"])
    claims = further_claims(further({"entropy": 0.01, "other": 0.2}, 1), no_noise)
    assert claims["verdict"].tolist() == ["cannot tell with 1 seed"] * 2


def test_at_hand_are_strategies_that_were_run_with_the_seeds_that_all_of_them_have():
    @dataclass(frozen=True)
    class Done:
        seeds: tuple
        done: tuple = (("a", 0), ("a", 1), ("a", 2), ("b", 0), ("b", 2), ("c", 1))

        def is_done(self, name, seed):
            return (name, seed) in self.done

    study, there = at_hand(Done((0, 1, 2, 3)), ("a", "b", "c"))
    assert (study.seeds, there) == ((0, 2), ["a", "b"])
    assert at_hand(Done((5, 6)), ("a",)) == (Done((5, 6)), [])


def test_a_copy_of_cifar10_is_known_by_the_beginning_of_its_name():
    copies = "CIFAR-10", "CIFAR-10, JPEG re-encoded", "CIFAR-10 (grey squares for pictures)"
    assert all(map(is_cifar10, copies))
    assert not any(map(is_cifar10, ("CIFAR-100", "CIFAR-10-LT", "scikit-learn digits", "")))
