"""The checks of handed-in notebooks, each run in a kernel of its own, as one table."""

import json
import logging
import re
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import joblib

from alkit.commands.kernels import AT_ONCE, Kernels

# Students, assignments and scores are named as in nbgrader's tables.
COLUMNS = "student_id assignment exercise score max_score said file".split()


def grade(folder: Path, output: Path, limit: int = 300) -> Path:
    """Run every notebook below a folder and write what the checks of its exercises say, a row an exercise, as CSV.

    A student is the first folder on the way to a file, otherwise what its name has beside the notebook's. Which
    notebook it is, its exercises tell, and not its name. limit: seconds that a cell may take. Of a check that is run
    several times the last counts; a cell with a solution is not run. The students' code runs with your rights.
    Raises NotADirectoryError for a folder that is none, ValueError for one without notebooks, a limit below 1 and an
    output that is no .csv file.
    """
    if output.suffix != ".csv" or output.is_dir():
        raise ValueError(f"output is {output}; give a file FILE.csv.")
    if not folder.is_dir():
        raise NotADirectoryError(f"folder is {folder}; give the folder with what was handed in.")
    paths = [path for path in sorted(folder.rglob("*.ipynb")) if ".ipynb_checkpoints" not in path.parts]
    if not paths or limit < 1:
        raise ValueError(f"{len(paths)} notebooks are below {folder}, limit is {limit}; give one or more of each.")
    Kernels.prepare(at_once := min(AT_ONCE, joblib.cpu_count(), len(paths)))
    import nbformat
    import pandas as pd

    from alkit import records
    from alkit.commands.pages import handout

    output.parent.mkdir(parents=True, exist_ok=True)  # before anything is run
    with TemporaryDirectory() as own:
        kit = handout(Path(own, "kit"))
        exercises = {path.stem: _exercises(nbformat.read(path, 4).cells) for path in sorted(kit.glob("*.ipynb"))}

        def graded(path: Path) -> list[dict]:
            name = path.relative_to(folder)
            place = shutil.copytree(kit, Path(own, "places", name), ignore=shutil.ignore_patterns("*.ipynb"))
            return _grade(path, name, exercises, place, limit)

        with Kernels.working(at_once, graded, paths) as waiting:
            rows = []
            for number, each in enumerate((done.result() for done in waiting), 1):
                rows += each
                print(f"[{number}/{len(paths)}] {each[0]['file']}: {sum(row['score'] for row in each)} of {len(each)}")
                # After each, so that a stop loses no more than those that were being run.
                records.replace_file(output, pd.DataFrame(rows).set_index(COLUMNS[:2]).to_csv)
    return output


def _grade(path: Path, name: Path, exercises: dict[str, list[str]], place: Path, limit: int) -> list[dict]:
    """The rows of one notebook, run in `place`, a folder of its own with what lies beside the kit's."""
    import nbformat
    from nbclient import NotebookClient

    def row(stem: str, exercise: str, said: str) -> dict:
        student = name.parts[0] if name.parts[1:] else name.stem.replace(stem, "").strip(" _-") or name.stem
        values = student, stem, exercise, int(said == "Right."), 1, said, name.as_posix()
        return dict(zip(COLUMNS, values, strict=True))

    try:
        notebook = nbformat.read(path, as_version=4)
        given = {*_exercises(notebook.cells)}
    except Exception as error:  # whatever is in a file of this name
        return [row("", "", f"It cannot be read as a notebook: {' '.join(str(error).split())[:200] or 'it is empty'}")]
    stem = max(exercises, key=lambda stem: len(given & {*exercises[stem]}))
    if not given & {*exercises[stem]}:
        return [row("", "", "None of the kit's exercises is in it.")]
    # Each check adds what it says to a file, which is there whatever happens to the kernel later.
    (said_to := place / "said.jsonl").touch()
    cells = [cell for cell in notebook.cells if "solution" not in cell.metadata.get("tags", [])]
    notebook.cells = [nbformat.v4.new_code_cell(f"__import__('checks').said_to = {str(said_to)!r}"), *cells]
    client = NotebookClient(
        notebook, kernel_name="python3", kernel_manager_class=Kernels, resources={"metadata": {"path": str(place)}},
        timeout=limit, interrupt_on_timeout=True, allow_errors=True,
        extra_arguments=["--log-level=CRITICAL"], log=logging.Logger("alkit", logging.CRITICAL),  # the table says it
    )  # fmt: skip
    problem = "its check was not run."
    try:
        client.execute()
    except Exception as error:  # a kernel that died, or did not listen
        problem = f"the kernel stopped ({' '.join(str(error).split())[:200]})."
    said = {each["exercise"]: each["said"] for each in map(json.loads, said_to.read_text("utf-8").splitlines())}
    for exercise in exercises[stem]:
        errors = [_error(cell) for cell in cells if exercise in _exercises([cell])]
        said.setdefault(exercise, f"Not yet: {next(filter(None, reversed(errors)), problem)}")
    return [row(stem, exercise, said[exercise]) for exercise in exercises[stem]]


def _exercises(cells: list) -> list[str]:
    """The exercises whose checks are called in cells, in order."""
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    return list(dict.fromkeys(re.findall(r"^ *exercises\.(\w+)\(", code, re.MULTILINE)))


def _error(cell) -> str:
    """What stopped a cell, if anything did."""
    errors = [each for each in cell.get("outputs", []) if each.output_type == "error"]
    if any(each.ename == "KeyboardInterrupt" for each in errors):
        return "its cell took too long; does it come to an end?"
    return f"its cell stops with {errors[0].ename}: {errors[0].evalue}" if errors else ""
