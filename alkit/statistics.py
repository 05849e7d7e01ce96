"""Tables of results: means with intervals, paired differences. Data frames in, data frames out."""

from bisect import bisect_left
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats
from scipy.optimize import brentq, isotonic_regression
from scipy.special import comb

# Figure 1 of Albert Gregus, Active Learning Techniques, November 2021: F1 on the CIFAR-10 test set.
REPORT_F1 = {
    "original_label": 0.647,
    "random": 0.767,
    "least_certainty": 0.778,
    "least_certainty_margin": 0.781,
    "entropy": 0.771,
    "full_training_set": 0.885,
}

ENDS = ("original_label", "full_training_set")


def summary(results: pd.DataFrame) -> pd.DataFrame:
    """One row an experiment, in order of appearance: n_seeds, mean, standard deviation, 95 % interval of the mean.

    `results` has the columns experiment, seed and f1. One seed has no interval: low and high are NaN.
    """
    values = results.pivot(index="experiment", columns="seed", values="f1")
    return mean_and_interval(values.loc[results["experiment"].unique()])


def paired_differences(
    results: pd.DataFrame, baseline: str, test_noise: dict[str, float] | None = None
) -> pd.DataFrame:
    """The same table for each experiment minus the baseline with the same seed; the baseline itself is left out.

    `test_noise` is what the choice of test images adds to the standard error of a mean difference, by experiment and 0
    where absent, as `noise_of_test_set` gives it. `p` is the level at which the interval just reaches 0, without noise
    that of the two-sided t test, `p_holm` the same corrected for the number of rows (Holm 1979). Raises ValueError if
    the baseline is not among the results.
    """
    values = results.pivot(index="experiment", columns="seed", values="f1")
    if baseline not in values.index:
        raise ValueError(f"baseline is {baseline!r}; give one of {', '.join(values.index)}.")
    others = [experiment for experiment in results["experiment"].unique() if experiment != baseline]
    noise = pd.Series(test_noise or {}, dtype=float).reindex(others).fillna(0)
    table = mean_and_interval(values.loc[others] - values.loc[baseline], noise)
    table["p"] = [_p_value(*row) for row in zip(table["mean"], table["std"], table["n_seeds"], noise, strict=True)]
    table["p_holm"] = holm(table["p"].to_numpy())
    return table


def holm(p: np.ndarray) -> np.ndarray:
    """Correct p-values (n,) for being n tests, so that one false alarm among all has its probability (Holm 1979).

    NaN, a test that could not be made, stays NaN and still counts as a test.
    """
    order = np.argsort(p)
    corrected = np.maximum.accumulate((len(p) - np.arange(len(p))) * p[order]).clip(max=1)
    return corrected[np.argsort(order)]


def seeds_needed(
    mean: float, std: float, test_noise: float = 0.0, level: float = 0.05, bounds: tuple[float, ...] = (0.0,)
) -> float:
    """How many seeds it takes until an interval lies wholly on the side of each bound where the true mean is.

    With a probability (*power*) of 80 %, if `mean` and `std`, the spread of the seeds, are the true ones; with the one
    bound 0 and no `test_noise` it is what a two-sided paired t test needs (Cohen 1988, chapter 2). `level` is 1 minus
    the coverage of the interval; `test_noise` the part of the standard error that all seeds share. NaN where mean or
    std is NaN, infinity where 100,000 seeds are not enough: the test images alone may hide the difference.
    """
    if not np.isfinite([mean, std]).all():
        return np.nan
    lower = max((bound for bound in bounds if bound < mean), default=-np.inf)
    upper = min((bound for bound in bounds if bound >= mean), default=np.inf)
    if std == test_noise == 0:
        return 2.0 if mean < upper else np.inf
    chances = (np.arange(1000) + 0.5) / 1000

    def power(n):
        # The mean over what the spread may be estimated as, and for each of these over the mean.
        estimated = std * np.sqrt(stats.chi2.ppf(chances, n - 1) / (n - 1))
        half, error = _half_width(estimated, n, test_noise, level), np.hypot(std / n**0.5, test_noise)
        inside = stats.norm.cdf((upper - half - mean) / error) - stats.norm.cdf((lower + half - mean) / error)
        return inside.clip(0).mean()

    numbers = range(2, 100_001)
    place = bisect_left(numbers, 0.8, key=power)
    return float(numbers[place]) if place < len(numbers) else np.inf


