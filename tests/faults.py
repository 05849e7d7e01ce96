"""What the kit does when something goes wrong: `make faults`, an hour and more on two cores of Linux; no test.

As described is: a sentence that says what to do, nothing half-written that counts, nothing finished that is done again,
no process left behind, and from the same command once more what it gives without the fault.
"""

import argparse
import ctypes
import hashlib
import io
import json
import os
import pickle
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections import Counter
from contextlib import closing, suppress
from functools import cache, partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import psutil

from alkit import ROOT, records

COMMANDS = {
    "quick": "report --profile quick --output {0}",
    "tiny": "report --profile tests/tiny.yaml --jobs 1 --output {0}",
    "cifar10": "report --profile tests/tiny.yaml --data cifar10 --output {0}",
    "tune": "tune --profile tests/tiny.yaml --trials 10 --fidelity 0.5 --experiments original_label random "
    "--output {0}/found.yaml",
}
OF_THE_HOUR = ["seconds", "day", "versions", "run_on"]
PATIENCE = 60  # seconds until all processes are gone: one that is importing notices nothing before that is done
DIED = r"^alkit report: (\d\d_\w+\.ipynb, cell \d+ \(.+\): .+|A process that did runs .+); was there memory left\?"
LIBC = ctypes.CDLL(None)


class Place:
    """A folder with records, data and output of its own, and the commands that run there."""

    def __init__(self, folder):
        self.folder, own = folder, Path(tempfile.mkdtemp(dir=folder))
        self.records, self.data, self.output, self.log = (own / name for name in ("records", "data", "out", "log"))
        for path in (self.records, self.data, self.output):
            path.mkdir()

    def start(self, *command, **variables):
        if command[0] in COMMANDS:
            command = ["-m", "alkit", *(word.format(self.output) for word in COMMANDS[command[0]].split())]
        variables = {"PYTHONPATH": ROOT, "ALKIT_RECORDS": self.records, "ALKIT_DATA": self.data} | variables
        options = {"cwd": ROOT, "env": os.environ | {name: str(value) for name, value in variables.items()}}
        # Root may write everywhere, unless it gives up the first capability, by 24 of what prctl does.
        options |= {"stderr": subprocess.STDOUT, "preexec_fn": lambda: LIBC.prctl(24, 1)}
        with self.log.open("w") as log:
            return subprocess.Popen([sys.executable, *command], stdout=log, **options)

    def ends(self, *command, **expected):
        return self.wrong(self.start(*command).wait(3600), **expected)

    def wrong(self, code, says="", codes=(0,)):
        """What is wrong with how a command ended: with a traceback, another exit status, or without some words."""
        text = self.log.read_text(errors="replace")
        said = re.findall(r"^ *((?:alkit \w+|\w+Error): .+)", text, re.MULTILINE)[-1:] or [text[-500:]]
        right = code in codes and re.search(says, said[0]) and "Traceback" not in text
        return "" if right else f"{code}: {text[text.find('Traceback') :] if 'Traceback' in text else said[0]} "

    def goes_on(self, command, before):
        """What is wrong with the same command again, which is to end as if nothing had happened."""
        return self.ends(command) or self.damage(before) or self.differs(command)

    def processes(self):
        """All that was started here, also where its parent is gone."""
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get("ALKIT_RECORDS") == str(self.records):
                    yield process

    def finished(self):
        """The files of finished runs: when they were written, and how large they are."""
        paths = [path.with_suffix(kind) for path in self.records.glob("*.json") for kind in (".json", ".npz")]
        return {(path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in paths}

    def damage(self, before=frozenset()):
        """What is wrong with processes and files after a stop, given what was finished before."""
        for _ in range(PATIENCE):
            if not (left := list(self.processes())):
                break
            time.sleep(1)
        for process in left:
            process.kill()
        torn = [path.name for path in self.records.glob("*.json") if not records.read(path.stem, self.records)]
        found = {"still there": left, "torn": torn, "done again": before - self.finished()}
        return "".join(f"{name}: {what} " for name, what in found.items() if what)

    def outcome(self):
        """What records, tables and charts say, but for times."""
        found = {path.name: path.read_text() for path in self.output.glob("*.*") if path.suffix in (".svg", ".yaml")}
        for path in self.output.glob("*.csv"):
            found[path.name] = pd.read_csv(path).drop(columns=OF_THE_HOUR, errors="ignore").to_csv()
        for path in self.records.glob("*.json"):
            done = {"trials": [], **records.read(path.stem, self.records)}
            done["trials"] = [trial | {"seconds": 0} for trial in done["trials"]]
            values = {name: value for name, value in done.items() if name not in OF_THE_HOUR}
            found[path.name] = pickle.dumps([v.tobytes() if isinstance(v, np.ndarray) else v for v in values.values()])
        return found

    def differs(self, command):
        found, wanted = self.outcome(), uninterrupted(self.folder, command)[0].outcome()
        names = [name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name)]
        return f"other than without any fault: {names} " if names else ""


