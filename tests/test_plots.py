"""The figures: what they draw is what they are given, described in words, and the same file again."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from alkit import plots
from alkit.data import Part
from alkit.samplers import SCORES
from alkit.statistics import paired_differences, summary


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def results(seeds):
    rows = [
        {"experiment": name, "seed": seed, "n_train": 10, "f1": f1 + 0.01 * seed}
        for name, f1 in {"original_label": 0.5, "entropy": 0.7, "my_own": 0.6}.items()
        for seed in range(seeds)
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize("seeds", [1, 2, 5])
def test_the_chart_has_a_bar_an_experiment_and_a_dot_a_seed(seeds):
    table = results(seeds)
    figure = plots.comparison(table, "a note", {"entropy": 0.9})
    axes = figure.axes[0]
    means = table.groupby("experiment", sort=False)["f1"].mean()
    assert [bar.get_height() for bar in axes.patches] == pytest.approx(means.tolist())
    dots = next(line for line in axes.lines if line.get_label() == "one seed")
    assert sorted(dots.get_ydata()) == sorted(table["f1"])
    assert [round(x) for x in dots.get_xdata()] == [i for i in range(3) for _ in range(seeds)]
    assert [text.get_text() for text in axes.texts] == [f"{mean:.3f}" for mean in means]
    shown = [text.get_text() for text in axes.get_legend().get_texts()]
    assert ("95 % interval of the mean" in shown) == (seeds > 1)
    assert "the 2021 report" in shown
    assert all(f"{name} {mean:.3f}" in figure.get_label() for name, mean in means.items())


def test_an_experiment_keeps_its_colour_whatever_stands_beside_it():
    table = results(1)
    alone = plots.comparison(table[table["experiment"] == "entropy"]).axes[0].patches[0]
    among = plots.comparison(table).axes[0].patches[1]
    assert (alone.get_facecolor(), alone.get_hatch()) == (among.get_facecolor(), among.get_hatch())


def test_a_saved_figure_is_the_same_file_again(tmp_path):
    for folder in ("one", "two"):
        plots.save(plots.comparison(results(3)), tmp_path / folder / "chart")
    for suffix in (".svg", ".png"):
        assert (tmp_path / "one" / f"chart{suffix}").read_bytes() == (tmp_path / "two" / f"chart{suffix}").read_bytes()


@pytest.mark.parametrize("shape", [(8, 8, 1), (32, 32, 3)])
def test_a_gallery_shows_grey_and_colour_images_unchanged(shape):
    images = np.random.default_rng(0).integers(0, 256, (4, *shape), np.uint8)
    part = Part(images, np.array([0, 1, 1, 0]))
    figure = plots.gallery({"few": part[:2], "all": part}, ("cat", "dog"), n_columns=3)
    drawn = [axes.images[0] for band in figure.subfigs for axes in band.axes if axes.images]
    assert len(drawn) == 5
    assert np.array_equal(drawn[0].get_array(), images[0].squeeze())
    assert drawn[0].get_clim() == (0, 255) or shape[2] == 3
    assert "few: cat, dog; all: cat, dog, dog" in figure.get_label()


def test_the_histogram_counts_the_pool_and_the_picks():
    scores = np.linspace(0, 1, 100)
    figure = plots.score_histogram(scores, np.arange(90, 100), "score")
    heights = [sum(bar.get_height() for bar in container) for container in figure.axes[0].containers]
    assert heights == [100, 10]


def test_large_tables_stay_pictures():
    many = pd.DataFrame(np.ones((1000, 1000)))
    assert len(plots.heatmap(many, "ones").get_label()) < 200
    figure = plots.class_bars(pd.DataFrame({"pool": np.arange(1000)}))
    assert len(figure.axes[0].patches) == 30
    assert "30 with most images" in figure.axes[0].get_ylabel()


def test_the_legend_covers_no_bar_and_a_class_name_stays_whole():
    counts = pd.DataFrame({"picked": [9, 1], "expected": [5, 5]}, ["airplane", "automobile"])
    axes = plots.class_bars(counts).axes[0]
    axes.figure.draw_without_rendering()
    assert axes.get_legend().get_window_extent().y0 >= axes.get_window_extent().y1
    axes = plots.heatmap(counts.T, "images").axes[0]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["airplane", "automobile"]


def test_the_black_lines_are_the_intervals():
    table = results(3)
    bars = plots.comparison(table).axes[0].containers[1].lines[2][0].get_segments()
    np.testing.assert_allclose([bar[:, 1] for bar in bars], summary(table)[["low", "high"]])


def test_more_bars_than_hatches():
    (bars,) = plots.bars(pd.Series(np.arange(12.0), list("abcdefghijkl")), "values").axes[0].containers
    assert [bar.get_width() for bar in bars] == list(range(12))


def test_beside_the_bars_stand_the_paired_differences_to_random():
    table = results(3)
    luck = np.array([0.02, 0.0, 0.01])
    random = table[table["experiment"] == "entropy"].assign(experiment="random", f1=0.6 + luck)
    table = pd.concat([random, table])
    figure = plots.comparison(table)
    beside = figure.axes[1]
    expected = paired_differences(table, "random").loc[["entropy", "my_own"]]
    (bars,) = beside.containers[0].lines[2]
    np.testing.assert_allclose([bar[:, 1] for bar in bars.get_segments()], expected[["low", "high"]])
    dots = next(line for line in beside.lines if line.get_label() == "one seed")
    np.testing.assert_allclose(dots.get_ydata(), [0.08, 0.11, 0.11, -0.02, 0.01, 0.01], atol=1e-12)
    assert "Beside it the mean difference to random: entropy 0.100 (" in figure.get_label()
    assert len(plots.comparison(results(3)).axes) == 1  # without random there is nothing to stand there


def test_a_curve_has_the_means_and_intervals_of_its_points():
    table = pd.concat([results(3), results(3).assign(n_train=20, f1=lambda rows: rows["f1"] + 0.1)])
    axes = plots.curves(table, "n_train", "f1", "experiment", ("labels", "F1")).axes[0]
    expected = [summary(rows) for _, rows in table.groupby("n_train")]
    for place, (line, _, (bars,)) in enumerate(axes.containers):
        rows = pd.DataFrame([each.iloc[place] for each in expected])
        np.testing.assert_allclose(line.get_xydata()[:, 1], rows["mean"])
        np.testing.assert_allclose([bar[:, 1] for bar in bars.get_segments()], rows[["low", "high"]])


def test_alt_texts_say_what_the_figures_show():
    table = pd.DataFrame([[0.25, 0.75], [1.0, 0.0]], ["cat", "dog"], ["as cat", "as dog"])
    assert "cat: as cat 0.25, as dog 0.75; dog: as cat 1.00" in plots.heatmap(table, "shares").get_label()
    # Of three classes the tenth that is least certain has a largest probability of 1/3 to about 0.45.
    label = plots.triangle({"least_certainty": SCORES["least_certainty"]}, ("a", "b", "c")).get_label()
    assert "least_certainty: its most uncertain tenth has largest probabilities of 0.34 to 0.4" in label
    points = np.random.default_rng(0).normal(size=(100, 2))
    label = plots.picks_map(points, {"random": np.arange(100), "entropy": np.zeros(0, int)}).get_label()
    assert "100 of random, spread over 1.00 times the width of all; 0 of entropy" in label
    low, high = summary(results(3)).loc["entropy", ["low", "high"]]
    assert f"({low:.3f} to {high:.3f})" in plots.comparison(results(3)).get_label()
