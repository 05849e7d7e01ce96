"""The report as a person runs it, its errors, and what a kill leaves."""

import asyncio
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from conftest import TINY
from PIL import Image
from sklearn.datasets import load_sample_images

from alkit import ROOT
from alkit.commands import execute, kernels, main, pages
from alkit.commands import report as report_module
from alkit.commands.kernels import Kernels, _ForkedKernel

needs_signals = pytest.mark.skipif(os.name == "nt", reason="Windows has no kill -9")


def write_notebook(folder, name, *code, parameters="profile = None"):
    """A notebook with these cells, the first of which is the cell with parameters."""
    cells = [nbformat.v4.new_markdown_cell(f"# {name}")]
    cells += [nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})]
    cells += [nbformat.v4.new_code_cell(text) for text in code]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    folder.mkdir(exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), folder / f"{name}.ipynb")


@pytest.fixture
def notebooks(tmp_path, monkeypatch):
    """A folder for notebooks in place of the kit's, which need no runs; and what an index page is made of."""
    monkeypatch.setattr(pages, "NOTEBOOKS", tmp_path / "notebooks")
    monkeypatch.setattr("alkit.runs.run_all", lambda *_, **__: None)
    (tmp_path / "out").mkdir()
    shutil.copy(ROOT / "figures" / "summary.csv", tmp_path / "out")
    (tmp_path / "out" / "claims.md").touch()
    return tmp_path / "notebooks"


def test_own_colour_images_run_through_the_notebooks_that_write_files(tmp_path, monkeypatch):
    """Patches of the two photographs that scikit-learn bundles: which one does a patch come from?"""
    generator = np.random.default_rng(0)
    photographs = load_sample_images().images
    labels = generator.permutation(np.arange(200) % 2)
    corners = generator.integers(0, 400, (200, 2))
    images = np.stack([photographs[k][i : i + 28, j : j + 28] for k, (i, j) in zip(labels, corners, strict=True)])
    arrays = {"x_train": images[:150], "y_train": labels[:150], "x_test": images[150:], "y_test": labels[150:]}
    np.savez(tmp_path / "patches.npz", **arrays)
    tiny = TINY.read_text(encoding="utf-8").replace("profile: tiny", "profile: mine")
    (tmp_path / "mine.yaml").write_text(tiny.replace("data: digits", "data: absent.npz"))
    ignored = shutil.ignore_patterns("0[0-69]*", "1*")
    shutil.copytree(ROOT / "notebooks", tmp_path / "some notebooks", ignore=ignored)
    monkeypatch.setattr(pages, "NOTEBOOKS", tmp_path / "some notebooks")
    monkeypatch.chdir(tmp_path)
    given = ["--profile", "mine.yaml", "--data", "patches.npz", "--seeds", "1", "--jobs", "1", "--no-code"]
    assert main(["report", *given, "--output", "out"]) == 0
    table = pd.read_csv(tmp_path / "out" / "results.csv")
    assert table["dataset"].unique() == ["patches"]
    assert table["n_train"].tolist() == [60, 80, 80, 80, 80, 150]
    page = (tmp_path / "out" / "07_comparison.html").read_text(encoding="utf-8")
    assert "open_study" not in page, "--no-code shows code"
    assert sorted(path.name for path in Path("out").glob("*.html")) == [
        "07_comparison.html", "08_how_sure.html", "index.html"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("1 / 0", "02_bad.ipynb, cell 3 (1 / 0): ZeroDivisionError: division by zero"),
        ("import os; os._exit(1)", "02_bad.ipynb, cell 3 (import os; os._exit(1)): Kernel died"),
    ],
)
def test_the_first_failing_cell_stops_the_report_and_is_named(code, message, notebooks, tmp_path, monkeypatch, capsys):
    # Where much else runs, the kernel of 00 is about to start when that of 02 has failed.
    launch = BaseProcess.start
    monkeypatch.setattr(BaseProcess, "start", lambda process: time.sleep(1) or launch(process))
    write_notebook(notebooks, "00_never", "1")
    write_notebook(notebooks, "01_beside", "import time; time.sleep(600)")
    write_notebook(notebooks, "02_bad", code, "2")
    start = time.monotonic()
    assert main(["report", "--profile", str(TINY), "--output", str(tmp_path / "out"), "--jobs", "2"]) == 1
    assert time.monotonic() - start < 300, "it waits for the other notebooks"
    said = capsys.readouterr().err
    assert said.startswith(f"alkit report: {message}")
    assert f"The notebook as far as it ran: {tmp_path / 'out' / 'notebooks' / '02_bad.ipynb'}" in said
    assert not list((tmp_path / "out").glob("*.html"))


HOSTILE = """
import os, sys
import matplotlib.pyplot as plt
print("backend:", plt.get_backend())
assert "left_behind" not in sys.modules, "a notebook sees another's modules"
sys.modules["left_behind"] = sys
assert "of_a_startup_file" not in dir(), "the user's start-up file ran"
assert os.path.basename(os.getcwd()) == "notebooks"
plt.plot([1, 2]);
"""


