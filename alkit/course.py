"""For the teacher: the students' notebooks without solutions, and slides of the executed ones."""

from pathlib import Path

import nbformat

from alkit import ROOT
from alkit.pages import SLIDES, render, split_at_headings
from alkit.report import NOTEBOOKS


def handout(output: Path) -> Path:
    """Write the notebooks without their solutions into a folder and return it.

    Raises ValueError for the folder of the notebooks themselves.
    """
    if output.resolve() == NOTEBOOKS.resolve():
        raise ValueError(f"output is {output}, where the solutions would be lost; give another folder.")
    output.mkdir(parents=True, exist_ok=True)
    for path in sorted(NOTEBOOKS.glob("[0-9]*.ipynb")):
        notebook = nbformat.read(path, nbformat.NO_CONVERT)
        notebook.cells = [cell for cell in notebook.cells if "solution" not in cell.metadata.get("tags", [])]
        nbformat.write(notebook, output / path.name)
    return output


def slides(profile: str = "quick", output: Path | None = None, *, show_code: bool = True) -> Path:
    """Write slides of the notebooks that the report with this profile executed, a page each, and return their folder.

    Exercises and their solutions are left out. Raises FileNotFoundError if there is no such report yet.
    """
    name = Path(profile).stem
    executed = sorted((ROOT / "reports" / name / "notebooks").glob("[0-9]*.ipynb"))
    if not executed:
        raise FileNotFoundError(
            f"profile is {profile!r}, but reports/{name} has no report; run `alkit report --profile {profile}`."
        )
    output = output or ROOT / "reports" / name / "slides"
    output.mkdir(parents=True, exist_ok=True)
    for path in executed:
        notebook = nbformat.read(path, nbformat.NO_CONVERT)
        split_at_headings(notebook)
        titles = [cell.source.split("\n")[0] for cell in notebook.cells]
        if "## Exercises" in titles:
            del notebook.cells[titles.index("## Exercises") : titles.index("## Recap")]
        left_out = {"parameters", "injected-parameters"}
        notebook.cells = [cell for cell in notebook.cells if not left_out & set(cell.metadata.get("tags", []))]
        render(notebook, output / f"{path.stem}.html", show_code=show_code, after=SLIDES)
    return output
