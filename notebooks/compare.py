"""Tables of results: means, intervals, paired differences. Data frames in, data frames out."""

from bisect import bisect_left
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import stats
from scipy.optimize import brentq, isotonic_regression

ENDS = ("original_label", "full_training_set")
NO_NOISE = pd.Series(dtype=float)


def run_on(results: pd.DataFrame) -> str:
    """Say in one line what results were measured on; nothing where no columns say it."""
    if not {"dataset", "profile", "device", "precision", "versions", "day"} <= set(results):
        return ""
    said = {name: ", ".join(map(str, column.unique())) for name, column in results.items()}
    seeds = results["seed"]
    if 9 < seeds.nunique() == seeds.max() - seeds.min() + 1:
        said["seed"] = f"{seeds.min()} to {seeds.max()}"  # fifty of them would be two lines
    line = "{dataset}; profile {profile}; seeds {seed}; {device}, {precision}; {versions}"
    return f"{line.format(**said)}; {results['day'].max()}"


def at_hand(study, strategies: tuple) -> tuple:
    """Those strategies that were run in a study, and the study with the seeds that all of them
    have.
    """
    there = [each for each in strategies if study.is_done(each, study.seeds[0])]
    seeds = [seed for seed in study.seeds if all(study.is_done(each, seed) for each in there)]
    return replace(study, seeds=tuple(seeds)), there


def predictions(study, experiments: tuple) -> dict[str, list[np.ndarray]]:
    """The predicted classes of the test images (N,), by experiment, a seed after the other."""

    def predicted(each, seed):  # no more than this is kept of a run
        return study.run(each, seed)["test_probabilities"].argmax(axis=1)

    return {
        getattr(each, "__name__", each): [predicted(each, seed) for seed in study.seeds]
        for each in experiments
    }


def summary(results: pd.DataFrame) -> pd.DataFrame:
    """A row an experiment, in order of appearance: n_seeds, mean, std, low and high.

    These are a 95 % interval, NaN for one seed. `results` has a row a run, with the columns
    experiment, seed and f1.
    """
    values = results.pivot(index="experiment", columns="seed", values="f1")
    return _mean_and_interval(values.loc[results["experiment"].unique()]).drop(columns="noise")


def paired_differences(
    results: pd.DataFrame, baseline: str, test_noise: pd.Series = NO_NOISE
) -> pd.DataFrame:
    """The same table for each other experiment minus the baseline with the same seed.

    `test_noise`, by experiment and 0 where absent, is a column of `noise_of_test_set`. `p` is the
    level at which the interval just reaches 0, without noise that of the two-sided t test,
    `p_holm` the same corrected for the number of rows. Raises ValueError if the baseline is not
    among the results.
    """
    values = results.pivot(index="experiment", columns="seed", values="f1")
    if baseline not in values.index:
        raise ValueError(f"baseline is {baseline!r}; give one of {', '.join(values.index)}.")
    others = [
        experiment for experiment in results["experiment"].unique() if experiment != baseline
    ]
    table = _mean_and_interval(values.loc[others] - values.loc[baseline], test_noise)
    table["p"] = [_p_value(*row) for row in table[["mean", "std", "n_seeds", "noise"]].to_numpy()]
    table["p_holm"] = holm(table["p"].to_numpy())
    return table


def gap_closed(results: pd.DataFrame, test_noise: pd.Series = NO_NOISE) -> pd.DataFrame:
    """The share of the gap from original_label to full_training_set that each experiment closes,
    as `summary` does.

    One share a seed, 0 to 1 and beyond; the far end is the mean of full_training_set, taken as
    exact. All is NaN if a seed has no gap, for its original_label is as good as that.
    `test_noise`: as above, from original_label.
    """
    values = results.pivot(index="experiment", columns="seed", values="f1")
    start, end = values.loc[ENDS[0]], values.loc[ENDS[1]].mean()
    gains = (
        values.loc[[name for name in results["experiment"].unique() if name not in ENDS]] - start
    )
    table = _mean_and_interval(
        gains / (end - start).where(start < end, np.inf), test_noise / (end - start.mean())
    )
    if (start >= end).any():
        table.loc[:, "mean":"high"] = np.nan
    return table


def gains_of_rounds(rounds, experiments: tuple) -> pd.DataFrame:
    """What the rounds of a study add to the F1 of asking at once: a row an experiment, as
    `paired_differences` gives it.
    """
    ways = {"rounds": rounds, "at once": replace(rounds, n_rounds=1)}
    both = pd.concat(each.results(experiments).assign(way=way) for way, each in ways.items())
    return pd.DataFrame(
        {
            name: paired_differences(rows.assign(experiment=rows["way"]), "at once").iloc[0]
            for name, rows in both.groupby("experiment", sort=False)
        }
    ).T


def labels_for(curve: pd.DataFrame, f1: float) -> float:
    """How many random labels give this mean F1, by a curve that is made rising first; or NaN.

    `curve` has a row a run, with the columns n_train and f1.
    """
    means = curve.groupby("n_train")["f1"].agg(["mean", "size"])
    rising = isotonic_regression(means["mean"].to_numpy(), weights=means["size"].to_numpy()).x
    if not rising[0] <= f1 <= rising[-1] or rising[0] == rising[-1]:
        return np.nan
    # Between the sizes by their logarithm; sizes with the same F1 count as one, in their middle.
    labels = pd.Series(np.log(means.index)).groupby(rising).mean()
    return np.exp(np.interp(f1, labels.index, labels))


