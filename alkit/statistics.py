"""Tables of results: means with intervals, paired differences. Data frames in, data frames out."""

import numpy as np
import pandas as pd
from scipy import stats

# Figure 1 of Albert Gregus, Active Learning Techniques, November 2021: F1 on the CIFAR-10 test set.
REPORT_F1 = {
    "original_label": 0.647,
    "random": 0.767,
    "least_certainty": 0.778,
    "least_certainty_margin": 0.781,
    "entropy": 0.771,
    "full_training_set": 0.885,
}


def summary(results: pd.DataFrame, metric: str = "f1") -> pd.DataFrame:
    """One row an experiment, in order of appearance: n_seeds, mean, standard deviation, 95 % interval of the mean.

    `results` has the columns experiment, seed and `metric`. One seed has no interval: low and high are NaN.
    """
    values = results.pivot(index="experiment", columns="seed", values=metric)
    return _mean_and_interval(values.loc[results["experiment"].unique()])


def paired_differences(results: pd.DataFrame, baseline: str, metric: str = "f1") -> pd.DataFrame:
    """The same table for each experiment minus the baseline with the same seed; the baseline itself is left out.

    Raises ValueError if the baseline is not among the results.
    """
    values = results.pivot(index="experiment", columns="seed", values=metric)
    if baseline not in values.index:
        raise ValueError(f"baseline is {baseline!r}; give one of {', '.join(values.index)}.")
    others = [experiment for experiment in results["experiment"].unique() if experiment != baseline]
    return _mean_and_interval(values.loc[others] - values.loc[baseline])


def calibration_error(probabilities: np.ndarray, labels: np.ndarray, n_bins: int = 15) -> float:
    """The expected calibration error, 0 to 1: how far top probabilities lie from the share of right predictions.

    `probabilities` (N, n_classes) and `labels` (N,); images are sorted by their top probability into bins of equal
    width, and the gaps of the bins averaged by their number of images (Guo et al. 2017, equation 3).
    """
    certainty = probabilities.max(1)
    surplus = pd.Series(certainty - (probabilities.argmax(1) == labels))
    bins = surplus.groupby(np.ceil(certainty * n_bins).astype(int))
    return float(bins.sum().abs().sum() / len(labels))


def _mean_and_interval(values: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """Student's t interval over the columns (seeds) of each row; a missing seed is left out."""
    n, mean, deviation = values.count(axis=1), values.mean(axis=1), values.std(axis=1)
    half = stats.t.ppf((1 + confidence) / 2, np.maximum(n - 1, 1)) * deviation / np.sqrt(n)
    return pd.DataFrame({"n_seeds": n, "mean": mean, "std": deviation, "low": mean - half, "high": mean + half})
