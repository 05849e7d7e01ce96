"""Tables of results: means with intervals, paired differences. Data frames in, data frames out."""

from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats
from scipy.optimize import isotonic_regression
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


def summary(results: pd.DataFrame, metric: str = "f1") -> pd.DataFrame:
    """One row an experiment, in order of appearance: n_seeds, mean, standard deviation, 95 % interval of the mean.

    `results` has the columns experiment, seed and `metric`. One seed has no interval: low and high are NaN.
    """
    values = results.pivot(index="experiment", columns="seed", values=metric)
    return mean_and_interval(values.loc[results["experiment"].unique()])


def paired_differences(
    results: pd.DataFrame, baseline: str, metric: str = "f1", test_noise: dict[str, float] | None = None
) -> pd.DataFrame:
    """The same table for each experiment minus the baseline with the same seed; the baseline itself is left out.

    `test_noise` is what the choice of test images adds to the standard error of a mean difference, by experiment and 0
    where absent, as `noise_of_test_set` gives it. `p` is that of the two-sided t test for a difference of 0,
    `p_holm` the same corrected for the number of rows (Holm 1979). Raises ValueError if the baseline is not among the
    results.
    """
    values = results.pivot(index="experiment", columns="seed", values=metric)
    if baseline not in values.index:
        raise ValueError(f"baseline is {baseline!r}; give one of {', '.join(values.index)}.")
    others = [experiment for experiment in results["experiment"].unique() if experiment != baseline]
    noise = pd.Series(test_noise or {}, dtype=float).reindex(others).fillna(0)
    table = mean_and_interval(values.loc[others] - values.loc[baseline], noise)
    error, degrees = _standard_error(table["std"], table["n_seeds"], noise)
    with np.errstate(divide="ignore", invalid="ignore"):
        table["p"] = 2 * stats.t.sf((table["mean"] / error).abs(), degrees)
    table["p_holm"] = holm(table["p"].to_numpy())
    return table


def holm(p: np.ndarray) -> np.ndarray:
    """Correct p-values (n,) for being n tests, so that one false alarm among all has its probability (Holm 1979).

    NaN, a test that could not be made, stays NaN and still counts as a test.
    """
    order = np.argsort(p)
    corrected = np.maximum.accumulate((len(p) - np.arange(len(p))) * p[order]).clip(max=1)
    return corrected[np.argsort(order)]


def seeds_needed(mean: float, std: float, test_noise: float = 0.0, level: float = 0.05) -> float:
    """How many seeds a two-sided paired t test needs to find a true mean difference, when seeds spread by `std`.

    It finds it with a probability (*power*) of 80 %; `level` is the probability of a false alarm. From the noncentral t
    distribution (Cohen 1988, chapter 2), exact without `test_noise`, the part of the standard error that all seeds
    share. NaN where mean or std is NaN, infinity where 100,000 seeds are not enough: the test images alone may hide the
    difference.
    """
    if not np.isfinite([mean, std]).all():
        return np.nan
    if std == test_noise == 0:
        return 2.0 if mean else np.inf

    power = 0.8

    def found(n):
        error, degrees = _standard_error(std, n, test_noise)
        critical, shift = stats.t.isf(level / 2, degrees), abs(mean) / error
        return stats.nct.sf(critical, degrees, shift) + stats.nct.cdf(-critical, degrees, shift)

    # By the normal distribution a few seeds less are enough: a lower end for the search.
    room = (mean / (stats.norm.isf(level / 2) + stats.norm.ppf(power))) ** 2 - test_noise**2
    if room <= 0 or std**2 / room > 100_000:
        return np.inf
    n = max(2, int(std**2 / room) - 2)
    while found(n) < power:
        n += 1
    return float(n)


