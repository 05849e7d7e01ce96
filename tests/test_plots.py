"""The figures: what they draw is what they are given, described in words, and the same file again."""

import importlib
import warnings
from base64 import b64decode

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import plots
import pytest
from compare import paired_differences, run_on, summary
from matplotlib import font_manager

from alkit.data import Images
from alkit.profiles import ParameterError
from alkit.samplers import SCORES


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")
    plt.switch_backend("agg")


@pytest.fixture
def displayed(monkeypatch):
    """What `show` hands to the notebook."""
    shown = []
    monkeypatch.setattr(plots, "display", lambda data, raw, metadata: shown.append((data, metadata)))
    return shown


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
    figure = plots.comparison(table, {"entropy": 0.9})
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


def test_what_the_chart_was_run_on_stands_below_it_where_the_results_say_it():
    facts = {"dataset": "US$10 data", "profile": "quick", "device": "cpu", "precision": "fp32", "versions": "torch 2"}
    table = results(2).assign(**facts, day="2026-11-27")
    below = plots.comparison(table).get_supxlabel()
    assert below.replace("\n", " ") == run_on(table)
    assert run_on(table) == "US$10 data; profile quick; seeds 0, 1; cpu, fp32; torch 2; 2026-11-27"
    many = pd.concat([table.assign(seed=seed) for seed in range(12)])
    assert "; seeds 0 to 11; " in run_on(many)
    assert "; seeds 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11; " in run_on(many[many["seed"] != 10])
    assert plots.comparison(results(2)).get_supxlabel() == ""


def test_an_experiment_keeps_its_colour_whatever_stands_beside_it():
    table = results(1)
    alone = plots.comparison(table[table["experiment"] == "entropy"]).axes[0].patches[0]
    among = plots.comparison(table).axes[0].patches[1]
    assert (alone.get_facecolor(), alone.get_hatch()) == (among.get_facecolor(), among.get_hatch())


def test_more_experiments_than_hatches_and_colours():
    rows = [{"experiment": f"own_{i}", "seed": 0, "n_train": 10, "f1": i / 20} for i in range(12)]
    bars = plots.comparison(pd.DataFrame(rows)).axes[0].patches
    assert [bar.get_height() for bar in bars] == [i / 20 for i in range(12)]


def test_a_saved_figure_is_the_same_file_again(tmp_path):
    for folder in ("one", "two"):
        plots.save(plots.comparison(results(3)), tmp_path / folder / "chart")
    for suffix in (".svg", ".png"):
        assert (tmp_path / "one" / f"chart{suffix}").read_bytes() == (tmp_path / "two" / f"chart{suffix}").read_bytes()


def test_a_shown_figure_is_a_picture_with_its_alt_text_or_the_one_that_is_given(displayed):
    plt.switch_backend("svg")  # not one of a notebook
    plots.show(plots.comparison(results(2)))
    plots.show(plots.comparison(results(2)), alt="another")
    for (data, metadata), alt in zip(displayed, ["Bar chart of the mean macro F1", "another"], strict=True):
        assert b64decode(data["image/png"]).startswith(b"\x89PNG")
        assert metadata["image/png"]["alt"].startswith(alt)
    assert not plt.get_fignums()


@pytest.mark.parametrize("shape", [(8, 8, 1), (32, 32, 3)])
def test_a_gallery_shows_grey_and_colour_images_unchanged(shape):
    images = np.random.default_rng(0).integers(0, 256, (4, *shape), np.uint8)
    part = Images(images, np.array([0, 1, 1, 0]))
    figure = plots.gallery({"few": part[:2], "all": part}, ("cat", "dog"), n_columns=3)
    drawn = [image for band in figure.subfigs for axes in band.axes for image in axes.images]
    assert len(drawn) == 5
    assert np.array_equal(drawn[0].get_array(), images[0].squeeze())
    assert drawn[0].get_clim() == (0, 255) or shape[2] == 3
    assert "few: cat, dog; all: cat, dog, dog" in figure.get_label()
    said = plots.gallery({"few": part[:2], "all": part}, ("cat", "dog"), 3, {"few": np.array([1, 1])})
    (few, every) = ([text.get_text() for text in band.axes[0].texts] for band in said.subfigs)
    assert few == ["cat\n(dog)", "dog\n(dog)"] and every == ["cat", "dog", "dog"]
    assert "in brackets what the model says. few: cat (dog), dog (dog); all: cat" in said.get_label()


@pytest.mark.parametrize("scores", [np.linspace(0, 1, 100), np.zeros(100)])
def test_the_histogram_counts_the_pool_and_the_picks(scores):
    figure = plots.score_histogram(scores, np.arange(90, 100), "score")
    heights = [sum(bar.get_height() for bar in container) for container in figure.axes[0].containers]
    assert heights == [100, 10]
    figure.draw_without_rendering()
    assert not any("$" in text.get_text() for text in figure.findobj(plt.Text))


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


ODD = (r"$\foo$", "US$10 - US$20", "100 %", "_hidden_", r"\$x_{1}^2", "a&b <c>", "$")


def test_names_are_drawn_as_they_are(displayed):
    counts = pd.DataFrame({"picked": range(len(ODD))}, ODD)
    images = Images(np.zeros((len(ODD), 4, 4, 1), np.uint8), np.arange(len(ODD)))
    bars, cells = plots.class_bars(counts), plots.heatmap(counts, ODD[1])
    assert tuple(text.get_text() for text in bars.axes[0].get_yticklabels()) == ODD
    assert tuple(text.get_text() for text in cells.axes[0].get_yticklabels()) == ODD
    corners = plots.triangle({"entropy": SCORES["entropy"]}, ODD[:3], {ODD[6]: np.array([0.2, 0.3, 0.5])})
    for figure in (bars, cells, corners, plots.gallery({ODD[1]: images}, ODD)):
        # A formula in brackets of dollars would be set; one that is none would stop the drawing.
        assert not any(text.get_parse_math() for text in figure.findobj(plt.Text) if text.get_text())
        plots.show(figure)
    assert len(displayed) == 4


