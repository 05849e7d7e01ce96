"""Many runs: in order, in processes, and on a cluster, with the same records."""

from contextlib import nullcontext
from dataclasses import replace

import pytest
from dask.distributed import LocalCluster
from joblib import parallel_config

from alkit import runs as runs_module
from alkit import store
from alkit import study as study_module
from alkit.runs import run_all
from alkit.store import Run
from alkit.study import identity, results

EXPERIMENTS = ("original_label", "random", "entropy", "full_training_set")


def kept(folder):
    """All runs in a folder, apart from what differs between two times of day."""
    runs = {path.stem: store.read(path.stem) for path in folder.glob("*.json")}
    return {
        name: (
            {key: value for key, value in done.record.items() if key not in ("seconds", "day")},
            {key: value.tobytes() for key, value in done.arrays.items()},
        )
        for name, done in runs.items()
    }


@pytest.fixture
def rounds(study):
    return replace(study, n_rounds=2)


@pytest.fixture
def in_order(rounds, digits, tmp_path, monkeypatch):
    """What one run after the other gives; one thread does each, here as in a worker."""
    with monkeypatch.context() as patch:
        patch.setenv("ALKIT_RECORDS", str(tmp_path / "in order"))
        run_all(rounds, digits, EXPERIMENTS)
        return kept(tmp_path / "in order")


def test_runs_in_order_are_those_of_results_and_are_then_read(rounds, digits, records, monkeypatch):
    run_all(rounds, digits, EXPERIMENTS)
    assert len(kept(records)) == 2 * (1 + 2 + 2 + 1)
    monkeypatch.setattr(study_module, "fit", None)
    run_all(rounds, digits, EXPERIMENTS)
    table = results(rounds, digits, EXPERIMENTS, every_round=True)
    assert table["n_train"].tolist() == [60, 70, 80, 70, 80, 1297] * 2


def test_two_processes_give_the_records_of_one_and_finish_what_was_begun(rounds, digits, in_order, records):
    run_all(rounds, digits, ("entropy",), jobs=2)
    begun = {path: path.stat().st_mtime_ns for path in records.glob("*")}
    assert len(begun) == 2 * 2 * (1 + 2)
    run_all(rounds, digits, EXPERIMENTS, jobs=2)
    assert kept(records) == in_order
    assert begun.items() <= {path: path.stat().st_mtime_ns for path in records.glob("*")}.items()


def test_a_dask_cluster_of_two_processes_gives_the_records_of_one(
    rounds, digits, in_order, records, monkeypatch, tmp_path
):
    # A worker that looked for records or kept some itself would do it there.
    elsewhere = {"ALKIT_RECORDS": str(tmp_path / "elsewhere")}
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, env=elsewhere) as cluster:
        run_all(rounds, digits, EXPERIMENTS, cluster=cluster.scheduler_address)
    assert kept(records) == in_order
    assert not (tmp_path / "elsewhere").exists()


def test_a_cluster_that_does_not_answer_is_named(rounds, digits):
    with pytest.raises(OSError, match=r"127\.0\.0\.1:1"):
        run_all(rounds, digits, cluster="tcp://127.0.0.1:1")


def test_what_cannot_run_in_other_processes_is_refused(study, digits):
    with pytest.raises(ValueError, match="jobs is 0; give at least 1"):
        run_all(study, digits, jobs=0)
    with pytest.raises(ValueError, match="mine cannot run in other processes"):
        run_all(study, digits, ("random", "mine"), jobs=2)


def test_base_models_come_first_then_the_longest_run(study, digits, monkeypatch):
    waves = []

    def in_waves(calls):
        tasks = [arguments[2] for _, arguments, _ in calls]
        waves.append([experiment for experiment, *_ in tasks])
        return [(task, Run({"identity": identity(study, digits, *task)}, {})) for task in tasks]

    monkeypatch.setattr("alkit.runs._on", lambda *_: nullcontext(in_waves))
    run_all(study, digits, ("original_label", "random", "full_training_set"), jobs=4)
    assert waves == [["original_label"] * 2, ["full_training_set"] * 2 + ["random"] * 2]


def test_a_worker_unlike_this_machine_is_named_and_its_run_kept_as_what_it_is(study, digits, records, monkeypatch):
    def elsewhere(study, dataset, task, base):
        task, done = compute(study, dataset, task, base)
        return task, replace(done, record=done.record | {"precision": "fp64", "identity": {"precision": "fp64"}})

    compute = runs_module._compute
    monkeypatch.setattr(runs_module, "_compute", elsewhere)
    with (
        parallel_config("threading"),
        pytest.raises(ValueError, match="A worker ran on cpu in fp64, unlike this machine"),
    ):
        run_all(replace(study, seeds=(0,)), digits, ("original_label",), jobs=2)
    assert list(kept(records)) == [store.key({"precision": "fp64"})]
