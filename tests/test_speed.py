"""Speed and memory are measured in a process of their own."""

import subprocess
import sys

import numpy as np
import pytest

from labutils import speed
from labutils.profile import ROOT


def test_peak_memory_is_the_childs_own():
    ballast = np.ones(125_000_000)  # 1,000 MB held by the parent
    code = "from labutils.speed import peak_memory_mb; print(peak_memory_mb())"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert ballast.nbytes == 1e9
    assert 10 < float(output) < 700


def test_a_model_folder_is_measured(tmp_path, model, tokenizer):
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    measured = speed.measure(tmp_path, ["Customer: hello\nAnswer:"] * 4, max_new_tokens=4)
    rows = speed.speed_rows("tiny", measured, parameters=1).set_index("metric")["value"]
    assert len(measured["seconds"]) == 4 and min(measured["seconds"]) > 0
    assert rows["latency_p95_s"] >= rows["latency_median_s"]
    expected = speed.PRICE_PER_HOUR / 3600 / rows["throughput_answers_s"] * 1000
    assert rows["cost_per_1000_usd"] == pytest.approx(expected)


def test_a_missing_folder_says_what_failed(tmp_path):
    with pytest.raises(RuntimeError, match="failed"):
        speed.measure(tmp_path / "nothing", ["hello"])