def test_very_long_names_leave_room_for_the_figure():
    names = ["name" * 100, "a class of things that nobody could name in fewer words than these " * 3]
    counts = pd.DataFrame({"picked": [2, 1]}, names)
    images = Images(np.zeros((2, 4, 4, 1), np.uint8), np.arange(2))
    for figure in (plots.class_bars(counts), plots.heatmap(counts.T, "picks"), plots.heatmap(counts, "picks")):
        figure.draw_without_rendering()
        assert figure.axes[0].get_window_extent().width > 0.14 * figure.bbox.width
    shown = plots.gallery({"all": images}, tuple(names)).subfigs[0].axes
    assert max(len(axes.get_title()) for axes in shown) <= 13


def test_letters_without_a_font_are_one_sentence_and_no_warning(displayed, capsys):
    # Of these no font has any: they are kept for private use.
    counts = pd.DataFrame({"picked": [2, 1]}, ["\ue000\ue001 cat", "\ue001"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "Glyph")  # as the module does, where pytest does not undo it
        plots.show(plots.class_bars(counts))
        plots.show(plots.class_bars(counts.set_axis(["cat", "dog"])))
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 1
    assert said[0].startswith("No font here has \ue000 \ue001: boxes stand for them")
    assert len(displayed) == 2


def test_a_font_that_has_the_letters_is_taken_where_there_is_one(monkeypatch):
    installed = ["Comic Sans MS", "DejaVu Sans", "Yu Gothic", "Noto Sans CJK JP"]
    with monkeypatch.context() as patched:
        patched.setattr(font_manager, "get_font_names", lambda: installed)
        importlib.reload(plots)
        assert plt.rcParams["font.family"] == ["sans-serif", "Noto Sans CJK JP", "Yu Gothic"]
    importlib.reload(plots)
    assert set(plt.rcParams["font.family"]) <= {"sans-serif", *font_manager.get_font_names()}


def test_the_black_lines_are_the_intervals():
    table = results(3)
    bars = plots.comparison(table).axes[0].containers[1].lines[2][0].get_segments()
    np.testing.assert_allclose([bar[:, 1] for bar in bars], summary(table)[["low", "high"]])


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


def test_a_seed_that_random_lacks_has_no_dot_beside_the_bars():
    table = results(3)
    random = table[table["experiment"] == "entropy"].assign(experiment="random", f1=0.6).iloc[:2]
    beside = plots.comparison(pd.concat([random, table])).axes[1]
    dots = next(line for line in beside.lines if line.get_label() == "one seed").get_ydata()
    np.testing.assert_allclose(dots[np.isfinite(dots)], [0.1, 0.11, 0.0, 0.01], atol=1e-12)


def test_the_triangle_has_the_points_where_their_probabilities_are():
    points = {"A": np.array([1.0, 0, 0]), "B": np.array([0, 0.5, 0.5]), "C": np.full(3, 1 / 3)}
    figure = plots.triangle(SCORES, ("cat", "dog", "ship"), points)
    triangles, scales = figure.axes[:3], figure.axes[3:]
    ends = [(0, 2 / 3), (-1, 0), (0, np.log(3))]
    for scale, (low, high) in zip(scales, ends, strict=True):
        np.testing.assert_allclose(scale.get_xticks(), [low, high], atol=0.01)  # by steps of 0.01
    for axes in triangles:
        places = {text.get_text(): text.get_position() for text in axes.texts}
        np.testing.assert_allclose(places["A"], [0, 0])
        np.testing.assert_allclose(places["B"], [0.75, 3**0.5 / 4])  # halfway from dog to ship
        np.testing.assert_allclose(places["C"], [0.5, 3**0.5 / 6])


def test_alt_texts_say_what_the_figures_show():
    table = pd.DataFrame([[0.25, 0.75], [1.0, 0.0]], ["cat", "dog"], ["as cat", "as dog"])
    assert "cat: as cat 0.25, as dog 0.75; dog: as cat 1.00" in plots.heatmap(table, "shares").get_label()
    assert "picked: cat 3, dog 0.5" in plots.class_bars(pd.DataFrame({"picked": [3, 0.5]}, ["cat", "dog"])).get_label()
    # Of three classes the tenth that is least certain has a largest probability of 1/3 to about 0.45.
    label = plots.triangle({"least_certainty": SCORES["least_certainty"]}, ("a", "b", "c")).get_label()
    assert "The most uncertain tenth has, by least_certainty largest probabilities of 0.34 to 0.4" in label
    points = np.random.default_rng(0).normal(size=(100, 2))
    label = plots.picks_map(points, {"random": np.arange(100), "entropy": np.zeros(0, int)}).get_label()
    assert "Maps of 100 points, with picks on top: 100 of random, 0 of entropy" in label
    low, high = summary(results(3)).loc["entropy", ["low", "high"]]
    assert f"({low:.3f} to {high:.3f})" in plots.comparison(results(3)).get_label()


def test_charts_go_to_a_folder_of_the_study_and_one_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert plots.folder(None, "quick").resolve() == tmp_path / "reports" / "quick"
    assert plots.folder(str(tmp_path / "mine"), "quick").is_dir()
    (tmp_path / "a file").touch()
    with pytest.raises(ParameterError, match="give the parameter output a folder of yours"):
        plots.folder(str(tmp_path / "a file" / "out"), "quick")
