"""First experiment of issue 4: what takes each task's teacher to 0.75 on validation?

Usage: python trials/teach.py TASK GENERATED HAND_REPEATS EPOCHS RATE RANK   (GENERATED: number of generated items put first)
Prints the main score on validation and keeps the adapter under trials/out/.
"""
import dataclasses, importlib.util, json, os, sys, time
from pathlib import Path
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
import torch
from labutils import adapter, evaluation, students
from labutils.data import Example, read_jsonl
from labutils.profile import load_profile
from labutils.tasks import get_task

task_name, generated, repeats, epochs, rate, rank = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), float(sys.argv[5]), int(sys.argv[6])
torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", 1)))
torch.set_float32_matmul_precision("medium")
folder = ROOT / "data" / task_name
hand = read_jsonl(folder / "train.jsonl") + read_jsonl(folder / "more.jsonl")
validation = read_jsonl(folder / "validation.jsonl")
spec = importlib.util.spec_from_file_location("generate", ROOT / "data" / "generator" / task_name / "generate.py")
module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module)
made = []
for number, row in enumerate(module.generate(generated) if generated else []):
    turns = tuple((m["role"], m["content"]) for m in row["messages"])
    made.append(Example(f"g{number}", task_name, turns[:-1], row["label"], {}, turns[-1][1], "generated", tuple(row.get("facts", ()))))
task = get_task(task_name, hand)
examples = made + hand * repeats
profile = dataclasses.replace(load_profile("full"), max_length=320)
model, tokenizer = adapter.base(profile)
rows = students.rows([task.prompt(e) for e in examples], [task.gold(e) for e in examples])
start = time.time()
trainer = students.fine_tune(model, tokenizer, rows, profile, ROOT / "trials" / "out" / "trainer", lora_rank=rank or None,
                             weights=task.teacher_weights, num_train_epochs=epochs, learning_rate=rate, per_device_train_batch_size=8)
model = students.merged(trainer.model).eval()
table = evaluation.predict(model, tokenizer, task, validation, 10**9 if not task.labels else 0)
print(task_name, sys.argv[2:], f"main {table['main'].mean():.3f} on {len(table)} validation items, {time.time() - start:.0f} s", flush=True)
name = "-".join(sys.argv[1:]); out = ROOT / "trials" / "out"; out.mkdir(parents=True, exist_ok=True)
table.to_csv(out / f"{name}.csv", index=False)
