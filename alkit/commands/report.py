"""Do a study's runs, execute the notebooks with papermill, and render them as pages with an index page."""

from concurrent.futures import as_completed
from contextlib import chdir
from dataclasses import replace
from pathlib import Path

import joblib

from alkit import ROOT
from alkit.commands.kernels import AT_ONCE, Kernels


def report(
    profile: str = "quick", *, output: Path | None = None, show_code: bool = True, publish: bool = False,
    jobs: int | None = None, cluster: str | None = None, data: str | None = None, **changes,
) -> Path:  # fmt: skip
    """Do all experiments, execute every notebook, and return the index page; runs done before are read.

    output: a folder, reports/<profile> unless given. publish: `publish_report` too. jobs: how many runs and notebooks
    at a time, if not given one for each core and a notebook more. cluster: as for `run_all`; the rest: `load_study`.
    All is checked before the first run. Raises RuntimeError, which names the cell that failed, or what these raise.
    """
    at_once = min(AT_ONCE, joblib.cpu_count() + 1 if jobs in (None, -1) else max(1, jobs))  # for kernels also wait
    # Another process imports what kernels need, while this one imports what itself needs: either takes seconds.
    Kernels.prepare(at_once)
    from alkit import records
    from alkit.commands import pages
    from alkit.commands.execute import execute
    from alkit.commands.publish import PUBLISHED, publish_report
    from alkit.data import check_folds
    from alkit.loading import BUILT_IN, find
    from alkit.profiles import load_study
    from alkit.runs import run_all
    from alkit.strategies import BEYOND
    from alkit.study import EXPERIMENTS
    from alkit.training import choose_device

    # Notebooks run in another folder.
    profile = str(Path(profile).resolve()) if Path(profile).suffix and Path(profile).is_file() else profile
    place = None if data in BUILT_IN else find(data or "")
    data = str(place.resolve()) if place else data
    study = load_study(profile, data=data, **changes)
    check_folds(study.labelled, 2)
    output = Path(output or ROOT / "reports" / study.profile).resolve()
    executed, paths, titles = output / "notebooks", sorted(pages.NOTEBOOKS.glob(pages.ORIGINALS)), {}
    if publish and (study.shipped or records.folder().resolve().is_relative_to(PUBLISHED.resolve())):
        raise ValueError(f"publish writes {PUBLISHED} anew; give a profile and ALKIT_RECORDS that do not read it.")
    if study.dataset.weights and (publish or "weights" in changes):
        raise ValueError("A report from weights has them in its profile, and is not published; leave these out.")
    if executed == pages.NOTEBOOKS.resolve():
        raise ValueError(f"output is {output}, where the notebooks would be overwritten; give another folder.")
    executed.mkdir(parents=True, exist_ok=True)
    on_cpu = choose_device(study.device).type == "cpu"
    # As notebook 10 looks at; begun last, ProbCover would leave a process idle.
    further = replace(study, seeds=study.seeds[:5]), tuple(BEYOND.values())[::-1]
    for given in ((study, EXPERIMENTS), further)[: 1 + study.dataset.trains]:
        run_all(*given, jobs=-1 if jobs is None and on_cpu else jobs, cluster=cluster, say=print)

    def page(path: Path) -> tuple[str, str]:
        notebook = execute(path, executed, {"profile": profile, "output": str(output), "data": data} | changes)
        return path.stem, pages.render(notebook, output / f"{path.stem}.html", show_code, stems=[p.stem for p in paths])

    # The last ones take longest, that with rounds above all; begun last, they would leave the other threads idle.
    order = sorted(reversed(paths), key=lambda path: not path.stem.startswith("11"))
    with chdir(pages.NOTEBOOKS), Kernels.working(at_once, page, order) as waiting:  # a folder common to all threads
        for done in as_completed(waiting):
            titles |= [done.result()]
            print(f"[{len(titles)}/{len(paths)}] {done.result()[0]}.ipynb")
    if publish:
        publish_report(study, output)
    return pages.write_index(dict(sorted(titles.items())), output)
