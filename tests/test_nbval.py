"""nbval collects every code cell of every notebook, and a copy that is broken on purpose turns red."""

import re
import subprocess
import sys
from collections import Counter
from tempfile import TemporaryDirectory

import nbformat

from labutils.profile import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NBVAL = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=600"]


def nbval(*arguments) -> subprocess.CompletedProcess:
    """Run nbval as `make test` does."""
    return subprocess.run([*NBVAL, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, encoding="utf-8")


def test_every_code_cell_is_collected():
    listed = Counter(re.findall(r"(\w+\.ipynb)::", nbval("--collect-only", "notebooks").stdout))
    cells = {path.name: nbformat.read(path, as_version=4).cells for path in NOTEBOOKS}
    assert listed == {name: sum(cell.cell_type == "code" for cell in found) for name, found in cells.items()}


def test_a_broken_copy_turns_red():
    notebook = nbformat.read(ROOT / "notebooks" / "01_prepare_data.ipynb", as_version=4)
    broken = [cell for cell in notebook.cells if cell.cell_type == "code" and 'assert "planted" in' in cell.source]
    assert len(broken) == 1
    broken[0].source = broken[0].source.replace('assert "planted" in', 'assert "planted" not in')
    (ROOT / "runs").mkdir(exist_ok=True)
    with TemporaryDirectory(dir=ROOT / "runs") as folder:  # below the lab, where the setup cell finds it
        nbformat.write(notebook, f"{folder}/broken.ipynb")
        done = nbval(f"{folder}/broken.ipynb")
    cells = sum(cell.cell_type == "code" for cell in notebook.cells)
    assert done.returncode == 1 and f"1 failed, {cells - 1} passed" in done.stdout, done.stdout
    assert "AssertionError" in done.stdout
