#!/usr/bin/env bash
# nbformat: importing it takes seconds where Jupyter Server is installed, for a grammar that nobody needs.
# Expected: `import nbformat` costs a fraction of a second; installing JupyterLab beside it changes nothing.
# Happens: with jupyter-events, which Jupyter Server needs, comes jsonschema[format-nongpl], and with that
#   rfc3987-syntax, which builds an Earley parser of internationalised addresses when it is imported.
#   jsonschema imports it if it is there, to register format checks, and nbformat imports jsonschema. No
#   notebook schema has such a format, and nbformat validates by fastjsonschema.
# Hurts: every papermill, nbconvert and test process pays it: of the start of `papermill --help` most.
# Instead: before nbformat is imported, sys.modules.setdefault("rfc3987_syntax", None) in a process of
#   your own that checks no addresses; or run many notebooks from one process.
# Seen: nbformat 5.11.1, jsonschema 4.26.0, rfc3987-syntax 1.1.0 (lark 1.3.1), 27 November 2026. From:
#   jsonschema/_format.py, which imports it, and rfc3987_syntax/syntax_helpers.py, which builds the parser.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q nbformat==5.11.1 jsonschema==4.26.0 lark==1.3.1
cat > "$tmp/import.py" <<'PY'
import sys
import time

start = time.process_time()
import nbformat  # noqa: E402

seconds = time.process_time() - start
nbformat.validate(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Title")]))
print(f"{seconds:.2f} {int('rfc3987_syntax' in sys.modules)} {int('jsonschema' in sys.modules)}")
PY
took() { for _ in 1 2 3; do "$tmp/venv/bin/python" "$tmp/import.py"; done | sort | head -1; }
alone=$(took)
"$tmp/venv/bin/pip" install -q jupyter-events==0.12.1 "jsonschema[format-nongpl]==4.26.0" rfc3987-syntax==1.1.0
beside=$(took)
echo "nbformat alone: ${alone%% *} s of processor time; with what Jupyter Server needs: ${beside%% *} s"
"$tmp/venv/bin/python" - "$alone" "$beside" <<'PY'
import sys

alone, beside = (list(map(float, text.split())) for text in sys.argv[1:])
if alone[1] or not beside[1] or beside[0] < 4 * alone[0]:
    sys.exit("changed: importing nbformat beside Jupyter Server costs what it costs alone")
PY
