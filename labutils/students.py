"""Fine-tune students (and adapt teachers) on completions: on their words, or on the teacher's distribution as well."""

import ctypes
import math
import os
import warnings
from dataclasses import dataclass

import numpy as np
import torch
from datasets import Dataset, disable_progress_bars
from transformers import PrinterCallback, TrainerCallback, set_seed
from trl import SFTConfig, SFTTrainer

from .models import hide_old_torchao
from .precision import has_bfloat16
from .profile import Profile

disable_progress_bars()
# It gets a new name in transformers 6; until then every training would warn a learner of it.
warnings.filterwarnings("ignore", ".*gradient_checkpointing", FutureWarning)


def rows(prompts: list[str], completions: list[str]) -> Dataset:
    """A TRL prompt-completion dataset; the column `row` pairs each example with its teacher targets, however shuffled."""
    return Dataset.from_dict({"prompt": prompts, "completion": completions, "row": list(range(len(prompts)))})


def sft_config(profile: Profile, folder, **changes) -> SFTConfig:
    """TRL's settings for this profile and machine: products in bfloat16 where both allow it; on a GPU, in the profile's precision.

    `changes` override any field, for example `max_steps` or `learning_rate`.
    """
    gpu = torch.cuda.is_available()
    settings = {
        "output_dir": str(folder), "per_device_train_batch_size": profile.batch_size, "num_train_epochs": profile.epochs,
        "learning_rate": profile.learning_rate, "lr_scheduler_type": "linear", "warmup_steps": 20, "max_length": profile.max_length,
        "use_cpu": not gpu, "bf16": profile.precision == "bfloat16" if gpu else profile.mixed_bfloat16 and has_bfloat16(),
        "fp16": gpu and profile.precision == "float16",
        "gradient_checkpointing": False, "train_sampling_strategy": "group_by_length", "logging_steps": 0.04,
        "save_strategy": "no", "report_to": "none", "seed": profile.seeds[0], "remove_unused_columns": False,
    }
    return SFTConfig(**{**settings, **changes})


def steps_for(examples: int, epochs: float, batch_size: int) -> int:
    """Optimiser steps of a run, so that a control can be given exactly the same number."""
    return math.ceil(epochs * math.ceil(examples / batch_size))


@dataclass
class Collator:
    """Pad tokenized prompt-completion examples; bring each example's teacher targets, looked up by the column `row`.

    Own, because TRL's collator changed its columns between releases and would drop the targets.
    """

    pad_token_id: int
    targets: list | None = None

    def __call__(self, examples: list[dict]) -> dict[str, torch.Tensor]:
        shape = (len(examples), max(len(example["input_ids"]) for example in examples))
        batch = {
            "input_ids": torch.full(shape, self.pad_token_id), "attention_mask": torch.zeros(shape, dtype=torch.long),
            "labels": torch.full(shape, -100),
        }
        for place, example in enumerate(examples):
            ids = torch.tensor(example["input_ids"])
            batch["input_ids"][place, : len(ids)], batch["attention_mask"][place, : len(ids)] = ids, 1
            batch["labels"][place, : len(ids)] = _labels(example, ids)
        if self.targets is not None:
            batch.update(self._padded_targets(examples, shape))
        return batch

    def _padded_targets(self, examples: list[dict], shape: tuple[int, int]) -> dict[str, torch.Tensor]:
        k = self.targets[0][0].shape[1]
        ids, logs = np.zeros((*shape, k), dtype=np.int64), np.full((*shape, k), -1e4, dtype=np.float32)
        for place, example in enumerate(examples):
            row_ids, row_logs = self.targets[example["row"]]
            span = min(len(example["input_ids"]), len(row_ids))
            ids[place, :span], logs[place, :span] = row_ids[:span], row_logs[:span]
        return {"teacher_ids": torch.from_numpy(ids), "teacher_logs": torch.from_numpy(logs)}


