"""Tables of results: means with intervals, paired differences, verdicts. Data frames in, data frames out."""

from bisect import bisect_left

import numpy as np
import pandas as pd
from scipy import stats
from scipy.optimize import brentq

# Figure 1 of Albert Gregus, Active Learning Techniques, November 2021: F1 on the CIFAR-10 test set.
REPORT_F1 = {
    "original_label": 0.647, "random": 0.767, "least_certainty": 0.778, "least_certainty_margin": 0.781,
    "entropy": 0.771, "full_training_set": 0.885,
}  # fmt: skip
ENDS = ("original_label", "full_training_set")
NO_NOISE = pd.Series(dtype=float)
AHEAD = (0.0, np.inf)  # the bounds of a difference in favour of a strategy, whatever its size


def run_on(results: pd.DataFrame) -> str:
    """Say in one line what results were measured on; nothing where their columns do not say it."""
    if not {"dataset", "profile", "device", "precision", "versions", "day"} <= set(results):
        return ""
    said = {name: ", ".join(map(str, column.unique())) for name, column in results.items()}
    line = "{dataset}; profile {profile}; seeds {seed}; {device}, {precision}; {versions}; {last_day}"
    return line.format(**said, last_day=results["day"].max())


def summary(results: pd.DataFrame) -> pd.DataFrame:
    """A row an experiment, in order of appearance: n_seeds, mean, std, low and high (95 % interval, NaN for one seed).

    `results` has a row a run, with the columns experiment, seed and f1.
    """
    values = results.pivot(index="experiment", columns="seed", values="f1")
    return _mean_and_interval(values.loc[results["experiment"].unique()]).drop(columns="noise")


def paired_differences(results: pd.DataFrame, baseline: str, test_noise: pd.Series = NO_NOISE) -> pd.DataFrame:
    """The same table for each experiment minus the baseline with the same seed; the baseline itself is left out.

    `test_noise`, by experiment and 0 where absent, is a column of `noise_of_test_set`. `p` is the level at which the
    interval just reaches 0, without noise that of the two-sided t test, `p_holm` the same corrected for the number of
    rows. Raises ValueError if the baseline is not among the results.
    """
    values = results.pivot(index="experiment", columns="seed", values="f1")
    if baseline not in values.index:
        raise ValueError(f"baseline is {baseline!r}; give one of {', '.join(values.index)}.")
    others = [experiment for experiment in results["experiment"].unique() if experiment != baseline]
    table = _mean_and_interval(values.loc[others] - values.loc[baseline], test_noise)
    table["p"] = [_p_value(*row) for row in table[["mean", "std", "n_seeds", "noise"]].to_numpy()]
    table["p_holm"] = holm(table["p"].to_numpy())
    return table


def gap_closed(results: pd.DataFrame, test_noise: pd.Series = NO_NOISE) -> pd.DataFrame:
    """The share of the gap from original_label to full_training_set that each experiment closes, as `summary` does.

    One share a seed, 0 to 1 and beyond; the far end is the mean of full_training_set, taken as exact. All is NaN if a
    seed has no gap, for its original_label is as good as that. `test_noise`: as above, from original_label.
    """
    values = results.pivot(index="experiment", columns="seed", values="f1")
    start, end = values.loc[ENDS[0]], values.loc[ENDS[1]].mean()
    gains = values.loc[[name for name in results["experiment"].unique() if name not in ENDS]] - start
    table = _mean_and_interval(gains / (end - start).where(start < end, np.inf), test_noise / (end - start.mean()))
    if (start >= end).any():
        table.loc[:, "mean":"high"] = np.nan
    return table


def holm(p: np.ndarray) -> np.ndarray:
    """Correct p-values (n,) for being n tests (Holm 1979); NaN, a test that could not be made, stays and counts too."""
    order = np.argsort(p)
    corrected = np.maximum.accumulate((len(p) - np.arange(len(p))) * p[order]).clip(max=1)
    return corrected[np.argsort(order)]


