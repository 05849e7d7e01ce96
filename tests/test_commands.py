"""Handouts, slides, pages, the doctor, the hyper-parameter search and the command line that starts them."""

import io
import json
import re
import subprocess
import sys
from dataclasses import replace

import nbformat
import numpy as np
import optuna
import pandas as pd
import pytest
from conftest import TINY, loaded_from_elsewhere

from alkit import ROOT
from alkit import search as search_module
from alkit.commands import main, pages
from alkit.commands import tune as tune_module
from alkit.commands.publish import write_profile
from alkit.profiles import load_study
from alkit.search import best, search, space, training_images, validate

PATHS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def read(path):
    return nbformat.read(path, nbformat.NO_CONVERT)


def tagged(notebook, tag):
    return [cell for cell in notebook.cells if tag in cell.metadata.get("tags", [])]


def test_the_handout_has_no_solution_no_output_and_all_that_it_needs(tmp_path, monkeypatch, capsys):
    # As a teacher's folder looks after a lesson.
    used = tmp_path / "notebooks"
    used.mkdir()
    monkeypatch.setattr(pages, "NOTEBOOKS", used)
    for path in (ROOT / "notebooks").rglob("*.*"):
        if path.suffix in (".py", ".yaml", ".ipynb") and "checkpoint" not in str(path):
            target = used / path.relative_to(ROOT / "notebooks")
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(path.read_bytes())
    ran = read(PATHS[4])
    for number, cell in enumerate(cell for cell in ran.cells if cell.cell_type == "code"):
        cell.execution_count, cell.outputs = number, [nbformat.v4.new_output("stream", text="the teacher's answer")]
    ran.metadata.widgets = {}
    nbformat.write(ran, used / PATHS[4].name)
    nbformat.write(ran, used / f"{PATHS[4].stem}-Copy1.ipynb")
    assert main(["handout", "--output", str(tmp_path / "students")]) == 0
    assert "students" in capsys.readouterr().out
    given = {path.relative_to(tmp_path / "students") for path in (tmp_path / "students").rglob("*") if path.is_file()}
    assert given == {path.relative_to(used) for path in used.rglob("*") if path.is_file() and "-Copy" not in path.name}
    for path in PATHS:
        whole, handed = read(path), read(tmp_path / "students" / path.name)
        solutions = tagged(whole, "solution")
        assert len(solutions) == len(tagged(whole, "exercise")) >= 2
        assert handed.cells == [cell for cell in whole.cells if cell not in solutions]
        assert handed.metadata == whole.metadata


