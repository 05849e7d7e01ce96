"""The students' notebooks: each runs alone, solved and with wrong answers, and every check says what is off."""

import re
from types import SimpleNamespace

import nbformat
import numpy as np
import pandas as pd
import pytest
from conftest import TINY, loaded_from_elsewhere
from test_notebooks import PATHS, papermill

from alkit import exercises
from alkit.__main__ import main
from alkit.course import handout
from alkit.pages import navigation
from alkit.samplers import Pool, least_certainty_margin

# For each exercise of each notebook: wrong answers, and what the check has to say.
WRONG = {
    "00_start_here": [
        [
            ("n_asked = study.n_labelled + study.n_query", "counts the labels as well that were there"),
            ("n_asked = 1", "too small"),
            ("n_asked = 'many'", "give a number, not str"),
        ],
        [
            ("f1_of_cat = 0.625", "plain mean"),
            ("f1_of_cat = 0.75", "precision"),
            ("f1_of_cat = 60", "per cent"),
            ("f1_of_cat = float('nan')", "NaN"),
        ],
    ],
    "01_data_and_split": [
        [("share = len(parts.labelled) / len(parts.pool)", "relative to the pool"), ("share = 2.0", "too large")],
        [
            ("def shared(one, other):\n    return 0", "20 labelled images.*too small"),
            (
                "def shared(one, other):\n    return len(set(map(bytes, one.images)) & set(map(bytes, other.images)))",
                "5 a second time.*too small",
            ),
            ("def shared(one, other):\n    return len(one)", "too large"),
            ("def shared(one, other):\n    return one.bytes", "it stops with AttributeError"),
        ],
    ],
    "02_baselines": [
        [
            ("missed = 'a'", "give the name of a class, one of 0, 1"),
            ("missed = pd.Series(np.diag(confused), confused.index).idxmax()", "cells are lower"),
        ],
        [
            ("def macro_f1(true, predicted):\n    return np.mean(true == predicted)", "the accuracy"),
            (
                "from sklearn.metrics import f1_score\n\n\n"
                "def macro_f1(true, predicted):\n    return f1_score(true, predicted, average='weighted')",
                "by their size",
            ),
        ],
    ],
    "03_random": [
        [
            ("n_first = np.sum(parts.pool.labels == 0)", "how many there are in the pool"),
            ("n_first = study.n_query / 10", "equally many of each"),
            ("n_first = 0", "too small"),
        ],
        [
            (
                "def first_half(pool, k, generator):\n    return generator.permutation(len(pool.probabilities))[:k]",
                "of a pool of 101 images .* second half",
            ),
            (
                "def first_half(pool, k, generator):\n    return generator.permutation(50)[:k]",
                "of 60 images .* second half",
            ),
            (
                "def first_half(pool, k, generator):\n    n = len(pool.probabilities)\n"
                "    return generator.permutation(n // 2)[:20]",
                "return 7 distinct integers",
            ),
            ("def first_half(pool, k, generator):\n    return np.arange(k)", "not random"),
            ("def first_half(pool, k, generator):\n    return generator.permutation(k)", "not random"),
            (
                "def first_half(pool, k, generator):\n    return generator.permutation(40)[:k]",
                "never picks 10 of the first 50",
            ),
            ("def first_half(pool, k, generator):\n    return np.random.permutation(50)[:k]", "from the generator"),
            ("def first_half(pool, k, generator):\n    return np.zeros(k, int)", "distinct integers"),
        ],
    ],
    "04_least_certainty": [
        [
            ("order_of_three = 'FDE'", "most sure"),
            ("order_of_three = 'DEF'", "compare the largest"),
            ("order_of_three = 'ABC'", "three letters"),
        ],
        [
            ("def my_score(logits):\n    return 1 - logits.max(axis=1)", "softmax comes first"),
            (
                "def my_score(logits):\n    p = np.exp(logits)\n    return (p / p.sum(1, keepdims=True)).max(1)",
                "other way round",
            ),
            (
                "def my_score(logits):\n    p = np.exp(logits)\n    return 1 - p.max(axis=1) / p.sum(axis=1)",
                "near 1,000, 50 of 50 numbers are NaN",
            ),
            (
                "def my_score(logits):\n    p = np.exp(logits - logits.max())\n"
                "    return 1 - (p / p.sum(axis=0)).max(axis=1)",
                "not over the images",
            ),
            (
                "def my_score(logits):\n    p = np.exp(logits)\n"
                "    return 1 - (p / p.sum(axis=1, keepdims=True)).max(axis=0)",
                "each image needs one",
            ),
            ("def my_score(logits):\n    return logits", r"shape \(50, 4\); \(50,\) is needed"),
            ("my_score = 3", "give a function, not int"),
        ],
    ],
    "05_least_certainty_margin": [
        [
            ("score_by_hand = 0.45", "the sign is not"),
            ("score_by_hand = 0.3", "which is least certainty"),
            ("score_by_hand = -0.65", "subtract the second largest"),
            ("score_by_hand = 0.65", "begin with the largest"),
        ],
        [
            ("rows_of_two = [[0.9, 0.1, 0.0], [0.5, 0.4, 0.1]]", "least certainty does not prefer the first"),
            ("rows_of_two = [[0.4, 0.3, 0.3], [0.6, 0.3, 0.1]]", "margin does not prefer the second"),
            ("rows_of_two = [[0.5, 0.3, 0.3], [0.6, 0.3, 0.1]]", "sum of 1"),
            ("rows_of_two = [[0.45, 0.3, 0.25], [0.52, 0.47, 0.01]]", "A, B and C do not count"),
        ],
    ],
    "06_entropy": [
        [
            ("by_hand = 1.5", "bits"),
            ("by_hand = -1.5 * np.log(2)", "the sign is not"),
            ("by_hand = 1.733", "its own prob"),
        ],
        [
            (
                "def my_entropy(probabilities):\n    return -(probabilities * np.log(probabilities)).sum(axis=1)",
                "where a probability is 0, .*NaN",
            ),
            (
                "def my_entropy(probabilities):\n    p = probabilities + 1e-12\n"
                "    return -(p * np.log2(p)).sum(axis=1)",
                "bits",
            ),
        ],
    ],
    "07_comparison": [
        [
            ("cannot_tell = ['rnadom']", "list of names out of"),
            ("cannot_tell = 3", "list of names"),
            (
                "rows = paired_differences(table, 'least_certainty').drop(['original_label', 'full_training_set'])\n"
                "cannot_tell = rows.index[(rows['low'] > 0) | (rows['high'] < 0)]",
                r"\d missing, \d too many",
            ),
        ],
        [
            (
                "def my_interval(values):\n    half = 1.96 * values.std(ddof=1) / np.sqrt(len(values))\n"
                "    return values.mean() - half, values.mean() + half",
                "of 7 values, .*Student's t is larger",
            ),
            (
                "def my_interval(values):\n    half = t.isf(0.025, len(values) - 1) * values.std(ddof=1)\n"
                "    return values.mean() - half, values.mean() + half",
                "root of the number of seeds",
            ),
            (
                "def my_interval(values):\n    n = len(values)\n"
                "    half = t.isf(0.025, n - 1) * values.std(ddof=1) / n\n"
                "    return values.mean() - half, values.mean() + half",
                "root of the number of seeds, not by the number",
            ),
            (
                "def my_interval(values):\n    half = 2.44691 * values.std(ddof=1) / len(values) ** 0.5\n"
                "    return values.mean() - half, values.mean() + half",
                "of 3 values, 2 of 2 numbers are off",
            ),
            (
                "def my_interval(values):\n    n = len(values)\n"
                "    half = t.isf(0.025, n - 1) * values.std() / n**0.5\n"
                "    return values.mean() - half, values.mean() + half",
                "divides by n - 1",
            ),
            ("def my_interval(values):\n    return values.mean()", r"shape \(\); \(2,\) is needed"),
        ],
    ],
    "08_how_sure": [
        [("n_seeds = 8", "too small"), ("n_seeds = 100", "too large"), ("n_seeds = 32", "Student's t, and a few more")],
        [
            ("def my_holm(p):\n    return np.minimum(3 * p, 1)", "Bonferroni"),
            ("def my_holm(p):\n    return p", "as they were"),
            ("def my_holm(p):\n    return np.array([0.03, 0.06, 0.06])", "order in which they came"),
            (
                "def my_holm(p):\n    order = np.argsort(p)\n    corrected = np.empty(len(p))\n"
                "    corrected[order] = np.maximum.accumulate(np.sort(p) * np.arange(len(p), 0, -1))\n"
                "    return corrected",
                "above 1",
            ),
            (
                "def my_holm(p):\n    p.sort()\n    return np.maximum.accumulate(p * [3, 2, 1])",
                "order in which they came",
            ),
        ],
    ],
    "09_what_did_they_pick": [
        [
            ("def my_jaccard(a, b):\n    return len(np.intersect1d(a, b)) / len(a)", "share of one set"),
            ("def my_jaccard(a, b):\n    return len(np.intersect1d(a, b))", "how many they have in common"),
            ("def my_jaccard(a, b):\n    return len(np.intersect1d(a, b)) / (len(a) + len(b))", "both have twice"),
            ("def my_jaccard(a, b):\n    return len(np.intersect1d(a, b)) / 10", "for sets of 3 and 2 .*too small"),
        ],
        [
            ("def mine(pool, k, generator):\n    return np.zeros(k, int)", "distinct integers"),
            ("def mine(pool, k, generator):\n    return np.random.permutation(50)[:k]", "from the generator"),
            ("def mine(pool, k, generator):\n    return pool.images", "it stops with AttributeError"),
        ],
    ],
}


