"""One notebook of a report, executed by papermill in a kernel of its own."""

from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import nbformat
import papermill
from papermill.engines import NBClientEngine, papermill_engines

from alkit.commands.kernels import Kernels


class _SavedOnce(NBClientEngine):
    """Papermill's engine writes a notebook before and after each cell, a tenth of a report's work; this, at the end."""

    @classmethod
    def execute_managed_notebook(cls, nb_man, kernel_name, **options):
        with patch.object(nb_man, "save", lambda: None):
            super().execute_managed_notebook(nb_man, kernel_name, **options)


papermill_engines.register("alkit", _SavedOnce)


def execute(path: Path, folder: Path, parameters: dict) -> nbformat.NotebookNode:
    """The notebook, executed into a folder with those parameters that it has; RuntimeError names a cell that failed."""

    def lines_of_bars(text: str) -> None:  # what else a notebook prints is shown in its page
        for line in filter(lambda line: "%|" in line, text.split("\r")):
            print(f"      {path.stem}: {line.strip()}")

    papermill.log.logger.disabled = True  # it would speak of kernels that were ended because another failed
    executed, own = folder / path.name, papermill.inspect_notebook(path)
    try:
        return papermill.execute_notebook(
            path, executed, {name: value for name, value in parameters.items() if name in own and value is not None},
            engine_name="alkit", kernel_name="python3", kernel_manager_class=Kernels, start_timeout=600,
            extra_arguments=["--log-level=CRITICAL"], progress_bar=False, coalesce_streams=True,
            stdout_file=SimpleNamespace(write=lines_of_bars, flush=lambda: None),
        )  # fmt: skip
    except papermill.PapermillExecutionError as error:
        index, source, problem, cause = error.cell_index, error.source, f"{error.ename}: {error.evalue}", error
    except RuntimeError as error:  # nbclient's DeadKernelError, or a kernel that did not start
        # Papermill marks every cell as completed then; the one that was running is the last with a start.
        cells = nbformat.read(executed, nbformat.NO_CONVERT).cells
        index = max((i for i, cell in enumerate(cells) if cell.metadata.papermill.start_time), default=0)
        source, problem, cause = cells[index].source, f"{error}; was there memory left?", error
    # One cell, that of the parameters, was injected before it, so the index counts the notebook's own cells from 1.
    where = f"{path.name}, cell {index} ({source.strip().splitlines()[0]})"
    raise RuntimeError(f"{where}: {problem}\nThe notebook as far as it ran: {executed}") from cause
