"""The losses against naive twins, and the trainer's bookkeeping: masks, weights, accumulation, pairing, adapters."""

import json
import math
import random
import sys

import pytest
import torch
from peft import PeftModel, import_utils

from labutils import adapter
from labutils.profile import load_profile
from labutils.students import StudentTrainer, fine_tune, position_weights, rows, sft_config, steps_for, top_k_divergence, with_lora
from labutils.teachers import top_k_targets

K = 8


def naive_divergence(student: list[float], teacher: list[float], k: int) -> float:
    """KL(teacher || student) of one position, with all but the teacher's k likeliest tokens merged into one outcome."""
    p, q = ([math.exp(x) / sum(math.exp(y) for y in logits) for x in logits] for logits in (teacher, student))
    best = sorted(range(len(p)), key=lambda i: -p[i])[:k]
    outcomes = [(p[i], q[i]) for i in best] + [(1 - sum(p[i] for i in best), 1 - sum(q[i] for i in best))]
    return sum(a * math.log(a / b) for a, b in outcomes if a > 1e-12)


def divergence(student: torch.Tensor, teacher: torch.Tensor, k: int) -> torch.Tensor:
    logs, ids = teacher.log_softmax(-1).topk(k)
    return top_k_divergence(student, ids, logs)


@pytest.fixture
def logits():
    """Logits (50, 30) of a student and of a teacher."""
    generator = torch.Generator().manual_seed(0)
    return [2 * torch.randn(50, 30, generator=generator) for _ in range(2)]


@pytest.mark.parametrize("k", [1, 2, 8, 29, 30])
def test_divergence_equals_its_naive_twin(logits, k):
    student, teacher = logits
    expected = [naive_divergence(s, t, k) for s, t in zip(student.double().tolist(), teacher.double().tolist())]
    assert divergence(student, teacher, k).shape == (50,)
    assert torch.allclose(divergence(student, teacher, k), torch.tensor(expected), rtol=1e-3, atol=1e-4)
    assert min(expected) > 0.05 or k < 8


def test_pinned_divergence():
    """The direction is KL(teacher || student); the reverse would be .192."""
    teacher, student = torch.tensor([[0.7, 0.2, 0.1]]).log(), torch.tensor([[0.4, 0.4, 0.2]]).log()
    assert divergence(student, teacher, 3).item() == pytest.approx(0.1838, abs=1e-3)
    # k = 1: .7 log(.7/.4) + .3 log(.3/.6)
    assert divergence(student, teacher, 1).item() == pytest.approx(0.1838, abs=1e-3)
    assert divergence(teacher, student, 3).item() == pytest.approx(0.192, abs=1e-3)


@pytest.mark.parametrize("k", [1, 8, 30])
def test_divergence_of_identical_models_is_zero(logits, k):
    teacher = logits[1]
    assert torch.allclose(divergence(teacher, teacher, k), torch.zeros(50), atol=1e-5)
    assert torch.allclose(divergence(teacher + 3.0, teacher, k), torch.zeros(50), atol=1e-5)  # logits have no absolute level