@pytest.fixture(scope="module")
def handed_out(tmp_path_factory):
    return handout(tmp_path_factory.mktemp("for students"))


def tagged(notebook, tag):
    return [cell for cell in notebook.cells if tag in cell.metadata.get("tags", [])]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_the_handout_runs_alone_unanswered_answered_wrongly_and_solved(path, handed_out, tmp_path):
    notebook = nbformat.read(handed_out / path.name, nbformat.NO_CONVERT)
    solutions = tagged(nbformat.read(path, nbformat.NO_CONVERT), "solution")
    cells = []
    exercise = iter(zip(WRONG[path.stem], solutions, strict=True))
    for cell in notebook.cells:
        cells.append(cell)
        if "exercise" in cell.metadata.get("tags", []):
            wrong, solution = next(exercise)
            check = cell.source[re.search(r"^(pool = |exercises\.)", cell.source, re.MULTILINE).start() :]
            for code, _ in wrong:
                cells.append(nbformat.v4.new_code_cell(f"{code}\n\n\n{check}", metadata={"tags": ["wrong"]}))
            cells.append(solution)
            answer = re.match(r"(\w+) = ", cell.source)
            shown = f"print(repr({answer[1]}))" if answer else "print('no value')"
            cells.append(nbformat.v4.new_code_cell(shown, metadata={"tags": ["right"]}))
    notebook.cells = cells
    nbformat.write(notebook, tmp_path / path.name)
    options = ["-p", "profile", str(TINY)]
    options += ["-p", "output", str(tmp_path)] if "output = None" in notebook.cells[2].source else []
    done = papermill(tmp_path / path.name, tmp_path / "out.ipynb", *options)
    assert done.returncode == 0, done.stderr[-3000:]
    executed = nbformat.read(tmp_path / "out.ipynb", nbformat.NO_CONVERT)

    def said(tag):
        return ["".join(output.text for output in cell.outputs) for cell in tagged(executed, tag)]

    assert said("exercise") == ["Not yet: replace None by your answer.\n"] * len(solutions)
    assert said("solution") == ["Right.\n"] * len(solutions)
    expected = [(pattern, i) for i, wrong in enumerate(WRONG[path.stem]) for _, pattern in wrong]
    right = [value.strip() for value in said("right")]
    for sentence, (pattern, i) in zip(said("wrong"), expected, strict=True):
        assert re.match(f"Not yet: .*({pattern})", sentence), sentence
        assert sentence.strip().endswith(".") or "it stops" in sentence
        assert not re.search(rf"(?<![\w.]){re.escape(right[i])}(?![\w.])", sentence), "it gives the answer away"
    for output in (output for cell in executed.cells if cell.cell_type == "code" for output in cell.outputs):
        assert output.output_type != "stream" or output.name != "stderr", output.text
        if "image/png" in output.get("data", {}):
            assert len(output.metadata["image/png"]["alt"]) > 30


