"""The 2021 report: its figures, and what ours says of its claims."""

import re
from html import escape

import numpy as np
import pandas as pd
from compare import ENDS, NO_NOISE, gap_closed, paired_differences, seeds_needed

# Albert Gregus, Active Learning Techniques, November 2021, figure 1: F1 on the CIFAR-10 test set.
F1 = {
    "original_label": 0.647,
    "random": 0.767,
    "least_certainty": 0.778,
    "least_certainty_margin": 0.781,
    "entropy": 0.771,
    "full_training_set": 0.885,
}
SHORTER = {
    r"^cannot tell with \d+ seeds?: it takes more test images too$": "cannot tell¹",
    r"^cannot tell with \d+ seeds: (.+) would be needed$": r"cannot tell; \1 seeds would",
}
AHEAD = (0.0, np.inf)  # the bounds of a difference in favour of a strategy, whatever its size


def is_cifar10(name: str) -> bool:
    """Whether a data set of this name is the report's, or a copy of it."""
    return bool(re.match(r"CIFAR-10(?![\w-])", name))


def claims(results: pd.DataFrame, test_noise: pd.DataFrame | None = None) -> pd.DataFrame:
    """The claims of the report, a row each: its figure, ours with an interval, and a verdict.

    A claim of a size holds if the whole 95 % interval lies in what it means, and does not hold if
    none of it does; one of a direction by its p-value, corrected for the number of such claims.
    Otherwise the verdict says how many seeds could tell, if mean and spread stay as they are.
    `test_noise`: what `noise_of_test_set` gives.
    """
    strategies = [name for name in F1 if name not in ENDS]
    noise, reported = (
        pd.DataFrame(test_noise, columns=["random", ENDS[0]], dtype=float),
        pd.Series(F1),
    )
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
    return _rows(kinds, results)


def further_claims(results: pd.DataFrame, test_noise: pd.DataFrame) -> pd.DataFrame:
    """The report's outlook, that more complex strategies reach a higher F1: rows as of `claims`.

    Each strategy that the report has not, against random and against the best of its three here,
    which has the highest mean and so is flattered; corrected for their number in either case.
    """
    names = results["experiment"].unique()
    further = [name for name in names if name not in F1]
    means = results.groupby("experiment")["f1"].mean()[[name for name in names if name in F1]]
    best, kinds = means.drop(["random", *ENDS], errors="ignore").idxmax(), []
    for baseline, known_as in (("random", "random"), (best, f"{best}, the report's best here")):
        rows = results[results["experiment"].isin([*further, baseline])]
        table = paired_differences(rows, baseline, test_noise[baseline]).loc[further]
        kinds.append((f"reaches more than {known_as}", table, NO_NOISE, AHEAD))
    return _rows(kinds, results)


def _rows(kinds: list[tuple], results: pd.DataFrame) -> pd.DataFrame:
    """A row a claim, of kinds: what it says, our table, the report's figures, what it means."""
    tried_on = results.get("dataset", NO_NOISE).unique()
    elsewhere = "".join(f"on {name}: " for name in tried_on if not is_cifar10(name))
    rows = []
    for text, table, figures, bounds in kinds:
        for name, row in table.iterrows():
            p = row["p_holm"] if bounds == AHEAD else np.nan
            verdict = elsewhere + _verdict(row, bounds, len(table))
            ours = [*row[["mean", "low", "high"]], int(row["n_seeds"]), p, verdict]
            rows.append([f"{name} {text}", figures.get(name, np.nan), *ours])
    return pd.DataFrame(rows, columns="claim report ours low high n_seeds p_holm verdict".split())


def as_markdown(claims: pd.DataFrame, run_on: str) -> str:
    """The claims as a table, in hundredths: the report's figure, ours with its interval, verdict.

    What claims say, and on which data they were tried, is said once for several, so that a row is
    short enough for a telephone.
    """
    said = claims["verdict"].str.extract(r"^(?:on (.+): )?((?:holds|does not hold|cannot ).*)$")
    (on,), short = said[0].fillna("").unique()[:1], said[1].replace(SHORTER, regex=True)
    on = f" on {escape(on)}".replace("|", "&#124;") if on else ""
    rows = [f"| claim | the report's number | ours (95 % interval) | verdict{on} |"]
    rows, before = [*rows, "|---|---|---|---|"], ""
    for row, verdict in zip(claims.itertuples(), short, strict=True):
        name, text = row.claim.split(" ", 1)
        if text != before:
            unit = ", in %" if "gap" in text else ""
            seeds = f"{row.n_seeds} seed{'s' * (row.n_seeds != 1)}"
            rows.append(f"| **{text.replace('_', ' ')}**{unit}, {seeds} | | | |")
        ours, low, high = (f"{100 * each:z.1f}" for each in (row.ours, row.low, row.high))
        ours += f" ({low} to {high})" if pd.notna(row.low) else ""
        report = f"{100 * row.report:.1f}" if pd.notna(row.report) else ""
        rows.append(f"| {name.replace('_', ' ')} | {report} | {ours} | {verdict} |")
        before = text
    notes = "In points (hundredths of F1), unless a row says %."
    if short.str.endswith("¹").any():
        notes += " ¹ More seeds alone would not tell: it takes more test images too."
    return "\n".join([*rows, "", notes, "", f"*Measured on {run_on}.*", ""])


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