def seeds_needed(mean: float, std: float, noise: float = 0.0, level: float = 0.05, bounds: tuple = (0.0,)) -> float:
    """How many seeds it takes until an interval lies wholly on the side of each bound where the true mean is.

    With a probability of 80 %, if `mean` and `std` are the true ones (Cohen 1988, chapter 2: one bound, no noise).
    `std`, `noise`, `level`: as for `half_width`. NaN where mean or std is, infinity where 100,000 seeds are not enough.
    """
    if np.isnan(mean + std):
        return np.nan
    lower, upper = (-np.inf, *bounds, np.inf)[bisect_left(bounds, mean) :][:2]
    if std == noise == 0:
        return 2.0 if mean < upper else np.inf
    chances = (np.arange(1000) + 0.5) / 1000

    def power(n):
        # The mean over what the spread may be estimated as, and for each of these over the mean.
        estimated = std * np.sqrt(stats.chi2.ppf(chances, n - 1) / (n - 1))
        half, error = half_width(estimated, n, noise, level), np.hypot(std / n**0.5, noise)
        inside = stats.norm.cdf((upper - half - mean) / error) - stats.norm.cdf((lower + half - mean) / error)
        return inside.clip(0).mean()

    numbers = range(2, 100_001)
    place = bisect_left(numbers, 0.8, key=power)
    return float(numbers[place]) if place < len(numbers) else np.inf


def noise_of_test_set(labels: np.ndarray, predicted: dict[str, np.ndarray]) -> pd.DataFrame:
    """The standard deviation that other test images would cause, whatever the number of runs: rows minus columns.

    Of the mean difference of macro F1 of two experiments; on the diagonal of the mean macro F1 of one. labels (N,) and
    of each experiment (runs, N), int in 0..C-1, paired runs in the same places. By the bootstrap: images are drawn anew
    with replacement, 1,000 times (Efron 1979). The root of the mean covariance of two runs, for what a run's noise has
    of its own is part of the spread over the runs; of a single run its standard deviation.
    """
    n, classes, generator = len(labels), np.arange(labels.max() + 1), np.random.default_rng(0)
    true, said = (np.reshape(rows, (-1, n)).T[:, :, None] == classes for rows in (labels, list(predicted.values())))
    kinds = np.concatenate([true, said, said & true], axis=1).reshape(n, -1).astype(np.float32)
    drawn = (np.bincount(generator.integers(0, n, n), minlength=n) for _ in range(1000))
    counts = np.fromiter(drawn, np.dtype((np.float32, n))) @ kinds  # exact, for these are whole numbers below 2^24
    counts = counts.astype(float).reshape(1000, -1, len(classes))
    true, said, right = np.split(counts, [1, 1 + said.shape[1]], axis=1)
    # As scikit-learn does, without the classes that neither the labels nor the predictions have.
    f1 = (2 * right / np.maximum(true + said, 1)).sum(axis=2) / (true + said > 0).sum(axis=2)
    f1 = dict(zip(predicted, np.split(f1, len(predicted), axis=1), strict=True))

    def noise(values):
        covariance = np.atleast_2d(np.cov(values, rowvar=False))
        others = ~np.eye(len(covariance), dtype=bool) if len(covariance) > 1 else ...
        return covariance[others].mean().clip(0) ** 0.5

    return pd.DataFrame({b: {a: noise(f1[a] - f1[b] if a != b else f1[a]) for a in f1} for b in f1})


