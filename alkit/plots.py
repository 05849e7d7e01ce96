"""The figures: each function returns a matplotlib figure and describes it in words (its label, used as alt text)."""

import textwrap
from collections.abc import Callable, Iterable
from itertools import cycle
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from alkit.data import Part, replace_file
from alkit.statistics import ENDS, REPORT_F1, mean_and_interval, paired_differences, summary

COLOURS = sns.color_palette("colorblind")
HATCHES = ("", "//", "\\\\", "xx", "--", "||", "++", "**")
sns.set_theme(context="paper", style="whitegrid", palette="colorblind", font_scale=1.15)
plt.rcParams.update({"figure.dpi": 110, "hatch.linewidth": 0.6, "svg.hashsalt": "alkit", "image.cmap": "gray"})


def show(figure: Figure) -> None:
    """Display a figure in a notebook with its alt text, once."""
    display(figure, metadata={"image/png": {"alt": figure.get_label()}})
    plt.close(figure)


def save(figure: Figure, path: Path) -> None:
    """Save a figure as path.svg and path.png, byte for byte the same for the same numbers and versions."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for suffix, options in {".svg": {"metadata": {"Date": None}}, ".png": {"dpi": 150}}.items():
        replace_file(
            path.with_name(path.name + suffix),
            lambda file, options=options: figure.savefig(file, bbox_inches="tight", **options),
        )


def comparison(results: pd.DataFrame, note: str = "", reference: dict[str, float] | None = None) -> Figure:
    """The chart of the report: a bar for each experiment (mean F1), its 95 % interval, and a dot for every seed.

    Where there is `random`, a panel beside it has the strategies' F1 minus that of random with the same seed. `note`
    stands below the chart and says what it was run on. `reference` adds a diamond: another study's F1.
    """
    table = summary(results)
    position = np.arange(len(table))
    strategies = [name for name in table.index if name not in (*ENDS, "random")]
    panel = bool(strategies) and "random" in table.index
    figure, grid = plt.subplots(
        1, 1 + panel, figsize=(8.5 + 2.4 * panel, 5), layout="constrained", squeeze=False,
        width_ratios=[len(table) + 1, len(strategies) + 1][: 1 + panel],
    )  # fmt: skip
    axes = grid[0, 0]
    hatches = [HATCHES[i % 8] for i in _styles(table.index)]
    axes.bar(position, table["mean"], 0.7, color=_colours(table.index), hatch=hatches, edgecolor="white")
    tops = [table["high"], results.groupby("experiment")["f1"].max()[table.index]]
    _intervals(axes, table)
    _dots(axes, table.index, results)
    if reference:
        tops.append(table.index.map(reference).astype(float))
        axes.plot(position + 0.28, tops[-1], "D", color="black", ms=6, label="the 2021 report")
    top = np.nanmax(np.asarray(tops, float), axis=0)
    for x, y, mean in zip(position, top, table["mean"], strict=True):
        axes.text(x, y + 0.012, f"{mean:.3f}", ha="center", va="bottom")
    n_train = results.groupby("experiment")["n_train"].first()
    axes.set_xticks(position, [f"{_in_lines(name)}\n{n_train[name]:,}" for name in table.index])
    axes.set(xlabel="experiment, and its number of training images", ylabel="macro F1 on the test set")
    axes.set_ylim(0, max(1, top.max()) + 0.08)
    axes.grid(axis="x", visible=False)
    _legend_above(axes)
    _note(figure, note, 110)
    means = ", ".join(f"{name} {_with_interval(row)}" for name, row in table.iterrows())
    text = f"Bar chart of the mean macro F1 on the test set of {len(table)} experiments: {means}."
    if panel:
        text += _minus_random(grid[0, 1], results[results["experiment"].isin([*strategies, "random"])])
    return _described(figure, text)


def gallery(rows: dict[str, Part], class_names: tuple[str, ...], n_columns: int = 10) -> Figure:
    """Rows of images, each with its class below: `rows` maps a title to a part, of which the first images are shown."""
    n_columns = min(n_columns, max(map(len, rows.values())))
    figure = plt.figure(figsize=(0.95 * n_columns, 1.55 * len(rows)), layout="constrained")
    for (title, part), band in zip(rows.items(), np.atleast_1d(figure.subfigures(len(rows), 1)), strict=True):
        band.suptitle(title, fontsize=10, x=0.01, ha="left")
        for index, axes in enumerate(np.atleast_1d(band.subplots(1, n_columns))):
            axes.axis("off")
            if index < len(part):
                axes.imshow(part.images[index].squeeze(), vmin=0, vmax=255)
                axes.set_title(class_names[part.labels[index]], fontsize=8, y=-0.32)
    titles = "; ".join(f"{title}: {_names(part, class_names, n_columns)}" for title, part in rows.items())
    return _described(figure, f"Rows of images with their classes. {titles}.")


def pick(image: np.ndarray, probabilities: np.ndarray, class_names: tuple[str, ...], true: int, title: str) -> Figure:
    """One image (H, W, C) beside its largest class probabilities and that of its true class, which is marked."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(7, 2.9), layout="constrained", width_ratios=(1, 1.6))
    left.imshow(image.squeeze(), vmin=0, vmax=255)
    left.axis("off")
    order = probabilities.argsort(kind="stable")[::-1][:6]
    if true not in order:
        order[-1] = true
    names = [f"{class_names[i]} (true)" if i == true else class_names[i] for i in order]
    hatches = ["//" if i == true else "" for i in order]
    right.barh(names, probabilities[order], color=[COLOURS[2 if i == true else 0] for i in order], hatch=hatches)
    right.invert_yaxis()
    right.set(xlim=(0, 1), xlabel="predicted probability")
    figure.suptitle(title, fontsize=10)
    shown = ", ".join(f"{name} {probabilities[i]:.2f}" for name, i in zip(names, order, strict=True))
    return _described(figure, f"{title}. The largest predicted probabilities: {shown}.")


