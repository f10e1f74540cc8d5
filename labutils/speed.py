"""Latency, throughput, memory and cost of a saved model, measured in a process of its own so that models do not share memory."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil

PRICE_PER_HOUR = 0.10  # of a rented two-core machine, in dollars: an assumption to replace by your own


def measure(folder: Path, prompts: list[str], threads: int = 2, max_new_tokens: int = 48) -> dict[str, float]:
    """Measure a model folder on prompts, one at a time and in one batch, after a warm-up.

    Returns:
        seconds: per prompt, in the given order; answers_per_second: of the batch; tokens_per_second; peak_memory_mb: of the
        process; disk_mb: of the weights file.

    Raises:
        RuntimeError: the measuring process failed; the message ends with what it said.
    """
    request = json.dumps({"folder": str(folder), "prompts": prompts, "threads": threads, "max_new_tokens": max_new_tokens})
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run([sys.executable, "-m", "labutils.speed"], input=request, capture_output=True, text=True, cwd=root)
    if done.returncode:
        raise RuntimeError(f"Measuring {folder} failed: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def speed_rows(model: str, measured: dict, parameters: int, price_per_hour: float = PRICE_PER_HOUR) -> pd.DataFrame:
    """Rows model, metric, value, low, high, seeds; low and high are the 5th and 95th percentile for latency, else empty."""
    seconds = np.array(measured["seconds"])
    cost = price_per_hour / 3600 / measured["answers_per_second"] * 1000
    values = {
        "latency_median_s": np.median(seconds), "latency_p95_s": np.quantile(seconds, 0.95),
        "throughput_answers_s": measured["answers_per_second"], "tokens_per_second": measured["tokens_per_second"],
        "peak_memory_mb": measured["peak_memory_mb"], "disk_mb": measured["disk_mb"], "parameters": parameters,
        "cost_per_1000_usd": cost,
    }
    rows = [(model, metric, float(value), np.nan, np.nan, 1) for metric, value in values.items()]
    return pd.DataFrame(rows, columns=["model", "metric", "value", "low", "high", "seeds"])


def peak_memory_mb() -> float:
    """Highest memory of this process so far, in 10^6 bytes: on the GPU where models lie there, else resident memory."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 1e6
    memory = psutil.Process().memory_info()
    if hasattr(memory, "peak_wset"):  # Windows
        return memory.peak_wset / 1e6
    status = Path("/proc/self/status")
    if status.exists():  # Linux: getrusage would start from the parent's peak
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def _serve(request: dict) -> dict:
    import torch

    from .models import load
    from .teachers import LocalTeacher

    torch.set_num_threads(request["threads"])
    model, tokenizer = load(request["folder"])
    prompts = request["prompts"]
    single = LocalTeacher(model, tokenizer, 1, request["max_new_tokens"])
    single.respond(prompts[:3], progress=False)
    seconds, tokens = [], 0
    for prompt in prompts:
        start = time.perf_counter()
        answer = single.respond([prompt], progress=False)[0]
        seconds.append(time.perf_counter() - start)
        tokens += len(tokenizer(answer)["input_ids"])
    batched = LocalTeacher(model, tokenizer, 32, request["max_new_tokens"])
    start = time.perf_counter()
    batched.respond(prompts, progress=False)
    wall = time.perf_counter() - start
    return {
        "seconds": seconds, "tokens_per_second": tokens / sum(seconds), "answers_per_second": len(prompts) / wall,
        "peak_memory_mb": peak_memory_mb(), "disk_mb": Path(request["folder"], "model.safetensors").stat().st_size / 1e6,
    }


if __name__ == "__main__":
    print(json.dumps(_serve(json.load(sys.stdin))))
