#!/usr/bin/env bash
# papermill: without a save after each cell, a kernel that ends takes all results with it, autosaves too.
# Expected: --no-request-save-on-cell-execute leaves the saves at each cell out, which take long where a
#   notebook holds many pictures; --autosave-cell-every goes on saving, and whatever stops the run, the
#   notebook as far as it ran is written, as it is after an error in a cell.
# Happens: the part that runs the cells is given no path, so it saves nothing, by the clock neither. If
#   the kernel ends, as where memory runs out, there is no output file at all; what the cells before
#   printed is gone. With saves after each cell, the file is there.
# Hurts: long headless runs that were made quicker in this way: hours of output of finished cells.
# Instead: an engine of your own (a subclass of NBClientEngine) that saves once, in a finally.
# Seen: papermill 2.7.0 with ipykernel 7.1.0, 28 November 2026. From: execute_notebook in
#   papermill/execute.py, which passes output_path=None to the engine.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
export HOME="$PWD" JUPYTER_PREFER_ENV_PATH=1
python3 -m venv venv && venv/bin/pip install -q papermill==2.7.0 ipykernel==7.1.0 nbformat==5.10.4
venv/bin/python - <<'PY'
import subprocess
import sys
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
WORK = "import time\nfor step in range(4):\n    print('step', step)\n    time.sleep(1)"
LAST = {"an error": "raise ValueError", "the end of the kernel": "import os\nos._exit(0)"}
papermill = str(Path(sys.executable).parent / "papermill")
kept = {}
for saves in ("--request-save-on-cell-execute", "--no-request-save-on-cell-execute"):
    for what, last in LAST.items():
        book = new_notebook(cells=[new_code_cell(WORK), new_code_cell(last)], metadata=KERNEL)
        nbformat.write(book, book_path := "study.ipynb")
        done = Path("done.ipynb")
        done.unlink(missing_ok=True)
        given = [papermill, book_path, str(done), "--no-progress-bar", saves, "--autosave-cell-every", "1"]
        ran = subprocess.run(given, capture_output=True)
        if not ran.returncode:
            sys.exit(f"changed: papermill takes {what} for a success")
        kept[saves, what] = done.exists() and "step 3" in done.read_text()
        print(f"{saves:35s} {what:22s}: {'all that was printed is kept' if kept[saves, what] else 'no output file'}")

if not all(kept[saves, what] for saves, what in kept if not saves.startswith("--no") or what == "an error"):
    sys.exit("changed: an output is lost where it was kept")
if kept["--no-request-save-on-cell-execute", "the end of the kernel"]:
    sys.exit("changed: without saves after each cell the output is kept as well")
PY
