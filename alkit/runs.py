"""Many runs of a study at once: in processes of this machine, or on the workers of a cluster."""

import io
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, redirect_stdout
from threading import Thread

import joblib
import psutil
import torch
from joblib import Parallel, delayed, parallel_config

from alkit import records
from alkit.study import EXPERIMENTS, Experiment, Study, is_strategy, train_and_test
from alkit.training import choose_device, progress_bar, work_of_one

WORTH = 1e10  # weights times pixels times images: about a minute of one core, many times what processes take to start


def run_all(
    study: Study, experiments: tuple[Experiment, ...] = EXPERIMENTS, *,
    jobs: int | None = None, cluster: str | None = None, say: Callable[[str], None] = lambda text: None,
) -> None:  # fmt: skip
    """Do every run of a study that was not done before; each is recorded as it ends.

    `jobs` runs at a time, each in a process of this machine, on its GPUs in turn; -1 is one for each processor core.
    Unless given, one for each GPU, and on a CPU one for each core if the work is worth the start of processes.
    `cluster`: the address of a dask scheduler, such as "tcp://10.0.0.1:8786"; its workers need the kit, but neither the
    data nor a store, and run on what device they have unless the study names one. `say` is told how many runs there are
    to do, and then how long they take. Raises ValueError for 0 jobs, ModuleNotFoundError or OSError for no cluster.
    """
    if jobs is not None and jobs < 1 and jobs != -1:
        raise ValueError(f"jobs is {jobs}; give at least 1, or -1 for one each core.")
    wanted = [(name, seed) for name in experiments for seed in study.seeds]
    # What others wait for comes first; then the longest, which would leave the other processes idle.
    bases = [("original_label", seed) for name, seed in wanted if name != "full_training_set"]
    rest = sorted((run for run in wanted if run[0] != "original_label"), key=lambda run: run[0] != "full_training_set")
    waves = [[run for run in dict.fromkeys(wave) if not study.is_done(*run)] for wave in (bases, rest)]
    works = {run: _work(study, run[0]) for wave in waves for run in wave}
    if not works:
        return
    if not study.dataset.trains:
        study.run(*next(iter(works)))  # which says what is missing
    records.check()
    if jobs is None:
        on_gpu, worth = choose_device(study.device).type != "cpu", sum(works.values()) > WORTH
        jobs = max(1, torch.cuda.device_count()) if on_gpu else -1 if worth else 1
    jobs = joblib.cpu_count() if jobs == -1 else jobs
    say(f"{len(works)} runs to do, {f'on {cluster}' if cluster else f'{jobs} at a time'}.")
    n_gpus = 0 if cluster else torch.cuda.device_count()
    with progress_bar(len(works), "runs", unit="run") as bar, _on(cluster, jobs, study) as parallel:
        for wave in waves:
            # Read once for all strategies that share a base model; nothing is where none is queried.
            asked = {seed: study.run("original_label", seed) for seed in {s for name, s in wave if is_strategy(name)}}
            calls = []
            for number, (name, seed) in enumerate(wave):
                device = f"cuda:{number % n_gpus}" if n_gpus > 1 and study.device in ("auto", "cuda") else ""
                base = asked[seed] if is_strategy(name) else None
                calls.append(delayed(_quietly)(number, study, name, seed, base, device))
            for number, done in parallel(calls):
                study.once(study.config(*(run := wave[number])), lambda done=done: done)
                bar.update()
                if bar.n == 1 < len(works):
                    at_once = joblib.effective_n_jobs(-1) if cluster else jobs
                    minutes = done["seconds"] * (sum(works.values()) / works[run] - 1) / at_once / 60
                    bar.clear()
                    say(f"The first took {done['seconds']:.0f} s; about {max(minutes, 1):.0f} min to go.")


def _quietly(number: int, *run) -> tuple[int, dict]:
    """A run without its bar, and its number, for a strategy comes back from a process as a copy without a text."""
    with redirect_stdout(io.StringIO()):
        return number, train_and_test(*run)


def _end_with(parent: int) -> None:
    """End this process soon after its parent was killed: a worker would wait, perhaps for ever, for more to do."""

    def watch() -> None:
        while os.getppid() == parent and psutil.pid_exists(parent):  # Windows gives its number for ever
            time.sleep(1)
        os._exit(1)

    Thread(target=watch, daemon=True).start()


def _work(study: Study, experiment: Experiment) -> float:
    """About what a run computes: weights of a layer, times pixels, times images that are trained on."""
    images = {"original_label": study.n_labelled, "full_training_set": len(study.dataset.train)}
    n_train = images.get(experiment, (study.n_labelled + study.n_query * (study.n_rounds + 1) / 2) * study.n_rounds)
    recipe = study.recipe(experiment)
    return n_train * recipe.epochs * work_of_one(study.test.inputs, recipe.width)


@contextmanager
def _on(cluster: str | None, jobs: int, study: Study) -> Iterator[Parallel]:
    if cluster is None:
        try:
            own = {"initializer": _end_with, "initargs": (os.getpid(),)}
            with Parallel(jobs, return_as="generator_unordered", **own) as parallel:
                yield parallel
        except BrokenProcessPool as error:
            problem = "A process that did runs was ended from outside; was there memory left?"
            raise RuntimeError(f"{problem} Fewer jobs at a time take less; finished runs are kept.") from error
        return
    try:
        from dask.distributed import Client
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError('cluster needs dask; install it with: pip install "dask[distributed]"') from error
    # The study and its data are sent once, not with every run.
    with (
        Client(cluster, timeout=10),
        parallel_config("dask", n_jobs=-1, scatter=[study]),
        Parallel(return_as="generator_unordered") as parallel,
    ):
        yield parallel
