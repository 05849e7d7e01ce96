"""Many runs: in order, in processes, and on a cluster, with the same records."""

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from dataclasses import replace

import dask
import numpy as np
import psutil
import pytest
import torch
from conftest import TINY, in_a_cell
from dask.distributed import Client, LocalCluster
from distributed.utils import get_mp_context
from joblib import delayed, parallel_config

from alkit import runs
from alkit.records import read
from alkit.runs import _on, run_all
from alkit.study import EXPERIMENTS

# As a notebook defines it: other processes cannot import it.
MINE = """
OFFSET = 3

def farther(n):
    return n + OFFSET

def mine(pool, n_query, generator):
    \"\"\"Looks at everything there is.\"\"\"
    nearest = np.linalg.norm(pool.features[:, None] - pool.labelled_features[None, ::20], axis=2).min(axis=1)
    return farther(np.sort(np.argsort(-nearest, kind="stable")[:n_query]) % (len(pool) - OFFSET))
"""
mine = in_a_cell(MINE).mine
WANTED = ("original_label", "random", "entropy", "full_training_set", mine)


def kept(folder):
    """All runs in a folder, apart from what differs between two times of day."""
    found = {path.stem: read(path.stem, folder) for path in folder.glob("*.json")}
    return {
        name: {
            key: value.tobytes() if isinstance(value, np.ndarray) else value
            for key, value in done.items()
            if key not in ("seconds", "day")
        }
        for name, done in found.items()
    }


@pytest.fixture(scope="module")
def rounds(study):
    return replace(study, n_rounds=2)


@pytest.fixture(scope="module")
def in_order(rounds, tmp_path_factory):
    """What one run after the other gives."""
    folder = tmp_path_factory.mktemp("in order")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALKIT_RECORDS", str(folder))
        for seed in rounds.seeds:
            for name in WANTED:
                rounds.run(name, seed)
    return kept(folder)


@pytest.mark.xdist_group("processes")
def test_two_processes_give_the_records_of_one_and_finish_what_was_begun(rounds, in_order, records):
    run_all(rounds, (mine,), jobs=2)
    begun = {path: path.stat().st_mtime_ns for path in records.glob("*")}
    assert len(begun) == 2 * 2 * 2
    run_all(rounds, WANTED, jobs=2)
    assert kept(records) == in_order
    assert begun.items() <= {path: path.stat().st_mtime_ns for path in records.glob("*")}.items()


def forked():
    """Where it can be, workers come from a process that has imported the kit, which takes most of their time."""
    if sys.platform != "linux":
        return nullcontext()
    method = dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"})
    get_mp_context().set_forkserver_preload(["distributed", "alkit.runs"])
    return method


@pytest.mark.xdist_group("processes")
def test_a_dask_cluster_of_two_processes_gives_the_records_of_one(rounds, in_order, records, tmp_path):
    # A worker that looked for records or kept some itself would do it there.
    elsewhere = {"ALKIT_RECORDS": str(tmp_path / "elsewhere")}
    with forked(), LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, env=elsewhere) as cluster:
        run_all(rounds, WANTED, cluster=cluster.scheduler_address)
    assert kept(records) == in_order
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.xdist_group("processes")
def test_runs_in_this_process_are_the_same_and_are_then_read(rounds, in_order, records):
    run_all(rounds, WANTED)
    assert kept(records) == in_order
    before = {path: path.stat().st_mtime_ns for path in records.glob("*")}
    said = []
    run_all(rounds, WANTED, say=said.append)
    table = rounds.results(WANTED, every_round=True)
    assert table["n_train"].tolist() == [60, 70, 80, 70, 80, 1297, 70, 80] * 2
    assert {path: path.stat().st_mtime_ns for path in records.glob("*")} == before
    assert said == []


def test_what_cannot_be_is_refused(study, monkeypatch, records):
    with monkeypatch.context() as patch, pytest.raises(OSError, match=r"127\.0\.0\.1:1"):
        patch.setattr("dask.distributed.Client", lambda address, timeout: Client(address, timeout=0.1))  # less patient
        run_all(study, cluster="tcp://127.0.0.1:1")
    records.rmdir()
    records.write_text("a file where the folder should be")
    with pytest.raises(OSError, match="ALKIT_RECORDS"):
        run_all(study, jobs=2)
    # As where dask is not installed.
    monkeypatch.setitem(sys.modules, "dask.distributed", None)
    records.unlink()
    with pytest.raises(ModuleNotFoundError, match="pip install"):
        run_all(study, cluster="tcp://127.0.0.1:1")


