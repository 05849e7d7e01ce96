"""The project as a whole: what imports what, what the linter says, and what the README promises."""

import ast
import re
import subprocess
import sys
import tomllib

import pandas as pd

from alkit import ROOT
from alkit.publish import VERDICTS, verdicts

# From the bottom up: a module may import those before it.
LAYERS = (
    "data recipe optimizer augmentation network training samplers store study profiles runs validation tuning "
    "statistics plots browser checks exercises pages publish report course doctor __main__"
).split()


def imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_imports_run_downwards():
    for path in (ROOT / "alkit").glob("*.py"):
        kit = {name.split(".")[1] for name in imports(path) if name.startswith("alkit.")} & set(LAYERS)
        below = LAYERS[: LAYERS.index(path.stem)] if path.stem != "__init__" else []
        assert kit <= set(below), f"{path.name} imports upwards: {kit - set(below)}"
        if path.stem in ("samplers", "statistics"):
            assert not kit


def test_what_is_imported_is_required():
    required = set(re.findall(r"^([\w-]+)>=", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE))
    names = {"sklearn": "scikit-learn", "yaml": "PyYAML", "jupyter_client": "jupyter-client", "IPython": "ipython"}
    names["jupyter_core"] = "jupyter-core"
    used = {name.split(".")[0] for path in (ROOT / "alkit").glob("*.py") for name in imports(path)}
    used = {names.get(name, name) for name in used - set(sys.stdlib_module_names) - {"alkit"}}
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert used - {re.match(r"\w+", package)[0] for package in extras["cluster"]} <= required
    assert required - used <= {"jupyterlab"}, "required, but not imported"


def test_linter_and_formatter_find_nothing():
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run([sys.executable, "-m", "ruff", *command, "."], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def test_the_readme_names_every_notebook_and_what_it_links_exists():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)\)", readme)
    assert {path.name for path in (ROOT / "notebooks").glob("*.ipynb")} <= {link.split("/")[-1] for link in links}
    assert all((ROOT / link).exists() for link in links if "://" not in link)


def test_commands_of_the_readme_can_be_pasted_anywhere():
    commands = re.findall(r"^    (\S.*)", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(commands) > 10
    # Neither cmd.exe nor zsh, as macOS sets it up, takes a comment.
    assert not [command for command in commands if "#" in command]


def test_the_readme_shows_the_verdicts_of_the_committed_claims():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = readme.split(VERDICTS[0])[1].split(VERDICTS[1])[0]
    claims = ROOT / "figures" / "claims.csv"
    assert shown == (verdicts(pd.read_csv(claims)) if claims.is_file() else "")


def test_no_link_is_committed():
    listed = subprocess.run(["git", "ls-files", "--stage"], cwd=ROOT, capture_output=True, text=True)
    # Where git does not know the folder it lists nothing.
    assert not [line for line in listed.stdout.splitlines() if line.startswith("120000")]


def test_one_version():
    from alkit import __version__

    assert tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"] == __version__
