"""Notebooks as HTML pages that need no network, as slides, and as handouts without solutions."""

import re
import shutil
import subprocess
import tarfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
import pandas as pd
from latex2mathml.converter import convert
from nbconvert import HTMLExporter

from alkit import ROOT
from alkit.profiles import profile_path

NOTEBOOKS, ORIGINALS = ROOT / "notebooks", "[0-9][0-9]_*[a-z].ipynb"  # no 04_least_certainty-Copy1.ipynb of JupyterLab
FILES = "*.[cps][snv][gv]"  # tables and charts
# A page cannot run widgets; the picture beside stands for them.
KINDS = {"display_data_priority": ["image/png", "text/html", "text/markdown", "text/plain"]}


def render(notebook: nbformat.NotebookNode, page: Path, show_code: bool, *, formulas: bool = True, **resources) -> str:
    """Write a notebook as an HTML page and return its title; `resources`: what page/index.html.j2 asks for.

    These are `stems`, of all pages that it links to, `slides`, whether it is a slide at a time, and `query`, a table.
    formulas: whether dollar signs hold some; in what was made of data, they are a part of names.
    """
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and formulas:
            # Browsers show MathML without MathJax. A formula may go on in the next line, but not the next paragraph.
            text = re.sub(r"(?s)\$\$(.+?)\$\$", lambda found: convert(found[1], display="block"), cell.source)
            text = re.sub(r"\$(?!\s)((?:[^$\n]|\n(?!\s))+?)(?<!\s)\$(?!\d)", lambda found: convert(found[1]), text)
            cell.source = re.sub(r"\]\((\w+)\.ipynb\)", r"](\1.html)", text)
    title = notebook.metadata.title = re.search(r"^# (.+)$", notebook.cells[0].source, re.MULTILINE)[1]
    notebook.metadata.pop("widgets", None)
    html = _exporter(show_code).from_notebook_node(notebook, {"stem": page.stem, **resources})[0]
    # A cell is not a control, so the tab key need not stop at each; but at a table, which the arrow keys scroll.
    html = html.replace(' tabindex="0"', "").replace("</table>", "</table></div>").replace("<th></th>", "<td></td>")
    # On a telephone: names may break at their underscores, a heading of several rows may be as wide as the table.
    html = re.sub(r"<th>\w+</th>", lambda found: found[0].replace("_", "_<wbr>"), html)
    heading = r"<td>(<strong>.*?</td>)((?:\s*<td></td>)+)"
    html = re.sub(heading, lambda found: f'<td colspan="{found[2].count("<td>") + 1}">{found[1]}', html)
    html = html.replace("<table", '<div class="kit-table" role="group" aria-label="table" tabindex="0"><table')
    page.write_text(html, encoding="utf-8")
    return title


@cache  # with its templates, which take longer to compile than a page to write
def _exporter(show_code: bool) -> HTMLExporter:
    options = dict.fromkeys(("exclude_input_prompt", "exclude_output_prompt", "exclude_anchor_links"), True)
    options |= {"template_name": "page", "extra_template_basedirs": [str(Path(__file__).parent)]}
    return HTMLExporter(exclude_input=not show_code, **options, config={"NbConvertBase": KINDS})


def write_index(titles: dict[str, str], output: Path) -> Path:
    """Write and return the page on top of a report's pages, given the title of each: its chart, tables and files."""
    table = pd.read_csv(output / "summary.csv").drop(columns="run_on")
    table = table.rename(columns={"mean": "mean F1", "low": "95 % from", "high": "to"})
    text = Path(__file__).with_name("index.md").read_text(encoding="utf-8").format(
        means=table.to_html(index=False, border=0, float_format="{:.3f}".format, na_rep="one seed", justify="left"),
        verdicts=(output / "claims.md").read_text(encoding="utf-8"),
        notebooks="\n".join(f"{n}. [{title}]({stem}.html)" for n, (stem, title) in enumerate(titles.items())),
        files=", ".join(f"[{path.name}]({path.name})" for path in sorted(output.glob(FILES))),
    )  # fmt: skip
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text)])
    render(notebook, output / "index.html", True, formulas=False)
    return output / "index.html"


def handout(output: Path) -> Path:
    """Write the notebooks without solutions and outputs, and what lies beside them, into a folder and return it.

    In a clone, all is as it was committed, whatever a teacher tried in it since; elsewhere as it lies there.
    Raises ValueError for the notebooks' own folder.
    """
    if output.resolve() == NOTEBOOKS.resolve():
        raise ValueError(f"output is {output}, where the solutions would be lost; give another folder.")
    others = shutil.ignore_patterns("*.ipynb", ".*", "__pycache__", "reports")
    with TemporaryDirectory() as own:
        source, committed = NOTEBOOKS, Path(own)
        with suppress(OSError, subprocess.CalledProcessError, tarfile.TarError):  # no git, or no clone
            command = ["git", "archive", "--output", packed := committed / ".packed.tar", "HEAD", "."]
            subprocess.run(command, cwd=NOTEBOOKS, capture_output=True, check=True)
            shutil.unpack_archive(packed, committed, filter="data")
            source = committed if any(committed.glob(ORIGINALS)) else NOTEBOOKS
        shutil.copytree(source, output, ignore=others, dirs_exist_ok=True)
        originals = [(path.name, nbformat.read(path, nbformat.NO_CONVERT)) for path in source.glob(ORIGINALS)]
    for name, notebook in originals:
        notebook.cells = [cell for cell in notebook.cells if "solution" not in cell.metadata.get("tags", [])]
        for cell in notebook.cells:
            cell |= {"outputs": [], "execution_count": None} if cell.cell_type == "code" else {}
        notebook.metadata.pop("widgets", None)
        nbformat.write(notebook, output / name)
    return output


def slides(profile: str = "quick", output: Path | None = None, *, show_code: bool = True) -> Path:
    """Write slides of the notebooks that the report with this profile executed, a page each, and return their folder.

    Exercises and their solutions are left out. Raises FileNotFoundError if there is no such report yet.
    """
    report = ROOT / "reports" / profile_path(profile).stem
    if not (executed := sorted((report / "notebooks").glob(ORIGINALS))):
        raise FileNotFoundError(f"{report} has no report; run `alkit report --profile {profile}`.")
    (output := output or report / "slides").mkdir(parents=True, exist_ok=True)
    for path in executed:
        notebook, cells = nbformat.read(path, nbformat.NO_CONVERT), []
        for cell in notebook.cells:  # a heading of the second level begins a slide
            parts = re.split(r"^(?=## )", cell.source, flags=re.MULTILINE) if cell.cell_type == "markdown" else []
            cells += [nbformat.v4.new_markdown_cell(part) for part in parts if part.strip()] or [cell]
        titles = [cell.source.split("\n")[0] for cell in cells]
        if "## Exercises" in titles:
            del cells[titles.index("## Exercises") : titles.index("## Recap")]
        notebook.cells = [cell for cell in cells if "parameters" not in str(cell.metadata.get("tags"))]
        render(notebook, output / path.with_suffix(".html").name, show_code, slides=True)
    return output