def test_a_handout_of_a_folder_that_was_worked_in_equals_that_of_a_clean_clone(tmp_path, monkeypatch):
    clone = tmp_path / "a clone" / "notebooks"
    clone.mkdir(parents=True)
    for path in (*PATHS[3:5], ROOT / "notebooks" / "checks.py"):
        (clone / path.name).write_bytes(path.read_bytes())
    for command in ("init -q", "add .", "-c user.name=T -c user.email=t@example.org commit -q -m All"):
        subprocess.run(["git", *command.split()], cwd=clone.parent, check=True)
    monkeypatch.setattr(pages, "NOTEBOOKS", clone)
    assert main(["handout", "--output", str(tmp_path / "clean")]) == 0
    worked_in = read(clone / PATHS[3].name)
    for number, cell in enumerate(worked_in.cells):
        if cell.cell_type == "code":
            cell |= {"source": f"answer = {number}", "execution_count": number, "metadata": {"tags": []}}
            cell.outputs = [nbformat.v4.new_output("stream", text="the teacher's")]
    worked_in.cells.append(nbformat.v4.new_code_cell("mine = 1"))
    worked_in.metadata = {"kernelspec": {"name": "mine", "display_name": "mine"}}
    nbformat.write(worked_in, clone / PATHS[3].name)
    nbformat.write(worked_in, clone / "12_of_mine.ipynb")
    (clone / PATHS[4].name).unlink()
    (clone / "checks.py").write_text("")
    assert main(["handout", "--output", str(tmp_path / "used")]) == 0
    files = [{path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("clean", "used")]
    assert len(files[0]) == 3
    assert files[0] == files[1]


def test_slides_are_the_executed_sections_without_exercises_and_need_no_network(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(pages, "ROOT", tmp_path)
    folder = tmp_path / "reports" / "quick" / "notebooks"
    folder.mkdir(parents=True)
    notebook = read(PATHS[4])
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    code = next(cell.source for cell in notebook.cells if "plots." in cell.source).splitlines()[-1]
    notebook.cells.insert(3, nbformat.v4.new_raw_cell("of a teacher"))
    nbformat.write(notebook, folder / PATHS[4].name)
    assert main(["slides", "--profile", "Quick"]) == 0  # capital letters in a name do not matter
    page = (tmp_path / "reports" / "quick" / "slides" / f"{PATHS[4].stem}.html").read_text(encoding="utf-8")
    shown = re.findall(r"<h[12]>([^<]+)", page)
    assert shown == [title for title in re.findall("^##? (.+)$", text, re.MULTILINE) if title != "Exercises"]
    body = re.sub(r"<(style|script).*?</\1>", "", page, flags=re.DOTALL).split("<body")[1]
    words = re.findall(r"\w+", code)
    assert words[-1] in body
    for left_out in ("exercises.", "# Solution", "profile = ", "<h3"):
        assert left_out not in body, left_out
    assert "ArrowRight" in page
    assert loaded_from_elsewhere(page) == []
    assert main(["slides", "--no-code", "--output", str(tmp_path / "bare")]) == 0
    bare = (tmp_path / "bare" / f"{PATHS[4].stem}.html").read_text(encoding="utf-8")
    assert 'class="jp-CodeMirrorEditor' not in bare
    assert 'class="jp-CodeMirrorEditor' in page


def test_a_table_fits_a_telephone_by_names_that_may_break_and_headings_as_wide_as_the_table(tmp_path):
    rows = pd.DataFrame({"f1": [0.8]}, ["least_certainty_margin"])
    text = "# T\n\n| a | b | c |\n|---|---|---|\n| **of <i>several</i> rows**, in % | | |\n| **one** | 1 | |\n\n"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text + rows.to_html())])
    pages.render(notebook, tmp_path / "page.html", True, stems=[])
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<th>least_<wbr>certainty_<wbr>margin</th>" in page
    assert '<td colspan="3"><strong>of <i>several</i> rows</strong>, in %</td>' in page
    assert re.search(r"<td><strong>one</strong></td>\s*<td>1</td>\s*<td></td>", page)


def test_dollar_signs_in_names_begin_no_formula_in_the_index(tmp_path):
    table = {"experiment": ["random"], "mean": [0.5], "low": [0.4], "high": [0.6], "run_on": ["here"]}
    pd.DataFrame(table).to_csv(tmp_path / "summary.csv", index=False)
    (tmp_path / "claims.md").write_text("*Measured on x$_$y, a$b$c.*\n")
    page = pages.write_index({"00_any": "A title"}, tmp_path).read_text(encoding="utf-8")
    assert "Measured on x$_$y, a$b$c." in page and "<math" not in page


def test_pages_link_to_the_contents_and_to_their_neighbours(tmp_path):
    links, stems = {}, [path.stem for path in PATHS]
    for stem in (stems[0], stems[1], stems[-1]):
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Title")])
        pages.render(notebook, tmp_path / f"{stem}.html", True, stems=stems)
        page = (tmp_path / f"{stem}.html").read_text(encoding="utf-8")
        (navigation,) = re.findall(r'(?s)<nav aria-label="notebooks" class="kit-links">(.+)</nav>\s*<main>', page)
        links[stem] = re.findall('<a href="([^"]+)">([^<]+)</a>', navigation)
    own = [("index.html", "Contents"), (f"{stems[0]}.html", f"Back: {stems[0].replace('_', ' ')}")]
    assert links[stems[1]] == [*own, (f"{stems[2]}.html", f"Next: {stems[2].replace('_', ' ')}")]
    assert [href for href, _ in links[stems[0]]] == ["index.html", f"{stems[1]}.html"]
    assert [href for href, _ in links[stems[-1]]] == ["index.html", f"{stems[-2]}.html"]


