"""The figures: each function returns one, its label a description in words, for alt texts."""

import io
import re
import textwrap
import warnings
from base64 import b64encode
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryFile

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from compare import ENDS, paired_differences, run_on, summary
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import get_font_names

from alkit.data import Images
from alkit.profiles import ParameterError
from alkit.records import replace_file
from alkit.strategies import BEYOND
from alkit.study import EXPERIMENTS

COLOURS = sns.color_palette("colorblind")
_OF_EXPERIMENTS = [*COLOURS[:6], *sns.color_palette("dark")]
HATCHES = ("", "//", "\\\\", "xx", "--", "||", "++", "**")
# For letters that the usual font lacks: those of these, of Linux, macOS, Windows, that are there.
FONTS = {
    "Noto Sans CJK JP",
    "WenQuanYi Zen Hei",
    "Droid Sans Fallback",
    "Arial Unicode MS",
    "Yu Gothic",
    "Gulim",
}
sns.set_theme(context="paper", style="whitegrid", palette="colorblind", font_scale=1.15)
plt.rcParams.update(
    {"figure.dpi": 110, "hatch.linewidth": 0.6, "svg.hashsalt": "alkit", "image.cmap": "gray"}
)
plt.rcParams.update({"font.family": ["sans-serif", *sorted(FONTS & set(get_font_names()))]})
plt.rcParams.update(
    {"figure.constrained_layout.use": True, "text.parse_math": False}
)  # a name may be "US$1 - US$2"
warnings.filterwarnings("ignore", "Glyph")  # one a letter; `show` says it in a sentence


def show(figure: Figure, alt: str | None = None) -> None:
    """Display a figure as PNG, with alt text (its label, unless given), by any backend."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.filterwarnings("always", "Glyph")
        figure.savefig(png := io.BytesIO(), format="png", bbox_inches="tight")
    plt.close(figure)
    if missing := {
        chr(int(code))
        for each in caught
        for code in re.findall(r"^Glyph (\d+)", str(each.message))
    }:
        print(
            f"No font here has {' '.join(sorted(missing))}: boxes stand for them. "
            "Noto Sans CJK has most letters."
        )
    picture = {
        "image/png": b64encode(png.getvalue()).decode(),
        "text/plain": alt or figure.get_label(),
    }
    display(picture, raw=True, metadata={"image/png": {"alt": picture["text/plain"]}})


def folder(output: str | None, profile: str) -> Path:
    """Where charts and tables go, made if need be: `output`, or reports/<profile> in this folder.

    Raises ParameterError where nothing can be written.
    """
    place = Path(output or Path("reports") / profile)
    try:
        place.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=place).close()
    except OSError as error:
        problem = f"{place.resolve()} cannot be written ({error.strerror or error})"
        raise ParameterError(f"{problem}; give the parameter output a folder of yours.") from None
    return place


def save(figure: Figure, path: Path) -> None:
    """Save a figure as path.svg and path.png: same numbers and versions, same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for suffix, options in {".svg": {"metadata": {"Date": None}}, ".png": {"dpi": 150}}.items():
        file = path.with_name(path.name + suffix)
        replace_file(
            file,
            lambda partial, options=options: figure.savefig(
                partial, bbox_inches="tight", **options
            ),
        )