def seeds_for_width(std: float, half_width: float, test_noise: float = 0.0) -> float:
    """How many seeds it takes until the 95 % interval of a mean reaches no further than `half_width` to either side.

    If `std`, the spread of the seeds seen so far, stays; `test_noise` as for `seeds_needed`. NaN where std is NaN,
    infinity where 100,000 seeds are not enough: the test images alone may move the mean as far.
    """
    numbers = range(2, 100_001)
    place = bisect_left(numbers, True, key=lambda n: _half_width(std, n, test_noise, 0.05) <= half_width)
    return np.nan if np.isnan(std) else float(numbers[place]) if place < len(numbers) else np.inf


def noise_of_test_set(labels: np.ndarray, predicted: np.ndarray, baseline: np.ndarray | None = None) -> float:
    """The standard deviation of mean macro F1 that other test images would cause, whatever the number of runs.

    `labels` (N,) and `predicted` (runs, N) int in 0..C-1. With `baseline` (runs, N), predictions of the runs that each
    is paired with, that of the mean difference. By the bootstrap: images are drawn anew with replacement, 1,000 times
    (Efron 1979). It is the root of the mean covariance of two runs: what a run's noise has of its own is part of the
    spread over the runs, and more of them average it away. One run has no other: its standard deviation, a bit more.
    """
    n, n_classes = len(labels), int(labels.max()) + 1
    generator = np.random.default_rng(0)

    def f1(row, weights):
        right = np.bincount(labels, weights * (row == labels), n_classes)
        either = np.bincount(labels, weights, n_classes) + np.bincount(row, weights, n_classes)[:n_classes]
        # As scikit-learn does, without the classes that neither the labels nor the predictions have.
        return (2 * right[either > 0] / either[either > 0]).mean()

    values = np.empty((1000, len(predicted)))
    for drawn in values:
        weights = np.bincount(generator.integers(0, n, n), minlength=n).astype(float)
        drawn[:] = [f1(row, weights) for row in predicted]
        if baseline is not None:
            drawn -= [f1(row, weights) for row in baseline]
    covariance = np.atleast_2d(np.cov(values, rowvar=False))
    others = ~np.eye(len(covariance), dtype=bool) if len(covariance) > 1 else ...
    return float(covariance[others].mean().clip(0) ** 0.5)


def gap_closed(results: pd.DataFrame, test_noise: dict[str, float] | None = None) -> pd.DataFrame:
    """The share of the gap from original_label to full_training_set that each experiment closes, as `summary` does.

    One share a seed, 0 to 1 and beyond; the far end is the mean of full_training_set, which may have fewer seeds and
    is taken as exact. `test_noise`: as for `paired_differences`, of the shares.
    """
    values = results.pivot(index="experiment", columns="seed", values="f1")
    start, end = values.loc[ENDS[0]], values.loc[ENDS[1]].mean()
    others = [name for name in results["experiment"].unique() if name not in ENDS]
    noise = pd.Series(test_noise or {}, dtype=float).reindex(others).fillna(0)
    return mean_and_interval((values.loc[others] - start) / (end - start), noise)


def labels_for(curve: pd.DataFrame, f1: float) -> float:
    """How many random labels give this mean F1, from a measured curve with columns n_train, f1: one row a run.

    Between the sizes that were measured the mean is interpolated over the logarithm of the number of labels, made
    rising first. NaN outside of what was measured.
    """
    means = curve.groupby("n_train")["f1"].mean()
    rising = isotonic_regression(means.to_numpy(), weights=curve.groupby("n_train").size().to_numpy()).x
    if not rising[0] <= f1 <= rising[-1]:
        return np.nan
    # Sizes with the same F1 count as one, in their middle.
    labels = pd.Series(np.log(means.index)).groupby(rising).mean()
    return float(np.exp(np.interp(f1, labels.index, labels)))