def test_a_page_has_alt_texts_formulas_and_tables_that_scroll(tmp_path):
    table = nbformat.v4.new_output("display_data", {"text/html": "<table><tr><td>1</td></tr></table>"})
    picture = nbformat.v4.new_output(
        "display_data", {"image/png": "aGVsbG8="}, metadata={"image/png": {"alt": "A <b>"}}
    )
    blank = nbformat.v4.new_output("stream", text="  \r   ")
    cells = [
        nbformat.v4.new_markdown_cell("# Title\n\nCosts $p_1 -\np_2$ or 5$ and [next](01_next.ipynb), $$\\log p$$"),
        nbformat.v4.new_code_cell("some code", outputs=[table, picture, blank]),
    ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    assert pages.render(notebook, tmp_path / "page.html", True) == "Title"
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    (image,) = re.findall(r"<img\b[^>]*>", page)
    assert 'src="data:image/png;base64,aGVsbG8="' in image
    assert re.search('alt="A (&lt;|<)b(&gt;|>)"', image)
    assert page.count("<math") == 2
    assert "or 5$ and" in page
    assert 'href="01_next.html"' in page
    assert '<div class="kit-table" role="group" aria-label="table" tabindex="0"><table>' in page
    assert page.count('tabindex="0"') == 1
    assert "<nav" not in page
    assert "<script" not in page
    assert 'data-mime-type="text/plain"' not in page, "a progress bar that has ended leaves a blank"
    assert "<title>Title</title>" in page
    assert loaded_from_elsewhere(page) == []


def test_doctor_finds_this_environment_fit_and_names_a_missing_package(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "1")
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert "the kit can run." in said
    assert re.search(r"device: \w+, precision \w+", said)
    assert str(tmp_path / "records") in said
    monkeypatch.setattr("alkit.commands.doctor.ROOT", tmp_path)
    (tmp_path / "requirements.txt").write_text("# for the kit\ntorch>=2\nno-such-package>=1\n-e .\n")
    assert main(["doctor"]) == 1
    assert "PROBLEM: No package metadata was found for no-such-package. Install requirements" in capsys.readouterr().out
    (tmp_path / "requirements.txt").write_text("torch>=2\n")
    monkeypatch.setitem(sys.modules, "psutil", None)  # as if its library were not there
    assert main(["doctor"]) == 1
    assert "PROBLEM: " in capsys.readouterr().out


def test_doctor_advises_on_threads_folders_and_a_kernel_of_another_python(tmp_path, monkeypatch, capsys):
    kernel = tmp_path / "kernels" / "python3"
    kernel.mkdir(parents=True)
    spec = {"argv": ["/elsewhere/python", "-m", "ipykernel_launcher"], "display_name": "x", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.setattr("torch.get_num_threads", lambda: 16)
    monkeypatch.setattr("joblib.cpu_count", lambda: 2)
    monkeypatch.setattr("os.access", lambda folder, mode: False)
    assert main(["doctor"]) == 1
    said = capsys.readouterr().out
    assert "PROBLEM: a kernel of /elsewhere/python: run `python -m ipykernel install" in said
    assert "set OMP_NUM_THREADS to 2." in said
    assert "cannot be written: set ALKIT_RECORDS to a folder of yours." in said
    assert "cannot be written: set ALKIT_DATA to a folder of yours." in said


def stopped_by(error):
    def stop(*_, **__):
        raise error

    return stop


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (KeyboardInterrupt(), 130, "alkit report: stopped; the same command goes on after the last finished run.\n"),
        (MemoryError("Unable to allocate 1.0 GiB"), 1, "alkit report: Unable to allocate 1.0 GiB\n"),
        (FloatingPointError("the training diverged"), 1, "alkit report: the training diverged\n"),
        (RuntimeError("CUDA out of memory"), 1, "alkit report: CUDA out of memory\n"),
        (ValueError("n_query is 0"), 2, "alkit report: n_query is 0\n"),
        (ConnectionError("no network"), 2, "alkit report: no network\n"),
        (
            PermissionError(13, "Permission denied", "/x"), 2,
            "alkit report: [Errno 13] Permission denied: '/x'; give another --output, ALKIT_RECORDS or ALKIT_DATA\n",
        ),
        (
            OSError(28, "No space left on device"), 2,
            "alkit report: [Errno 28] No space left on device; give another --output, ALKIT_RECORDS or ALKIT_DATA\n",
        ),
    ],
)  # fmt: skip
def test_what_stops_a_command_is_said_in_a_sentence(error, status, said, monkeypatch, capsys):
    monkeypatch.setattr("alkit.commands.report.report", stopped_by(error))
    assert main(["report"]) == status
    assert capsys.readouterr().err == said


