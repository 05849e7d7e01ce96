#!/usr/bin/env bash
# papermill: `-p quick false` switches the quick run on.
# Expected: false is read as in YAML and JSON, or refused: the parameter's default is a bool.
# Happens: -p knows True, False and None only as Python spells them. false stays the text 'false',
#   a text that is not empty is true, and the notebook runs as if True had been given; no warning.
# Hurts: CI and batch scripts, whose shells and YAML files spell it in lower case: the report of a
#   quick run of 2 rounds goes out as the full one of 40.
# Instead: give -y '{quick: false}' or -p quick False; let the notebook check isinstance(quick, bool).
# Seen: papermill 2.7.0 with ipykernel 7.1.0, 27 November 2026. From: _resolve_type in papermill/cli.py.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q papermill==2.7.0 ipykernel==7.1.0 nbformat==5.10.4
export HOME="$tmp/home" IPYTHONDIR="$tmp/ipython" JUPYTER_CONFIG_DIR="$tmp/config" JUPYTER_DATA_DIR="$tmp/data"
export JUPYTER_RUNTIME_DIR="$tmp/runtime" JUPYTER_PREFER_ENV_PATH=1 PYDEVD_DISABLE_FILE_VALIDATION=1
mkdir -p "$tmp/home"
"$tmp/venv/bin/python" -m ipykernel install --sys-prefix --name python3 >"$tmp/kernel.log" 2>&1
cd "$tmp"
"$tmp/venv/bin/python" - <<'PY'
import subprocess
import sys
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

book = new_notebook(cells=[
    new_code_cell("quick = True", metadata={"tags": ["parameters"]}),
    new_code_cell("rounds = 2 if quick else 40\nprint(repr(quick), rounds)"),
], metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}})
nbformat.write(book, "study.ipynb")

papermill = str(Path(sys.executable).parent / "papermill")
seen = {}
for given in (["-p", "quick", "false"], ["-p", "quick", "False"], ["-y", "{quick: false}"]):
    ran = subprocess.run([papermill, "study.ipynb", "done.ipynb", *given, "--no-progress-bar"],
                         capture_output=True, text=True)
    if ran.returncode:
        sys.exit(f"changed: papermill {' '.join(given)} now ends with {ran.returncode}: {ran.stderr[-400:]}")
    printed = [out["text"] for cell in nbformat.read("done.ipynb", 4).cells if cell.cell_type == "code"
               for out in cell.outputs if out.output_type == "stream" and out.name == "stdout"]
    seen[given[-1]] = "".join(printed).split()
    told = "a warning" if "quick" in ran.stderr.lower() else "no warning"
    print(f"papermill {' '.join(given):20s}: quick = {seen[given[-1]][0]}, {seen[given[-1]][1]} rounds, {told}")

if seen["false"] != ["'false'", "2"]:
    sys.exit("changed: -p quick false no longer gives a true text")
if seen["False"] != ["False", "40"] or seen["{quick: false}"] != ["False", "40"]:
    sys.exit("changed: False or YAML's false no longer gives the full run")
PY
