"""The browser of picks, against the picks of the runs, and the oracle, who labels images by clicking or typing."""

import re
from dataclasses import replace

import browser
import numpy as np
import oracle as oracle_module
import pytest
from ipywidgets import VBox, Widget
from ipywidgets.widgets.widget_output import Output
from oracle import Oracle


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


def asked(monkeypatch, n=3, names=("cat", "dog", "1"), shape=(6, 8, 3)):
    clock, shown = iter(range(1000)), []
    monkeypatch.setattr(oracle_module.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(oracle_module, "display", lambda bundle, **more: shown.append((bundle, more)))
    images = np.random.default_rng(0).integers(0, 256, (n, *shape), np.uint8)
    oracle = Oracle(images, names)
    oracle.ask()
    return oracle, shown[0]


def test_a_person_labels_by_clicking_and_typing_and_may_take_an_answer_back(monkeypatch):
    oracle, (bundle, more) = asked(monkeypatch)
    assert bundle["image/png"] in oracle.shown.value and "Image 1 of 3" in oracle.shown.value
    assert more["metadata"]["image/png"]["alt"].startswith("Image 1 of 3: which class?")
    assert [button.description for button in oracle.buttons] == ["0: cat", "1: dog", "2: 1"]
    oracle.back.click()  # there is nothing to take back yet
    oracle.buttons[2].click()
    for text in ("x", "7", "-1", "", " 1 "):  # of which the last names a class
        oracle.typed.value = text
    assert oracle.typed.value == "" and oracle.labels.tolist() == [2, 1, -1]
    oracle.back.click()
    assert oracle.labels.tolist() == [2, -1, -1] and np.isnan(oracle.seconds[1:]).all()
    oracle.buttons[0].click()
    oracle.buttons[1].click()
    oracle.buttons[2].click()  # one too many
    assert oracle.labels.tolist() == [2, 0, 1] and oracle.seconds.tolist() == [1, 1, 1]
    assert "All 3 are labelled" in oracle.shown.value and "<img" not in oracle.shown.value


@pytest.mark.parametrize("n_classes, immediate", [(10, True), (11, False)])
def test_a_number_of_two_figures_waits_for_the_enter_key(n_classes, immediate, monkeypatch):
    oracle, _ = asked(monkeypatch, names=tuple(f"class {number}" for number in range(n_classes)))
    assert oracle.typed.continuous_update == immediate


def test_where_there_are_no_pictures_nobody_is_asked(monkeypatch):
    monkeypatch.setattr(oracle_module, "display", lambda *shown, **more: None)
    oracle = Oracle(np.full((4, 32, 32, 3), 128, np.uint8), ("a", "b"))
    oracle.ask()
    assert "There are no pictures here" in oracle.shown.value