def test_the_handout_has_no_solution_and_the_command_writes_it(tmp_path, capsys):
    assert main(["handout", "--output", str(PATHS[0].parent)]) == 2
    assert "where the solutions would be lost" in capsys.readouterr().err
    assert main(["handout", "--output", str(tmp_path / "students")]) == 0
    assert "students" in capsys.readouterr().out
    for path in PATHS:
        whole = nbformat.read(path, nbformat.NO_CONVERT)
        given = nbformat.read(tmp_path / "students" / path.name, nbformat.NO_CONVERT)
        solutions = tagged(whole, "solution")
        assert len(solutions) == len(tagged(whole, "exercise")) >= 2
        assert [cell.id for cell in given.cells] == [cell.id for cell in whole.cells if cell not in solutions]


def test_each_check_is_used_and_every_notebook_has_wrong_answers():
    used = {name for path in PATHS for name in re.findall(r"exercises\.(\w+)\(", path.read_text(encoding="utf-8"))}
    own = {name: value for name, value in vars(exercises).items() if value.__class__ is type(handout)}
    checks = {
        name for name, value in own.items() if value.__module__ == exercises.__name__ and hasattr(value, "__wrapped__")
    }
    assert used == checks
    assert set(WRONG) == {path.stem for path in PATHS}