def comparison(results: pd.DataFrame, reference: dict[str, float] | None = None) -> Figure:
    """The chart of the report: a bar an experiment (mean F1), its 95 % interval, a dot a seed.

    Where there is `random`, a panel beside it has the strategies' F1 minus that of random with
    the same seed; below stands what it was run on. `reference` adds a diamond: another study's
    F1.
    """
    table, compared = summary(results), results[~results["experiment"].isin(ENDS)]
    panel = {"random"} < set(compared["experiment"])
    leads = paired_differences(compared, "random") if panel else table[:0]
    options = {"width_ratios": [len(table) + 1, len(leads) + 1]} if panel else {}
    size = (8.5 + 2.4 * panel, 5)
    figure, ((axes, *beside),) = plt.subplots(
        1, 1 + panel, figsize=size, squeeze=False, **options
    )
    position = np.arange(len(table))
    options = {"color": colours(table.index), "edgecolor": "white"}
    options["hatch"] = [HATCHES[style % 8] for style in _styles(table.index)]
    axes.bar(position, table["mean"], 0.7, **options)
    tops = [table["high"], results.groupby("experiment")["f1"].max()[table.index]]
    _intervals_and_dots(axes, table, results)
    if reference:
        tops.append(table.index.map(reference).astype(float))
        axes.plot(position + 0.28, tops[-1], "D", color="black", ms=6, label="the 2021 report")
    top = np.nanmax(np.asarray(tops, float), axis=0)
    for x, y, mean in zip(position, top, table["mean"], strict=True):
        axes.text(x, y + 0.012, f"{mean:.3f}", ha="center", va="bottom")
    n_train = results.groupby("experiment")["n_train"].first()
    ticks = [f"{_short(name)}_{n_train[name]:,}" for name in table.index]
    axes.set_xticks(position, [tick.replace("_", "\n") for tick in ticks])
    axes.set_xlabel("experiment, and its number of training images")
    axes.set_ylabel("macro F1 on the test set")
    axes.set_ylim(0, max(1, top.max()) + 0.08)
    _legend_above(axes)
    note(figure, run_on(results))
    text = f"Bar chart of the mean macro F1 on the test set of {len(table)} experiments: "
    text += f"{in_words(table)}."
    for axes in beside:
        at_random = compared[compared["experiment"] == "random"].set_index("seed")["f1"]
        runs = compared.assign(f1=compared["f1"] - compared["seed"].map(at_random))
        axes.axhline(0, color="black", linewidth=1)
        _intervals_and_dots(axes, leads, runs[runs["experiment"] != "random"])
        for x, (mean, colour) in enumerate(zip(leads["mean"], colours(leads.index), strict=True)):
            axes.plot(
                [x - 0.35, x + 0.35],
                [mean, mean],
                color=colour,
                linewidth=4,
                solid_capstyle="butt",
                zorder=1,
            )
        axes.set_xticks(range(len(leads)), [_short(name, "\n") for name in leads.index])
        axes.set(
            xlim=(-0.6, len(leads) - 0.4),
            xlabel="strategy",
            ylabel="F1 minus that of random, same seed",
        )
        text += f" Beside it the mean difference to random: {in_words(leads)}."
    for axes in figure.axes:
        axes.grid(axis="x", visible=False)
    return _described(figure, text)


def gallery(
    rows: dict[str, Images],
    class_names: tuple[str, ...],
    n_columns: int = 10,
    said: dict[str, np.ndarray] | None = None,
) -> Figure:
    """Rows of images with their classes: `rows` maps a title to images; the first are shown.

    `said` maps a title to the classes that a model predicts: below the true one, in brackets.
    """
    n_columns, texts = min(n_columns, max(map(len, rows.values()))), []
    figure = plt.figure(figsize=(0.95 * n_columns, (1.56 if said else 1.42) * len(rows)))
    for (title, part), band in zip(
        rows.items(), np.atleast_1d(figure.subfigures(len(rows), 1)), strict=True
    ):
        band.suptitle(title, fontsize=10, x=0.01, ha="left")
        names = [_short(class_names[label], n=13) for label in part.labels[:n_columns]]
        for index, label in enumerate((said or {}).get(title, ())[: len(names)]):
            names[index] += f"\n({_short(class_names[label], n=11)})"
        axes = band.subplots()  # one for all: an axes for each image takes ten times longer
        for index, name in enumerate(names):
            image, place = part.images[index].squeeze(), (index, index + 0.9, 0.9, 0)
            axes.imshow(image, extent=place, vmin=0, vmax=255)
            axes.text(index + 0.45, 0.93, name, fontsize=8, ha="center", va="top")
        axes.set(xlim=(0, n_columns - 0.1), ylim=(0.9, 0), anchor="N")
        axes.axis("off")
        texts.append(f"{title}: {', '.join(names)}".replace("\n", " "))
    guesses = ", in brackets what the model says" if said else ""
    return _described(figure, f"Rows of images with their classes{guesses}. {'; '.join(texts)}.")


