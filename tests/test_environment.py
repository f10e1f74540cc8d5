"""The setup of a fresh machine, simulated without a network: Colab's packages, an old Python, a notebook opened alone."""

import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
import types
from pathlib import Path

import nbformat
import pytest
from packaging.requirements import Requirement

from labutils import address, environment

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

# What Colab brings; a package that the lab needs and that is not in the file counts as missing.
PINS = (ROOT / ".github" / "colab-constraints.txt").read_text(encoding="utf-8").splitlines()
COLAB = dict(line.split("==") for line in PINS if not line.startswith("#")) | {"torch": "2.11.0+cu128"}


class Runs:
    """Stands in for subprocess.run: records the commands, and answers each with the same exit status."""

    def __init__(self, status: int = 0):
        self.status, self.commands = status, []

    def __call__(self, command, **_):
        self.commands.append([str(part) for part in command])
        return subprocess.CompletedProcess(command, self.status, stdout="", stderr="")


def distribution(name: str, version: str):
    return types.SimpleNamespace(metadata={"Name": name}, version=version)


@pytest.fixture
def installed(tmp_path, monkeypatch) -> dict[str, str]:
    """The packages of a simulated Colab machine, with its own lab folder; a test may change them."""
    packages = dict(COLAB)

    def version(name):
        if name not in packages:
            raise importlib.metadata.PackageNotFoundError(name)
        return packages[name]

    monkeypatch.setattr(importlib.metadata, "version", version)
    monkeypatch.setattr(importlib.metadata, "distributions", lambda: [distribution(*item) for item in packages.items()])
    shutil.copy(ROOT / "requirements.txt", tmp_path)
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    return packages


def names(requirements) -> set[str]:
    return {Requirement(text).name for text in requirements}


def packages_of(command: list[str]) -> set[str]:
    """The packages that a pip command names."""
    after = command[command.index("install") + 1 :]
    if "--constraint" in after:
        place = after.index("--constraint")
        del after[place : place + 2]
    return names(word for word in after if not word.startswith("-"))


def test_on_colab_only_trl_and_small_packages_are_missing(installed):
    assert names(environment.missing()) == {"trl", "gguf", "sacrebleu", "rouge-score", "datasketch"}


def test_pip_is_never_asked_for_what_colab_has(installed):
    asked = [packages_of(command) for command in environment.install_commands(environment.missing())]
    assert not set().union(*asked) & COLAB.keys()
    assert set().union(*asked) == names(environment.missing())


def test_what_is_installed_is_pinned_while_pip_runs(installed):
    first, *_ = environment.install_commands(environment.missing())
    pins = Path(first[first.index("--constraint") + 1]).read_text(encoding="utf-8").splitlines()
    assert pins == sorted(f"{name}=={version}" for name, version in COLAB.items())


def test_of_a_package_that_is_there_twice_the_first_is_pinned(monkeypatch):
    """Colab sees Ubuntu's packages behind its own, some with numbers that are none to pip."""
    there = [distribution("six", "1.17.0"), distribution("Six", "1.16.0"), distribution("distro-info", "1.1+ubuntu0.2"),
             distribution("python-debian", "0.1.43ubuntu1"), distribution(None, "1.0")]
    monkeypatch.setattr(importlib.metadata, "distributions", lambda: there)
    assert environment.installed() == {"six": "six==1.17.0", "distro-info": "distro-info==1.1+ubuntu0.2"}


def test_trl_comes_without_its_dependencies_and_alone(installed):
    with_trl = [command for command in environment.install_commands(environment.missing()) if "trl" in packages_of(command)]
    assert [packages_of(command) for command in with_trl] == [{"trl"}]
    assert "--no-deps" in with_trl[0]


def test_every_pip_call_is_this_python_s(installed):
    for command in environment.install_commands(environment.missing()):
        assert command[:4] == [sys.executable, "-m", "pip", "install"]


def test_a_complete_machine_installs_nothing(installed):
    installed.update({r.name: str(next(iter(r.specifier)).version) for r in environment.requirements() if r.name not in installed})
    assert environment.missing() == []
    assert environment.install_commands([]) == []


def test_a_profile_that_loads_in_four_bits_asks_for_the_library(installed, monkeypatch):
    monkeypatch.setenv("LAB_PROFILE", "gpu")
    assert "bitsandbytes" in names(environment.missing())


def test_a_version_outside_the_range_counts_as_missing(installed):
    installed["peft"] = "0.11.0"
    assert "peft" in names(environment.missing())


def test_prepare_runs_the_commands_and_describes_the_machine(installed, monkeypatch, capsys):
    runs = Runs()
    monkeypatch.setattr(subprocess, "run", runs)
    monkeypatch.setattr(environment, "describe_machine", lambda: "a machine")
    environment.prepare()
    assert runs.commands == environment.install_commands(environment.missing())
    assert "a machine" in capsys.readouterr().out


def test_a_failing_pip_stops_with_the_command_to_try(installed, monkeypatch):
    runs = Runs(status=1)
    monkeypatch.setattr(subprocess, "run", runs)
    with pytest.raises(RuntimeError, match="pip install"):
        environment.prepare()
    assert len(runs.commands) == 1