def test_a_missing_package_is_a_case_for_the_doctor(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "alkit.commands.tune", None)
    assert main(["tune", "--output", "found.yaml"]) == 2
    assert "`python -m alkit doctor` says what to do" in capsys.readouterr().err


def test_a_finished_command_is_no_failure_where_the_console_lacks_a_letter(tmp_path):
    command = [sys.executable, "-m", "alkit", "handout", "--output", str(tmp_path / "Иван" / "students")]
    environment = {"PYTHONIOENCODING": "cp1252", "PATH": "", "SYSTEMROOT": "C:\\Windows", "HOME": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert rb"\u0418\u0432\u0430\u043d" in done.stdout
    assert len(list((tmp_path / "Иван" / "students").glob("*.ipynb"))) == len(PATHS)


@pytest.mark.parametrize(("encoding", "letters"), [("ascii", "größe"), ("cp437", "日本"), ("latin-1", "Łódź")])
def test_what_a_command_says_is_never_lost_to_an_encoding(encoding, letters, monkeypatch):
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, io.TextIOWrapper(io.BytesIO(), encoding))
    monkeypatch.setattr("alkit.commands.pages.handout", lambda output: output)
    monkeypatch.setattr("alkit.commands.doctor.doctor", stopped_by(ValueError(letters)))
    assert (main(["handout", "--output", letters]), main(["doctor"])) == (0, 2)
    said = [stream.buffer.getvalue().decode(encoding) for stream in (sys.stdout, sys.stderr)]
    escaped = letters.encode(encoding, "backslashreplace").decode(encoding)
    assert said == [f"Handout: {escaped}\n", f"alkit doctor: {escaped}\n"]


def test_the_core_does_not_know_the_commands_and_help_is_quick():
    for path in (ROOT / "alkit").glob("[!_]*.py"):
        assert "alkit.commands" not in path.read_text(encoding="utf-8"), path.name
    code = "import sys\nfrom alkit.commands import main\ntry: main(['--help'])\nfinally: print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert "{doctor,report,tune,handout,grade,slides,query,features}" in done.stdout
    assert not {"numpy", "torch", "nbformat"} & set(done.stdout.splitlines()[-1].split())