def class_bars(counts: pd.DataFrame) -> Figure:
    """Horizontal bars: `counts` has a row a class and a column a set of images, in numbers of images."""
    figure, axes = plt.subplots(figsize=(7, 0.8 + 0.36 * min(len(counts), 30)), layout="constrained")
    shown = counts.loc[counts.sum(axis=1).nlargest(30).index] if len(counts) > 30 else counts
    shown.plot.barh(ax=axes, width=0.8, edgecolor="white")
    for bars, hatch in zip(axes.containers, HATCHES, strict=False):
        plt.setp(bars.patches, hatch=hatch)
    axes.invert_yaxis()
    axes.set(xlabel="images", ylabel="class" if shown is counts else "class (the 30 with most images)")
    _legend_above(axes)
    text = "; ".join(f"{name}: {', '.join(f'{k} {v}' for k, v in column.items())}" for name, column in shown.items())
    return _described(figure, f"Images of each class. {text}.")


def score_histogram(scores: np.ndarray, picks: np.ndarray, label: str) -> Figure:
    """How a score is spread over the pool, and over the picks, (k,) positions in the pool."""
    figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
    bins = np.histogram_bin_edges(scores, 40)
    axes.hist(scores, bins, color=COLOURS[7], label=f"the pool ({len(scores):,})")
    axes.hist(scores[picks], bins, color=COLOURS[1], hatch="//", edgecolor="white", label=f"the picks ({len(picks):,})")
    axes.set(xlabel=label, ylabel="images (logarithmic)", yscale="log")
    axes.set_ylim(bottom=0.7)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    _legend_above(axes)
    low, high = scores[picks].min(), scores[picks].max()
    return _described(
        figure,
        f"Histogram of {label} over the pool, {scores.min():.3f} to {scores.max():.3f}; the picks lie from {low:.3f} "
        f"to {high:.3f}.",
    )


