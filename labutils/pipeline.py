"""The steps of the lab, each made once and kept under `runs/<profile>/<task>/`: a notebook that misses a product makes it here."""

import hashlib
import json
import os
import shutil
from functools import cached_property

import numpy as np
import pandas as pd

from . import evaluation, models, students, targets_file, teachers
from .data import data_dir, load_corpus
from .profile import ROOT, Profile, load_profile, task_name
from .recipes import Recipe, steps
from .tasks import get_task


class Lab:
    """The corpus, the adapted teacher, its answers, students and their predictions, for one profile and task.

    Args:
        profile, task: by default what LAB_PROFILE and LAB_TASK say.
        fresh: make everything here, use nothing that was shipped (by default what LAB_FRESH says).
    """

    def __init__(self, profile: Profile | None = None, task: str | None = None, fresh: bool | None = None):
        self.profile, name = profile or load_profile(), task or task_name()
        self.folder = self.profile.run_dir(name)
        self.corpus = load_corpus(name, self.profile)
        self.task = get_task(name, self.corpus["train"])
        self.shipped = ROOT / "data" / "reference" / name
        self.fresh = os.environ.get("LAB_FRESH") == "1" if fresh is None else fresh
        if self.fresh or self.profile.name not in ("cpu", "full", "smoke") or not self._record_fits():
            self.shipped = None

    def _record_fits(self) -> bool:
        """The shipped teacher may serve only the corpus that it was made for."""
        path = self.shipped / "provenance.json"
        return path.exists() and json.loads(path.read_text(encoding="utf-8"))["data"] == data_hash(self.task.name)

    @cached_property
    def prompts(self) -> dict[str, list[str]]:
        """The task's prompts of each split."""
        return {split: [self.task.prompt(example) for example in examples] for split, examples in self.corpus.items()}

    @cached_property
    def untouched(self):
        """(model, tokenizer) of the teacher as published."""
        return self._fresh_teacher()

    def adapt(self, examples, folder, **changes):
        """Adapt the untouched teacher to the task's gold examples; the adapter, in float16, and the learning curve go to `folder`."""
        model, tokenizer = self._fresh_teacher()
        profile = self.profile
        prompts, completions = [self.task.prompt(e) for e in examples], [self.task.gold(e) for e in examples]
        validation = students.rows(self.prompts["validation"], [self.task.gold(e) for e in self.corpus["validation"]])
        settings = {
            "num_train_epochs": profile.teacher_epochs, "learning_rate": profile.teacher_lr,
            "per_device_train_batch_size": profile.teacher_batch,
        }
        if profile.mixed_bfloat16:
            settings["bf16"] = False  # small corrections to large weights need the full precision
        trainer = students.fine_tune(
            model, tokenizer, students.rows(prompts, completions), profile, folder / "trainer", validation=validation,
            label_weight=profile.teacher_label_weight, lora_rank=profile.teacher_lora, **{**settings, **changes},
        )
        shutil.rmtree(folder / "trainer", ignore_errors=True)
        _save_adapter(trainer.model, folder)
        pd.DataFrame(trainer.state.log_history).to_csv(folder / "learning_curve.csv", index=False)
        return self._with_adapter(folder)

    def _fresh_teacher(self):
        model, tokenizer = models.load(self.profile.teacher, self.profile)
        if self.profile.teacher_layers:
            model = models.take_layers(model, self.profile.teacher_layers)
        return model, tokenizer

    def _with_adapter(self, folder):
        from peft import PeftModel

        models.hide_old_torchao()
        model, tokenizer = self._fresh_teacher()
        return PeftModel.from_pretrained(model, folder).merge_and_unload().eval(), tokenizer

    @property
    def teacher_folder(self):
        """Where the adapter of this run's teacher lies: shipped where it fits the corpus, else the run's own."""
        return self.shipped / "teacher" if self.shipped else self.folder / "teacher"

    @cached_property
    def teacher_id(self) -> str:
        """Short hash of the adapter: products of another teacher are not taken for this one's."""
        if not self.teacher_folder.exists():
            _ = self.teacher  # makes it
        return hashlib.sha256((self.teacher_folder / "adapter_model.safetensors").read_bytes()).hexdigest()[:8]

    @cached_property
    def teacher(self):
        """(model, tokenizer) of the adapted teacher: the shipped adapter where it fits, else this run's, made when missing."""
        folder = self.teacher_folder
        if not (folder / "adapter_config.json").exists():
            print(f"No adapted teacher in {folder.name}/ yet: adapting it on {len(self.corpus['train'])} gold messages.")
            return self.adapt(self.corpus["train"], folder)
        return self._with_adapter(folder)

    @property
    def own_answers(self):
        """File of the answers that were asked of the teacher in this run."""
        return self.folder / f"answers-{self.teacher_id}.jsonl"

    def cache(self) -> teachers.AnswerCache:
        """This run's answers, in front of the shipped ones."""
        shipped = self.shipped / "teacher_answers.jsonl" if self.shipped else None
        return teachers.AnswerCache(self.own_answers, shipped)

    @cached_property
    def answers(self) -> pd.DataFrame:
        """The teacher's verified answers to the pool: id, source, prompt, completion, label, confidence, reasons, kept.

        The first `live_prompts` are asked of the teacher here; the others may come from the shipped file.
        """
        path = self.folder / f"answers-{self.teacher_id}.csv"
        if not path.exists():
            self._answer_pool().to_csv(path, index=False)
        return pd.read_csv(path, keep_default_na=False)

    def _answer_pool(self) -> pd.DataFrame:
        pool = self.corpus["pool"]  # all of it where answers are shipped or wanted; else some more than will be trained on
        if not self.shipped and self.profile.name != "full":
            pool = pool[: 2 * self.profile.answers]
        prompts = [self.task.prompt(example) for example in pool]
        model, tokenizer = self.speaking_teacher
        teacher = teachers.LocalTeacher(model, tokenizer, self.profile.generation_batch, self.profile.max_new_tokens)
        live = self.profile.live_prompts if self.shipped else len(pool)
        own = teachers.AnswerCache(self.own_answers)
        completions = teacher.respond(prompts[:live], own) + teacher.respond(prompts[live:], self.cache())
        confidence = self._confidence(model, tokenizer, pool, prompts, live)
        answers = [self.task.parse(text) for text in completions]
        reasons = [self.task.verify(answer, example) for answer, example in zip(answers, pool)]
        for place, value in enumerate(confidence):
            if value < self.profile.min_confidence:
                reasons[place].append("teacher not confident")
        return pd.DataFrame({
            "id": [e.id for e in pool], "source": [e.source for e in pool], "prompt": prompts,
            "completion": [f" {text.strip()}" for text in completions], "label": [a.label or "" for a in answers],
            "confidence": confidence, "reasons": ["; ".join(r) for r in reasons], "kept": [not r for r in reasons],
        })

    def _confidence(self, model, tokenizer, pool, prompts, live: int) -> list[float]:
        """The teacher's probability of its label: computed for the live prompts, read for those that came shipped."""
        known = {}
        if self.shipped:
            lines = (self.shipped / "teacher_answers.jsonl").read_text(encoding="utf-8").splitlines()
            known = {row["id"]: row["confidence"] for row in map(json.loads, lines)}
        missing = [i for i, example in enumerate(pool) if i < live or example.id not in known]
        logs = teachers.label_log_probabilities(model, tokenizer, [prompts[i] for i in missing], list(self.task.labels))
        found = dict(zip(missing, np.exp(logs.max(1)).round(4).tolist()))
        return [found.get(i, known.get(example.id)) for i, example in enumerate(pool)]

    @cached_property
    def trimmed(self):
        """(teacher, untouched, tokenizer), both models cut to the vocabulary of the training texts: gold and pool prompts."""
        (teacher, tokenizer), (untouched, _) = self.teacher, self.untouched
        gold = [self.task.prompt(e) + self.task.gold(e) for e in self.corpus["train"]]
        texts = [*gold, *self.prompts["pool"], tokenizer.eos_token]
        small, new_tokenizer = models.trim_vocabulary(teacher, tokenizer, texts, self.profile.keep_frequent)
        return small, models.trim_vocabulary(untouched, tokenizer, texts, self.profile.keep_frequent)[0], new_tokenizer

    @property
    def speaking_teacher(self):
        """(model, tokenizer) that answers the pool: the small vocabulary halves the time of a token, where the student shares it."""
        return self.trimmed[::2] if self.profile.student == "first_layers" else self.teacher

    def start(self, recipe: Recipe, seed: int = 0):
        """(model, tokenizer) of a recipe's student before training."""
        if self.profile.student != "first_layers":
            return models.load(self.profile.student, self.profile)
        teacher, untouched, tokenizer = self.trimmed
        return models.take_layers(teacher if recipe.start == "teacher" else untouched, recipe.layers, recipe.choice, seed), tokenizer

    def training_rows(self, recipe: Recipe) -> pd.DataFrame:
        """Prompts and completions that a recipe trains on."""
        gold = pd.DataFrame({"prompt": self.prompts["train"], "completion": [self.task.gold(e) for e in self.corpus["train"]]})
        if recipe.data == "gold":
            return gold
        table = self.answers
        if recipe.verified:
            if table["kept"].mean() < 0.1:
                raise ValueError(
                    f"Verification kept {table['kept'].sum()} of {len(table)} teacher answers: this teacher cannot teach yet. "
                    "Adapt it longer (teacher_epochs) or on more gold, and delete the run's folder."
                )
            table = table[table["kept"]]
        table = table[table["source"] == recipe.source] if recipe.source else table
        table = table.head(recipe.answers or self.profile.answers)
        return pd.concat([gold, table], ignore_index=True) if recipe.data == "both" else table

    def targets(self, table: pd.DataFrame, tokenizer) -> list:
        """The teacher's distributions over prompt and completion, kept in memory: computed once a text, shared by all students."""
        teacher, own = self.speaking_teacher
        if own.get_vocab() != tokenizer.get_vocab():
            raise ValueError(
                f"Teacher and student tokenize differently ({len(own)} and {len(tokenizer)} tokens), so their distributions cannot "
                "be compared: use a recipe with soft=False, which learns from the teacher's words."
            )
        texts = (table["prompt"] + table["completion"] + tokenizer.eos_token).tolist()
        stored = self._targets
        missing = list(dict.fromkeys(text for text in texts if text not in stored))
        if missing:
            stored.update(zip(missing, teachers.top_k_targets(teacher, own, missing, self.profile.top_k)))
            targets_file.save(self.folder / f"targets-{self.teacher_id}.npz", stored)
        return [stored[text] for text in texts]

    @cached_property
    def _targets(self) -> dict:
        return targets_file.load(self.folder / f"targets-{self.teacher_id}.npz")

    def train(self, recipe: Recipe, seed: int = 0):
        """Train a recipe's student; returns (model, tokenizer). The learning curve is kept beside the predictions."""
        model, tokenizer = self.start(recipe, seed)
        if recipe.data == "none":
            return model, tokenizer
        table = self.training_rows(recipe)
        dataset = students.rows(table["prompt"].tolist(), table["completion"].tolist())
        trainer = students.fine_tune(
            model, tokenizer, dataset, self.profile, self.folder / "trainer", seed=seed, lora_rank=recipe.lora,
            targets=self.targets(table, tokenizer) if recipe.soft else None,
            max_steps=steps(recipe, self.profile, len(self.corpus["train"])),
            label_weight=self.profile.label_weight / (1 if recipe.soft else 2),  # half the loss, with or without the prompt's positions
            **({"learning_rate": recipe.rate} if recipe.rate else {}),
        )
        model = trainer.model.merge_and_unload() if recipe.lora else trainer.model
        pd.DataFrame(trainer.state.log_history).to_csv(self._path("curves", recipe.name, seed), index=False)
        return model.eval(), tokenizer

    def _path(self, kind: str, name: str, seed: int):
        folder = self.folder / kind
        folder.mkdir(exist_ok=True)
        return folder / f"{name}-seed{seed}.csv"

    def student(self, recipe: Recipe, seed: int = 0):
        """(model, tokenizer) of a recipe, trained when it is not yet in `models/`."""
        folder = self.folder / "models" / f"{recipe.name}-seed{seed}"
        if not (folder / "tokenizer.json").exists():
            model, tokenizer = self.train(recipe, seed)
            model.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
        return models.load(folder)

    def predictions_path(self, recipe: Recipe, seed: int, split: str = "test", replies: int | None = None):
        """File of a student's predictions; another number of replies is another file."""
        return self._path("predictions", f"{recipe.name}-{split}{'' if replies is None else f'-{replies}'}", seed)

    def predictions(self, recipe: Recipe, seed: int = 0, split: str = "test", replies: int | None = None,
                    keep: bool = False) -> pd.DataFrame:
        """A student's predictions on a split (see `evaluation.predict`), made and stored when missing.

        Args:
            keep: store the trained model too.
        """
        path = self.predictions_path(recipe, seed, split, replies)
        if not path.exists():
            pair = self.student(recipe, seed) if keep else self.train(recipe, seed)
            self._predict(*pair, split, replies).to_csv(path, index=False)
        return pd.read_csv(path)

    def teacher_predictions(self, split: str = "test") -> pd.DataFrame:
        """The adapted teacher's predictions on a split, made and stored when missing."""
        path = self._path("predictions", f"teacher-{split}", 0)
        if not path.exists():
            self._predict(*self.teacher, split).to_csv(path, index=False)
        return pd.read_csv(path)

    def _predict(self, model, tokenizer, split: str, replies: int | None = None) -> pd.DataFrame:
        replies = self.profile.replies if replies is None else replies
        profile = self.profile
        sizes = (profile.generation_batch, profile.max_new_tokens)
        return evaluation.predict(model, tokenizer, self.task, self.corpus[split], replies, *sizes)


def _save_adapter(model, folder) -> None:
    """The adapter in float16, without what PEFT would write besides: a model card, the machine's path, and settings that are
    not set, which older versions (Colab's) do not all know and warn about."""
    if not hasattr(model, "peft_config"):
        raise ValueError("The teacher is adapted by LoRA here: set teacher_lora in the profile.")
    for config in model.peft_config.values():
        config.base_model_name_or_path = models.HUB_ID
    model.half().save_pretrained(folder, save_embedding_layers=False)  # else PEFT asks the hub about them
    (folder / "README.md").unlink(missing_ok=True)
    path = folder / "adapter_config.json"
    settings = {name: value for name, value in json.loads(path.read_text(encoding="utf-8")).items() if value is not None}
    path.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8", newline="\n")


def data_hash(task: str) -> str:
    """SHA-256 of the task's corpus files (line ends made equal, so that it is the same on Windows)."""
    digest = hashlib.sha256()
    for path in sorted(data_dir(task).glob("*.jsonl")):
        digest.update(path.name.encode() + path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()
