"""Products are written whole or not at all, whatever happens to the writer."""

import subprocess
import sys

import pandas as pd
import pytest

from labutils.products import read_table, whole
from labutils.profile import ROOT

# A writer that is half done and would take another minute.
WRITER = """
import sys, time
from labutils.products import whole
with whole(sys.argv[1]) as partial:
    target = partial
    if sys.argv[2] == "folder":
        partial.mkdir()
        target = partial / "first of two files"
    target.write_text("ha", encoding="utf-8")
    print("half", flush=True)
    time.sleep(60)
"""


def half_done(path, kind) -> subprocess.Popen:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path), kind], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert writer.stdout.readline() == "half\n"
    return writer


def write(path, kind, text) -> None:
    with whole(path) as partial:
        if kind == "folder":
            partial.mkdir()
        (partial / "file" if kind == "folder" else partial).write_text(text, encoding="utf-8")


def read(path, kind) -> str:
    return (path / "file" if kind == "folder" else path).read_text(encoding="utf-8")


@pytest.fixture(params=["file", "folder"])
def kind(request):
    return request.param


@pytest.mark.parametrize("before", [None, "old"])
def test_a_killed_writer_leaves_what_was_there_and_the_next_one_clears_up(tmp_path, kind, before):
    path = tmp_path / "product.csv"
    if before:
        write(path, kind, before)
    writer = half_done(path, kind)
    writer.kill()
    writer.wait()
    assert path.exists() == bool(before) and (not before or read(path, kind) == before)
    assert len(list(tmp_path.glob("partial-*"))) == 1  # else the writer was not killed in the middle
    write(path, kind, "new")
    assert read(path, kind) == "new" and list(tmp_path.iterdir()) == [path]


def test_the_unfinished_work_of_a_living_writer_is_left_alone(tmp_path, kind):
    writer = half_done(tmp_path / "product.csv", kind)
    try:
        write(tmp_path / "product.csv", kind, "new")
        assert len(list(tmp_path.glob(f"partial-{writer.pid}-*"))) == 1
    finally:
        writer.kill()
        writer.wait()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_writer_that_raises_leaves_what_was_there_and_nothing_else(tmp_path, kind, error):
    path = tmp_path / "product.csv"
    write(path, kind, "old")
    with pytest.raises(error), whole(path) as partial:
        partial.mkdir() if kind == "folder" else partial.write_text("ha", encoding="utf-8")
        raise error
    assert read(path, kind) == "old" and list(tmp_path.iterdir()) == [path]


def test_the_folder_around_a_product_is_made(tmp_path):
    write(tmp_path / "models" / "product", "file", "new")
    assert read(tmp_path / "models" / "product", "file") == "new"


def test_a_table_comes_back_as_it_was_written(tmp_path):
    """Ids that look like numbers, labels that look like nothing, answers that are empty."""
    texts = {"id": ["0012", "1e5"], "gold": ["None", "NA"], "predicted": ["007", "null"]}
    table = pd.DataFrame({**texts, "valid": [1.0, None], "completion": ["true", None]})
    table.to_csv(tmp_path / "table.csv", index=False)
    found = read_table(tmp_path / "table.csv")
    assert found[["id", "gold", "predicted"]].to_numpy().tolist() == table[["id", "gold", "predicted"]].to_numpy().tolist()
    assert found["valid"].tolist()[0] == 1.0 and found["valid"].isna().tolist() == [False, True]
    assert found["completion"].isna().tolist() == [False, True] and found["completion"][0] == "true"