def heatmap(table: pd.DataFrame, label: str, digits: int = 2) -> Figure:
    """A table as coloured cells, with their numbers up to 20 columns; `label` says what the numbers are."""
    size = (2.6 + 0.62 * min(table.shape[1], 20), 1.4 + 0.4 * min(len(table), 20))
    figure, axes = plt.subplots(figsize=size, layout="constrained")
    numbers = table.shape[1] <= 20
    columns = [textwrap.fill(str(name).replace("_", " "), 10) for name in table.columns] if numbers else "auto"
    sns.heatmap(
        table, annot=numbers, fmt=f".{digits}f", cmap="cividis", ax=axes, annot_kws={"size": 8}, xticklabels=columns
    )
    axes.set(xlabel="", ylabel="")
    axes.tick_params(axis="x", labelsize=8, rotation=0 if numbers else 90)
    axes.tick_params(axis="y", rotation=0)
    figure.suptitle("\n".join(textwrap.wrap(label, int(size[0] * 12))), fontsize=10)
    text = f"{table.size} numbers from {table.min(axis=None):.{digits}f} to {table.max(axis=None):.{digits}f}"
    if numbers:
        cells = {name: ", ".join(f"{k} {x:.{digits}f}" for k, x in row.items()) for name, row in table.iterrows()}
        text = "; ".join(f"{name}: {row}" for name, row in cells.items())
    return _described(figure, f"{label} as coloured cells. {text}.")


def bars(values: pd.Series, label: str) -> Figure:
    """A horizontal bar a value, with its number; `label` says what the numbers are."""
    figure, axes = plt.subplots(figsize=(7, 0.9 + 0.45 * len(values)), layout="constrained")
    hatches = [HATCHES[i % 8] for i in range(len(values))]
    drawn = axes.barh(values.index, values, color=COLOURS, hatch=hatches, edgecolor="white")
    axes.bar_label(drawn, fmt=" %.4f")
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.grid(axis="y", visible=False)
    axes.set(xlabel=label)
    text = ", ".join(f"{name} {value:.4f}" for name, value in values.items())
    return _described(figure, f"Bars of {label}: {text}.")


def flattery(table: pd.DataFrame, note: str = "") -> Figure:
    """What choosing on the test set adds: a panel an experiment, its rows as `statistics.flattery` gives them."""
    names = list(table["experiment"].unique())
    figure, grid = plt.subplots(1, len(names), figsize=(4 * len(names), 3.6), layout="constrained", squeeze=False)
    texts = []
    for axes, name in zip(grid[0], names, strict=True):
        rows = table[table["experiment"] == name].drop(columns="experiment")
        for number, (way, values) in enumerate(rows.items()):
            axes.plot(rows.index, values, marker="os"[number], linestyle=("-", "--")[number], label=way)
        axes.set(title=name.replace("_", " "), xlabel="recipes tried", ylabel="test F1 of the chosen one")
        axes.xaxis.get_major_locator().set_params(integer=True)
        last = ", ".join(f"{way} {value:.3f}" for way, value in rows.iloc[-1].items())
        texts.append(f"{name} with {rows.index[-1]} recipes: {last}")
    grid[0, 0].legend()
    _note(figure, note, 110)
    return _described(figure, f"Lines of test F1 by the number of recipes tried. {'; '.join(texts)}.")