def full_divergence(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.kl_div(student.log_softmax(-1), teacher.log_softmax(-1), log_target=True, reduction="none").sum(-1)


def test_with_the_whole_vocabulary_it_is_the_full_divergence(logits):
    assert torch.allclose(divergence(*logits, 30), full_divergence(*logits), rtol=1e-4, atol=1e-4)


def test_divergence_grows_with_k_and_never_above_the_full_one(logits):
    values = torch.stack([divergence(*logits, k) for k in (1, 4, 16, 30)])
    assert (values <= full_divergence(*logits) + 1e-4).all() and (values >= -1e-5).all()
    assert (values.diff(dim=0) >= -1e-4).all()
    assert values[0].mean() < 0.7 * values[-1].mean()  # merging does lose something here


def test_teacher_that_is_certain_gives_finite_values_and_gradients():
    student = torch.randn(3, 30, requires_grad=True)
    teacher = torch.full((3, 30), -50.0)
    teacher[:, 4] = 50.0
    loss = divergence(student, teacher, 4).sum()
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(student.grad).all()
    assert loss.item() == pytest.approx(-student.log_softmax(-1)[:, 4].sum().item(), abs=1e-3)


PROFILE = load_profile("smoke")


@pytest.fixture
def texts(task, examples) -> tuple[list[str], list[str]]:
    """Four prompts and completions of different lengths."""
    chosen = [examples[i] for i in (0, 5, 8, 10)]
    return [task.prompt(e) for e in chosen], [task.gold(e) for e in chosen]


@pytest.fixture
def targets(make_model, tokenizer, texts):
    """Distributions of a teacher that is not the student."""
    whole = [prompt + completion + tokenizer.eos_token for prompt, completion in zip(*texts)]
    return top_k_targets(make_model(seed=1), tokenizer, whole, K)


@pytest.fixture
def trainer_of(tokenizer, texts, tmp_path):
    """A function (model, targets, **settings) that makes a StudentTrainer on the four texts."""

    def make(model, targets=None, weights=(1.0, 1.0, 1.0), dataset=None, **settings):
        # Plain gradient descent without clipping: Adam would hide a loss that is scaled wrongly.
        plain = {
            "optim": "sgd", "max_grad_norm": 0.0, "learning_rate": 0.1, "lr_scheduler_type": "constant", "warmup_steps": 0,
            "disable_tqdm": True,
        }
        return StudentTrainer(
            model=model, processing_class=tokenizer, train_dataset=rows(*texts) if dataset is None else dataset, targets=targets,
            weights=weights, args=sft_config(PROFILE, tmp_path / "trainer", **{**plain, **settings}),
        )

    return make


def batch_of(trainer, order=(0, 1, 2, 3)) -> dict:
    return trainer.data_collator([trainer.train_dataset[i] for i in order])


def loss_and_gradient(trainer, batch: dict, **options) -> tuple[float, torch.Tensor]:
    """The loss of a batch and its gradient for all trained weights, as one vector."""
    trainer.model.zero_grad()
    loss = trainer.compute_loss(trainer.model, {name: tensor.clone() for name, tensor in batch.items()}, **options)
    loss.backward()
    return loss.item(), torch.cat([w.grad.flatten() for w in trainer.model.parameters() if w.grad is not None])


def word_losses(model, tokenizer, prompt: str, completion: str) -> torch.Tensor:
    """Naive twin: cross-entropy of each token of the completion and of the end token, one text at a time, without padding."""
    start, ids = len(tokenizer(prompt)["input_ids"]), tokenizer(prompt + completion + tokenizer.eos_token)["input_ids"]
    with torch.no_grad():
        logs = model(torch.tensor([ids])).logits[0].log_softmax(-1)
    return torch.stack([-logs[i - 1, ids[i]] for i in range(start, len(ids))])


def target_losses(model, tokenizer, text: str, target) -> torch.Tensor:
    """Naive twin: divergence from the teacher at every position that predicts a token of the text."""
    with torch.no_grad():
        logits = model(torch.tensor([tokenizer(text)["input_ids"]])).logits[0, :-1]
    ids, logs = (torch.from_numpy(array[:-1]) for array in target)
    return top_k_divergence(logits, ids.long(), logs)


def test_loss_without_targets_is_the_completions_cross_entropy(model, tokenizer, texts, trainer_of):
    trainer = trainer_of(model)
    expected = torch.cat([word_losses(model, tokenizer, *pair) for pair in zip(*texts)])
    assert loss_and_gradient(trainer, batch_of(trainer))[0] == pytest.approx(expected.mean().item(), rel=1e-4)
    assert loss_and_gradient(trainer, batch_of(trainer), num_items_in_batch=7)[0] == pytest.approx(expected.sum().item() / 7, rel=1e-4)


def test_loss_with_targets_is_the_divergence_at_every_position(model, tokenizer, texts, targets, trainer_of):
    trainer = trainer_of(model, targets)
    whole = [prompt + completion + tokenizer.eos_token for prompt, completion in zip(*texts)]
    total = sum(target_losses(model, tokenizer, text, target).sum().item() for text, target in zip(whole, targets))
    completion_tokens = sum(len(tokenizer(completion)["input_ids"]) + 1 for completion in texts[1])
    assert loss_and_gradient(trainer, batch_of(trainer))[0] == pytest.approx(total / completion_tokens, rel=1e-3)


def test_loss_is_zero_when_the_student_is_its_own_teacher(model, tokenizer, texts, trainer_of):
    whole = [prompt + completion + tokenizer.eos_token for prompt, completion in zip(*texts)]
    trainer = trainer_of(model, top_k_targets(model, tokenizer, whole, K))
    other = trainer_of(model, top_k_targets(model, tokenizer, whole[::-1], K))
    assert loss_and_gradient(trainer, batch_of(trainer))[0] == pytest.approx(0, abs=1e-3)
    assert loss_and_gradient(other, batch_of(other))[0] > 0.1  # targets of other texts


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("first", [1.0, 5.0])
def test_corrupted_padding_changes_nothing(model, targets, trainer_of, soft, first):
    trainer = trainer_of(model, targets if soft else None, (first, 1.0, 1.0))
    batch = batch_of(trainer)
    loss, gradient = loss_and_gradient(trainer, batch)
    padding = batch["attention_mask"] == 0
    assert padding.sum() > 10
    batch["input_ids"][padding] = 17
    if soft:
        batch["teacher_ids"][padding], batch["teacher_logs"][padding] = 3, -0.1
    corrupted, its_gradient = loss_and_gradient(trainer, batch)
    assert corrupted == pytest.approx(loss, rel=1e-5) and torch.allclose(its_gradient, gradient, atol=1e-5)


def test_prompt_tokens_do_not_count_without_targets(model, tokenizer, texts, trainer_of):
    trainer, seen = trainer_of(model), []
    batch = batch_of(trainer)
    for place, prompt in enumerate(texts[0]):
        assert (batch["labels"][place, : len(tokenizer(prompt)["input_ids"])] == -100).all()
    handle = model.lm_head.register_forward_hook(lambda module, inputs, output: seen.append(output))
    loss_and_gradient(trainer, batch)
    handle.remove()
    assert seen[0].shape == (sum(len(tokenizer(completion)["input_ids"]) + 1 for completion in texts[1]), len(tokenizer))


def test_corrupted_words_change_nothing_under_targets(model, targets, trainer_of):
    """The teacher's distribution is learned, not the label ids; they only say where the completion is."""
    trainer = trainer_of(model, targets)
    batch = batch_of(trainer)
    loss, gradient = loss_and_gradient(trainer, batch)
    batch["labels"][batch["labels"] != -100] = 17
    corrupted, its_gradient = loss_and_gradient(trainer, batch)
    assert corrupted == loss and torch.equal(its_gradient, gradient)


@pytest.mark.parametrize("soft", [False, True])
def test_label_weight_acts_on_the_first_completion_token_only(model, tokenizer, texts, targets, trainer_of, soft):
    plain, heavy = (trainer_of(model, targets if soft else None, (weight, 1.0, 1.0)) for weight in (1.0, 4.0))
    firsts, count = 0.0, 0
    for place, (prompt, completion) in enumerate(zip(*texts)):
        words = word_losses(model, tokenizer, prompt, completion)
        every = target_losses(model, tokenizer, prompt + completion + tokenizer.eos_token, targets[place])
        firsts += (every[len(tokenizer(prompt)["input_ids"]) - 1] if soft else words[0]).item()
        count += len(words)
    extra = loss_and_gradient(heavy, batch_of(heavy))[0] - loss_and_gradient(plain, batch_of(plain))[0]
    assert extra == pytest.approx(3 * firsts / count, rel=2e-3) and extra > 0.05


def test_position_weights_of_one_completion():
    """Prompt of two tokens, `7 7`, then label of two tokens, separator 9, slot `4 5`, separator, reply `6 8`; then one without fields."""
    labels = torch.tensor([[-100, -100, 1, 2, 9, 4, 5, 9, 6, 8], [-100, 9, 1, 2, 3, 4, -100, -100, -100, -100]])
    counted = torch.tensor([[1] * 10, [1] * 6 + [0] * 4])
    weights = position_weights(labels, counted, separator=9, weights=(20.0, 3.0, 1.0))
    assert weights.tolist() == [[1, 1, 20, 3, 1, 3, 3, 1, 1, 1], [1, 20, 1, 1, 1, 1, 0, 0, 0, 0]]
    weights = position_weights(labels, counted, separator=9, weights=(20.0, 3.0, 2.0))
    assert weights.tolist() == [[1, 1, 20, 3, 2, 3, 3, 2, 2, 2], [1, 20, 2, 2, 2, 2, 0, 0, 0, 0]]


@pytest.mark.parametrize("soft", [False, True])
def test_field_weight_acts_on_the_slots_only(model, tokenizer, texts, targets, trainer_of, soft):
    plain, heavy = (trainer_of(model, targets if soft else None, weights=(1.0, weight, 1.0)) for weight in (1.0, 3.0))
    slots, count, separator = 0.0, 0, tokenizer(" |")["input_ids"]
    for place, (prompt, completion) in enumerate(zip(*texts)):
        ids, start = tokenizer(completion)["input_ids"], len(tokenizer(prompt)["input_ids"])
        last = len(ids) - 1 - ids[::-1].index(separator[0])
        fields = [i for i in range(1, last) if ids[i] != separator[0]]
        words = word_losses(model, tokenizer, prompt, completion)
        every = target_losses(model, tokenizer, prompt + completion + tokenizer.eos_token, targets[place])
        slots += sum((every[start - 1 + i] if soft else words[i]).item() for i in fields)
        count += len(words)
    extra = loss_and_gradient(heavy, batch_of(heavy))[0] - loss_and_gradient(plain, batch_of(plain))[0]
    assert len(separator) == 1 and extra == pytest.approx(2 * slots / count, rel=2e-3) and extra > 0.05


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("count", [None, 0])  # in training, the trainer's own count of labels is passed
def test_batch_without_any_label_gives_a_finite_loss(model, targets, trainer_of, soft, count):
    trainer = trainer_of(model, targets if soft else None)
    batch = batch_of(trainer)
    batch["labels"][:] = -100
    loss, gradient = loss_and_gradient(trainer, batch, num_items_in_batch=None if count is None else torch.tensor(count))
    assert math.isfinite(loss) and torch.isfinite(gradient).all()


def test_row_without_labels_adds_nothing_to_the_words_loss(model, trainer_of):
    trainer = trainer_of(model, weights=(5.0, 1.0, 1.0))
    batch, three = batch_of(trainer), batch_of(trainer, (0, 1, 2))
    batch["labels"][3] = -100
    assert loss_and_gradient(trainer, batch)[0] == pytest.approx(loss_and_gradient(trainer, three)[0], rel=1e-5)


def test_row_without_labels_has_no_position_to_weigh_up(model, targets, trainer_of):
    """Where a text was cut before its completion, its first prompt token must not be taken for the label."""
    losses = []
    for weight in (1.0, 5.0):
        trainer = trainer_of(model, targets, (weight, 1.0, 1.0))
        batch = batch_of(trainer, (0,))
        batch["labels"][:] = -100
        losses.append(loss_and_gradient(trainer, batch, num_items_in_batch=10)[0])
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


@pytest.mark.parametrize("soft", [False, True])
def test_accumulated_batches_equal_one_batch(make_model, targets, trainer_of, soft):
    trained, losses = [], []
    for size, accumulated in ((4, 1), (2, 2)):
        trainer = trainer_of(
            make_model(), targets if soft else None, weights=(3.0, 1.0, 1.0), per_device_train_batch_size=size,
            gradient_accumulation_steps=accumulated, max_steps=1, logging_steps=1,
        )
        trainer.train()
        losses.append(trainer.state.log_history[0]["loss"])
        trained.append(torch.cat([w.detach().flatten() for w in trainer.model.parameters()]))
    start = torch.cat([w.detach().flatten() for w in make_model().parameters()])
    assert (trained[0] - start).abs().max() > 1e-3
    assert torch.allclose(trained[0] - start, trained[1] - start, rtol=1e-3, atol=1e-5)
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_targets_are_paired_by_row_whatever_the_order(model, tokenizer, texts, targets, trainer_of):
    shuffled = rows(*texts).select([3, 1, 0, 2])
    trainer = trainer_of(model, targets, dataset=shuffled)
    whole = [tokenizer(prompt + completion + tokenizer.eos_token)["input_ids"] for prompt, completion in zip(*texts)]
    batch = batch_of(trainer, (2, 0, 3, 1))
    for place, row in enumerate((0, 3, 2, 1)):
        length = len(whole[row])
        assert batch["input_ids"][place, :length].tolist() == whole[row]
        assert batch["teacher_ids"][place, :length].tolist() == targets[row][0].tolist()
        assert torch.equal(batch["teacher_logs"][place, :length], torch.from_numpy(targets[row][1]).float())
    in_order = trainer_of(model, targets)
    assert loss_and_gradient(trainer, batch)[0] == pytest.approx(loss_and_gradient(in_order, batch_of(in_order))[0], rel=1e-5)


def test_text_cut_to_the_maximum_length_keeps_its_targets(model, targets, trainer_of):
    trainer = trainer_of(model, targets, max_length=30)
    batch = batch_of(trainer, range(len(trainer.train_dataset)))
    assert batch["input_ids"].shape[1] == 30 and math.isfinite(loss_and_gradient(trainer, batch)[0])


def test_examples_that_are_left_out_are_counted(model, tokenizer, texts, tmp_path, capsys):
    longest = max(len(tokenizer(prompt)["input_ids"]) for prompt in texts[0])
    fine_tune(model, tokenizer, rows(*texts), PROFILE, tmp_path, max_steps=1, max_length=longest, disable_tqdm=True)
    assert f"1 of {len(texts[0])} training examples are longer than {longest} tokens and were left out" in capsys.readouterr().out


def test_weights_that_were_loaded_in_half_are_trained_whole(model, tokenizer, texts, tmp_path):
    fine_tune(model.half(), tokenizer, rows(*texts), PROFILE, tmp_path, max_steps=1, disable_tqdm=True)
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}


