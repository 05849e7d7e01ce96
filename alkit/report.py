"""Execute the notebooks in order with papermill, render them to HTML and put an index page on top."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import nbformat
import pandas as pd
import papermill
from jupyter_client import AsyncKernelManager
from jupyter_core.utils import run_sync
from papermill.exceptions import PapermillExecutionError

from alkit import ROOT, plots, store
from alkit.pages import navigation, render
from alkit.profiles import load_study
from alkit.publish import FILES, publish_report, verdicts
from alkit.runs import run_all
from alkit.statistics import summary
from alkit.study import prepare

NOTEBOOKS = ROOT / "notebooks"


class ReportError(Exception):
    """A notebook failed: the message names it, the cell and the error."""


def report(
    profile: str = "quick",
    *,
    seeds: int | None = None,
    device: str | None = None,
    data: str | None = None,
    output: Path | None = None,
    show_code: bool = True,
    publish: bool = False,
    jobs: int = 1,
    cluster: str | None = None,
) -> Path:
    """Execute every notebook with a profile and return the index page; runs done before are read, not repeated.

    seeds: use seeds 0 to seeds - 1. device, data: in place of the profile's. output: a folder, reports/<profile> unless
    given. publish: `publish_report` too. jobs, cluster: for `run_all`.
    All parameters are checked before the first notebook. Raises ReportError if a notebook fails, otherwise what
    `load_study`, `prepare` and `run_all` raise.
    """
    if seeds is not None and seeds < 1:
        raise ValueError(f"seeds is {seeds}; give how many seeds, at least 1.")
    if Path(profile).suffix == ".yaml":
        profile = str(Path(profile).resolve())
    changes = {"data": data, "seeds": seeds and list(range(seeds)), "device": device}
    study = load_study(profile, **changes)
    if publish and study.device == "records":
        raise ValueError(
            f"publish is given with profile {profile}, which reads what is published; give one that trains."
        )
    if publish and store.folder().resolve().is_relative_to(store.PUBLISHED.resolve()):
        raise ValueError(f"ALKIT_RECORDS is {store.PUBLISHED}, which publish writes anew; name another folder.")
    dataset = prepare(study)
    if jobs != 1 or cluster:
        run_all(study, dataset, jobs=jobs, cluster=cluster)
    if Path(study.data).suffix == ".npz" and Path(study.data).is_file():
        changes["data"] = str(Path(study.data).resolve())  # notebooks run in another folder
    output = Path(output or ROOT / "reports" / study.profile).resolve()
    executed = output / "notebooks"
    if executed == NOTEBOOKS.resolve():
        raise ValueError(f"output is {output}, where the notebooks would be overwritten; give another folder.")
    try:
        executed.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"output is {output} ({error.strerror}); give a folder that can be written.") from error
    # A kernel named python3 in the user's home must not replace this environment's.
    os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")
    # One progress line now and then, instead of a bar that a log file cannot show.
    os.environ.setdefault("TQDM_MININTERVAL", "10")
    paths = sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))
    pages = []
    with ExitStack() as waiting:
        kernel = waiting.enter_context(_kernel())
        for number, path in enumerate(paths, 1):
            print(f"[{number}/{len(paths)}] {path.name}", flush=True)
            parameters = {"profile": profile} | {name: value for name, value in changes.items() if value is not None}
            if "output" in papermill.inspect_notebook(path):
                parameters["output"] = str(output)
            with waiting.pop_all():
                # The next notebook's kernel imports the kit while this notebook runs.
                following = waiting.enter_context(_kernel()) if path != paths[-1] else None
                notebook = _execute(path, executed / path.name, parameters, kernel)
            kernel = following
            page = output / f"{path.stem}.html"
            pages.append((render(notebook, page, show_code=show_code, before=navigation(paths, path)), path.stem))
    index = _index(pages, output)
    if publish:
        publish_report(study, dataset, output)
    return index


@contextmanager
def _kernel() -> Iterator[AsyncKernelManager]:
    """A kernel of this environment, with the kit imported, that is gone afterwards."""
    manager = AsyncKernelManager(kernel_name="python3")
    arguments = ["--log-level=CRITICAL", "--IPKernelApp.exec_lines=import alkit.plots, alkit.study"]
    run_sync(manager.start_kernel)(extra_arguments=arguments, cwd=str(NOTEBOOKS))
    try:
        yield manager
    finally:
        run_sync(manager.shutdown_kernel)(now=True)


def _execute(path: Path, executed: Path, parameters: dict, kernel: AsyncKernelManager) -> nbformat.NotebookNode:
    try:
        return papermill.execute_notebook(
            path, executed, parameters, kernel_name="python3", km=kernel, cwd=NOTEBOOKS, progress_bar=False,
            start_timeout=600, stdout_file=_ProgressLines(), coalesce_streams=True,
        )  # fmt: skip
    except PapermillExecutionError as error:
        index, source, problem = error.cell_index, error.source, f"{error.ename}: {error.evalue}"
        cause = error
    except RuntimeError as error:  # nbclient's DeadKernelError, or a kernel that did not start
        # Papermill marks every cell as completed then; the one that was running is the last with a start.
        cells = nbformat.read(executed, nbformat.NO_CONVERT).cells
        index = max((i for i, cell in enumerate(cells) if cell.metadata.papermill.start_time), default=0)
        source, problem, cause = cells[index].source, f"{error}; was there memory left?", error
    # One cell, that of the parameters, was injected before it, so the index counts the notebook's own cells from 1.
    first_line = source.strip().split("\n")[0]
    raise ReportError(
        f"{path.name}, cell {index} ({first_line}): {problem}\nThe notebook as far as it ran: {executed}"
    ) from cause


class _ProgressLines:
    """Passes on what a notebook's progress bars write, a line each; the rest of its output is in the notebook."""

    def write(self, text: str) -> None:
        for line in text.split("\r"):
            if "%|" in line:
                print(f"      {line.strip()}", flush=True)

    def flush(self) -> None:
        sys.stdout.flush()


def _index(pages: list[tuple[str, str]], output: Path) -> Path:
    runs = pd.read_csv(output / "results.csv")
    table = summary(runs).reset_index().rename(columns={"mean": "mean F1", "low": "95 % from", "high": "to"})
    alt = plots.comparison(runs).get_label()
    contents = "\n".join(f"{number}. [{title}]({stem}.html)" for number, (title, stem) in enumerate(pages))
    files = ", ".join(f"[{name}]({name})" for name in FILES)
    text = (
        f"# Active learning: the report\n\n![{alt}](comparison.svg)\n\n{_html(table)}\n\n"
        "## Verdicts on the claims of the 2021 report\n\n"
        f"{verdicts(pd.read_csv(output / 'claims.csv'))}\n## Notebooks\n\n{contents}\n\n## Files\n\n{files}\n"
    )
    render(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text)]), output / "index.html")
    return output / "index.html"


def _html(table: pd.DataFrame) -> str:
    return table.to_html(index=False, border=0, float_format="{:.3f}".format, na_rep="one seed", justify="left")