def _labels(example: dict, ids: torch.Tensor) -> torch.Tensor:
    """Labels of the completion only; newer TRL brings them, older TRL brings the mask."""
    if "labels" in example:
        return torch.tensor(example["labels"])
    return torch.where(torch.tensor(example["completion_mask"]).bool(), ids, -100)


def top_k_divergence(logits: torch.Tensor, teacher_ids: torch.Tensor, teacher_logs: torch.Tensor) -> torch.Tensor:
    """Forward KL(teacher || student) per position over the teacher's k tokens and one bucket for all others.

    The bucket keeps what plain top-k drops; the value is a lower bound of the full divergence (merging outcomes never
    increases a KL) and is zero exactly when the student agrees on the k tokens. Source: Hinton et al. 2015, section 2, with
    temperature 1.

    Args:
        logits: the student's, (positions, vocabulary).
        teacher_ids, teacher_logs: (positions, k).

    Returns:
        (positions,) in nats.
    """
    student = logits.float().log_softmax(-1).gather(-1, teacher_ids)
    teacher = teacher_logs.float()
    head = (teacher.exp() * (teacher - student)).sum(-1)
    tail_teacher = (1 - teacher.exp().sum(-1)).clamp(min=1e-6)
    tail_student = (1 - student.exp().sum(-1)).clamp(min=1e-6)
    return head + tail_teacher * (tail_teacher.log() - tail_student.log())


def position_weights(labels: torch.Tensor, counted: torch.Tensor, separator: int, weights: tuple[float, float, float]) -> torch.Tensor:
    """Weight of each position in the loss: a task's few tokens that decide count more than the prompt's, which count 1.

    Args:
        labels: (examples, positions), -100 outside the completion.
        counted: same shape, 1 where the loss counts at all.
        separator: token between the completion's fields; what stands before its last occurrence is a field, and not the reply.
        weights: of the completion's first token, of the other tokens of its fields, and of its words.

    Returns:
        (examples, positions), float.
    """
    first, fields, words = weights
    each, completion = counted.float(), labels != -100
    each[completion] = words
    separators = labels == separator
    each[separators.flip(1).cumsum(1).flip(1).bool() & completion & ~separators] = fields
    answered = completion.any(1)  # an example cut off before its completion has no first token to weigh
    each[answered, completion.float().argmax(1)[answered]] = first
    return each


class StudentTrainer(SFTTrainer):
    """SFTTrainer with two additions, both off by default.

    Args:
        weights: of the completion's first token, of its other fields and of its words, against 1 for the prompt's positions: see
            `position_weights`.
        targets: from `teachers.top_k_targets`. With them, the loss is the divergence from the teacher at every position, the
            prompt's included, instead of the cross-entropy of the completion's words.

    The loss is a sum over positions, divided by the number of completion tokens (over all accumulated batches).
    """

    def __init__(self, *args, weights: tuple[float, float, float] = (1.0, 1.0, 1.0), targets: list | None = None, **kwargs):
        tokenizer = kwargs["processing_class"]
        collator = Collator(tokenizer.pad_token_id, targets)
        super().__init__(*args, data_collator=collator, **kwargs)
        self.weights = {"separator": tokenizer(" |")["input_ids"][-1], "weights": weights}

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        labels = inputs["labels"][:, 1:]
        completion = labels != -100
        counted = inputs["attention_mask"][:, 1:] if "teacher_ids" in inputs else completion
        weights = position_weights(labels, counted, **self.weights)
        hidden = model.get_base_model() if hasattr(model, "get_base_model") else model
        chosen = weights > 0  # the language-model head runs only where the loss counts; the loss itself is taken in float32
        with self.accelerator.autocast():  # the trainer would do it in the model's own `forward`, which is not called here
            states = hidden.model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], use_cache=False)
            logits = hidden.lm_head(states.last_hidden_state[:, :-1][chosen])
        if "teacher_ids" in inputs:
            losses = top_k_divergence(logits, inputs["teacher_ids"][:, :-1][chosen], inputs["teacher_logs"][:, :-1][chosen])
        else:
            losses = torch.nn.functional.cross_entropy(logits.float(), labels[chosen], reduction="none")
        count = completion.sum() if num_items_in_batch is None else num_items_in_batch
        loss = (losses * weights[chosen]).sum() / max(count, 1)
        return (loss, None) if return_outputs else loss

    def get_eval_dataloader(self, eval_dataset=None):
        """Validation rows have no targets; with the training collator they would get those of the training rows."""
        collator, self.data_collator = self.data_collator, Collator(self.data_collator.pad_token_id)
        try:
            return super().get_eval_dataloader(eval_dataset)
        finally:
            self.data_collator = collator

    def prediction_step(self, model, inputs, prediction_loss_only, ignore_keys=None):
        with torch.no_grad():
            return self.compute_loss(model, self._prepare_inputs(inputs)), None, None