@pytest.mark.parametrize("soft", [False, True])
def test_training_lowers_the_loss(model, targets, trainer_of, soft):
    settings = {"max_steps": 30, "per_device_train_batch_size": 4, "optim": "adamw_torch", "learning_rate": 3e-3}
    trainer = trainer_of(model, targets if soft else None, **settings)
    before = loss_and_gradient(trainer, batch_of(trainer))[0]
    trainer.train()
    assert loss_and_gradient(trainer, batch_of(trainer))[0] < 0.7 * before


def test_validation_is_measured_on_words_even_with_targets(make_model, tokenizer, task, examples, texts, targets, tmp_path):
    """Validation rows number from 0 as well: their targets must not be looked up among those of the training rows."""
    held_out = [examples[i] for i in (1, 2, 3, 6, 7)]
    validation = rows([task.prompt(e) for e in held_out], [task.gold(e) for e in held_out])
    settings = {"weights": (4.0, 1.0, 1.0), "max_steps": 1, "learning_rate": 0.0, "disable_tqdm": True, "per_device_eval_batch_size": 8}
    trainer = fine_tune(make_model(), tokenizer, rows(*texts), PROFILE, tmp_path, targets=targets, validation=validation, **settings)
    losses = [word_losses(make_model(), tokenizer, task.prompt(e), task.gold(e)) for e in held_out]
    expected = sum(loss.sum().item() + 3 * loss[0].item() for loss in losses) / sum(map(len, losses))
    found = [entry["eval_loss"] for entry in trainer.state.log_history if "eval_loss" in entry]
    assert found and found[0] == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("soft", [False, True])
