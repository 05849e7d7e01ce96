"""The report of the profile quick, made once: whatever looks at it is here, for one worker to do it."""

import io
import re
from contextlib import chdir, redirect_stderr, redirect_stdout
from itertools import product
from types import SimpleNamespace

import pandas as pd
import plots
import pytest
from conftest import loaded_from_elsewhere

from alkit import ROOT
from alkit.commands import main
from alkit.profiles import load_study, profile_path
from alkit.study import EXPERIMENTS

COLUMNS = "experiment seed n_train f1 accuracy seconds dataset fingerprint device precision profile versions".split()
# Of five, 100 and 25, which take several times as long.
N_SEEDS, N_QUERY, EPOCHS = 2, 30, 8


@pytest.fixture(scope="module")
def quick_report(tmp_path_factory):
    """The report of the profile quick with N_SEEDS, N_QUERY and EPOCHS, made once."""
    folder = tmp_path_factory.mktemp("a folder with spaces")
    store, brief = folder / "records", folder / "brief.yaml"
    text = profile_path("quick").read_text(encoding="utf-8").replace("profile: quick", "profile: brief")
    text = text.replace("n_query: 100", f"n_query: {N_QUERY}").replace("n_trials: 12", "n_trials: 4")
    text = text.replace("epochs: 25", f"epochs: {EPOCHS}")
    brief.write_text(text, encoding="utf-8")
    given = ["--profile", str(brief), "--seeds", str(N_SEEDS), "--output", str(folder / "report")]
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, chdir(folder), redirect_stdout(printed), redirect_stderr(printed):
        patch.setenv("ALKIT_RECORDS", str(store))
        assert main(["report", *given]) == 0, printed.getvalue()
    return SimpleNamespace(folder=folder / "report", store=store, printed=printed.getvalue().replace("\r", "\n"))


def test_the_report_has_a_page_a_notebook_and_shows_progress(quick_report):
    stems = [path.stem for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]
    index = (quick_report.folder / "index.html").read_text(encoding="utf-8")
    for stem in stems:
        assert f"/{len(stems)}] {stem}.ipynb" in quick_report.printed
        assert f'href="{stem}.html"' in index
        page = (quick_report.folder / f"{stem}.html").read_text(encoding="utf-8")
        assert "Next:" in page or "Back:" in page
        executed = (quick_report.folder / "notebooks" / f"{stem}.ipynb").read_text(encoding="utf-8")
        assert '"name": "stderr"' not in executed, "a warning"
        assert "%|" not in page, "a progress bar is left in the page"
    assert re.search(r"^\d+ runs to do, \d+ at a time\.$", quick_report.printed, re.MULTILINE)
    assert re.search(r"^The first took \d+ s; about \d+ min to go\.$", quick_report.printed, re.MULTILINE)
    assert re.search(
        r"^      13_chosen_on_the_test_set: search, original_label: .*%\|", quick_report.printed, re.MULTILINE
    )
    assert '<img alt="Bar chart of the mean macro F1' in index
    assert "<strong>beats random</strong>, 2 seeds</td>" in index
    assert '<ol start="0">' in index  # numbered as the notebooks are
    assert [path.name for path in quick_report.folder.glob("*.csv") if f'href="{path.name}"' not in index] == []


def test_results_have_a_row_a_run_and_the_chart_is_the_same_again(quick_report, tmp_path, monkeypatch):
    table = pd.read_csv(quick_report.folder / "results.csv")
    assert set(table.columns) >= set(COLUMNS)
    assert sorted(map(tuple, table[["experiment", "seed"]].values)) == sorted(product(EXPERIMENTS, range(N_SEEDS)))
    means = table.groupby("experiment")["f1"].mean()
    strategies = means.drop(["original_label", "full_training_set"])
    assert means["original_label"] < strategies.min()
    assert strategies.max() < means["full_training_set"]
    monkeypatch.setenv("ALKIT_RECORDS", str(quick_report.store))
    again = load_study(str(quick_report.folder.parent / "brief.yaml"), seeds=N_SEEDS).results()
    again.to_csv(tmp_path / "results.csv", index=False)
    plots.show(chart := plots.comparison(again))  # as in the notebook, for that lays it out
    plots.save(chart, tmp_path / "comparison")
    for name in ("results.csv", "comparison.svg", "comparison.png"):
        assert (quick_report.folder / name).read_bytes() == (tmp_path / name).read_bytes(), name


def test_pages_load_nothing_from_a_network_and_formulas_need_no_script(quick_report):
    pages = {page.stem: page.read_text(encoding="utf-8") for page in quick_report.folder.glob("*.html")}
    for name, text in pages.items():
        assert loaded_from_elsewhere(text) == [], name
        described = [re.search('alt="([^"]*)"', picture)[1] for picture in re.findall(r"<img\b[^>]*>", text)]
        assert all(len(alt) > 30 for alt in described), name
        assert not any("No description" in alt for alt in described), name
        assert text.count("<table") == text.count('<div class="kit-table" role="group"'), "a table cannot be scrolled"
        assert "<th></th>" not in text, "a heading of nothing"
        prose = re.sub(r"<(pre|script|style)\b.*?</\1>", "", text, flags=re.DOTALL)
        assert "$" not in prose, f"{name} shows a formula as it is typed"
    assert "<math" in pages["06_entropy"]
    # A notebook of charts without pictures would be a report that failed.
    assert all(re.search(r"<img\b[^>]*data:image/png", text) for name, text in pages.items() if name != "index")