def curves(table: pd.DataFrame, x: str, y: str, group: str, labels: tuple[str, str], note: str = "") -> Figure:
    """A line a group: the mean of `y` over the rows with the same `x`, with its 95 % interval where there are several.

    `labels` are those of the two axes.
    """
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    names = list(table[group].unique())
    apart = np.ptp(table[x]) * 0.012  # or the intervals of one x would hide each other
    texts = []
    for i, (name, colour, marker) in enumerate(zip(names, _colours(names), cycle("osD^v"), strict=False)):
        values = table[table[group] == name].groupby(x)[y].apply(list)
        means = mean_and_interval(pd.DataFrame(values.tolist(), values.index))
        place = means.index + apart * (i - (len(names) - 1) / 2)
        axes.errorbar(
            place, means["mean"], means["high"] - means["mean"], label=name, color=colour, marker=marker, capsize=3
        )
        texts.append(f"{name}: {', '.join(f'{at} {_with_interval(row)}' for at, row in means.iterrows())}")
    axes.set(xlabel=labels[0], ylabel=labels[1])
    axes.legend()
    _note(figure, note, 90)
    return _described(figure, f"Lines of {labels[1]} by {labels[0]}. {'; '.join(texts)}.")


def triangle(scores: dict[str, Callable[[np.ndarray], np.ndarray]], classes: tuple[str, str, str]) -> Figure:
    """What each score calls uncertain, over all predictions for three classes: a corner is certainty, the middle none.

    Bright is uncertain. Inside the line lies the tenth of all predictions that the score finds the most uncertain.
    """
    steps = np.linspace(0, 1, 101)
    first, second = (grid.ravel() for grid in np.meshgrid(steps, steps))
    inside = first + second <= 1 + 1e-9
    rows = np.stack([first, second, 1 - first - second], axis=1)[inside].clip(0, 1)
    corners = np.array([[0, 0], [1, 0], [0.5, 0.75**0.5]])
    points = rows @ corners
    figure, grid = plt.subplots(1, len(scores), figsize=(3.3 * len(scores), 3.2), layout="constrained", squeeze=False)
    texts = []
    for axes, (name, score) in zip(grid[0], scores.items(), strict=True):
        values = score(rows)
        axes.tricontourf(*points.T, values, levels=20, cmap="cividis")
        line = np.quantile(values, 0.9)
        axes.tricontour(*points.T, values, levels=[line], colors="black", linewidths=1.5, linestyles="-")
        for (x, y), label in zip(corners, classes, strict=True):
            # At the lower corners the text ends where the triangle does, clear of the neighbour's.
            side = "center" if y else ("right" if x else "left")
            axes.text(x, y + (0.03 if y else -0.03), label, ha=side, va="bottom" if y else "top")
        axes.set_title(name.replace("_", " "), pad=24)
        axes.set_aspect("equal")
        axes.axis("off")
        first, second = np.sort(rows[values >= line], axis=1).T[:0:-1]
        texts.append(
            f"{name}: its most uncertain tenth has largest probabilities of {first.min():.2f} to {first.max():.2f} and "
            f"second largest of {second.min():.2f} to {second.max():.2f}"
        )
    return _described(figure, f"Triangles of all predictions for {', '.join(classes)}. {'; '.join(texts)}.")


def picks_map(points: np.ndarray, picks: dict[str, np.ndarray]) -> Figure:
    """A map of the pool for each strategy: `points` (N, 2), and the positions (k,) that it picked, drawn on top."""
    figure, grid = plt.subplots(
        1, len(picks), figsize=(3.1 * len(picks), 3.3), sharex=True, sharey=True, layout="constrained"
    )
    texts = []
    for axes, (name, positions), colour in zip(np.atleast_1d(grid), picks.items(), _colours(picks), strict=True):
        axes.scatter(*points.T, s=3, color="lightgray", rasterized=True)
        axes.scatter(*points[positions].T, s=10, marker="x", linewidth=0.9, color=colour, rasterized=True)
        axes.set(title=name.replace("_", " "), xticks=[], yticks=[])
        spread = points[positions].std(0).mean() / points.std(0).mean() if len(positions) else 0
        texts.append(f"{len(positions)} of {name}, spread over {spread:.2f} times the width of all")
    return _described(figure, f"Maps of {len(points):,} points, with picks on top: {'; '.join(texts)}.")