def test_lora_trains_only_adapters(model, tokenizer, texts, targets, tmp_path, soft):
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    trainer = fine_tune(
        model, tokenizer, rows(*texts), PROFILE, tmp_path, lora_rank=4, max_steps=3, warmup_steps=0, learning_rate=0.1, disable_tqdm=True,
        targets=targets if soft else None,
    )
    trained = {name: weight for name, weight in trainer.model.named_parameters() if weight.requires_grad}
    assert len(trained) == 2 * 2 * 7 and all("lora_" in name for name in trained)  # two matrices for seven linear layers in each block
    assert all(weight.abs().max() > 0 for name, weight in trained.items() if "lora_B" in name)
    base = trainer.model.get_base_model().named_parameters()
    after = {name.replace(".base_layer", ""): weight for name, weight in base if "lora_" not in name}
    assert after.keys() == before.keys() and all(torch.equal(after[name], before[name]) for name in before)


def test_adapters_depend_on_the_seed_alone(make_model, tokenizer, texts, tmp_path):
    """Not on what the process did before: a teacher that is adapted again, after a kill, must be the same."""
    settings = {"lora_rank": 4, "max_steps": 2, "warmup_steps": 0, "learning_rate": 0.01, "disable_tqdm": True}
    trained = []
    for before, seed in ((1, 0), (2, 0), (1, 5)):
        model = make_model()
        torch.manual_seed(before)
        trainer = fine_tune(model, tokenizer, rows(*texts), PROFILE, tmp_path, seed=seed, **settings)
        trained.append(torch.cat([w.detach().flatten() for name, w in trainer.model.named_parameters() if "lora_" in name]))
    assert torch.allclose(trained[0], trained[1]) and not torch.allclose(trained[0], trained[2])