def test_tune_writes_a_profile_with_the_recipes_it_found_and_queries_the_base_model_it_found(tmp_path):
    path, names = tmp_path / "found.yaml", ("original_label", "entropy")
    database = f"sqlite:///{tmp_path / 'trials.db'}"
    command = ["tune", "--profile", str(TINY), "--experiments", *names, "--trials", "4", "--fidelity", "0.5"]
    assert main([*command, "--device", "cpu", "--storage", database, "--output", str(path)]) == 0
    found = load_study(str(path))
    study = load_study(str(TINY), n_trials=4, fidelity=0.5)
    for name in names:
        given = study.recipe(name)
        trials = search(study, name)
        proposed = best(trials, given)
        parts, n_folds = training_images(study, name, 1), 5 if name == "original_label" else 2
        for_all_epochs = [validate(*parts, recipe, n_folds, 1, "cpu") for recipe in (given, proposed)]
        chosen = proposed if for_all_epochs[1] > for_all_epochs[0] else given
        study = replace(study, recipes=study.recipes | {name: chosen})
    assert found.recipes == study.recipes
    assert (found.profile, found.n_trials, found.fidelity, found.device) == ("found", 4, 0.5, "cpu")
    assert len(optuna.get_all_study_names(database)) == 2
    tried = pd.read_csv(path.with_suffix(".csv"))
    assert set(tried["experiment"]) == set(names)
    rows = tried[(tried["experiment"] == "entropy") & (tried["fidelity"] == 0.5)]
    for column in ("validation_f1", "seconds", *space(given, (8, 8, 1))):
        np.testing.assert_allclose(rows[column], trials[column])


@pytest.mark.parametrize("better", ["given", "found"])
def test_tune_keeps_the_given_recipe_unless_another_is_better_for_all_epochs(study, tmp_path, monkeypatch, better):
    """Whatever is not the given recipe wins for a share of the epochs; for all epochs the one named wins."""
    given, judged = study.recipe("original_label"), []

    def validated(labelled, added, recipe, n_folds, seed, device, weights=None, trial=None):
        judged.append((recipe, seed, trial))
        own = replace(recipe, epochs=given.epochs) == given
        return float(own if recipe.epochs == given.epochs and better == "given" else not own)

    for module in (tune_module, search_module):
        monkeypatch.setattr(module, "validate", validated)
    tune_module.tune(tmp_path / "found.yaml", str(TINY), experiments=("original_label",), n_trials=3, fidelity=0.5)
    kept = load_study(str(tmp_path / "found.yaml")).recipe("original_label")
    assert (kept == given) == (better == "given")
    assert [seed for _, seed, _ in judged] == [0, 0, 0, 1, 1]
    assert judged[3] == (given, 1, None)
    assert judged[4] == (replace(judged[1][0], epochs=given.epochs), 1, None)
    # Once more: all is read.
    tune_module.tune(tmp_path / "found.yaml", str(TINY), experiments=("original_label",), n_trials=3, fidelity=0.5)
    assert len(judged) == 5


def test_a_strategy_tries_what_was_chosen_for_those_before_it(study, tmp_path, monkeypatch):
    """Only random's batch size has any score, which no search proposes."""
    for module in (tune_module, search_module):
        monkeypatch.setattr(module, "validate", lambda labelled, added, recipe, *more: float(recipe.batch_size == 7))
    path = tmp_path / "given.yaml"
    given = study.recipes | {"random": replace(study.recipe("random"), batch_size=7, epochs=2)}
    write_profile(path, replace(study, profile="given", recipes=given), {"data": "digits"}, "")
    names = ("entropy", "full_training_set")
    tune_module.tune(tmp_path / "found.yaml", str(path), experiments=names, n_trials=2, fidelity=0.5)
    recipes = load_study(str(tmp_path / "found.yaml")).recipes
    assert recipes == given | {"entropy": replace(given["entropy"], batch_size=7)}
    tried = pd.read_csv(tmp_path / "found.csv").groupby(["experiment", "fidelity"])["batch_size"].agg(list).to_dict()
    assert tried[("entropy", 1.0)] == [given["entropy"].batch_size, 7]
    assert {key: len(sizes) for key, sizes in tried.items() if key[1] == 0.5} == {(name, 0.5): 2 for name in names}
    assert len(tried) == 3