def flattery(trials: pd.DataFrame) -> pd.DataFrame:
    """What choosing on the test set adds: test F1 of the trial to be chosen among n, for n from 1 to all.

    `trials` has the columns test_f1 and validation_f1, a row a trial, drawn independently. Index `n_trials`; columns
    `chosen on test` and `chosen on validation`, each the mean over all subsets of n trials, computed exactly. Trials
    without both scores are left out; raises ValueError if no trial has them.
    """
    scored = trials.dropna(subset=["test_f1", "validation_f1"])
    n = len(scored)
    if not n:
        raise ValueError(f"None of {len(trials)} trials has both scores, for their training diverged; try more trials.")
    rows = {}
    for size in range(1, n + 1):
        # How probable it is that the trial of rank i, from 0, is the best of a random subset.
        weights = comb(np.arange(n), size - 1) / comb(n, size)
        rows[size] = [weights @ scored.sort_values(by, kind="stable")["test_f1"] for by in ("test_f1", "validation_f1")]
    columns = ["chosen on test", "chosen on validation"]
    return pd.DataFrame.from_dict(rows, "index", columns=columns).rename_axis("n_trials")


def orders_differ(results: pd.DataFrame, experiments: list[str]) -> float:
    """How often one seed puts two experiments in another order than the other seeds do on average: a share, 0 to 1.

    Over all pairs of experiments and all seeds; a tie counts as half. NaN with one seed.
    """
    values = results.pivot(index="experiment", columns="seed", values="f1").loc[list(experiments)].to_numpy()
    differences = np.array([one - other for one, other in combinations(values, 2)])
    others = differences.sum(1, keepdims=True) - differences
    return float((1 - np.sign(differences * others)).mean() / 2) if values.shape[1] > 1 else np.nan


def claims(results: pd.DataFrame, test_noise: dict[tuple[str, str], float] | None = None) -> pd.DataFrame:
    """The claims of the 2021 report, its figures and ours, each with an interval and a verdict. One row a claim.

    A claim of a size ("about 12 points") holds if the whole 95 % interval lies in what the claim means, and does not
    hold if none of it does. A claim of a direction ("beats random") holds if the difference is above 0 and its p-value,
    corrected for the number of such claims, is below 0.05, and does not hold if it is below 0. Otherwise it cannot be
    told, and the verdict says how many seeds could, if mean and spread stay as they are, or that none could: for
    directions at the level 0.05 / their number, which Holm asks of the first.
    `test_noise` maps (experiment, baseline) to the `noise_of_test_set` of their difference, 0 if absent.
    """
    strategies = [name for name in REPORT_F1 if name not in ENDS]
    noise = test_noise or {}
    (start, end), at_random = (REPORT_F1[name] for name in ENDS), REPORT_F1["random"]

    of_gain, of_lead = (
        {name: value for (name, other), value in noise.items() if other == baseline} for baseline in (ENDS[0], "random")
    )
    means = results.groupby("experiment")["f1"].mean()
    of_share = {name: value / abs(means[ENDS[1]] - means[ENDS[0]]) for name, value in of_gain.items()}

    def differences(names, baseline, noise):
        chosen = results[results["experiment"].isin([*names, baseline])]
        return paired_differences(chosen, baseline, test_noise=noise).loc[names]

    gains, leads = differences(strategies, ENDS[0], of_gain), differences(strategies[1:], "random", of_lead)
    shares = gap_closed(results, test_noise=of_share).loc[strategies]
    gain, lead, share = (lambda f1: f1 - start), (lambda f1: f1 - at_random), (lambda f1: (f1 - start) / (end - start))
    ahead = (0.0, np.inf)
    kinds = [
        ("gains about 12 points", gains, of_gain, gain, (0.10, 0.14)),
        ("closes about half of the gap", shares, of_share, share, (0.4, 0.6)),
        ("beats random", leads, of_lead, lead, ahead),
        ("leads random by about 1 point", leads[:-1], of_lead, lead, (0.005, 0.015)),
        ("leads random by about 0.4 points", leads[-1:], of_lead, lead, (0.002, 0.006)),
    ]
    rows = []
    for text, table, noise, reported, bounds in kinds:
        for name, row in table.iterrows():
            n, mean, p = int(row["n_seeds"]), row["mean"], row["p_holm"] if bounds == ahead else np.nan
            across = any(row["low"] < bound < row["high"] for bound in bounds)
            if n > 1 and (p < 0.05 if bounds == ahead else not across):
                verdict = "holds" if bounds[0] < mean < bounds[1] else "does not hold"
            else:
                level = 0.05 / len(leads) if bounds == ahead else 0.05
                verdict = _undecided(n, seeds_needed(mean, row["std"], noise.get(name, 0.0), level, bounds))
            figures = {"claim": f"{name} {text}", "report": reported(REPORT_F1[name]), "ours": mean}
            rows.append(figures | row[["low", "high"]].to_dict() | {"n_seeds": n, "p_holm": p, "verdict": verdict})
    return pd.DataFrame(rows)


