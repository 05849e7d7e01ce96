"""The browser of picks: what its controls show, against the picks of the runs."""

import re
from dataclasses import replace

import browser
from ipywidgets import VBox, Widget
from ipywidgets.widgets.widget_output import Output


def opened(study, monkeypatch):
    """The controls of a browser, what it shows, and the static picture in its place."""
    bundles, boxes = [], []
    monkeypatch.setattr(browser, "display", lambda bundle, **more: bundles.append((bundle, more)))
    monkeypatch.setattr(browser, "VBox", lambda children: boxes.append(VBox(children)) or boxes[0])
    browser.browse(study, 0)
    controls, view = boxes[0].children
    return controls.children, view, bundles[0]


def alt(view):
    """The alt text of the one picture that is shown."""
    return re.fullmatch(r'<img src="data:image/png;base64,iVBOR[\w+/=]+" alt="([^"]+)">', view.value)[1]


def test_each_control_changes_the_pick_that_is_shown(finished, monkeypatch):
    (strategy, kind, rank), view, (bundle, more) = opened(finished, monkeypatch)
    labels, probabilities = finished.pool.labels, finished.view(0).probabilities
    picks = finished.run("entropy", 0)["picks"]
    assert bundle["image/png"] in view.value
    assert more["metadata"]["image/png"]["alt"] == alt(view)
    assert alt(view).startswith(f"least_certainty: pick 1 of {finished.n_query}, class ")
    strategy.value = "entropy"
    rank.value = 5
    assert f"entropy: pick 5 of {finished.n_query}, class {labels[picks[4]]}, score" in alt(view)
    shown = re.findall(r"(\d) (0\.\d\d)", alt(view))
    assert [number for _, number in shown] == [f"{p:.2f}" for p in sorted(probabilities[picks[4]])[:-7:-1]]
    assert shown[0][0] == str(probabilities[picks[4]].argmax())
    of_class = int((labels[picks] == labels[picks[0]]).sum())
    rank.value = finished.n_query
    kind.value = str(labels[picks[0]])
    assert rank.max == rank.value == of_class < finished.n_query
    assert f"pick {of_class} of {of_class}, class {labels[picks[0]]}, score" in alt(view)
    kind.value, strategy.value, rank.value = "any class", "random", finished.n_query
    assert re.match(f"random: pick {finished.n_query} of {finished.n_query}, class \\d. Predicted: ", alt(view))


def test_a_class_without_picks_is_said_to_have_none(finished, monkeypatch):
    (_, kind, _), view, _ = opened(replace(finished, n_query=1), monkeypatch)
    shown = []
    for name in finished.dataset.class_names:
        kind.value = name
        shown.append(view.value)
    missed = [f"least_certainty picked none of class {name}." for name in finished.dataset.class_names]
    assert sum(said == text for said, text in zip(shown, missed, strict=True)) == 9
    assert sum("<img" in said for said in shown) == 1


def test_it_has_no_output_widget_for_which_a_report_may_wait_for_ever(finished, monkeypatch):
    made = []
    monkeypatch.setattr(Widget, "_widget_construction_callback", made.append)
    opened(finished, monkeypatch)
    assert made and not [widget for widget in made if isinstance(widget, Output)]