@cache
def uninterrupted(folder, command):
    """A place where a command met no fault, and the seconds it took."""
    place, start = Place(folder), time.monotonic()
    if problem := place.ends(command):
        sys.exit(f"{command}, without any fault: {problem}")
    return place, time.monotonic() - start


def killed(folder, kills, dice, command, fifth=False):
    """Kill a command at random moments, go on with it, and compare what it ends with; anew until that was enough."""
    (_, seconds), place = uninterrupted(folder, command), None
    while kills or place:
        place, before = (place, place.finished()) if place else (Place(folder), set())
        process, hit = place.start(command), ""
        with suppress(subprocess.TimeoutExpired):
            # Squared, for after its runs a report needs less than half of the time.
            process.wait(seconds * dice.random() ** 2 if kills else 3600)
        while process.poll() is None and not hit:
            # A fifth hits what a report has started, as the system does where memory runs out.
            victims = workers(place) if fifth and kills % 5 == 0 else [process]
            with suppress(psutil.Error, IndexError):
                (victim := dice.choice(victims)).kill()
                hit = "killed" if victim is process else "worker killed"
        code, kills = process.wait(3600), kills - bool(hit)
        problem, expected = place.damage(before), {"codes": (0, -signal.SIGKILL) if hit == "killed" else (0,)}
        if hit == "worker killed" and code:
            expected = {"codes": (1,), "says": DIED}
        problem += place.wrong(code, **expected)
        yield hit or "ended the same", problem if hit or problem else place.differs(command)
        place = place if hit else None


def workers(place):
    """Kernels, which are in a session of their own, and the processes of joblib."""
    found = []
    for process in place.processes():
        with suppress(psutil.Error, OSError):
            if os.getsid(process.pid) == process.pid or "LokyProcess" in " ".join(process.cmdline()):
                found.append(process)
    return found


def clock_set_back(folder, times, dice):
    """By a day, in the middle of a search: what is done then seems to be of tomorrow."""
    for _ in range(times):
        place, done, wanted, tomorrow = Place(folder), 0, dice.randrange(1, 20), time.time() + 86400
        process, database = place.start("tune"), place.records / "search.db"
        while process.poll() is None and done < wanted:
            time.sleep(0.1)
            with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as trials:
                (done,) = trials.execute("SELECT COUNT(*) FROM trials WHERE state IN ('COMPLETE', 'PRUNED')").fetchone()
        process.kill()
        code = process.wait()
        with closing(sqlite3.connect(database)) as trials, trials:
            for column in ("datetime_start", "datetime_complete"):
                trials.execute(f"UPDATE trials SET {column} = strftime('%Y-%m-%d %H:%M:%f000', {column}, '+1 day')")
        for path in place.records.glob("*.*"):
            os.utime(path, (tomorrow, tomorrow))
        yield "search", place.wrong(code, codes=(0, -signal.SIGKILL)) + place.goes_on("tune", place.finished())