def test_fresh_adapters_change_no_answer(model, make_model):
    ids = torch.arange(3, 40)[None]
    with torch.no_grad():
        assert torch.allclose(with_lora(model, 4)(ids).logits, make_model()(ids).logits, atol=1e-5)


def test_a_saved_adapter_names_only_settings_that_are_set_and_comes_back(make_model, tmp_path):
    adapted, ids = with_lora(make_model(), 4), torch.arange(3, 40)[None]
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_B" in name:
                weight.fill_(0.05)
        expected = adapted(ids).logits
        adapter.save(adapted, tmp_path, "some/teacher")
        back = PeftModel.from_pretrained(make_model(), tmp_path)
        assert not torch.allclose(expected, make_model()(ids).logits, atol=0.1)
        assert torch.allclose(back(ids).logits, expected, atol=0.05)
    assert None not in json.loads((tmp_path / "adapter_config.json").read_text(encoding="utf-8")).values()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]


@pytest.fixture
def old_torchao(tmp_path, monkeypatch):
    """A machine with Colab's torchao, which is older than PEFT puts up with."""
    about = tmp_path / "torchao-0.10.0.dist-info"
    for folder in (tmp_path / "torchao", about):
        folder.mkdir()
    (tmp_path / "torchao" / "__init__.py").touch()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: torchao\nVersion: 0.10.0\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    import_utils.is_torchao_available.cache_clear()
    yield
    sys.modules.pop("torchao", None)
    import_utils.is_torchao_available.cache_clear()


