"""Write the pools of the tasks `nli`, `qa`, `math` and `summarization`: the hand-written items of `more.jsonl`, then generated ones.

Usage: python data/generator/pools.py      (writes data/TASK/pool.jsonl, without answers, and data/TASK/pool_gold.csv, for audits)
"""

import csv
import importlib.util
import json
import random
from pathlib import Path

HERE = Path(__file__).parent
TASKS = ("nli", "qa", "math", "summarization")
GENERATED = 2400
SEED = 1  # another than the generated gold's


def generator(task: str):
    """The task's module `generate.py`."""
    spec = importlib.util.spec_from_file_location(f"generate_{task}", HERE / task / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows(task: str) -> list[dict]:
    """Labelled rows of the pool: hand-written ones in random order, then generated ones."""
    hand = [json.loads(line) for line in (HERE.parent / task / "more.jsonl").read_text(encoding="utf-8").splitlines()]
    random.Random(SEED).shuffle(hand)
    made = [{**row, "source": "generated"} for row in generator(task).generate(GENERATED, SEED)]
    return [{**row, "id": f"{task}-pool-{number:04d}", "task": task} for number, row in enumerate([*hand, *made], start=1)]


def write(task: str) -> None:
    """Write both files of a task's pool."""
    folder, labelled = HERE.parent / task, rows(task)
    with (folder / "pool.jsonl").open("w", encoding="utf-8", newline="\n") as file:
        for row in labelled:
            shown = {"id": row["id"], "task": task, "messages": row["messages"][:-1], "label": None, "source": row["source"]}
            file.write(json.dumps(shown, ensure_ascii=False) + "\n")
    with (folder / "pool_gold.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["id", "label", "reply", "facts"])
        for row in labelled:
            table.writerow([row["id"], row["label"], row["messages"][-1]["content"], json.dumps(row.get("facts", []), ensure_ascii=False)])


if __name__ == "__main__":
    for name in TASKS:
        write(name)