def class_bars(counts: pd.DataFrame) -> Figure:
    """Horizontal bars: `counts` has a row a class and a column a set of images: how many."""
    shown = counts.loc[counts.sum(axis=1).nlargest(30).index] if len(counts) > 30 else counts
    figure, axes = plt.subplots(figsize=(7, 0.8 + 0.36 * len(shown)))
    shown.rename(_short).plot.barh(ax=axes, width=0.8, edgecolor="white")
    for bars, hatch in zip(axes.containers, HATCHES, strict=False):
        plt.setp(bars.patches, hatch=hatch)
    axes.invert_yaxis()
    axes.set(
        xlabel="images", ylabel="class" if shown is counts else "class (the 30 with most images)"
    )
    _legend_above(axes)
    return _described(figure, f"Images of each class. {_cells(shown.T, 'g')}.")


def score_histogram(scores: np.ndarray, picks: np.ndarray, label: str) -> Figure:
    """How a score is spread over the pool, and over the picks, (k,) positions in the pool."""
    (figure, axes), bins = plt.subplots(figsize=(7, 3.2)), np.histogram_bin_edges(scores, 40)
    axes.hist(scores, bins, color=COLOURS[7], label=f"the pool ({len(scores):,})")
    axes.hist(
        scores[picks],
        bins,
        color=COLOURS[1],
        hatch="//",
        edgecolor="white",
        label=f"the picks ({len(picks):,})",
    )
    axes.set(xlabel=label, ylabel="images (logarithmic)", yscale="log", ylim=(0.7, None))
    axes.yaxis.set(major_formatter="{x:,.0f}", minor_formatter="")
    _legend_above(axes)
    pool, picked = (f"{each.min():.3f} to {each.max():.3f}" for each in (scores, scores[picks]))
    return _described(
        figure, f"Histogram of {label} over the pool, {pool}; the picks lie from {picked}."
    )


def heatmap(table: pd.DataFrame, label: str, digits: int = 2) -> Figure:
    """A table as coloured cells, with numbers up to 20 columns; `label` says what they are."""
    (n_rows, n_columns), few = np.minimum(table.shape, 20), table.shape[1] <= 20
    figure, axes = plt.subplots(figsize=(3 + 0.62 * n_columns, 1.4 + 0.4 * n_rows))
    shown = table.rename(
        index=_short, columns=lambda name: textwrap.fill(_short(name, " "), 10) if few else name
    )
    sns.heatmap(
        shown, annot=few, fmt=f".{digits}f", cmap="cividis", ax=axes, annot_kws={"size": 8}
    )
    axes.set(xlabel="", ylabel="")
    axes.tick_params(axis="x", labelsize=8, rotation=0 if few else 90)
    axes.tick_params(axis="y", rotation=0)
    figure.suptitle(textwrap.fill(label, int(36 + 7.4 * n_columns)), fontsize=10)
    text = (
        _cells(table, f".{digits}f")
        if few
        else f"{table.size} numbers up to {table.max(axis=None):.{digits}f}"
    )
    return _described(figure, f"{label} as coloured cells. {text}.")


def triangle(
    scores: dict[str, Callable], classes: tuple[str, str, str], points: dict | None = None
) -> Figure:
    """What each score calls uncertain, over all predictions for three classes.

    A corner is certainty, the middle none. Bright is uncertain; inside the line lies the tenth
    that the score finds most so. `points`: rows to mark, by name.
    """
    steps, corners = np.linspace(0, 1, 101), np.array([[0, 0], [1, 0], [0.5, 0.75**0.5]])
    rows = np.array(
        [(a, b, max(0, 1 - a - b)) for a in steps for b in steps if a + b <= 1 + 1e-9]
    )
    figure, (grid,) = plt.subplots(
        1, len(scores), figsize=(3.3 * len(scores), 3.7), squeeze=False
    )
    texts = []
    for axes, (name, score) in zip(grid, scores.items(), strict=True):
        values = score(rows)
        line = np.quantile(values, 0.9)
        filled = axes.tricontourf(*(rows @ corners).T, values, levels=20, cmap="cividis")
        ends = {"location": "bottom", "shrink": 0.7, "ticks": [values.min(), values.max()]}
        figure.colorbar(filled, ax=axes, format="{x:z.2f}", **ends)
        axes.tricontour(
            *(rows @ corners).T,
            values,
            levels=[line],
            colors="black",
            linewidths=1.5,
            linestyles="-",
        )
        for (x, y), label, side in zip(
            corners, classes, ("left", "right", "center"), strict=True
        ):
            axes.text(x, y + (0.03 if y else -0.06), label, ha=side, va="bottom" if y else "top")
        for letter, row in (points or {}).items():
            axes.text(
                *(row @ corners),
                letter,
                ha="center",
                va="center",
                bbox={"boxstyle": "circle", "fc": "white"},
            )
        axes.set_title(name.replace("_", " "), pad=24)
        axes.set_aspect("equal")
        axes.axis("off")
        largest = rows[values >= line].max(axis=1)
        texts.append(
            f"{name} largest probabilities of {largest.min():.2f} to {largest.max():.2f}"
        )
    text = (
        f"Triangles of all predictions for {', '.join(classes)}. The most uncertain tenth has, by"
    )
    return _described(figure, f"{text} {'; '.join(texts)}.")