def four_at_once(folder, times, dice):
    """Four reports that share their records."""
    for _ in range(times):
        places = [Place(folder) for _ in range(4)]
        for place in places:
            place.records = places[0].records
        reports = [place.start("tiny") for place in places]
        for code, place in [(report.wait(3600), place) for report, place in zip(reports, places, strict=True)]:
            yield "report", place.wrong(code) + place.damage() + place.differs("tiny")


def read_only(folder, times, dice):
    for name, remedy in {"records": "ALKIT_RECORDS", "output": "--output", "data": "ALKIT_DATA"}.items():
        place = Place(folder)
        getattr(place, name).chmod(0o555)
        problem = place.ends("cifar10" if name == "data" else "tiny", says=remedy, codes=(2,))
        yield name, problem + place.damage()


def full_disks(folder, times, dice):
    """A disk fills up while records, a search or pages are written to it; then there is room."""
    for on, command, most in [("records", "tiny", 1200), ("output", "tiny", 5000), ("records", "tune", 200)] * times:
        place = Place(folder)
        if on == "output":
            shutil.copytree(uninterrupted(folder, command)[0].records, place.records, dirs_exist_ok=True)
        disk, size = getattr(place, on), dice.randrange(20, most)
        if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", disk]).returncode:
            yield "left out, for no small disk can be mounted", ""
            return
        try:
            # Of a notebook its cell is named; of all else there is a remedy.
            sentence = r"cell \d+ .*(No space|full)|(No space|full).*(--output|ALKIT_RECORDS)"
            problem = place.ends(command, codes=(1, 2), says=sentence)
            problem, before = problem + place.damage(), place.finished()
            subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
            yield f"{command}, {on}", problem + place.goes_on(command, before)
        finally:
            subprocess.run(["umount", "--lazy", disk], check=True)


CIFAR10 = """
import hashlib, json, os, signal, socket, sys
import numpy as np
from torchvision.datasets import CIFAR10
for name, value in json.loads(sys.argv[1]).items():
    setattr(CIFAR10, name, value)
wait, socket.setdefaulttimeout = socket.setdefaulttimeout, lambda seconds: wait(seconds and 1)
def half(path, **arrays):
    path.write_bytes(b"PK")
    os.kill(os.getpid(), signal.SIGKILL)
np.savez = half if sys.argv[2] == "killed while converting" else np.savez
import alkit
try:
    both = (data := alkit.load("cifar10")).train + data.test
except (OSError, ValueError) as error:
    sys.exit(f"{type(error).__name__}: {error}")
print("Error:", hashlib.sha256(both.images.tobytes() + both.labels.tobytes()).hexdigest())
"""


