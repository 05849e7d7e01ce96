"""The browser of picks: what its controls show, against the picks of the runs."""

from dataclasses import replace

import matplotlib.pyplot as plt
from ipywidgets import VBox

from alkit import browser
from alkit.data import split
from alkit.study import run


def opened(study, dataset, monkeypatch):
    """The controls of a browser, what it shows from now on, and the static picture that stands for it."""
    figures, bundles, boxes = [], [], []
    monkeypatch.setattr(browser.plots, "show", lambda figure: plt.close(figure) or figures.append(figure))
    monkeypatch.setattr(browser, "display", lambda bundle, **more: bundles.append((bundle, more)))
    monkeypatch.setattr(browser, "VBox", lambda children: boxes.append(VBox(children)) or boxes[0])
    browser.browse(study, dataset, 0)
    return boxes[0].children[0].children, figures, bundles[0]


def test_each_control_changes_the_pick_that_is_shown(study, digits, monkeypatch):
    (strategy, kind, rank), figures, (bundle, more) = opened(study, digits, monkeypatch)
    assert bundle["image/png"].startswith(b"\x89PNG")
    assert f"least certainty: pick 1 of {study.n_query} (any class), score" in more["metadata"]["image/png"]["alt"]
    labels = split(digits, study.n_labelled).pool.labels
    picks = run(study, digits, "entropy", 0).arrays["picks"]
    strategy.value = "entropy"
    rank.value = 5
    assert f"entropy: pick 5 of {study.n_query} (any class)" in figures[-1].get_label()
    assert f"{labels[picks[4]]} (true)" in [label.get_text() for label in figures[-1].axes[1].get_yticklabels()]
    of_class = int((labels[picks] == labels[picks[0]]).sum())
    rank.value = study.n_query
    kind.value = str(labels[picks[0]])
    assert rank.max == rank.value == of_class < study.n_query
    assert f"pick {of_class} of {of_class} (class {labels[picks[0]]}), score" in figures[-1].get_label()
    kind.value, strategy.value, rank.value = browser.ANY, "random", study.n_query
    assert figures[-1].get_suptitle() == f"random: pick {study.n_query} of {study.n_query} (any class)"


def test_a_class_without_picks_is_said_to_have_none(study, digits, monkeypatch, capsys):
    (_, kind, _), figures, _ = opened(replace(study, n_query=1), digits, monkeypatch)
    shown = len(figures)
    for name in digits.class_names:
        kind.value = name
    assert capsys.readouterr().out.count("least_certainty picked none of class ") == 9
    assert len(figures) == shown + 1