def _undecided(n: int, needed: float) -> str:
    verdict = f"cannot tell with {n} seed{'s' * (n > 1)}"
    if np.isfinite(needed):
        return f"{verdict}: {max(needed, n + 1):,.0f} would be needed"
    return f"{verdict}: it takes more test images too" if n > 1 else verdict


def calibration_error(probabilities: np.ndarray, labels: np.ndarray, n_bins: int = 15) -> float:
    """The expected calibration error, 0 to 1: how far top probabilities lie from the share of right predictions.

    `probabilities` (N, n_classes) and `labels` (N,); images are sorted by their top probability into bins of equal
    width, and the gaps of the bins averaged by their number of images (Guo et al. 2017, equation 3).
    """
    certainty = probabilities.max(1)
    surplus = pd.Series(certainty - (probabilities.argmax(1) == labels))
    bins = surplus.groupby(np.ceil(certainty * n_bins).astype(int))
    return float(bins.sum().abs().sum() / len(labels))


def mean_and_interval(values: pd.DataFrame, noise: pd.Series | float = 0.0) -> pd.DataFrame:
    """Student's 95 % interval over the columns (seeds) of each row; a missing seed is left out.

    `noise` is a standard error that all seeds share, taken as known.
    """
    n, mean, deviation = values.count(axis=1), values.mean(axis=1), values.std(axis=1)
    half = _half_width(deviation, n, noise, 0.05)
    return pd.DataFrame({"n_seeds": n, "mean": mean, "std": deviation, "low": mean - half, "high": mean + half})


def _half_width(std: np.ndarray, n: np.ndarray, noise: np.ndarray, level: float) -> np.ndarray:
    """Half an interval of a mean over n seeds that spread by `std`, with a standard error `noise` that they share.

    Student's for the seeds and the normal distribution's for the noise, added as squares (Zou and Donner 2008): a
    little wide where both count, never narrow. Without noise it is Student's.
    """
    return np.hypot(stats.t.isf(level / 2, n - 1) * std / np.sqrt(n), stats.norm.isf(level / 2) * noise)


def _p_value(mean: float, std: float, n: int, noise: float) -> float:
    """The level at which the interval of a mean just reaches 0; below 1e-130 it is 0. NaN for one seed."""
    if n < 2 or mean == 0:
        return np.nan if n < 2 else 1.0

    def beyond(log_level):
        return _half_width(std, n, noise, np.exp(log_level)) - abs(mean)

    return float(np.exp(brentq(beyond, -300, 0, xtol=1e-12))) if beyond(-300) > 0 else 0.0
