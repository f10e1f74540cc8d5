"""Make a notebook's machine ready: install only what is missing, keep what is there, explain in plain words."""

import importlib.metadata
import platform
import subprocess
import sys

import psutil
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from .profile import ROOT

MINIMUM_PYTHON = (3, 11)
FRONT_ENDS = {"jupyterlab"}  # for `make notebook`; a notebook that is open has its front end already


def requirements() -> list[Requirement]:
    """The lines of requirements.txt."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [Requirement(line.split("#")[0].strip()) for line in lines if line.split("#")[0].strip()]


def missing() -> list[str]:
    """Requirements of an open notebook that are not installed, or installed in a version outside the range."""
    from .profile import load_profile

    found, quantised = [], [Requirement("bitsandbytes>=0.45")] if load_profile().quantise else []
    for requirement in requirements() + quantised:
        if requirement.name in FRONT_ENDS:
            continue
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            version = None
        if version is None or not requirement.specifier.contains(version, prereleases=True):
            found.append(str(requirement))
    return found


def installed() -> dict[str, str]:
    """A pin `name==version` for each installed package, by name.

    A package may be there twice, as on Colab, which sees Ubuntu's packages too: the first is the one that gets imported. What
    Ubuntu numbers in its own way, pip could not read.
    """
    pins = {}
    for found in importlib.metadata.distributions():
        if not found.metadata["Name"]:
            continue
        name = canonicalize_name(found.metadata["Name"])
        try:
            pins.setdefault(name, str(Requirement(f"{name}=={found.version}")))
        except InvalidRequirement:
            pass
    return pins


def install_commands(packages: list[str]) -> list[list[str]]:
    """The pip calls that bring `packages` without touching anything installed.

    TRL asks for a newer `datasets` than Colab brings but runs with it, so it comes without its dependencies, which the other
    requirements already name.
    """
    pip = [sys.executable, "-m", "pip", "install", "--quiet"]
    keep = ROOT / "runs" / "installed.txt"
    keep.parent.mkdir(exist_ok=True)
    wanted = {canonicalize_name(Requirement(package).name) for package in packages}
    keep.write_text("".join(f"{pin}\n" for name, pin in sorted(installed().items()) if name not in wanted), encoding="utf-8")
    alone = [p for p in packages if Requirement(p).name == "trl"]
    others = [p for p in packages if p not in alone]
    commands = [[*pip, "--constraint", str(keep), *others]] if others else []
    return commands + ([[*pip, "--no-deps", *alone]] if alone else [])


def prepare() -> None:
    """Check Python, install what is missing, and print one line on the machine.

    Raises:
        RuntimeError: Python is too old, or pip could not install something; the message says what to do.
    """
    if sys.version_info < MINIMUM_PYTHON:
        raise RuntimeError(f"This lab needs Python 3.11 or newer; this is {platform.python_version()}.")
    packages = missing()
    if packages:
        print(f"Installing {', '.join(packages)} ...")
    for command in install_commands(packages):
        if subprocess.run(command).returncode:
            raise RuntimeError(f"pip could not install this. Run it in a terminal to see why: {' '.join(command)}")
    from .profile import load_profile

    print(f"Distillation lab, profile {load_profile().name!r}: {describe_machine()}.")


def describe_machine() -> str:
    """Python, cores, memory and GPU in one line."""
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    memory = psutil.virtual_memory().total / 1e9
    return f"Python {platform.python_version()}, {psutil.cpu_count()} cores, {memory:.0f} GB of memory, {gpu}"


def _weights() -> str:
    """Name of the teacher whose weights are there, or will be fetched."""
    from .models import bundled_teacher, weights_source
    from .profile import load_profile

    teacher, source = load_profile().teacher, weights_source()
    if teacher == "bundled":
        return bundled_teacher().name if source == "package" else source
    return f"{teacher}, fetched when it is first used"


def checkup():
    """What the lab needs, what this machine has, and what to do where the two differ, as a table.

    Returns:
        DataFrame with the columns needed, found, fine (yes, or no with the remedy).
    """
    import shutil

    import pandas as pd
    import torch

    memory, disk = psutil.virtual_memory().available / 1e9, shutil.disk_usage(ROOT).free / 1e9
    lacking = missing()
    rows = {
        "Python": ("3.11 or newer", platform.python_version(), sys.version_info >= MINIMUM_PYTHON, "install a newer Python"),
        "cores": ("2", str(psutil.cpu_count()), (psutil.cpu_count() or 1) >= 2, "it works, twice as slowly"),
        "free memory": ("8 GB", f"{memory:.1f} GB", memory >= 8, "close other programs"),
        "free disk": ("3 GB", f"{disk:.0f} GB", disk >= 3, "make room"),
        "GPU": ("none", torch.cuda.get_device_name() if torch.cuda.is_available() else "none", True, ""),
        "packages": ("requirements.txt", "complete" if not lacking else ", ".join(lacking), not lacking, "run the setup cell again"),
        "weights": ("the teacher's", _weights(), True, ""),
    }
    table = {name: (needed, found, "yes" if fine else f"no: {remedy}") for name, (needed, found, fine, remedy) in rows.items()}
    return pd.DataFrame(table, index=["needed", "found", "fine"]).T
