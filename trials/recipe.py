"""Which recipe makes the better student of eight layers? Scored on validation and on the last 1,600 hand-written pool messages, whose
intents are known and which no student trains on; never on the test set.

Usage: LAB_PROFILE=full LAB_RUNS=... LAB_FRESH=1 python trials/recipe.py DATA STEPS CHOICE CONFIDENCE LAYERS   (DATA: both or gold)
The run folder must hold the teacher and its answers (see `Lab`). Prints one line.
"""
import dataclasses, os, sys, time
from pathlib import Path
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
import numpy as np
import torch
from labutils import answers, students, teachers
from labutils.pipeline import Lab
from labutils.recipes import main_recipes

data, steps, choice, confidence, layers = sys.argv[1], int(sys.argv[2]), sys.argv[3], float(sys.argv[4]), int(sys.argv[5])
torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", 1)))
lab = Lab()
recipe = main_recipes(lab.profile)["distilled" if data == "both" else "gold_only"]
recipe = dataclasses.replace(recipe, name="-".join(sys.argv[1:]), choice=choice, layers=layers)
hand = [e for e in lab.corpus["pool"] if e.source == "hand"]
held_out = {e.id for e in hand[-1600:]}
table = lab.answers
sure = (table["confidence"] >= confidence) & (table["reasons"].isin(["", "teacher not confident"])) & ~table["id"].isin(held_out)
lab.answers["kept"] = sure
start = time.time()
model, tokenizer = lab.start(recipe, 0)
settings = {**lab._settings(recipe, tokenizer, 0), "max_steps": steps}
trainer = students.fine_tune(model, tokenizer, **settings)
model = students.merged(trainer.model).eval()
known = answers.checked(lab).set_index("id")["kind"]
scores = []
for examples, gold in ((lab.corpus["validation"], [e.label for e in lab.corpus["validation"]]), (hand[-1600:], [known[e.id] for e in hand[-1600:]])):
    logs = teachers.label_log_probabilities(model, tokenizer, [lab.task.prompt(e) for e in examples], list(lab.task.labels))
    scores.append(np.mean([lab.task.labels[i] == label for i, label in zip(logs.argmax(1), gold)]))
print(f"{recipe.name}: validation {scores[0]:.3f}, pool {scores[1]:.3f}, {int(sure.sum())} answers there, {time.time() - start:.0f} s", flush=True)