def test_slides_are_the_executed_sections_without_exercises_and_need_no_network(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("alkit.course.ROOT", tmp_path)
    assert main(["slides"]) == 2
    assert "reports/quick has no report; run `alkit report --profile quick`" in capsys.readouterr().err
    folder = tmp_path / "reports" / "quick" / "notebooks"
    folder.mkdir(parents=True)
    notebook = nbformat.read(PATHS[4], nbformat.NO_CONVERT)
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    notebook.cells.insert(3, nbformat.v4.new_raw_cell("of a teacher"))
    nbformat.write(notebook, folder / PATHS[4].name)
    assert main(["slides"]) == 0
    page = (tmp_path / "reports" / "quick" / "slides" / f"{PATHS[4].stem}.html").read_text(encoding="utf-8")
    shown = re.findall(r"<h[12]>([^<]+)", page)
    assert shown == [title for title in re.findall("^##? (.+)$", text, re.MULTILINE) if title != "Exercises"]
    assert "paired_differences" in page
    for left_out in ("exercises.", "# Solution", "profile = ", "<h3"):
        assert left_out not in re.sub(r"<style.*?</style>", "", page, flags=re.DOTALL).split("<body")[1], left_out
    assert "ArrowRight" in page
    assert loaded_from_elsewhere(page) == []
    assert main(["slides", "--no-code", "--output", str(tmp_path / "bare")]) == 0
    assert "paired_differences" not in (tmp_path / "bare" / f"{PATHS[4].stem}.html").read_text(encoding="utf-8")


def test_pages_link_to_the_contents_and_to_their_neighbours():
    middle = navigation(PATHS, PATHS[1])
    assert re.findall(r'href="([^"]+)"', middle) == ["index.html", f"{PATHS[0].stem}.html", f"{PATHS[2].stem}.html"]
    assert (
        len(re.findall("href", navigation(PATHS, PATHS[0])))
        == len(re.findall("href", navigation(PATHS, PATHS[-1])))
        == 2
    )


def test_the_class_that_is_missed_is_read_off_the_heatmap_with_its_two_decimals():
    names = ["bird", "cat", "dog"]
    confused = pd.DataFrame([[0.498, 0.502, 0], [0.498, 0.502, 0], [0, 0.4, 0.6]], names, names)
    assert [exercises.class_missed.problem(name, confused) == "" for name in names] == [True, True, False]


def test_a_sampler_of_the_student_enters_even_where_the_solution_stands_below():
    (capstone,) = (path for path in PATHS if path.stem.startswith("09"))
    solution = tagged(nbformat.read(capstone, nbformat.NO_CONVERT), "solution")[-1].source
    pool = Pool(np.full((50, 4), 0.25))

    def mine(pool, k, generator):
        return np.arange(k)

    names = {"exercises": exercises, "pool": pool, "study": SimpleNamespace(n_query=5)}
    for given in (mine, lambda pool, k, generator: None):
        exec(solution, names | {"mine": given, "least_certainty_margin": least_certainty_margin} | (found := {}), found)
        assert (found.get("mine", given) is given) == (given is mine)