def claims(results: pd.DataFrame, test_noise: pd.DataFrame | None = None) -> pd.DataFrame:
    """The claims of the 2021 report, its figures and ours, each with an interval and a verdict. One row a claim.

    A claim of a size holds if the whole 95 % interval lies in what it means, and does not hold if none of it does; one
    of a direction by its p-value, corrected for the number of such claims. Otherwise the verdict says how many seeds
    could tell, if mean and spread stay as they are. `test_noise`: what `noise_of_test_set` gives.
    """
    strategies = [name for name in REPORT_F1 if name not in ENDS]
    noise, reported = pd.DataFrame(test_noise, columns=["random", ENDS[0]], dtype=float), pd.Series(REPORT_F1)
    start, end, lead = *reported[[*ENDS]], reported - reported["random"]
    gains = paired_differences(results, ENDS[0], noise[ENDS[0]]).loc[strategies]
    shares = gap_closed(results, noise[ENDS[0]]).loc[strategies]
    leads = results[results["experiment"].isin(strategies)]
    leads = paired_differences(leads, "random", noise["random"]).loc[strategies[1:]]
    kinds = [
        ("gains about 12 points", gains, reported - start, (0.10, 0.14)),
        ("closes about half of the gap", shares, (reported - start) / (end - start), (0.4, 0.6)),
        ("beats random", leads, lead, AHEAD),
        ("leads random by about 1 point", leads.drop("entropy"), lead, (0.005, 0.015)),
        ("leads random by about 0.4 points", leads.loc[["entropy"]], lead, (0.002, 0.006)),
    ]
    tried_on = results.get("dataset", NO_NOISE).unique()
    elsewhere = "".join(f"on {name}: " for name in tried_on if name.split(",")[0] != "CIFAR-10")
    rows = []
    for text, table, figures, bounds in kinds:
        for name, row in table.iterrows():
            p, verdict = row["p_holm"] if bounds == AHEAD else np.nan, elsewhere + _verdict(row, bounds, len(table))
            ours = [*row[["mean", "low", "high"]], int(row["n_seeds"]), p, verdict]
            rows.append([f"{name} {text}", figures[name], *ours])
    return pd.DataFrame(rows, columns="claim report ours low high n_seeds p_holm verdict".split())


def _verdict(row: pd.Series, bounds: tuple[float, float], n_tests: int) -> str:
    n, mean = int(row["n_seeds"]), row["mean"]
    if np.isnan(mean):
        return f"cannot be told: {'there is no gap' if n else 'no seed has both runs'}"
    if n < 2:
        return "cannot tell with 1 seed"
    across = any(row["low"] < bound < row["high"] for bound in bounds)
    if row["p_holm"] < 0.05 if bounds == AHEAD else not across:
        return "holds" if bounds[0] < mean < bounds[1] else "does not hold"
    level = 0.05 / n_tests if bounds == AHEAD else 0.05  # which Holm asks of the first
    reason = "it takes more test images too" if row["noise"] else "ours is the limit of the claim"
    if (needed := seeds_needed(mean, row["std"], row["noise"], level, bounds)) < np.inf:
        reason = f"{max(needed, n + 1):,.0f} would be needed"
    return f"cannot tell with {n} seeds: {reason}"


def half_width(std: np.ndarray, n: np.ndarray, noise: np.ndarray, level: float = 0.05) -> np.ndarray:
    """Half an interval of a mean over n seeds that spread by `std`, with a standard error `noise` that they share.

    With the coverage 1 - level: Student's and the normal distribution's, added as squares (Zou and Donner 2008).
    """
    return np.hypot(stats.t.isf(level / 2, n - 1) * std / np.sqrt(n), stats.norm.isf(level / 2) * noise)


def _mean_and_interval(values: pd.DataFrame, noise: pd.Series = NO_NOISE) -> pd.DataFrame:
    """The 95 % interval over the columns (seeds) of each row; a missing seed is left out."""
    n, mean, std = values.count(axis=1), values.mean(axis=1), values.std(axis=1)
    half = half_width(std, n, noise := noise.reindex(values.index).fillna(0))
    return pd.DataFrame(dict(n_seeds=n, mean=mean, std=std, low=mean - half, high=mean + half, noise=noise))


def _p_value(mean: float, std: float, n: int, noise: float) -> float:
    """The level at which the interval of a mean just reaches 0; below 1e-130 it is 0. NaN for one seed."""
    if n < 2 or mean == 0:
        return np.nan if n < 2 else 1.0

    def beyond(log_level):
        return half_width(std, n, noise, np.exp(log_level)) - abs(mean)

    return float(np.exp(brentq(beyond, -300, 0, xtol=1e-12))) if beyond(-300) > 0 else 0.0
