"""What the kit finds on this machine, and what to do about what is missing."""

import os
import platform
import re
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version

from alkit import ROOT, __version__


def doctor() -> str:
    """Print what there is, with a line of advice per problem; the text returned is empty where the kit cannot run."""
    print(f"alkit {__version__}, python {platform.python_version()} at {sys.executable}")
    said = []
    try:
        for name in re.findall(r"^\w[\w-]*", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE):
            print(name, version(name), end=", ")
        said += _machine()
    except (PackageNotFoundError, ImportError, OSError, ValueError) as error:  # a package, its library, or a GPU
        said.append(f"PROBLEM: {error}. Install requirements.txt again, or run with --device cpu.")
    print("\n".join(said))
    return "" if any(line.startswith("PROBLEM") for line in said) else "the kit can run."


def _machine() -> list[str]:
    import joblib
    import psutil
    import torch
    from jupyter_client.kernelspec import KernelSpecManager

    from alkit import loading, records, training

    device, memory, said = training.choose_device(), psutil.virtual_memory().available / 1e9, []
    threads, cores, kernel = torch.get_num_threads(), joblib.cpu_count(), KernelSpecManager().get_kernel_spec("python3")
    print(f"\ndevice: {device.type}, precision {training.choose_precision(device)}; {memory:.1f} GB of memory free")
    print(f"{threads} CPU threads, {cores} cores to use of {os.cpu_count()}; kernel python3: {kernel.argv[0]}")
    if threads > cores:  # in a container with a quota, for example
        said.append(f"More threads than cores are many times slower: set OMP_NUM_THREADS to {cores}.")
    if kernel.argv[0] not in ("python", "python3", sys.executable):  # jupyter_client puts this one for a bare "python"
        said.append(f"PROBLEM: a kernel of {kernel.argv[0]}: run `python -m ipykernel install --sys-prefix`.")
    for name, folder in {"ALKIT_DATA": loading.data_folder(), "ALKIT_RECORDS": records.folder()}.items():
        there = next(path for path in (folder, *folder.parents) if path.exists())
        print(f"{name}: {folder}, {shutil.disk_usage(there).free / 1e9:.1f} GB of disk free")
        if not os.access(there, os.W_OK):
            said.append(f"PROBLEM: {there} cannot be written: set {name} to a folder of yours.")
    return said