def noise_of_test_set(labels: np.ndarray, predicted: np.ndarray, baseline: np.ndarray | None = None) -> float:
    """The standard deviation of mean macro F1 that other test images of the same kind would cause.

    `labels` (N,) and `predicted` (runs, N) int in 0..C-1. With `baseline` (runs, N), predictions of the runs that each
    is paired with, that of the mean difference. By the bootstrap: images are drawn anew with replacement, 1,000 times
    (Efron 1979).
    """
    n, n_classes = len(labels), int(labels.max()) + 1
    generator = np.random.default_rng(0)

    def mean_f1(rows, weights):
        f1 = 0.0
        for row in rows:
            right = np.bincount(labels, weights * (row == labels), n_classes)
            named = np.bincount(row, weights, n_classes)[:n_classes]
            f1 += (2 * right / np.maximum(np.bincount(labels, weights, n_classes) + named, 1)).mean() / len(rows)
        return f1

    values = []
    for _ in range(1000):
        weights = np.bincount(generator.integers(0, n, n), minlength=n).astype(float)
        values.append(mean_f1(predicted, weights) - (0 if baseline is None else mean_f1(baseline, weights)))
    return float(np.std(values, ddof=1))


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
    `chosen on test` and `chosen on validation`, each the mean over all subsets of n trials, computed exactly.
    """
    scored = trials.dropna(subset=["test_f1", "validation_f1"])
    n = len(scored)
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
    hold if none of it does. A claim of a direction ("beats random") holds if the difference is above 0 and the t test,
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
    kinds = [
        ("gains about 12 points", gains, of_gain, lambda f1: f1 - start, (0.10, 0.14), 0.05),
        ("closes about half of the gap", shares, of_share, lambda f1: (f1 - start) / (end - start), (0.4, 0.6), 0.05),
        ("beats random", leads, of_lead, lambda f1: f1 - at_random, (0.0, np.inf), 0.05 / len(leads)),
    ]
    rows = [
        _claim(f"{name} {text}", reported(REPORT_F1[name]), row, bounds, noise.get(name, 0.0), level)
        for text, table, noise, reported, bounds, level in kinds
        for name, row in table.iterrows()
    ]
    return pd.DataFrame(rows)


def _claim(
    claim: str, reported: float, row: pd.Series, bounds: tuple[float, float], test_noise: float, level: float
) -> dict:
    n, mean, low, high = int(row["n_seeds"]), row["mean"], row["low"], row["high"]
    nearest = min(abs(mean - bound) for bound in bounds)
    directed = bounds[1] == np.inf
    decided = row["p_holm"] < 0.05 if directed else not any(low < bound < high for bound in bounds)
    if n > 1 and decided:
        verdict = "holds" if bounds[0] < mean < bounds[1] else "does not hold"
    else:
        needed = seeds_needed(nearest, row["std"], test_noise, level=level)
        verdict = f"cannot tell with {n} seed{'s' * (n > 1)}"
        if np.isfinite(needed):
            verdict += f": {max(needed, n + 1):,.0f} would be needed"
        elif n > 1:
            verdict += ", nor with any number on these test images"
    figures = {"claim": claim, "report": reported, "ours": mean, "low": low, "high": high, "n_seeds": n}
    return figures | {"p_holm": row.get("p_holm", np.nan) if directed else np.nan, "verdict": verdict}


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
    error, degrees = _standard_error(deviation, n, noise)
    half = stats.t.ppf(0.975, degrees) * error
    return pd.DataFrame({"n_seeds": n, "mean": mean, "std": deviation, "low": mean - half, "high": mean + half})


def _standard_error(
    std: pd.Series | float, n: pd.Series | int, noise: pd.Series | float
) -> tuple[np.ndarray, pd.Series | np.ndarray]:
    """The standard error of a mean over n seeds, and its degrees of freedom (Satterthwaite 1946): n - 1 without noise.

    `noise` counts as known exactly: the larger its part of the error, the more degrees of freedom.
    """
    by_seed = np.asarray(std, float) / np.sqrt(n)
    error = np.hypot(by_seed, noise)
    share = np.divide(by_seed, error, out=np.ones_like(error), where=error > 0)
    return error, (n - 1) / np.maximum(share, 0.1) ** 4  # 10,000 degrees are as good as infinitely many