def give_back_memory() -> None:
    """Return freed memory to the system: Linux's allocator (glibc) keeps it in pieces that texts of other lengths do not fit."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim:
        trim(0)


class _GiveBackMemory(TrainerCallback):
    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step % 20 == 0:
            give_back_memory()


def fine_tune(model, tokenizer, dataset: Dataset, profile: Profile, folder, targets: list | None = None, seed: int = 0,
              weights: tuple[float, float, float] = (1.0, 1.0, 1.0), lora_rank: int | None = None,
              validation: Dataset | None = None, callbacks=(), **changes):
    """Train `model` in place on a prompt-completion dataset.

    Args:
        targets: teacher distributions from `teachers.top_k_targets`, for distillation; without them, plain fine-tuning.
        weights: of positions in the loss, see `position_weights`.
        lora_rank: train adapters of this rank instead of all weights; the trainer's model then carries them.
        validation: measured after each epoch, with the same loss but on words only.
        callbacks: of the trainer.
        changes: settings of `sft_config` to override.

    Returns:
        The finished trainer; its `state.log_history` holds the learning curve.
    """
    attention = model.config._attn_implementation
    if not torch.cuda.is_available():
        model.set_attn_implementation("eager")  # on short texts a CPU trains a quarter faster than with the fused kernel
    if not lora_rank:
        model.float()  # mixed precision needs whole weights to correct, also where they were loaded in half
    if lora_rank:
        set_seed(seed)  # the trainer would do it too late: fresh adapters are drawn at random
        model = with_lora(model, lora_rank)
    every = {"eval_strategy": "epoch"} if validation is not None else {}
    trainer = StudentTrainer(
        model=model, processing_class=tokenizer, train_dataset=dataset, eval_dataset=validation, targets=targets,
        weights=weights, args=sft_config(profile, folder, seed=seed, **every, **changes),
        callbacks=[_GiveBackMemory(), *callbacks],
    )
    trainer.remove_callback(PrinterCallback)  # of a trainer without a bar: several at once would print their logs over each other
    _say_what_was_left_out(len(dataset) - len(trainer.train_dataset), len(dataset), trainer.args.max_length)
    if trainer.args.fp16:  # TRL makes the adapters of a quantised model bfloat16, whose gradients a T4 cannot scale
        for weight in trainer.model.parameters():
            weight.data = weight.data.float() if weight.requires_grad else weight.data
    trainer.train()
    model.set_attn_implementation(attention)
    model.eval()
    return trainer


def _say_what_was_left_out(count: int, total: int, max_length: int) -> None:
    """TRL silently drops an example whose completion begins beyond `max_length` tokens."""
    if count:
        print(f"{count} of {total} training examples are longer than {max_length} tokens and were left out (max_length in profile.py).")


def with_lora(model, rank: int):
    """The model with LoRA adapters on all linear layers (Hu et al. 2021); only they are trained."""
    from peft import LoraConfig, get_peft_model

    hide_old_torchao()
    return get_peft_model(model, LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM"))


def merged(model):
    """The trained model with its adapters, if it has any, merged into its weights."""
    return model.merge_and_unload() if hasattr(model, "peft_config") else model