def picks_map(points: np.ndarray, picks: dict[str, np.ndarray]) -> Figure:
    """A map of the pool a strategy: `points` (N, 2), on top the positions (k,) that it picked."""
    figure, (grid,) = plt.subplots(1, len(picks), figsize=(3.1 * len(picks), 3.3), squeeze=False)
    for axes, (name, positions), colour in zip(grid, picks.items(), colours(picks), strict=True):
        axes.scatter(*points.T, s=3, color="lightgray", rasterized=True)
        axes.scatter(
            *points[positions].T, s=10, marker="x", linewidth=0.9, color=colour, rasterized=True
        )
        axes.set(title=name.replace("_", " "), xticks=[], yticks=[])
    shown = ", ".join(f"{len(positions)} of {name}" for name, positions in picks.items())
    return _described(figure, f"Maps of {len(points):,} points, with picks on top: {shown}.")


def note(figure: Figure, text: str, width: int = 110) -> None:
    """Write below a figure what it was measured on."""
    figure.supxlabel(
        "\n".join(textwrap.wrap(text, width, break_on_hyphens=False)),
        fontsize=7.5,
        color="dimgray",
    )


def colours(names: Iterable[str]) -> list[tuple[float, float, float]]:
    """The colour of each experiment, in every chart the same."""
    return [_OF_EXPERIMENTS[style % 16] for style in _styles(names)]


def in_words(table: pd.DataFrame) -> str:
    """A table of means with their intervals, as an alt text says it."""
    spans = {
        name: f" ({row['low']:.3f} to {row['high']:.3f})"
        for name, row in table.dropna().iterrows()
    }
    return ", ".join(
        f"{name} {mean:.3f}{spans.get(name, '')}" for name, mean in table["mean"].items()
    )


def _intervals_and_dots(axes: Axes, table: pd.DataFrame, runs: pd.DataFrame) -> None:
    """The intervals of a table's rows, left of the middle, and white dots, one a run."""
    if table["high"].notna().any():
        options = {
            "fmt": "none",
            "ecolor": "black",
            "capsize": 4,
            "label": "95 % interval of the mean",
        }
        axes.errorbar(
            np.arange(len(table)) - 0.27, table["mean"], table["high"] - table["mean"], **options
        )
    place, size = (
        runs.groupby("experiment")["f1"].transform(what) for what in ("cumcount", "size")
    )
    places = table.index.get_indexer(runs["experiment"]) + 0.3 * (place - (size - 1) / 2) / (
        size - 1
    ).clip(lower=1)
    axes.plot(places, runs["f1"], "o", color="white", mec="black", ms=5, label="one seed")


def _styles(names: Iterable[str]) -> list[int]:
    """An experiment keeps its colour and hatch in every chart; other names have those after."""
    known = [*EXPERIMENTS, *BEYOND]
    known += sorted(set(names) - set(known))
    return [known.index(name) for name in names]


def _legend_above(axes: Axes) -> None:
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, frameon=False)


def _short(name: object, underscore: str = "_", n: int = 24) -> str:
    return (str(name) if len(str(name)) <= n else f"{str(name)[: n - 1]}…").replace(
        "_", underscore
    )


def _cells(table: pd.DataFrame, spec: str) -> str:
    rows = {
        name: ", ".join(f"{key} {x:{spec}}" for key, x in row.items())
        for name, row in table.iterrows()
    }
    return "; ".join(f"{name}: {row}" for name, row in rows.items())


def _described(figure: Figure, text: str) -> Figure:
    figure.set_label(text)
    return figure
