"""All runs of a study, several at a time: in processes of this machine, or on a cluster."""

import io
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

from joblib import Parallel, delayed, parallel_config

from alkit import store
from alkit.data import Dataset
from alkit.store import Run
from alkit.study import EXPERIMENTS, Study, before, compute, identity, recorded, rounds, run
from alkit.training import progress_bar

Task = tuple[str, int, int | None]  # experiment, seed, round


def run_all(
    study: Study,
    dataset: Dataset,
    experiments: tuple[str, ...] = EXPERIMENTS,
    *,
    jobs: int = 1,
    cluster: str | None = None,
) -> None:
    """Do every run of a study that was not done before; each is recorded as it ends.

    `jobs` runs at a time, each in a process of this machine; -1 is one for each processor core. `cluster` is the
    address of a dask scheduler, such as "tcp://10.0.0.1:8786". Its workers need the kit, but neither the data nor a
    store: both stay here. Start each with one thread (`dask worker --nthreads 1`), for each thread takes a run.
    Raises ModuleNotFoundError without dask, OSError if no scheduler answers at that address, and ValueError for 0 jobs,
    for a sampler of your own, which other processes do not know, and for a worker whose device or precision is another.
    """
    if jobs == 0:
        raise ValueError("jobs is 0; give at least 1, or -1 for one each core.")
    own = sorted(set(experiments) - set(EXPERIMENTS))
    if own and (jobs != 1 or cluster):
        raise ValueError(f"{', '.join(own)} cannot run in other processes; leave out jobs and cluster.")
    names = {}
    for task in (
        (name, seed, number) for seed in study.seeds for name in experiments for number in rounds(study, name)
    ):
        while task and task not in names:
            names[task] = store.key(identity(study, dataset, *task))
            task = _asked(study, task)
    waiting = [task for task, name in names.items() if recorded(study, name) is None]
    with progress_bar(len(names), "runs", "run", initial=len(names) - len(waiting)) as bar:
        if jobs == 1 and not cluster:
            for task in waiting:
                run(study, dataset, *task)
                bar.update()
            return
        with _on(cluster, jobs, dataset) as parallel:
            while waiting:
                # What others wait for comes first; then the longest, which would leave the other processes idle.
                asked_for = {_asked(study, task) for task in waiting}
                ready = [task for task in waiting if _asked(study, task) not in waiting]
                ready = [task for task in ready if task in asked_for] or ready
                ready.sort(key=lambda task: task[0] != "full_training_set")
                asked = {task: names.get(_asked(study, task)) for task in ready}
                calls = (
                    delayed(_compute)(study, dataset, task, name and store.read(name)) for task, name in asked.items()
                )
                for task, done in parallel(calls):
                    store.write(name := store.key(done.record["identity"]), done)
                    if name != names[task]:
                        raise ValueError(
                            f"A worker ran on {done.record['device']} in {done.record['precision']}, unlike this "
                            "machine, or has another version of the kit; start workers on machines like this one."
                        )
                    waiting.remove(task)
                    bar.update()


def _asked(study: Study, task: Task) -> Task | None:
    """The run whose model a run asks."""
    experiment, seed, number = task
    asked = before(study, experiment, number)
    return asked and (asked[0], seed, asked[1])


def _compute(study: Study, dataset: Dataset, task: Task, base: Run | None) -> tuple[Task, Run]:
    # Many progress bars at once cannot be read.
    with redirect_stdout(io.StringIO()):
        return task, compute(study, dataset, *task, base)


@contextmanager
def _on(cluster: str | None, jobs: int, dataset: Dataset) -> Iterator[Parallel]:
    if cluster is None:
        with Parallel(jobs, return_as="generator_unordered") as parallel:
            yield parallel
        return
    try:
        from dask.distributed import Client
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError('cluster needs dask; install it with: pip install "dask[distributed]"') from error
    # The data set is sent once, not with every run.
    with (
        Client(cluster, timeout=10),
        parallel_config("dask", n_jobs=-1, scatter=[dataset]),
        Parallel(return_as="generator_unordered") as parallel,
    ):
        yield parallel
