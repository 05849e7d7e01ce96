"""The notebooks: each runs alone through papermill, and keeps the house rules that a program can check."""

import ast
import re
import shutil
import statistics

import nbformat
import numpy as np
import pandas as pd
import pytest
from conftest import in_a_cell
from papermill.cli import papermill
from papermill.exceptions import PapermillExecutionError

from alkit import ROOT
from alkit.commands import main, pages
from alkit.profiles import ParameterError
from alkit.strategies import BEYOND

PATHS = sorted((ROOT / "notebooks").glob("*.ipynb"))
each_notebook = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)


def parts(path):
    cells = nbformat.read(path, nbformat.NO_CONVERT).cells
    return cells, [cell for cell in cells if cell.cell_type == "code"], [c for c in cells if c.cell_type == "markdown"]


def test_the_published_runs_of_cifar10_are_shown_without_images_or_training(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks", ignore=shutil.ignore_patterns("0[0-6]*", "1[1234]*"))
    monkeypatch.setattr(pages, "NOTEBOOKS", tmp_path / "notebooks")
    assert main(["report", "--profile", "replay", "--output", str(tmp_path / "out")]) == 0
    text = {path.stem: path.read_text(encoding="utf-8") for path in (tmp_path / "out" / "notebooks").iterdir()}
    assert text.keys() == {path.stem for path in PATHS[7:11]}
    for each in text.values():
        assert "CIFAR-10, JPEG re-encoded (grey squares for pictures): 1000 labelled, 49000 in the pool" in each
        assert '"name": "stderr"' not in each, "a warning"
    assert f"5 seeds of {', '.join(BEYOND)}" in text[PATHS[10].stem]
    drawn = re.search(r"Maps of ([\d,]+) points, with picks on top: (\d+) of random", text[PATHS[9].stem]).groups()
    # What is drawn of the pool once came from the generator of the random picks, and was all picks.
    n_shown, n_picks = (int(number.replace(",", "")) for number in drawn)
    assert abs(n_picks - n_shown * 5000 / 49000) < 4 * (n_shown * 0.1 * 0.9) ** 0.5
    # The further strategies ran elsewhere than the report's, and the table of both says so.
    assert pd.read_csv(tmp_path / "out" / "claims.csv")["run_on"].str.contains("cpu, bf16, fp32;").all()
    for table in ("results", "claims"):
        same = [pd.read_csv(folder / f"{table}.csv") for folder in (tmp_path / "out", ROOT / "figures")]
        same = [each.drop(columns=["dataset", "profile", "run_on"], errors="ignore") for each in same]
        pd.testing.assert_frame_equal(*same, rtol=1e-9, atol=1e-9)  # of scipy, releases differ in the eleventh digit


def test_a_profile_is_a_papermill_file_and_a_parameter_that_no_notebook_knows_is_refused(tmp_path, monkeypatch):
    """Of all that quick has and the notebook has not, such as `fidelity`, nothing is wrong."""
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "1")
    monkeypatch.chdir(PATHS[1].parent)
    given = [PATHS[1].name, str(tmp_path / "out.ipynb"), "-f", "profiles/quick.yaml", "-p", "n_lablled", "80"]
    with pytest.raises(PapermillExecutionError, match=r"Profile quick has unknown parameters \['n_lablled'\]; a "):
        papermill.main([*given, "--no-progress-bar"], standalone_mode=False)
    executed = nbformat.read(tmp_path / "out.ipynb", nbformat.NO_CONVERT)
    (error,) = (each for cell in executed.cells for each in cell.get("outputs", []) if each.output_type == "error")
    assert len(error.traceback) == 1, "the sentence stands alone"