def holm(p: np.ndarray) -> np.ndarray:
    """Correct p-values (n,) for being n tests (Holm 1979); NaN, no test, stays and counts too."""
    order = np.argsort(p)
    corrected = np.maximum.accumulate((len(p) - np.arange(len(p))) * p[order]).clip(max=1)
    return corrected[np.argsort(order)]


def seeds_needed(
    mean: float, std: float, noise: float = 0.0, level: float = 0.05, bounds: tuple = (0.0,)
) -> float:
    """How many seeds until an interval lies on the side of each bound where the true mean is.

    Wholly, with a probability of 80 %, if `mean` and `std` are the true ones (Cohen 1988, chapter
    2: one bound, no noise). `std`, `noise`, `level`: as for `half_width`. NaN where mean or std
    is, infinity where 100,000 seeds are not enough.
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
        ends = (upper - half - mean) / error, (lower + half - mean) / error
        return (stats.norm.cdf(ends[0]) - stats.norm.cdf(ends[1])).clip(0).mean()

    numbers = range(2, 100_001)
    place = bisect_left(numbers, 0.8, key=power)
    return float(numbers[place]) if place < len(numbers) else np.inf


def noise_of_test_set(labels: np.ndarray, predicted: dict[str, np.ndarray]) -> pd.DataFrame:
    """Standard errors due to the finite test set: of mean F1, rows minus columns.

    On the diagonal that of the mean macro F1 of one experiment. labels (N,), and of each
    experiment predictions (runs, N), int in 0..C-1, paired runs in the same places. A bootstrap
    over the test images, 1,000 times (Efron 1979): the root of the mean covariance of two runs,
    because the noise private to a run is already in the spread over seeds. Of a single run its
    standard deviation.
    """
    n, classes, generator = len(labels), np.arange(labels.max() + 1), np.random.default_rng(0)
    rows = (np.reshape(each, (-1, n)) for each in (labels, list(predicted.values())))
    true, said = (each.T[:, :, None] == classes for each in rows)
    kinds = np.concatenate([true, said, said & true], axis=1).reshape(n, -1).astype(np.float32)
    drawn = (np.bincount(generator.integers(0, n, n), minlength=n) for _ in range(1000))
    # Exact, for these are whole numbers below 2^24.
    counts = np.fromiter(drawn, np.dtype((np.float32, n))) @ kinds
    counts = counts.astype(float).reshape(1000, -1, len(classes))
    true, said, right = np.split(counts, [1, 1 + said.shape[1]], axis=1)
    # As scikit-learn does, without the classes that neither the labels nor the predictions have.
    f1 = (2 * right / np.maximum(true + said, 1)).sum(axis=2) / (true + said > 0).sum(axis=2)
    f1 = dict(zip(predicted, np.split(f1, len(predicted), axis=1), strict=True))

    def noise(values):
        covariance = np.atleast_2d(np.cov(values, rowvar=False))
        others = ~np.eye(len(covariance), dtype=bool) if len(covariance) > 1 else ...
        return covariance[others].mean().clip(0) ** 0.5

    return pd.DataFrame(
        {b: {a: noise(f1[a] - f1[b] if a != b else f1[a]) for a in f1} for b in f1}
    )


def half_width(
    std: np.ndarray, n: np.ndarray, noise: np.ndarray, level: float = 0.05
) -> np.ndarray:
    """Half an interval of a mean over n seeds that spread by `std` and share an error `noise`.

    A standard error; with the coverage 1 - level: Student's and the normal distribution's, added
    as squares (Zou and Donner 2008).
    """
    of_seeds, of_images = stats.t.isf(level / 2, n - 1) * std, stats.norm.isf(level / 2) * noise
    return np.hypot(of_seeds / np.sqrt(n), of_images)


def _mean_and_interval(values: pd.DataFrame, noise: pd.Series = NO_NOISE) -> pd.DataFrame:
    """The 95 % interval over the columns (seeds) of each row; a missing seed is left out."""
    n, mean, std = values.count(axis=1), values.mean(axis=1), values.std(axis=1)
    half = half_width(std, n, noise := noise.reindex(values.index).fillna(0))
    return pd.DataFrame(
        dict(n_seeds=n, mean=mean, std=std, low=mean - half, high=mean + half, noise=noise)
    )


def _p_value(mean: float, std: float, n: int, noise: float) -> float:
    """The level at which the interval of a mean just reaches 0; below 1e-130 it is 0. NaN for
    one seed.
    """
    if n < 2 or mean == 0:
        return np.nan if n < 2 else 1.0

    def beyond(log_level):
        return half_width(std, n, noise, np.exp(log_level)) - abs(mean)

    return float(np.exp(brentq(beyond, -300, 0, xtol=1e-12))) if beyond(-300) > 0 else 0.0
