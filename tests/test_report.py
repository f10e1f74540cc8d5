"""The HTML report of a run: what it shows, and what it leaves of a notebook that fails."""

import nbformat
import pytest

from labutils import report


def write(path, *cells):
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells]), path)
    return path


def test_a_progress_bar_is_one_line_of_text_in_the_report(tmp_path):
    """Widgets show an error where they are opened later or without a network, and a bar written step by step fills pages."""
    path = write(tmp_path / "bar.ipynb", "from labutils.teachers import tqdm\nfor _ in tqdm(range(30), mininterval=0):\n    pass")
    row = report.run_notebook(path, tmp_path)
    html = (tmp_path / "bar.html").read_text(encoding="utf-8")
    assert html.count("/30") == 1 and "30/30" in html
    assert "widget-view" not in html
    assert row["notebook"] == "bar" and row["seconds"] > 0 and row["peak_memory_mb"] > 10


def test_a_kernel_that_is_killed_is_explained(tmp_path):
    path = write(tmp_path / "killed.ipynb", "print('before' + '-it')", "import os\nos._exit(1)")
    with pytest.raises(RuntimeError, match=r"killed\.ipynb stopped at an error: .*memory ran out"):
        report.run_notebook(path, tmp_path)
    assert "before-it" in (tmp_path / "killed.html").read_text(encoding="utf-8")


def test_a_failing_notebook_is_named_and_shown_up_to_the_error(tmp_path):
    path = write(tmp_path / "broken.ipynb", "print('before' + '-it')", "1 / 0", "print('after' + '-it')")
    with pytest.raises(RuntimeError, match=r"broken\.ipynb stopped at an error: ZeroDivisionError"):
        report.run_notebook(path, tmp_path)
    html = (tmp_path / "broken.html").read_text(encoding="utf-8")
    assert "before-it" in html and "after-it" not in html