@pytest.mark.parametrize("path", [*PATHS[1:4], *PATHS[7:]], ids=lambda path: path.stem)
def test_a_study_at_all_its_edges_is_told_to_the_end(path, tmp_path, monkeypatch, capsys):
    """One pick from a pool of three images of one class, two images to test on, and a network that learns nothing."""
    generator = np.random.default_rng(0)
    labels = {"y_train": np.r_[np.arange(17) % 2, 0, 0, 0], "y_test": np.arange(2)}
    images = {name.replace("y", "x"): generator.integers(0, 256, (len(each), 8, 8)) for name, each in labels.items()}
    np.savez(tmp_path / "own.npz", **labels, **{name: each.astype(np.uint8) for name, each in images.items()})
    names = {"profile": "quick", "data": str(tmp_path / "own.npz"), "n_labelled": 17, "n_query": 1, "seeds": [0, 1]}
    names |= {
        "device": "cpu",
        "recipes": {"default": {"epochs": 1, "width": 4}},
        "output": str(tmp_path),
        "n_trials": 2,
        "n_labels": 4,
        "error_rate": 0.5,
    }
    monkeypatch.setattr("IPython.display.display", lambda *shown, **options: None)
    names["display"] = print
    for cell in parts(path)[1][1:]:
        names = vars(in_a_cell(cell.source, **names))
    said = capsys.readouterr().out
    assert "3 in the pool, 2 to test on" in said
    assert [line[-200:] for line in said.splitlines() if re.search(r"\b(nan|inf)\b", line)] == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_query": "100"}, "n_query is '100'; give a "),
        ({"n_query": 5000}, "n_query is 5000; give 1 to 1237"),
        ({"n_labelled": 5}, "raise n_labelled"),
        ({"seeds": [0, 0]}, "seeds is .*distinct"),
        ({"data": "nowhere.npz"}, "data is 'nowhere.npz'"),
        ({"recipes": {"default": {"epoch": 1}}}, "recipes name .'epoch'.; give "),
        ({"profile": "quik"}, "profile is 'quik'; give cifar10, "),
    ],
)
def test_a_wrong_parameter_is_refused_in_a_sentence_before_anything_is_done(changes, message):
    cell = next(cell.source for cell in parts(PATHS[4])[1] if "open_study(" in cell.source)
    names = dict.fromkeys("data n_labelled n_query seeds device recipes".split()) | {"profile": "quick"} | changes
    with pytest.raises(ParameterError, match=message) as raised:
        exec(cell, names)
    assert raised.value._render_traceback_() == [str(raised.value)]


@each_notebook
def test_is_committed_clean(path):
    notebook = nbformat.read(path, nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"
    assert notebook.metadata.kernelspec.language == "python"
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
    for cell in notebook.cells:
        assert set(cell.metadata) <= {"tags", "jupyter"}
        # A solution is folded away, and nothing else is.
        assert ("jupyter" in cell.metadata) == ("solution" in cell.metadata.get("tags", []))
        assert cell.cell_type == "markdown" or (not cell.outputs and cell.execution_count is None)


@each_notebook
def test_keeps_the_house_rules(path):
    cells, code, text = parts(path)
    lengths = [len(cell.source.splitlines()) for cell in code]
    assert 15 <= len(cells) <= 35
    assert statistics.median(lengths) <= 10
    assert max(lengths) <= 30
    assert [cell for cell in cells if "parameters" in cell.metadata.get("tags", [])] == [code[0]]
    assert cells[0].source.startswith("# ")
    assert cells[0].source.rstrip().endswith("?*")
    for word in ("**You will learn**", "**You need**", "| `quick` |", "| `cifar10`"):
        assert word in cells[1].source
    headings = re.findall(r"^#+ .+$", "\n".join(cell.source for cell in text), re.MULTILINE)
    assert headings[-1] == "## Recap"
    assert "## Predict first" in headings
    assert headings.index("## Predict first") < headings.index("## Exercises")
    questions = [heading for heading in headings if re.match(r"### \d\. ", heading)]
    assert 2 <= len(questions) <= 3
    assert [*questions, "## Recap"] == headings[headings.index("## Exercises") + 1 :]
    tags = [cell.metadata.get("tags", []) for cell in cells]
    for number, _ in enumerate(questions):
        asked = next(i for i, cell in enumerate(cells) if f"### {number + 1}. " in cell.source)
        assert tags[asked + 1 : asked + 3] == [["exercise"], ["solution"]]
        # Of a folded cell JupyterLab shows the first line.
        assert cells[asked + 2].source.startswith("# Solution\n")
        checks = [re.findall(r"^exercises\..+$", cells[asked + i].source, re.MULTILINE) for i in (1, 2)]
        assert len(checks[0]) == 1
        assert checks[0] == checks[1]
    assert sum(heading.startswith("# ") for heading in headings) == 1
    assert len(re.findall(r"^- ", cells[-2].source, re.MULTILINE)) == 3
    nodes = [node for cell in code for node in ast.walk(ast.parse(cell.source))]
    modules = [name.name for node in nodes if isinstance(node, ast.Import) for name in node.names]
    froms = [(node.module, name.name) for node in nodes if isinstance(node, ast.ImportFrom) for name in node.names]
    of_alkit = [name for name in [*modules, *(module for module, _ in froms)] if name.split(".")[0] == "alkit"]
    assert 1 <= len(of_alkit) <= 4
    assert sum(cell.source.count("open_study(") for cell in code) == 1
    for source in (cell.source for cell in code):
        assert not re.search(r"^\s*[!%]|/home/|/root/|https?://", source, re.MULTILINE)
        for node in ast.walk(ast.parse(source)):
            assert not isinstance(node, ast.For) or node.end_lineno - node.lineno <= 15


@each_notebook
def test_links_lead_to_files_and_the_last_one_to_the_next_notebook(path):
    _, _, text = parts(path)
    links = re.findall(r"\]\(([^)]+)\)", "\n".join(cell.source for cell in text))
    for link in links:
        assert (path.parent / link).is_file(), link
    assert links[-1] == PATHS[(PATHS.index(path) + 1) % len(PATHS)].name