@pytest.mark.parametrize("forked", [True, False])
def test_what_a_user_set_for_other_programs_reaches_no_notebook(forked, notebooks, tmp_path, monkeypatch, capfd):
    """A matplotlib backend that draws no pictures, start-up files that fail, warnings as errors, another kernel."""
    monkeypatch.setattr(report_module.Kernels, "forked", forked and sys.platform == "linux")
    startup = tmp_path / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text("of_a_startup_file = 1\nimport os; os._exit(3)")
    kernel = tmp_path / "jupyter" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    (kernel / "kernel.json").write_text('{"argv": ["/elsewhere/python"], "display_name": "x", "language": "python"}')
    hostile = {"MPLBACKEND": "Agg", "IPYTHONDIR": tmp_path / "ipython", "PYTHONWARNINGS": "error"}
    hostile |= {"PYTHONSTARTUP": startup / "00.py", "JUPYTER_PATH": tmp_path / "jupyter"}
    for name, value in hostile.items():
        monkeypatch.setenv(name, str(value))
    write_notebook(notebooks, "00_first", HOSTILE)
    write_notebook(notebooks, "01_second", HOSTILE)
    write_notebook(notebooks, "01_second-Copy1", "1 / 0")  # JupyterLab's name for a copy
    assert main(["report", "--profile", str(TINY), "--output", str(tmp_path / "out")]) == 0, capfd.readouterr().err
    for name in ("00_first", "01_second"):
        page = (tmp_path / "out" / f"{name}.html").read_text(encoding="utf-8")
        assert "backend: module://matplotlib_inline.backend_inline" in page or "backend: inline" in page
        assert "data:image/png" in page
    assert not (tmp_path / "out" / "01_second-Copy1.html").exists()


def test_a_report_starts_where_no_process_can_be_forked(monkeypatch):
    monkeypatch.delattr("multiprocessing.context.ForkServerProcess", raising=False)  # as on Windows
    spec = importlib.util.spec_from_file_location("kernels_there", kernels.__file__)
    there = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(there)
    assert there.Kernels.kernel_spec.fget(None).argv


@pytest.mark.skipif(sys.platform != "linux", reason="kernels are not forked")
def test_a_kernel_that_is_just_beginning_or_has_just_ended_is_no_error_where_all_are_to_end(monkeypatch):
    kernel, states = Kernels(), []
    kernel.provisioner = _ForkedKernel(parent=kernel, kernel_spec=kernel.kernel_spec)
    Kernels.started.add(kernel)
    monkeypatch.setattr(BaseProcess, "start", lambda process: states.append(Kernels.kill()))
    asyncio.run(kernel.provisioner.launch_kernel(["python", "-f", "connection.json"], env={}))
    kernel.provisioner.process = None
    Kernels.kill()
    assert states == [None]


BEGIN = """
import signal, sys
from multiprocessing.process import BaseProcess
from pathlib import Path
from alkit.commands import execute, kernels, main, pages
kernels.PRELOADED = ["alkit.commands.kernels", "ipykernel.kernelapp"]  # of this notebook
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored, if these tests run in the background
pages.NOTEBOOKS, profile, output = map(Path, sys.argv[1:])
"""
RUN = f"""{BEGIN}
from alkit import runs
runs.run_all = lambda *_, **__: None
sys.exit(main(["report", "--profile", str(profile), "--output", str(output)]))
"""
EXECUTE = f"""{BEGIN}
kernels.Kernels.prepare(1)
execute.execute(pages.NOTEBOOKS / "00_long.ipynb", output, {{}})
"""


@needs_signals
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_kernels_are_gone_after_a_signal_to_the_report(number, notebooks, tmp_path):
    (pid := tmp_path / "pid").touch()
    says_who = f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid()))"
    write_notebook(notebooks, "00_long", "1", f"{says_who}; time.sleep(600)")
    program = RUN if number == signal.SIGINT else EXECUTE
    command = [sys.executable, "-c", program, str(notebooks), str(TINY), str(tmp_path / "out")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not pid.read_text():
        time.sleep(0.1)
    kernel = int(pid.read_text())
    process.send_signal(number)
    err = process.communicate(timeout=60)[1]
    assert process.returncode == (130 if number == signal.SIGINT else -number), err
    for _ in range(100):
        try:
            os.kill(kernel, 0)
        except ProcessLookupError:
            break
        time.sleep(0.1)
    else:
        pytest.fail("the kernel outlives the report")


def test_records_that_cannot_be_written_are_found_before_any_training(tmp_path, monkeypatch, capsys):
    (tmp_path / "a file").touch()
    monkeypatch.setenv("ALKIT_RECORDS", str(tmp_path / "a file" / "records"))
    monkeypatch.setattr("alkit.runs.train_and_test", None)
    assert main(["report", "--profile", str(TINY), "--output", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "a file" in said
    assert "ALKIT_RECORDS" in said


def test_a_file_named_like_a_data_set_changes_nothing(notebooks, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("digits").touch()
    given = []
    write_notebook(notebooks, "00_any", "1")
    monkeypatch.setattr(execute, "execute", lambda path, folder, parameters: given.append(parameters))
    monkeypatch.setattr("alkit.commands.pages.render", lambda *_, **__: "title")
    assert main(["report", "--data", "digits", "--output", "out"]) == 0
    assert [parameters["data"] for parameters in given] == ["digits"]


def test_a_folder_of_pictures_is_found_from_where_notebooks_run(notebooks, tmp_path, monkeypatch, digits):
    monkeypatch.chdir(tmp_path)
    for number, (image, label) in enumerate(zip(digits.train.images[:120], digits.train.labels, strict=False)):
        path = Path("own", "test" * (number > 80), str(label), f"{number}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.squeeze()).save(path)
    given = []
    write_notebook(notebooks, "00_any", "1")
    monkeypatch.setattr("alkit.runs.run_all", lambda study, *_, **__: given.append(len(study.dataset.test)))
    monkeypatch.setattr(execute, "execute", lambda path, folder, parameters: given.append(parameters["data"]))
    monkeypatch.setattr("alkit.commands.pages.render", lambda *_, **__: "title")
    monkeypatch.setattr("alkit.commands.pages.write_index", lambda *_: "index")
    assert main(["report", "--profile", str(TINY), "--data", "own", "--output", "out"]) == 0
    assert given == [39, 39, str(tmp_path / "own")]  # the report's experiments, and those beyond