def test_an_old_torchao_is_no_obstacle_to_adapters(old_torchao, model):
    with pytest.raises(ImportError, match="torchao"):
        import_utils.is_torchao_available()
    assert any("lora_" in name for name, _ in with_lora(model, 4).named_parameters())


def test_full_fine_tuning_changes_every_weight(model, make_model, tokenizer, texts, tmp_path):
    fine_tune(model, tokenizer, rows(*texts), PROFILE, tmp_path, max_steps=3, warmup_steps=0, learning_rate=0.01, disable_tqdm=True)
    assert not model.training
    for (name, new), old in zip(model.named_parameters(), make_model().parameters()):
        assert not torch.equal(new, old), name


@pytest.mark.parametrize("epochs", [1, 2, 1.5])
def test_steps_are_those_that_the_trainer_makes(model, trainer_of, epochs):
    trainer = trainer_of(model, num_train_epochs=epochs, per_device_train_batch_size=1)
    trainer.train()
    assert steps_for(4, epochs, 1) == trainer.state.global_step


def test_last_batch_may_be_smaller():
    assert (steps_for(33, 2, 16), steps_for(32, 2, 16)) == (6, 4)


def test_settings_fit_this_machine_and_can_be_changed(tmp_path):
    settings = sft_config(PROFILE, tmp_path, learning_rate=0.5, max_steps=3)
    assert (settings.learning_rate, settings.max_steps) == (0.5, 3)
    assert settings.per_device_train_batch_size == PROFILE.batch_size and settings.max_length == PROFILE.max_length
    assert settings.use_cpu == (not torch.cuda.is_available()) and not settings.bf16 and settings.report_to == []


@pytest.mark.parametrize("mixed, expected", [(True, torch.bfloat16), (False, torch.float32)])
def test_mixed_precision_multiplies_in_bfloat16_and_keeps_weights(mixed, expected, model, trainer_of, targets):
    trainer, seen = trainer_of(model, targets, bf16=mixed, max_steps=1), []
    model.model.layers[0].mlp.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    model.lm_head.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    trainer.train()
    assert seen == [expected, expected] and {weight.dtype for weight in model.parameters()} == {torch.float32}


def test_rows_number_the_pairs():
    table = rows(["a", "b", "c"], ["x", "y", "z"])
    assert table[1] == {"prompt": "b", "completion": "y", "row": 1}
    assert sorted(table.shuffle(seed=random.Random(0).randrange(99))["row"]) == [0, 1, 2]
