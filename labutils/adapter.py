"""The teacher's adapter: LoRA corrections, a few megabytes, that teach the published model the domain."""

import hashlib
import json
from pathlib import Path

import pandas as pd
from datasets import Dataset

from . import models, students
from .products import whole
from .profile import Profile


def base(profile: Profile):
    """(model, tokenizer) of the profile's teacher as published."""
    model, tokenizer = models.load(profile.teacher, profile)
    if profile.teacher_layers:
        model = models.take_layers(model, profile.teacher_layers)
    return model, tokenizer


def train(profile: Profile, dataset: Dataset, validation: Dataset, folder: Path, weights: tuple[float, float, float], **changes) -> None:
    """Adapt the published teacher to gold answers; the adapter, in float16, and the learning curve go to `folder`."""
    model, tokenizer = base(profile)
    settings = {
        "num_train_epochs": profile.teacher_epochs, "learning_rate": profile.teacher_lr,
        "per_device_train_batch_size": profile.teacher_batch,
    }
    trainer = students.fine_tune(
        model, tokenizer, dataset, profile, folder.with_name("trainer"), validation=validation, weights=weights,
        lora_rank=profile.teacher_lora, **{**settings, **changes},
    )
    with whole(folder) as partial:
        save(trainer.model, partial, models.HUB_ID if profile.teacher == "bundled" else profile.teacher)
        pd.DataFrame(trainer.state.log_history).to_csv(partial / "learning_curve.csv", index=False)


def load(profile: Profile, folder: Path):
    """(model, tokenizer) of the published teacher with the adapter in `folder` merged in."""
    from peft import PeftModel

    models.hide_old_torchao()
    model, tokenizer = base(profile)
    return PeftModel.from_pretrained(model, folder).merge_and_unload().eval(), tokenizer


def short_hash(folder: Path) -> str:
    """Short hash of the adapter in `folder`."""
    return hashlib.sha256((folder / "adapter_model.safetensors").read_bytes()).hexdigest()[:8]


def save(model, folder: Path, base_id: str) -> None:
    """The adapter of the model `base_id` in float16, without what PEFT would write besides: a model card, the machine's path, and
    settings that are not set, which older versions (Colab's) do not all know and warn about."""
    if not hasattr(model, "peft_config"):
        raise ValueError("The teacher is adapted by LoRA here: set teacher_lora in the profile.")
    for config in model.peft_config.values():
        config.base_model_name_or_path = base_id
    model.half().save_pretrained(folder, save_embedding_layers=False)  # else PEFT asks the hub about them
    (folder / "README.md").unlink(missing_ok=True)
    path = folder / "adapter_config.json"
    settings = {name: value for name, value in json.loads(path.read_text(encoding="utf-8")).items() if value is not None}
    path.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8", newline="\n")
