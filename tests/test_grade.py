"""Handed-in notebooks: each row right, whatever a student hands in, and none stops the others."""

import shutil

import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from alkit import ROOT
from alkit.commands import main, pages

RIGHT = """def my_coverage(features, picks, radius):
    return (cdist(features, features[picks]).min(axis=1) < radius).mean()"""
EXERCISES = ["f1_of_cat", "coverage"]


def notebook(number="None", function="def my_coverage(features, picks, radius):\n    return None"):
    """A notebook of two exercises, answered."""
    answers = f"f1 = {number}\nexercises.f1_of_cat(f1)", f"{function}\n\n\nexercises.coverage(my_coverage)"
    start = "import exercises\nfrom scipy.spatial.distance import cdist"
    return new_notebook(cells=[new_markdown_cell("# Two"), *map(new_code_cell, (start, *answers))])


@pytest.fixture
def kit(tmp_path, monkeypatch):
    """The kit's notebooks: a single one, and what lies beside."""
    folder = tmp_path / "kit"
    shutil.copytree(ROOT / "notebooks", folder, ignore=shutil.ignore_patterns("*.ipynb", "__pycache__", "profiles"))
    solved = notebook()
    solved.cells.insert(
        3, new_code_cell("# Solution\nf1 = 0.6\nexercises.f1_of_cat(f1)", metadata={"tags": ["solution"]})
    )
    nbformat.write(solved, folder / "05_two.ipynb")
    monkeypatch.setattr(pages, "NOTEBOOKS", folder)
    return folder


def test_twelve_hand_ins_are_graded_and_none_stops_the_others(kit, tmp_path, capsys):
    shuffled, cut, kept = notebook("0.6", RIGHT), notebook("0.6", RIGHT), notebook("0.75", RIGHT)
    shuffled.cells[2:] = shuffled.cells[:1:-1]
    del cut.cells[3]
    for cell in kept.cells[1:]:
        cell |= {"execution_count": 7, "outputs": [new_output("stream", text="Right.\n")]}
    loop = "def my_coverage(features, picks, radius):\n    while True:\n        pass"
    raising = "def my_coverage(features, picks, radius):\n    return 1 / 0"
    handed_in = {
        "right/05_two.ipynb": notebook("0.6", RIGHT),
        "wrong/05_two.ipynb": notebook("0.625", RIGHT.replace("<", ">")),
        "unanswered/05_two.ipynb": notebook(),
        "raising/05_two.ipynb": notebook("1 / 0", raising),
        "endless/05_two.ipynb": notebook("0.6", loop),
        "renamed/my homework (1).ipynb": notebook("0.6", RIGHT),
        "kept/05_two.ipynb": kept,
        "cut/05_two.ipynb": cut,
        "order/05_two.ipynb": shuffled,
        "empty/05_two.ipynb": "",
        "no notebook/05_two.ipynb": '{"cells": "none"}',
        "copies/05_two.ipynb": notebook("0.6", RIGHT),
        "copies/05_two-Copy1.ipynb": notebook("0.75", RIGHT),
        "anna_05_two.ipynb": notebook("0.6"),
        "asleep/05_two.ipynb": notebook("__import__('time').sleep(999)", RIGHT),
        "dies/05_two.ipynb": notebook("0.6", "import os\nos._exit(1)"),
        "other/essay.ipynb": new_notebook(cells=[new_code_cell("print('Right.')")]),
    }
    for name, each in handed_in.items():
        path = tmp_path / "handed in" / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(each if isinstance(each, str) else nbformat.writes(each), encoding="utf-8")
    given = ["--folder", str(tmp_path / "handed in"), "--output", str(tmp_path / "new" / "grades.csv"), "--limit", "5"]
    assert main(["grade", *given]) == 0
    assert "[17/17] wrong/05_two.ipynb: 0 of 2" in capsys.readouterr().out
    table = pd.read_csv(tmp_path / "new" / "grades.csv", keep_default_na=False)
    said = {file: dict(zip(rows["exercise"], rows["said"], strict=True)) for file, rows in table.groupby("file")}
    assert said.keys() == handed_in.keys()
    none, no_end = "Not yet: replace None by your answer.", "Not yet: it was stopped; does it come to an end?"
    mixed = "Not yet: that is the plain mean of precision and recall; look at the formula again."
    expected = {
        "right/05_two.ipynb": ("Right.", "Right."),
        "unanswered/05_two.ipynb": (none, none),
        "endless/05_two.ipynb": ("Right.", no_end),
        "renamed/my homework (1).ipynb": ("Right.", "Right."),
        "kept/05_two.ipynb": ("Not yet: that is the precision.", "Right."),
        "cut/05_two.ipynb": ("Right.", "Not yet: its check was not run."),
        "order/05_two.ipynb": ("Right.", "Right."),
        "copies/05_two.ipynb": ("Right.", "Right."),
        "copies/05_two-Copy1.ipynb": ("Not yet: that is the precision.", "Right."),
        "anna_05_two.ipynb": ("Right.", none),
        "asleep/05_two.ipynb": ("Not yet: its cell took too long; does it come to an end?", "Right."),
    }
    for file, sentences in expected.items():
        assert said[file] == dict(zip(EXERCISES, sentences, strict=True)), file
    assert said["wrong/05_two.ipynb"]["f1_of_cat"] == mixed
    # Of the images of the check once as many were covered as not, so that the one share was taken for the other.
    assert said["wrong/05_two.ipynb"]["coverage"] == "Not yet: that is the share that no pick has around it."
    assert (
        said["raising/05_two.ipynb"]["f1_of_cat"] == "Not yet: its cell stops with ZeroDivisionError: division by zero"
    )
    by_check = "Not yet: it stops with ZeroDivisionError: division by zero (line 2 of your cell: return 1 / 0)"
    assert said["raising/05_two.ipynb"]["coverage"] == by_check
    assert said["dies/05_two.ipynb"]["f1_of_cat"] == "Right."
    assert said["dies/05_two.ipynb"]["coverage"].startswith("Not yet: the kernel stopped (")
    for file in ("empty/05_two.ipynb", "no notebook/05_two.ipynb"):
        assert said[file][""].startswith("It cannot be read as a notebook: "), said[file]
    assert said["other/essay.ipynb"] == {"": "None of the kit's exercises is in it."}
    assert (table["score"] == (table["said"] == "Right.")).all()
    assert set(table["max_score"]) == {1}
    students = dict(zip(table["file"], table["student_id"], strict=True))
    assert students["renamed/my homework (1).ipynb"] == "renamed"
    assert students["anna_05_two.ipynb"] == "anna"
    assert set(table["assignment"]) == {"05_two", ""}
