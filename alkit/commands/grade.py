"""The checks of handed-in notebooks, each run in a kernel of its own, as one table."""

import json
import logging
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import joblib

from alkit.commands.kernels import Kernels

COLUMNS = "student_id assignment exercise score max_score said file"  # the first and the scores as nbgrader has them
QUIET = logging.Logger("alkit", logging.CRITICAL)  # what goes wrong is said in the table
# Each check adds what it says to a file, which is there whatever happens to the kernel later.
START = "import checks; checks.said_to = {!r}; del checks"


def grade(folder: Path, output: Path, limit: int = 300) -> Path:
    """Run every notebook below a folder and write what the checks of its exercises say, a row an exercise, as CSV.

    A student is the first folder on the way to a file, otherwise what its name has beside the notebook's. Which
    notebook it is, its exercises tell, and not its name. limit: seconds that a cell may take. Of a check that is run
    several times the last counts; a cell with a solution is not run. The students' code runs with your rights.
    Raises NotADirectoryError for a folder that is none, ValueError for one without notebooks and a limit below 1.
    """
    if not folder.is_dir():
        raise NotADirectoryError(f"folder is {folder}; give the folder with what was handed in.")
    paths = [path for path in sorted(folder.rglob("*.ipynb")) if ".ipynb_checkpoints" not in path.parts]
    if not paths or limit < 1:
        raise ValueError(f"{len(paths)} notebooks are below {folder}, limit is {limit}; give one or more of each.")
    at_once = max(1, min(4, joblib.cpu_count(), len(paths)))
    Kernels.prepare(max(1, joblib.cpu_count() // at_once))
    sys.modules.setdefault("rfc3987_syntax", None)  # with it jsonschema would compile a grammar that nobody needs
    import nbformat
    import pandas as pd

    from alkit import records
    from alkit.commands.pages import handout

    output.parent.mkdir(parents=True, exist_ok=True)  # before anything is run
    rows = []
    with TemporaryDirectory() as own, ThreadPoolExecutor(at_once) as threads:
        places = [handout(Path(own, str(number))) for number in range(at_once)]
        exercises = {path.stem: _exercises(nbformat.read(path, 4).cells) for path in sorted(places[0].glob("*.ipynb"))}

        def graded(path: Path) -> list[dict]:
            place = places.pop()
            try:
                return _grade(path, path.relative_to(folder), exercises, place, limit)
            finally:
                places.append(place)

        try:
            for number, each in enumerate(threads.map(graded, paths), 1):
                rows += each
                points = sum(row["score"] for row in each)
                print(f"[{number}/{len(paths)}] {each[0]['file']}: {points} of {len(each)}")
                # After each, so that a stop loses no more than those that were being run.
                records.replace_file(output, pd.DataFrame(rows).set_index(COLUMNS.split()[:2]).to_csv)
        finally:  # after an error, or Ctrl+C
            threads.shutdown(wait=False, cancel_futures=True)
            Kernels.kill()
    return output


def _grade(path: Path, name: Path, exercises: dict[str, list[str]], place: Path, limit: int) -> list[dict]:
    """The rows of one notebook, run in `place`, a folder with what lies beside the notebooks."""
    import nbformat
    from nbclient import NotebookClient

    def row(stem: str, exercise: str, said: str) -> dict:
        student = name.parts[0] if name.parts[1:] else name.stem.replace(stem, "").strip(" _-") or name.stem
        values = student, stem, exercise, int(said == "Right."), 1, said, name.as_posix()
        return dict(zip(COLUMNS.split(), values, strict=True))

    try:
        notebook = nbformat.read(path, as_version=4)
        given = _exercises(notebook.cells)
    except Exception as error:  # whatever is in a file of this name
        return [row("", "", f"It cannot be read as a notebook: {' '.join(str(error).split())[:200] or 'it is empty'}")]
    stem = max(exercises, key=lambda stem: len(set(exercises[stem]) & set(given)))
    if not set(exercises[stem]) & set(given):
        return [row("", "", "None of the kit's exercises is in it.")]
    said_to = place / "said.jsonl"
    said_to.write_text("", "utf-8")
    cells = [cell for cell in notebook.cells if "solution" not in cell.metadata.get("tags", [])]
    notebook.cells = [nbformat.v4.new_code_cell(START.format(str(said_to))), *cells]
    client = NotebookClient(
        notebook, kernel_name="python3", kernel_manager_class=Kernels, resources={"metadata": {"path": str(place)}},
        timeout=limit, interrupt_on_timeout=True, allow_errors=True,
        extra_arguments=["--log-level=CRITICAL"], log=QUIET,
    )  # fmt: skip
    problem = "its check was not run."
    try:
        client.execute()
    except Exception as error:  # a kernel that died, or did not listen
        problem = f"the kernel stopped ({' '.join(str(error).split())[:200]})."
    said = {each["exercise"]: each["said"] for each in map(json.loads, said_to.read_text("utf-8").splitlines())}
    rows = []
    for exercise in exercises[stem]:
        stopped = [_error(cell) for cell in cells if exercise in _exercises([cell]) and _error(cell)]
        rows.append(row(stem, exercise, said.get(exercise) or f"Not yet: {(stopped or [problem])[-1]}"))
    return rows


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