KILLED = """
import sys
from dataclasses import replace
from alkit.profiles import load_study
from alkit.runs import run_all

run_all(replace(load_study(sys.argv[1]), n_rounds=2), tuple(sys.argv[2:]), jobs=2)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no kill -9")
def test_a_process_that_is_killed_leaves_no_other_and_what_it_has_finished(rounds, in_order, records):
    asker = subprocess.Popen([sys.executable, "-c", KILLED, str(TINY), *WANTED[:-1]])
    while asker.poll() is None and not list(records.glob("*.json")):
        time.sleep(0.01)
    workers = psutil.Process(asker.pid).children(recursive=True)
    asker.kill()
    asker.wait(60)
    assert psutil.wait_procs(workers, 20)[1] == []
    begun = {path: path.stat().st_mtime_ns for path in records.glob("*.json")}
    run_all(rounds, WANTED)
    assert kept(records) == in_order
    assert begun
    assert begun.items() <= {path: path.stat().st_mtime_ns for path in records.glob("*")}.items()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no kill -9")
def test_of_a_worker_that_is_killed_it_is_said():
    with pytest.raises(RuntimeError, match=r"was there memory left\?"), _on(None, 2, None) as parallel:
        list(parallel(delayed(signal.raise_signal)(signal.SIGKILL) for _ in range(2)))


# How runs are handed out: trained by nobody, done in threads of this process.


@pytest.fixture
def handed_out(monkeypatch):
    """Experiment, seed and device of each run in the order they were handed out; what it gives names its device."""
    order = []

    def trained(study, experiment, seed, base=None, device=""):
        order.append((getattr(experiment, "__name__", experiment), seed, device))
        assert (base is not None) == (experiment not in ("original_label", "full_training_set"))
        return {"seconds": 60.0, "device": device or "cuda (NVIDIA H100)", "f1": 0.5, "n_train": 60}

    monkeypatch.setattr(runs, "train_and_test", trained)
    with parallel_config("threading"):
        yield order


def test_base_models_come_first_then_the_longest_runs(study, handed_out):
    run_all(study, ("random", "full_training_set", "entropy", mine), jobs=1)
    names = [name for name, *_ in handed_out]
    assert names[:4] == ["original_label"] * 2 + ["full_training_set"] * 2
    assert sorted(names[4:]) == ["entropy", "entropy", "mine", "mine", "random", "random"]
    assert len(set(handed_out)) == len(handed_out)


def test_the_number_of_runs_is_said_first_and_after_the_first_how_long_it_will_take(study, handed_out):
    said = []
    run_all(study, EXPERIMENTS, jobs=2, say=lambda text: said.append((text, len(handed_out))))
    (first, handed_out_before), (second, _) = said
    assert handed_out_before == 0
    assert re.findall(r"\d+", first) == ["12", "2"]
    seconds, minutes = map(int, re.findall(r"\d+", second))
    # A base model took a minute for 60 images; ten others have 80 or 1,297, and another base model its 60.
    assert seconds == 60
    assert minutes == round((8 * 80 + 2 * 1297 + 60) / 60 / 2)


def test_both_gpus_are_used_by_whatever_waits_for_no_other(study, handed_out, monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    run_all(replace(study, device="auto"), jobs=2)
    devices = [device for *_, device in handed_out]
    assert set(devices[:2]) == {"cuda:0", "cuda:1"}
    assert (devices.count("cuda:0"), devices.count("cuda:1")) == (6, 6)


def test_one_run_for_each_gpu_unless_told_otherwise_and_a_named_device_is_obeyed(study, handed_out, monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr(runs, "choose_device", lambda name: torch.device("cuda" if name == "auto" else name))
    said = []
    run_all(replace(study, device="auto"), ("original_label",), say=said.append)
    assert "2 at a time" in said[0]
    handed_out.clear()
    run_all(study, ("original_label",), say=said.append)
    assert {device for *_, device in handed_out} == {""}
    assert "1 at a time" in said[2]


def test_a_worker_may_have_another_device_and_the_record_says_which(study, handed_out):
    # This machine may have no GPU: what is asked for is "auto", and its name is the same wherever it was done.
    study = replace(study, device="auto", seeds=(0,))
    run_all(study, ("original_label", "random"), jobs=2)
    assert study.run("random", 0)["device"] == "cuda (NVIDIA H100)"
    assert "device" not in study.run("random", 0)["config"]


@pytest.mark.parametrize(("cores", "epochs", "at_a_time"), [(2, 2, 1), (4, 2000, 4), (1, 2000, 1)])
def test_only_work_that_is_worth_it_goes_to_several_processes(study, handed_out, monkeypatch, cores, epochs, at_a_time):
    monkeypatch.setattr("joblib.cpu_count", lambda: cores)
    said, recipes = [], {name: replace(recipe, epochs=epochs) for name, recipe in study.recipes.items()}
    run_all(replace(study, recipes=recipes), say=said.append)
    assert f"{at_a_time} at a time" in said[0]
