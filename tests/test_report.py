"""The command line: the whole report as a person runs it, its errors, and what a kill leaves."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from itertools import product
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from conftest import TINY, loaded_from_elsewhere
from sklearn.datasets import load_sample_images

from alkit import ROOT, publish
from alkit import report as report_module
from alkit import study as study_module
from alkit.__main__ import main
from alkit.data import load
from alkit.profiles import load_study
from alkit.publish import FILES
from alkit.report import ReportError
from alkit.study import EXPERIMENTS, results

COLUMNS = "experiment seed n_train f1 accuracy seconds dataset fingerprint device precision profile versions".split()


def alkit(*arguments, records, **options):
    command = [sys.executable, "-m", "alkit", *map(str, arguments)]
    environment = os.environ | {"ALKIT_RECORDS": str(records)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=environment, **pipes, **options)


@pytest.fixture(scope="session")
def quick(tmp_path_factory):
    """The report of the quick profile, killed after three runs, then made twice from the same store."""
    folder = tmp_path_factory.mktemp("a folder with spaces")
    records = folder / "records"
    if os.name != "nt":
        killed = alkit("report", "--output", folder / "first", records=records, cwd=folder, start_new_session=True)
        while killed.poll() is None and len(list(records.glob("*.json"))) < 3:
            time.sleep(0.05)
        os.killpg(killed.pid, signal.SIGKILL)
        killed.communicate()
    before = {path: path.stat().st_mtime_ns for path in records.glob("*.json")}
    printed = []
    for name in ("first", "second"):
        process = alkit("report", "--output", folder / name, records=records, cwd=folder)
        out, err = process.communicate()
        assert process.returncode == 0, out + err
        printed.append(out)
    return folder, printed, before


def test_the_report_has_a_page_a_notebook_and_shows_progress(quick):
    folder, printed, _ = quick
    stems = [path.stem for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]
    index = (folder / "first" / "index.html").read_text(encoding="utf-8")
    for number, stem in enumerate(stems, 1):
        assert f"[{number}/{len(stems)}] {stem}.ipynb" in printed[0]
        assert f'href="{stem}.html"' in index
        assert "Next:" in (page := (folder / "first" / f"{stem}.html").read_text(encoding="utf-8")) or "Back to" in page
        assert "%|" not in page, "a progress bar is left in the page"
    assert "original_label, seed 4:" in printed[0]
    assert "original_label" not in printed[1], "the second report repeats runs"
    assert '<img alt="Bar chart of the mean macro F1' in index
    assert "beats random</td>" in index
    assert '<ol start="0">' in index  # numbered as the notebooks are


def test_results_have_a_row_a_run_and_the_chart_is_the_same_again(quick):
    folder, *_ = quick
    table = pd.read_csv(folder / "first" / "results.csv")
    assert set(table.columns) >= set(COLUMNS)
    assert sorted(map(tuple, table[["experiment", "seed"]].values)) == sorted(product(EXPERIMENTS, range(5)))
    means = table.groupby("experiment")["f1"].mean()
    strategies = means.drop(["original_label", "full_training_set"])
    assert means["original_label"] < strategies.min()
    assert strategies.max() < means["full_training_set"]
    for name in FILES:
        assert (folder / "first" / name).read_bytes() == (folder / "second" / name).read_bytes(), name


def test_pages_load_nothing_from_a_network_and_formulas_need_no_script(quick):
    for page in (quick[0] / "first").glob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert loaded_from_elsewhere(text) == [], page.name
        described = [re.search('alt="([^"]*)"', picture)[1] for picture in re.findall(r"<img\b[^>]*>", text)]
        assert all(len(alt) > 30 for alt in described), page.name
        assert not any("No description" in alt for alt in described), page.name
        assert text.count("<table") == text.count('<div class="kit-table" role="group"'), "a table cannot be scrolled"
        prose = re.sub(r"<(pre|script|style)\b.*?</\1>", "", text, flags=re.DOTALL)
        assert "$" not in prose, f"{page.name} shows a formula as it is typed"
    assert "<math" in (quick[0] / "first" / "06_entropy.html").read_text(encoding="utf-8")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no kill -9")
def test_a_killed_report_resumes_and_ends_as_if_it_had_not_been(quick, digits):
    folder, _, before = quick
    assert 3 <= len(before) < 12
    assert {path: path.stat().st_mtime_ns for path in before} == before, "finished runs were repeated"
    ended = pd.read_csv(folder / "first" / "results.csv").query("seed < 2").drop(columns=["seconds", "day"])
    assert ended.equals(results(load_study("quick", seeds=[0, 1]), digits).drop(columns=["seconds", "day"]))


def test_own_colour_images_run_the_whole_report(tmp_path):
    """Patches of the two photographs that scikit-learn bundles: which one does a patch come from?"""
    generator = np.random.default_rng(0)
    photographs = load_sample_images().images
    labels = generator.permutation(np.arange(200) % 2)
    corners = generator.integers(0, 400, (200, 2))
    images = np.stack([photographs[k][i : i + 28, j : j + 28] for k, (i, j) in zip(labels, corners, strict=True)])
    own = tmp_path / "patches.npz"
    np.savez(own, x_train=images[:150], y_train=labels[:150], x_test=images[150:], y_test=labels[150:])
    profile = tmp_path / "mine.yaml"
    tiny = TINY.read_text(encoding="utf-8").replace("profile: tiny", "profile: mine")
    profile.write_text(tiny.replace("data: digits", "data: patches.npz"))
    arguments = ("--profile", profile.name, "--seeds", 1, "--jobs", 2, "--no-code", "--output", "out")
    process = alkit("report", *arguments, records=tmp_path / "records", cwd=tmp_path)
    out, err = process.communicate()
    assert process.returncode == 0, out + err
    table = pd.read_csv(tmp_path / "out" / "results.csv")
    assert table["dataset"].unique() == ["patches"]
    assert table["n_train"].tolist() == [60, 80, 80, 80, 80, 150]
    page = (tmp_path / "out" / "07_comparison.html").read_text(encoding="utf-8")
    assert "load_study" not in page, "--no-code shows code"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--profile", "quik"], "profile is 'quik'; give cifar10, cifar10-fixed, quick"),
        (["--seeds", "0"], "seeds is 0; give how many seeds"),
        (["--device", "gpu"], "device is 'gpu'"),
        (["--profile", "replay", "--seeds", "99"], "what you ask for is not among them"),
        (["--data", "absent.npz"], "data is 'absent.npz' (no such file)"),
        (["--profile", "torn.yaml"], "torn.yaml is no YAML file"),
        (["--output", "too_many.yaml/out"], "too_many.yaml/out (Not a directory); give a folder that can be written"),
        (["--output", str(ROOT)], "where the notebooks would be overwritten; give another folder"),
        (
            ["--data", "one_each.npz", "--profile", "one_each.yaml"],
            "no class has more than 1 labelled images, but 2 folds",
        ),
        (["--profile", "too_many.yaml"], "n_query is 5000, but the pool has 1237 images"),
        (["--profile", "replay", "--device", "cpu"], "nothing can be trained on stand-ins"),
        (["--profile", "in_rounds.yaml"], "has n_rounds 2, but notebooks show what was asked at once"),
    ],
)
def test_parameters_are_checked_before_the_first_notebook(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    tiny = TINY.read_text(encoding="utf-8")
    Path("too_many.yaml").write_text(tiny.replace("profile: tiny", "profile: too_many").replace(": 20", ": 5000"))
    Path("in_rounds.yaml").write_text(tiny.replace("profile: tiny", "profile: in_rounds\nn_rounds: 2"))
    Path("torn.yaml").write_text("profile: [")
    Path("one_each.yaml").write_text(tiny.replace("profile: tiny", "profile: one_each").replace(": 60", ": 2"))
    images, labels = np.arange(40 * 64).reshape(40, 8, 8).astype(np.uint8), np.arange(40) % 2
    np.savez("one_each.npz", x_train=images, y_train=labels, x_test=images[:4], y_test=labels[:4])
    assert main(["report", "--output", "out", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("1 / 0", "00_bad.ipynb, cell 2 (1 / 0): ZeroDivisionError: division by zero"),
        ("import os; os._exit(1)", "00_bad.ipynb, cell 2 (import os; os._exit(1)): Kernel died"),
    ],
)
def test_the_first_failing_cell_stops_the_report_and_is_named(code, message, tmp_path, monkeypatch, capsys):
    cells = [nbformat.v4.new_markdown_cell("# Bad"), nbformat.v4.new_code_cell(code), nbformat.v4.new_code_cell("2")]
    (tmp_path / "notebooks").mkdir()
    for name in ("00_bad.ipynb", "01_after.ipynb"):
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
        nbformat.write(notebook, tmp_path / "notebooks" / name)
    monkeypatch.setattr(report_module, "NOTEBOOKS", tmp_path / "notebooks")
    assert main(["report", "--profile", str(TINY), "--output", str(tmp_path / "out")]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out" / "notebooks" / "01_after.ipynb").exists()
    with pytest.raises(ReportError):
        report_module.report(str(TINY), output=tmp_path / "out")


def test_records_that_cannot_be_written_are_found_before_any_training(tmp_path, monkeypatch, capsys):
    (tmp_path / "a file").touch()
    monkeypatch.setenv("ALKIT_RECORDS", str(tmp_path / "a file" / "records"))
    monkeypatch.setattr(study_module, "fit", None)
    assert main(["report", "--output", str(tmp_path / "out")]) == 2
    assert "a file" in capsys.readouterr().err
    study = load_study(str(TINY))
    with pytest.raises(OSError, match="a file"):
        study_module.run(study, load(study.data), "original_label", 0)


def test_a_file_named_like_a_data_set_changes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("digits").touch()
    given = []
    monkeypatch.setattr(report_module, "_execute", lambda path, executed, parameters, kernel: given.append(parameters))
    monkeypatch.setattr(report_module, "render", lambda *_, **__: "title")
    monkeypatch.setattr(report_module, "_index", lambda pages, output: output / "index.html")
    report_module.report("quick", output=tmp_path / "out")
    assert given
    assert all("data" not in parameters for parameters in given)


def test_a_stopped_report_says_how_it_goes_on(monkeypatch, capsys):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(report_module, "report", stopped)
    assert main(["report"]) == 130
    assert "goes on after the last finished run" in capsys.readouterr().err


def test_a_diverged_training_and_a_missing_package_are_said_in_a_sentence(monkeypatch, capsys):
    def diverged(*_, **__):
        raise FloatingPointError("the training diverged")

    monkeypatch.setattr(report_module, "report", diverged)
    assert main(["report"]) == 1
    assert capsys.readouterr().err == "alkit report: the training diverged\n"

    def out_of_memory(*_, **__):
        raise RuntimeError("CUDA out of memory")

    monkeypatch.setattr(report_module, "report", out_of_memory)
    assert main(["report"]) == 1
    assert capsys.readouterr().err == "alkit report: CUDA out of memory\n"
    monkeypatch.setitem(sys.modules, "alkit.tuning", None)
    assert main(["tune", "--output", "found.yaml"]) == 2
    assert "`python -m alkit doctor` says what to do" in capsys.readouterr().err


def test_figures_are_only_written_when_asked(tmp_path, monkeypatch):
    monkeypatch.setattr(publish, "FIGURES", tmp_path / "figures")
    monkeypatch.setattr(report_module, "NOTEBOOKS", tmp_path)
    readme = tmp_path / "README.md"
    readme.write_text("Before.\n\n" + "old table\n".join(publish.VERDICTS) + "\n\nAfter.\n")
    monkeypatch.setattr(publish, "README", readme)
    output = tmp_path / "out"
    output.mkdir()
    for name in FILES:
        (output / name).write_text(
            "claim,report,ours,low,high,verdict,run_on\nrandom gains,0.12,0.1,,,cannot tell,digits\n"
        )
    monkeypatch.setattr(report_module, "_index", lambda pages, output: output / "index.html")
    monkeypatch.setattr(publish, "publish_runs", lambda study, dataset: None)
    report_module.report(str(TINY), output=output)
    assert not (tmp_path / "figures").exists()
    assert "old table" in readme.read_text()
    report_module.report(str(TINY), output=output, publish=True)
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == sorted(FILES)
    written = readme.read_text()
    assert "| `random` gains | 0.120 | 0.100 | cannot tell |\n\n*Measured on digits.*" in written
    assert "old table" not in written
    assert written.startswith("Before.")
    assert written.endswith("After.\n")


def test_doctor_finds_this_environment_fit_and_names_a_missing_package(tmp_path, monkeypatch, capsys):
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert "The kit can run." in said
    assert "device: " in said
    monkeypatch.setattr("alkit.doctor.ROOT", tmp_path)
    (tmp_path / "requirements.txt").write_text("# for the kit\ntorch>=2\nno-such-package>=1\n-e .\n")
    assert main(["doctor"]) == 1
    assert "PROBLEM: no-such-package missing: run `python -m pip install" in capsys.readouterr().out
    (tmp_path / "requirements.txt").write_text("torch>=2\n")
    monkeypatch.setitem(sys.modules, "psutil", None)  # as if its library were not there
    assert main(["doctor"]) == 1
    assert "make the environment anew" in capsys.readouterr().out


def test_doctor_warns_of_a_kernel_that_starts_another_python(tmp_path, monkeypatch, capsys):
    kernel = tmp_path / "kernels" / "python3"
    kernel.mkdir(parents=True)
    spec = {"argv": ["/elsewhere/python", "-m", "ipykernel_launcher"], "display_name": "x", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    assert main(["doctor"]) == 1
    assert "the Jupyter kernel python3 starts /elsewhere/python" in capsys.readouterr().out


def test_runs_are_not_published_from_the_folder_that_publishing_empties(tmp_path, monkeypatch):
    monkeypatch.setenv("ALKIT_RECORDS", str(tmp_path / "published" / ".." / "published" / "old"))
    monkeypatch.setattr("alkit.store.PUBLISHED", tmp_path / "published")
    with pytest.raises(ValueError, match="published, which publish writes anew; name another folder"):
        report_module.report(str(TINY), output=tmp_path / "report", publish=True)
    assert not (tmp_path / "report").exists()
