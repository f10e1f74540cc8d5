"""The steps of the lab, each made once and kept under `runs/<profile>/<task>/`: a notebook that misses a product makes it here."""

import copy
import dataclasses
import gc
import os
from functools import cached_property

import pandas as pd
import torch

from . import adapter, answers, evaluation, models, origin, parallel, quality, students, targets_file, teachers
from .data import load_corpus
from .products import read_table, whole
from .profile import ROOT, Profile, load_profile, task_name
from .recipes import Recipe, steps
from .tasks import check_gold, get_task


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
        check_gold(self.task, self.corpus["train"])
        self.fresh = os.environ.get("LAB_FRESH") == "1" if fresh is None else fresh
        if self.profile.mixed_bfloat16:  # also where nothing is trained: see `precision.lowered`
            torch.set_float32_matmul_precision("medium")
        packaged = self.profile.teacher == "bundled" and models.weights_source() == "package"  # else the adapter is not theirs
        record = ROOT / "data" / "reference" / name
        corpus = origin.data_hash(name)
        self.record_fits = origin.record_fits(record, corpus)
        self.shipped = record if self.record_fits and packaged and not self.fresh else None
        if self.shipped:  # its adapter fits the whole teacher only
            self.profile = dataclasses.replace(self.profile, teacher_layers=None)
        origin.mark(self.folder, self._made_from(corpus))

    def _made_from(self, corpus: str) -> dict:
        return {
            "corpus": corpus, "set of profile settings": repr(self.profile),
            "set of task settings": repr(self.task.settings),
            "source of weights": models.weights_source(),
            "shipped teacher": adapter.short_hash(self.shipped / "teacher") if self.shipped else None,
        }

    @property
    def max_new_tokens(self) -> int:
        """Limit of a completion."""
        return self.profile.max_new_tokens or self.task.max_new_tokens

    @property
    def min_confidence(self) -> float:
        """Answers that the teacher is less sure of are dropped."""
        return self.task.min_confidence if self.profile.min_confidence is None else self.profile.min_confidence

    @cached_property
    def prompts(self) -> dict[str, list[str]]:
        """The task's prompts of each split."""
        return {split: [self.task.prompt(example) for example in examples] for split, examples in self.corpus.items()}

    @cached_property
    def untouched(self):
        """(model, tokenizer) of the teacher as published."""
        return adapter.base(self.profile)

    def adapt(self, examples, folder, **changes):
        """Adapt the untouched teacher to the task's gold examples; the adapter, in float16, and the learning curve go to `folder`."""
        train, validation = (
            students.rows([self.task.prompt(e) for e in split], [self.task.gold(e) for e in split])
            for split in (examples, self.corpus["validation"])
        )
        adapter.train(self.profile, train, validation, folder, self.task.teacher_weights, **changes)
        return adapter.load(self.profile, folder)

    @property
    def teacher_folder(self):
        """Where the adapter of this run's teacher lies: shipped where it fits the corpus, else the run's own."""
        return self.shipped / "teacher" if self.shipped else self.folder / "teacher"

    @cached_property
    def teacher_id(self) -> str:
        """Short hash of the adapter: products of another teacher are not taken for this one's."""
        if not self.teacher_folder.exists():
            _ = self.teacher  # makes it
        return adapter.short_hash(self.teacher_folder)

    @cached_property
    def teacher(self):
        """(model, tokenizer) of the adapted teacher: the shipped adapter where it fits, else this run's, made when missing."""
        folder = self.teacher_folder
        if not (folder / "adapter_config.json").exists():
            print(f"No adapted teacher in {folder.name}/ yet: adapting it on {len(self.corpus['train'])} gold messages.")
            return self.adapt(self.corpus["train"], folder)
        return adapter.load(self.profile, folder)

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
            with whole(path) as partial:
                answers.answer_pool(self).to_csv(partial, index=False)
        return read_table(path).fillna({"completion": "", "label": "", "reasons": ""})

    @cached_property
    def source(self):
        """(model, tokenizer) that students are cut from: the teacher, or the published student of a profile that names one."""
        if self.profile.student == "first_layers":
            return self.teacher
        return models.load(self.profile.student, dataclasses.replace(self.profile, quantise=False))

    @cached_property
    def trimmed(self):
        """(model, tokenizer) of the source, cut to the vocabulary of the training texts: gold and pool prompts."""
        return self._trim(*self.source)

    def _trim(self, model, tokenizer):
        gold = [self.task.prompt(e) + self.task.gold(e) for e in self.corpus["train"]]
        texts = [*gold, *self.prompts["pool"], tokenizer.eos_token]
        return models.trim_vocabulary(model, tokenizer, texts, self.profile.keep_frequent)

    @property
    def speaking_teacher(self):
        """(model, tokenizer) that answers the pool: the small vocabulary saves time on every token, where the student shares it."""
        return self.trimmed if self.profile.student == "first_layers" else self.teacher

    def start(self, recipe: Recipe, seed: int = 0):
        """(model, tokenizer) of a recipe's student before training."""
        if self.profile.student != "first_layers":
            model, tokenizer = self.source
            return copy.deepcopy(model), tokenizer  # each training changes its own
        model, tokenizer = self.trimmed if recipe.start == "teacher" else self._trim(*self.untouched)
        return models.take_layers(model, recipe.layers, recipe.choice, seed), tokenizer

    def training_rows(self, recipe: Recipe) -> pd.DataFrame:
        """Prompts and completions that a recipe trains on."""
        gold = pd.DataFrame({"prompt": self.prompts["train"], "completion": [self.task.gold(e) for e in self.corpus["train"]]})
        if recipe.data == "gold":
            return gold
        kept = self.answers["kept"]
        if recipe.verified and self.min_confidence > 0 and kept.mean() < 0.1:  # a test that drops no doubts judges no teacher
            raise ValueError(
                f"Verification kept {kept.sum()} of {len(kept)} teacher answers: this teacher cannot teach yet. "
                "Adapt it longer (teacher_epochs) or on more gold, and delete the run's folder."
            )
        if isinstance(recipe, quality.RowsRecipe):
            return quality.training_rows(self, recipe)
        table = self._answers_for(recipe)
        return pd.concat([gold, table], ignore_index=True) if recipe.data == "both" else table

    def _answers_for(self, recipe: Recipe) -> pd.DataFrame:
        table = self.answers[self.answers["kept"]] if recipe.verified else self.answers
        table = table[table["source"] == recipe.source] if recipe.source else table
        return table.head(recipe.answers or self.profile.answers)

    def steps(self, recipe: Recipe) -> int:
        """Optimiser steps of a recipe: for as many answers as it asks for, or as there are; gold-only students get them too."""
        answers = None if isinstance(recipe, quality.RowsRecipe) else len(self._answers_for(recipe))
        return steps(recipe, self.profile, len(self.corpus["train"]), answers)

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
        gc.collect()  # an earlier trainer and its optimiser live in cycles: in a long run they would add up
        trainer = students.fine_tune(model, tokenizer, **self._settings(recipe, tokenizer, seed))
        pd.DataFrame(trainer.state.log_history).to_csv(self._path("curves", recipe.name, seed), index=False)
        return students.merged(trainer.model).eval(), tokenizer

    def _settings(self, recipe: Recipe, tokenizer, seed: int) -> dict:
        """Arguments of `students.fine_tune` that carry out a recipe."""
        table, profile = self.training_rows(recipe), self.profile
        weights = self.task.weights
        if not recipe.soft:  # without the prompt's positions: half as many, so that the first token has the same share of all weight
            weights = tuple(max(1.0, 0.5 * weight / weights[-1]) for weight in weights)
        return {
            "dataset": students.rows(table["prompt"].tolist(), table["completion"].tolist()), "profile": profile,
            "targets": self.targets(table, tokenizer) if recipe.soft else None, "folder": self.folder / "trainer", "seed": seed,
            "weights": weights, "lora_rank": recipe.lora,
            "max_steps": self.steps(recipe),
            "learning_rate": recipe.rate or profile.learning_rate,
            **({"train_sampling_strategy": "sequential"} if getattr(recipe, "order", None) else {}),
        }

    def _path(self, kind: str, name: str, seed: int):
        folder = self.folder / kind
        folder.mkdir(exist_ok=True)
        return folder / f"{name}-seed{seed}.csv"

    def model_folder(self, recipe: Recipe, seed: int = 0):
        """Where a recipe's trained student is kept."""
        return self.folder / "models" / f"{recipe.name}-seed{seed}"

    def student(self, recipe: Recipe, seed: int = 0):
        """(model, tokenizer) of a recipe, trained when it is not yet in `models/`."""
        folder = self.model_folder(recipe, seed)
        if not (folder / "tokenizer.json").exists():
            models.save(*self.train(recipe, seed), folder)
        return models.load(folder)

    def train_side_by_side(self, recipes: list[Recipe], seed: int = 0) -> None:
        """Train, all at once, those students that are not yet in `models/`; on a GPU, or if there is but one, `student` does it."""
        missing = [r for r in recipes if r.data != "none" and not (self.model_folder(r, seed) / "tokenizer.json").exists()]
        if torch.cuda.is_available() or len(missing) < 2:
            return
        starts = {recipe: self.start(recipe, seed) for recipe in missing}
        parallel.train_all([
            parallel.Job(self.model_folder(r, seed), self._path("curves", r.name, seed), *start, self._settings(r, start[1], seed))
            for r, start in starts.items()
        ])

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
            with whole(path) as partial:
                self._predict(*pair, split, replies).to_csv(partial, index=False)
        return read_table(path)

    def teacher_predictions(self, split: str = "test") -> pd.DataFrame:
        """The adapted teacher's predictions on a split, made and stored when missing; off the test set, few of its replies are written."""
        path = self._path("predictions", f"teacher-{split}", 0)
        if not path.exists():
            with whole(path) as partial:
                self._predict(*self.teacher, split, None if split == "test" else 12).to_csv(partial, index=False)
        return read_table(path)

    def _predict(self, model, tokenizer, split: str, replies: int | None = None) -> pd.DataFrame:
        replies = self.profile.replies if replies is None else replies
        sizes = (self.profile.generation_batch, self.max_new_tokens)
        return evaluation.predict(model, tokenizer, self.task, self.corpus[split], replies, *sizes)