def small_cifar10():
    """An archive like that of CIFAR-10, what torchvision is to take for its sums, and a digest of its arrays."""
    packed, md5, rows = io.BytesIO(), {}, np.random.default_rng(0).integers(0, 256, (6, 200, 3072), np.uint8)
    names, labels = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"], [n % 10 for n in range(200)]
    contents = {name: {"data": data, "labels": labels} for name, data in zip(names, rows, strict=True)}
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in (contents | {"batches.meta": {"label_names": list("0123456789")}}).items():
            entry, text = tarfile.TarInfo(f"cifar-10-batches-py/{name}"), pickle.dumps(content, protocol=2)
            entry.size, md5[name] = len(text), hashlib.md5(text).hexdigest()
            archive.addfile(entry, io.BytesIO(text))
    sums = {"train_list": list(md5.items())[:5], "test_list": list(md5.items())[5:6]}
    sums["meta"] = {"filename": "batches.meta", "key": "label_names", "md5": md5["batches.meta"]}
    sums["tgz_md5"] = hashlib.md5(packed.getvalue()).hexdigest()
    arrays = rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1).tobytes() + np.array(labels * 6).tobytes()
    return packed.getvalue(), json.dumps(sums), hashlib.sha256(arrays).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Serves the file of its server in about two seconds, up to where it is to be cut, and is silent then if told."""

    def do_GET(self):
        self.server.asked.set()
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.content)))
        self.end_headers()
        for start in range(0, self.server.upto, 2**16):
            with suppress(OSError):
                self.wfile.write(self.server.content[start : min(start + 2**16, self.server.upto)])
                time.sleep(2**17 / len(self.server.content))
        time.sleep(self.server.silence)

    def log_message(self, *arguments):
        pass


def downloads(folder, times, dice):
    """Cut connections and killed clients in turn, then once each what else can happen."""
    (content, sums, digest), server = small_cifar10(), ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    rare = ["wrong byte", "silence", "closed port", "killed while converting"] if times else []
    for kind in ["connection cut", "killed"] * (times // 2) + rare:
        place, wrong, server.asked = Place(folder), bytearray(content), threading.Event()
        wrong[dice.randrange(len(content))] ^= 1
        server.content = bytes(wrong) if kind == "wrong byte" else content
        server.upto = dice.randrange(len(content)) if kind in ("connection cut", "silence") else len(content)
        server.silence = 5 * (kind == "silence")
        url = f"http://127.0.0.1:{1 if kind == 'closed port' else server.server_port}/cifar-10-python.tar.gz"
        process = place.start("-c", CIFAR10, sums, kind, CIFAR10_URL=url)
        if kind == "killed":
            server.asked.wait(600)
            time.sleep(3 * dice.random())
            process.kill()
        code, expected = process.wait(600), {"codes": (1,), "says": f"^ConnectionError: .*{url}.*CIFAR10_URL"}
        if "killed" in kind:
            expected = {"codes": (0, -signal.SIGKILL)}
        problem = place.wrong(code, **expected) + place.damage()
        if code == 1 and (left := [path.name for path in place.data.iterdir()]):
            problem += f"left: {left} "
        server.content, server.upto, server.silence = content, len(content), 0
        url = f"http://127.0.0.1:{server.server_port}/cifar-10-python.tar.gz"
        yield kind, problem + place.wrong(place.start("-c", CIFAR10, sums, "", CIFAR10_URL=url).wait(600), digest)


# The quick ones first.
FAULTS = {
    "downloads": (downloads, 20), "readonly": (read_only, 1), "clocks": (clock_set_back, 3), "four": (four_at_once, 1),
    "disks": (full_disks, 2), "searches": (partial(killed, command="tune"), 20),
    "kills": (partial(killed, command="quick", fifth=True), 50),
}  # fmt: skip


def main():
    """Print a row a fault as it is done; what is not as described is named on the way."""
    parser, wrong = argparse.ArgumentParser(description=__doc__.split(":")[0]), 0
    for name, (_, times) in FAULTS.items():
        parser.add_argument(f"--{name}", type=int, default=times, metavar="N", help=f"how many times ({times})")
    parser.add_argument("--seed", type=int, default=random.randrange(1000), help="of the random moments")
    options = vars(parser.parse_args())
    print(f"seed {options['seed']}\n| fault | times | what happened | as described |\n|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory(prefix="faults ") as folder:
        for name in [name for name in FAULTS if options[name]]:
            happened, problems = Counter(), 0
            try:
                for what, problem in FAULTS[name][0](Path(folder), options[name], random.Random(options["seed"])):
                    happened[what], problems = happened[what] + 1, problems + bool(problem)
                    print(f"{name}, {what}: {problem or 'as described'}", file=sys.stderr, flush=True)
            finally:  # also of what was stopped
                said = ", ".join(f"{number} {what}" for what, number in happened.items())
                described = f"no, {problems} times" if problems else "yes"
                print(f"| {name} | {happened.total()} | {said} | {described} |", flush=True)
            wrong += problems
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
