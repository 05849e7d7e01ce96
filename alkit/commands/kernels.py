"""Kernels for the notebooks of a report: nothing of the user's set-up reaches them, and on Linux they start at once."""

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import forkserver, get_context, parent_process
from tempfile import TemporaryDirectory
from threading import Thread
from typing import ClassVar
from unittest.mock import patch
from weakref import WeakSet

import joblib
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.provisioning import LocalProvisioner

# To import these takes longer than most notebooks do: once, in the process that kernels are forked from.
PRELOADED = ["alkit.profiles", "alkit.runs", "alkit.search", "alkit.commands.kernels", "ipykernel.kernelapp"]
PRELOADED += ["ipywidgets", "matplotlib.pyplot", "scipy.stats", "seaborn", "sklearn.manifold", "sklearn.neighbors"]
# A backend that draws no pictures, start-up files, warnings as errors: meant for other programs, they spoil a report.
UNWANTED = ("MPLBACKEND", "PYTHONSTARTUP", "PYTHONWARNINGS", "IPYTHON", "JUPYTER_")
AT_ONCE = 4  # kernels, each of which may need a gigabyte


class Kernels(AsyncKernelManager):
    """What papermill starts kernels with: of this Python, whatever others there are, in an environment of their own."""

    forked = sys.platform == "linux"
    started: ClassVar[WeakSet] = WeakSet()
    kernel_spec = property(lambda self: KernelSpec(**get_kernel_dict()))

    @classmethod
    def prepare(cls, at_once: int) -> None:
        """Share the cores among so many kernels; where these are forked, let another process import what they need."""
        cores = max(1, joblib.cpu_count() // at_once)
        sys.modules.setdefault("rfc3987_syntax", None)  # with it jsonschema would compile a grammar that nobody needs
        cls.variables = {name: value for name, value in os.environ.items() if not name.startswith(UNWANTED)}
        cls.variables |= {"MPLBACKEND": "module://matplotlib_inline.backend_inline", "LOKY_MAX_CPU_COUNT": str(cores)}
        cls.variables.setdefault("TQDM_MININTERVAL", "10")  # a line now and then, for a log cannot show bars
        if cls.forked:
            forkserver.set_forkserver_preload(PRELOADED)
            with patch.dict(os.environ, cls.variables, clear=True), patch("sys.warnoptions", []):
                forkserver.ensure_running()

    @classmethod
    def kill(cls) -> None:
        """End the kernels that still run; whoever waits for one is told that it died."""
        for kernel in list(cls.started):
            # There is none before it has started, and once it has ended.
            if kernel.provisioner and (process := kernel.provisioner.process):
                process.kill()

    @classmethod
    @contextmanager
    def working(cls, at_once: int, work: Callable, given: Iterable) -> Iterator[list[Future]]:
        """Begin work on each that is given, so many at once; at an error, or Ctrl+C, the kernels end with it."""
        with ThreadPoolExecutor(at_once) as threads:
            waiting = [threads.submit(work, each) for each in given]
            try:
                yield waiting
            finally:
                threads.shutdown(wait=False, cancel_futures=True)
                while any(each.running() for each in waiting):
                    cls.kill()
                    time.sleep(0.1)

    async def start_kernel(self, **options):
        self.started.add(self)
        self.provisioner = _ForkedKernel(parent=self, kernel_spec=self.kernel_spec) if self.forked else None
        self.profile = TemporaryDirectory(ignore_cleanup_errors=True)
        if self.forked and len(self.profile.name) < 80:  # a port another program may take before the kernel does
            self.transport, self.ip = "ipc", f"{self.profile.name}/kernel"
            self.connection_file = f"{self.ip}.json"
        await super().start_kernel(env=self.variables | {"IPYTHONDIR": self.profile.name}, **options)


class _ForkedKernel(LocalProvisioner):
    async def launch_kernel(self, cmd, **options):
        given = cmd[cmd.index("-f") :], options["env"], options.get("cwd") or os.getcwd()  # noqa: PTH109
        process = get_context("forkserver").Process(target=_run, args=given)
        process.start()
        # What jupyter_client asks of a process.
        process.stdin = process.stdout = process.stderr = None
        process.wait, process.poll = process.join, lambda: process.exitcode
        process.send_signal = lambda number: os.kill(process.pid, number)
        self.process = process
        return self.connection_info


def _run(arguments: list[str], variables: dict[str, str], folder: str) -> None:
    from ipykernel.kernelapp import IPKernelApp

    os.setsid()  # Ctrl+C is for the report
    os.environ |= variables
    os.chdir(folder)
    sys.path[0] = folder
    Thread(target=lambda: os._exit(parent_process().join() or 1), daemon=True).start()  # not to outlive the report
    IPKernelApp.launch_instance(arguments)
