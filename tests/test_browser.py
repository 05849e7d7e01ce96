"""The browser of picks: what its controls show, against the picks of the runs."""

import re
from dataclasses import replace

from ipywidgets import VBox, Widget
from ipywidgets.widgets.widget_output import Output

from alkit import browser, plots
from alkit.data import split
from alkit.study import run


def opened(study, dataset, monkeypatch):
    """The controls of a browser, what it shows, all figures drawn from now on, and the static picture in its place."""
    figures, bundles, boxes = [], [], []
    monkeypatch.setattr(plots, "pick", lambda *given, draw=plots.pick: figures.append(draw(*given)) or figures[-1])
    monkeypatch.setattr(browser, "display", lambda bundle, **more: bundles.append((bundle, more)))
    monkeypatch.setattr(browser, "VBox", lambda children: boxes.append(VBox(children)) or boxes[0])
    browser.browse(study, dataset, 0)
    controls, view = boxes[0].children
    return controls.children, view, figures, bundles[0]


def alt(view):
    """The alt text of the one picture that is shown."""
    return re.fullmatch(r'<img src="data:image/png;base64,iVBOR[\w+/=]+" alt="([^"]+)">', view.value)[1]


def test_each_control_changes_the_pick_that_is_shown(study, digits, monkeypatch):
    (strategy, kind, rank), view, figures, (bundle, more) = opened(study, digits, monkeypatch)
    assert bundle["image/png"] in view.value
    assert more["metadata"]["image/png"]["alt"] == alt(view)
    assert f"least certainty: pick 1 of {study.n_query} (any class), score" in alt(view)
    labels = split(digits, study.n_labelled).pool.labels
    picks = run(study, digits, "entropy", 0).arrays["picks"]
    strategy.value = "entropy"
    rank.value = 5
    assert f"entropy: pick 5 of {study.n_query} (any class)" in alt(view)
    assert f"{labels[picks[4]]} (true)" in [label.get_text() for label in figures[-1].axes[1].get_yticklabels()]
    of_class = int((labels[picks] == labels[picks[0]]).sum())
    rank.value = study.n_query
    kind.value = str(labels[picks[0]])
    assert rank.max == rank.value == of_class < study.n_query
    assert f"pick {of_class} of {of_class} (class {labels[picks[0]]}), score" in alt(view)
    kind.value, strategy.value, rank.value = browser.ANY, "random", study.n_query
    assert alt(view).startswith(f"random: pick {study.n_query} of {study.n_query} (any class). The largest")
    assert figures[-1].get_suptitle() in alt(view)


def test_a_class_without_picks_is_said_to_have_none(study, digits, monkeypatch):
    (_, kind, _), view, _, _ = opened(replace(study, n_query=1), digits, monkeypatch)
    shown = []
    for name in digits.class_names:
        kind.value = name
        shown.append(view.value)
    missed = [f"least_certainty picked none of class {name}." for name in digits.class_names]
    assert sum(said == text for said, text in zip(shown, missed, strict=True)) == 9
    assert sum("<img" in said for said in shown) == 1


def test_it_has_no_output_widget_for_which_a_report_may_wait_for_ever(study, digits, monkeypatch):
    made = []
    monkeypatch.setattr(Widget, "_widget_construction_callback", made.append)
    opened(study, digits, monkeypatch)
    assert made and not [widget for widget in made if isinstance(widget, Output)]
