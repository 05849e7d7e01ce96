"""What the kit finds on this machine, and what to do about what is missing."""

import os
import platform
import re
import shutil
import sys
from importlib import metadata

from alkit import ROOT, __version__


def doctor() -> int:
    """Print versions, device, memory, disk, data sets and a line of advice per problem; 1 if the kit cannot run."""
    problems, advice = [], []
    print(f"alkit {__version__}, python {platform.python_version()} at {sys.executable}")
    if not (3, 11) <= sys.version_info < (3, 14):
        problems.append("Python 3.11 to 3.13 is needed: make the environment with one of them.")
    required = re.findall(r"^[\w-]+", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    installed = {name: _version(name) for name in required if not name.startswith("-")}
    print(", ".join(f"{name} {version}" for name, version in installed.items()))
    missing = [name for name, version in installed.items() if version == "MISSING"]
    if missing:
        problems.append(f"{', '.join(missing)} missing: run `python -m pip install -r requirements.txt`.")
    else:
        _machine(problems, advice)
    print(*(f"PROBLEM: {line}" for line in problems), *(f"Advice: {line}" for line in advice), sep="\n")
    print("The kit cannot run yet." if problems else "The kit can run.")
    return 1 if problems else 0


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "MISSING"


def _machine(problems: list[str], advice: list[str]) -> None:
    try:
        import psutil
        import torch
        from jupyter_client.kernelspec import KernelSpecManager

        from alkit import data, store
        from alkit.training import choose_device, choose_precision
    except (ImportError, OSError) as error:  # a library that a package needs is not there
        problems.append(f"{error}: make the environment anew with `python -m pip install -r requirements.txt`.")
        return
    try:
        device = choose_device()
    except ValueError as error:
        problems.append(f"{error} Then run with --device cpu.")
        device = torch.device("cpu")
    print(f"device: {device.type}, precision {choose_precision(device)}, {torch.get_num_threads()} CPU threads")
    if device.type == "cpu":
        advice.append("no GPU: the report takes minutes with the quick profile, hours for each seed with cifar10.")
    memory = psutil.virtual_memory().available / 1e9
    print(f"memory free: {memory:.1f} GB")
    if memory < 4:
        advice.append(f"{memory:.1f} GB of memory is free: close other programs before you run the cifar10 profile.")
    for name, folder in {"data": data.data_folder(), "records": store.folder()}.items():
        existing = next(path for path in (folder, *folder.parents) if path.exists())
        free = shutil.disk_usage(existing).free / 1e9
        print(f"{name}: {folder}, {free:.1f} GB of disk free")
        if not os.access(existing, os.W_OK):
            problems.append(f"{existing} cannot be written: set ALKIT_{name.upper()} to a folder of yours.")
        elif free < 1:
            advice.append(f"{free:.1f} GB of disk is free for {folder}: the cifar10 profile needs 1.")
    archives = sorted(path.name for path in data.data_folder().glob("[!.]*.npz"))
    print("data sets:", ", ".join(["digits (bundled)", *archives]))
    if "cifar10.npz" not in archives:
        advice.append("CIFAR-10 is not there: the first run with it downloads 170 MB.")
    os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")
    kernel = KernelSpecManager().get_kernel_spec("python3").argv[0]
    print(f"kernel python3: {kernel}")
    # jupyter_client puts this interpreter in place of a bare "python".
    if kernel not in ("python", "python3", sys.executable):
        problems.append(f"the Jupyter kernel python3 starts {kernel}: run `python -m ipykernel install --sys-prefix`.")