def test_an_old_python_is_told_before_anything_is_installed(installed, monkeypatch):
    runs = Runs()
    with monkeypatch.context() as old:
        old.setattr(subprocess, "run", runs)
        old.setattr(platform, "python_version", lambda: "3.10.12")
        old.setattr(sys, "version_info", (3, 10, 12, "final", 0))
        try:
            environment.prepare()
            message = ""
        except RuntimeError as error:
            message = str(error)
    assert "Python 3.11 or newer" in message and "3.10.12" in message
    assert runs.commands == []


# The setup cell, which is the same in every notebook (tests/test_repository.py)


@pytest.fixture
def setup_cell() -> str:
    """Source of the setup cell, with a made-up address."""
    if not NOTEBOOKS:
        pytest.skip("There is no notebook yet.")
    cells = nbformat.read(NOTEBOOKS[0], as_version=4).cells
    source = next(cell.source for cell in cells if cell.cell_type == "code")
    changed = address.SETTING.sub('REPOSITORY, BRANCH = "some-one/lab", "dev"', source)
    assert changed != source
    return changed


@pytest.fixture
def fresh_kernel(monkeypatch):
    """A kernel that does not know where the lab is; returns the record of prepare's calls."""
    calls = []
    monkeypatch.setattr(environment, "prepare", lambda: calls.append("prepare"))
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place and Path(place).resolve() != ROOT])
    return calls


def on_path(folder: Path) -> bool:
    return folder.resolve() in [Path(place).resolve() for place in sys.path]


@pytest.mark.parametrize("start", ["notebooks", ".", "data/conversation"])
def test_setup_cell_finds_the_lab_above(start, setup_cell, fresh_kernel, monkeypatch):
    runs = Runs()
    monkeypatch.setattr(subprocess, "run", runs)
    monkeypatch.chdir(ROOT / start)
    exec(compile(setup_cell, "setup cell", "exec"), {"__name__": "__main__"})
    assert runs.commands == []
    assert on_path(ROOT)
    assert fresh_kernel == ["prepare"]


def test_setup_cell_clones_once_when_opened_alone(setup_cell, fresh_kernel, tmp_path, monkeypatch):
    """In Colab the cell runs in an empty folder; run again there, it finds what it fetched."""
    runs = Runs()

    def clone(command, **options):
        target = Path(command[-1])
        (target / "labutils").mkdir(parents=True)
        (target / "labutils" / "environment.py").touch()
        return runs(command, **options)

    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    monkeypatch.setattr(subprocess, "run", clone)
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        exec(compile(setup_cell, "setup cell", "exec"), {"__name__": "__main__"})

    (command,) = runs.commands
    assert command[:2] == ["git", "clone"]
    assert any(re.fullmatch(r"https://github\.com/some-one/lab(\.git)?", word) for word in command)
    assert any(re.fullmatch(r"(--branch=)?dev", word) for word in command)
    assert on_path(Path(command[-1])) and not on_path(ROOT)
    assert fresh_kernel == ["prepare", "prepare"]


def test_setup_cell_asks_git_to_fail_loudly(setup_cell, fresh_kernel, tmp_path, monkeypatch):
    """Without `check`, a failed clone would end in a puzzling ImportError."""
    asked = []

    def refused(command, **options):
        asked.append(options)
        if options.get("check"):
            raise subprocess.CalledProcessError(128, command)
        return subprocess.CompletedProcess(command, 128)

    monkeypatch.setattr(subprocess, "run", refused)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(subprocess.CalledProcessError):
        exec(compile(setup_cell, "setup cell", "exec"), {"__name__": "__main__"})
    assert len(asked) == 1 and fresh_kernel == []


# A notebook opened alone, for real: a copy of this folder is what git finds at the lab's address


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> dict[str, str]:
    """Environment variables of a machine that has not seen the lab, and for which its address leads to a local repository."""
    if not shutil.which("git"):
        pytest.skip("There is no git here.")
    place = tmp_path_factory.mktemp("published")
    (place / "gitconfig").write_text(
        f'[url "{place.as_uri()}/lab"]\n\tinsteadOf = https://github.com/{address.REPOSITORY}\n'
        "[user]\n\tname = Somebody\n\temail = somebody@example.org\n",
        encoding="utf-8",
    )
    variables = {**os.environ, "GIT_CONFIG_GLOBAL": str(place / "gitconfig"), "LAB_PROFILE": "smoke"}
    for inherited in ("PYTHONPATH", "LAB_RUNS", "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        variables.pop(inherited, None)
    shutil.copytree(ROOT, place / "lab", ignore=shutil.ignore_patterns(".git", ".venv", "runs", "__pycache__", ".*_cache"))
    for command in (["init", "-q", "-b", address.BRANCH], ["add", "."], ["commit", "-q", "-m", "As it is now"]):
        subprocess.run(["git", *command], cwd=place / "lab", env=variables, check=True)
    return variables


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_setup_cell_of_a_notebook_alone_fetches_the_lab_and_installs_nothing_here(path, published, tmp_path):
    shutil.copy(path, tmp_path)
    cells = nbformat.read(tmp_path / path.name, as_version=4).cells
    source = next(cell.source for cell in cells if cell.cell_type == "code") + "\nprint(environment.__file__)"
    done = subprocess.run([sys.executable, "-c", source], cwd=tmp_path, env=published, capture_output=True, text=True, encoding="utf-8")
    assert not done.returncode, done.stderr
    *_, machine, module = done.stdout.strip().splitlines()
    assert machine.startswith("Distillation lab, profile 'smoke'") and "Installing" not in done.stdout
    assert Path(module).resolve() == (tmp_path / "distillation-lab" / "labutils" / "environment.py").resolve()