def steps(values: dict[str, np.ndarray], label: str) -> Figure:
    """The share of picks (vertical) that lie at or below each value (horizontal), a line a name."""
    figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
    lines = ("-", "--", ":", "-.")
    for (name, each), colour, line in zip(values.items(), _colours(values), cycle(lines)):
        sns.ecdfplot(each, ax=axes, label=name, color=colour, linestyle=line)
    axes.set(xlabel=label, ylabel="share of picks")
    axes.legend()
    medians = ", ".join(f"{name} {np.median(each):.3f}" for name, each in values.items())
    return _described(figure, f"Rising lines: the share of picks by {label}. Medians: {medians}.")


def _minus_random(axes: Axes, results: pd.DataFrame) -> str:
    """Draw each strategy's F1 minus that of random with the same seed; return it in words."""
    leads = paired_differences(results, "random")
    at_random = results[results["experiment"] == "random"].set_index("seed")["f1"]
    others = results[results["experiment"] != "random"]
    axes.axhline(0, color="black", linewidth=1)
    _intervals(axes, leads)
    _dots(axes, leads.index, others.assign(f1=others["f1"] - others["seed"].map(at_random)))
    for x, (mean, colour) in enumerate(zip(leads["mean"], _colours(leads.index), strict=True)):
        axes.plot([x - 0.35, x + 0.35], [mean, mean], color=colour, linewidth=4, solid_capstyle="butt", zorder=1)
    axes.set_xticks(range(len(leads)), map(_in_lines, leads.index))
    axes.set_xlim(-0.6, len(leads) - 0.4)
    axes.set(xlabel="strategy", ylabel="F1 minus that of random, same seed")
    axes.grid(axis="x", visible=False)
    differences = ", ".join(f"{name} {_with_interval(row)}" for name, row in leads.iterrows())
    return f" Beside it the mean difference to random: {differences}."


def _intervals(axes: Axes, table: pd.DataFrame) -> None:
    """The intervals of a table's rows, left of the middle, where no dot hides them."""
    if table["high"].notna().any():
        half = table["high"] - table["mean"]
        places = np.arange(len(table)) - 0.27
        label = "95 % interval of the mean"
        axes.errorbar(places, table["mean"], half, fmt="none", ecolor="black", capsize=4, label=label)


def _dots(axes: Axes, names: pd.Index, runs: pd.DataFrame) -> None:
    """A white dot a run, those of one name side by side."""
    place, size = (runs.groupby("experiment")["f1"].transform(what) for what in ("cumcount", "size"))
    beside = 0.3 * (place - (size - 1) / 2) / (size - 1).clip(lower=1)
    axes.plot(
        names.get_indexer(runs["experiment"]) + beside,
        runs["f1"],
        "o",
        color="white",
        mec="black",
        ms=5,
        label="one seed",
    )


def _legend_above(axes: Axes) -> None:
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, frameon=False)


def _in_lines(name: str) -> str:
    return name.replace("_", "\n")


def _styles(names: Iterable[str]) -> list[int]:
    """An experiment keeps its colour and hatch in every chart; other names get those that follow."""
    known = list(REPORT_F1)
    others = sorted(set(names) - set(known))
    return [[*known, *others].index(name) for name in names]


def _colours(names: Iterable[str]) -> list[tuple[float, float, float]]:
    return [COLOURS[style % 10] for style in _styles(names)]


def _note(figure: Figure, note: str, width: int) -> None:
    figure.supxlabel("\n".join(textwrap.wrap(note, width, break_on_hyphens=False)), fontsize=7.5, color="dimgray")


def _with_interval(row: pd.Series) -> str:
    return f"{row['mean']:.3f}" + (f" ({row['low']:.3f} to {row['high']:.3f})" if pd.notna(row["low"]) else "")


def _described(figure: Figure, text: str) -> Figure:
    figure.set_label(text)
    return figure


def _names(part: Part, class_names: tuple[str, ...], most: int) -> str:
    return ", ".join(class_names[label] for label in part.labels[:most])
