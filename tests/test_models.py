"""Cutting students out of a model, trimming its vocabulary, loading and counting."""

import copy
import hashlib
import random

import pytest
import torch

from labutils import models
from labutils.models import check_sha256, layer_choice, load, megabytes, parameters, take_layers, trim_vocabulary
from labutils.profile import load_profile


@pytest.mark.parametrize("total, keep, choice, expected", [
    (30, 3, "first", [0, 1, 2]),
    (30, 3, "last", [27, 28, 29]),
    (12, 4, "even", [0, 4, 7, 11]),
    (30, 2, "even", [0, 29]),
    (30, 1, "even", [0]),
    (30, 4, "ends", [0, 1, 28, 29]),
    (30, 3, "ends", [0, 1, 29]),
    (30, 1, "ends", [0]),
])
def test_layer_choice(total, keep, choice, expected):
    assert layer_choice(total, keep, choice) == expected


@pytest.mark.parametrize("choice", ["first", "last", "even", "ends"])
def test_every_choice_gives_different_layers_in_order(choice):
    for total in range(1, 33):
        assert layer_choice(total, total, choice) == list(range(total))
        for keep in range(1, total + 1):
            layers = layer_choice(total, keep, choice)
            assert len(layers) == keep and layers == sorted(set(layers) & set(range(total)))


@pytest.mark.parametrize("keep", [0, -1, 5])
def test_layer_choice_refuses_an_impossible_number(keep):
    with pytest.raises(ValueError, match=f"4 layers cannot give {keep}"):
        layer_choice(4, keep, "first")


def test_layer_choice_names_the_choices():
    with pytest.raises(ValueError, match="'middle' is not one of first, last, even, ends, random"):
        layer_choice(4, 2, "middle")


def weights(module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def same(one, other) -> bool:
    """Whether two modules, or a module and a saved state, hold exactly the same weights."""
    one, other = (m if isinstance(m, dict) else m.state_dict() for m in (one, other))
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("choice, layers", [("first", [0, 1]), ("last", [3, 4]), ("even", [0, 4]), ("ends", [0, 4])])
def test_student_has_the_chosen_layers(make_model, tied, choice, layers):
    model = make_model(layers=5, tied=tied)
    student = take_layers(model, 2, choice)
    assert student.config.num_hidden_layers == len(student.model.layers) == 2 and not student.training
    for new, old in zip(student.model.layers, layers):
        assert same(new, model.model.layers[old])
    assert same(student.model.embed_tokens, model.model.embed_tokens)
    assert same(student.model.norm, model.model.norm)
    assert same(student.lm_head, model.lm_head)
    assert (student.lm_head.weight is student.model.embed_tokens.weight) == tied


@pytest.mark.parametrize("tied", [True, False])
def test_student_with_all_layers_answers_as_its_source(make_model, tied):
    model, ids = make_model(layers=3, tied=tied), torch.arange(3, 30)[None]
    with torch.no_grad():
        assert torch.allclose(take_layers(model, 3)(ids).logits, model(ids).logits, atol=1e-5)


@pytest.mark.parametrize("choice", ["first", "random"])
def test_training_the_student_leaves_the_source_alone(make_model, choice):
    model = make_model(layers=3)
    before = weights(model)
    student = take_layers(model, 2, choice)
    with torch.no_grad():
        for weight in student.parameters():
            weight.add_(1.0)
    assert same(model, before) and model.config.num_hidden_layers == len(model.model.layers) == 3


def test_random_student_copies_nothing(make_model):
    model = make_model(layers=3)
    student, first = take_layers(model, 2, "random", seed=7), take_layers(model, 2, "first")
    assert parameters(student) == parameters(first)
    for name, weight in student.state_dict().items():
        assert torch.isclose(weight, first.state_dict()[name]).float().mean() < 0.1, name
    assert same(student, take_layers(model, 2, "random", seed=7))
    assert not same(student, take_layers(model, 2, "random", seed=8))


UNICODE = [
    "Grüße, žluťoučký kůň! ¿Dónde está?", "Где мой заказ №5?", "いつ届きますか。", "שלום עולם", "🙂 \U0001f469\u200d\U0001f467\U0001f3fd",
    "a\u0301 \u200b\ufeff\u2028 \x00\x7f", "two  spaces , a comma . and do n't\n\n\ttabs ", "",
]


def random_unicode(count: int = 200) -> list[str]:
    """Texts of code points from all planes; surrogates cannot be encoded and are left out."""
    rng = random.Random(0)
    points = [*range(0xD800), *range(0xE000, 0x110000)]
    return ["".join(map(chr, rng.choices(points, k=12))) for _ in range(count)]


@pytest.fixture
def texts(task, examples, tokenizer) -> list[str]:
    """Prompts and completions of four of the twelve examples, and the end token: a part of the vocabulary."""
    return [task.prompt(e) + task.gold(e) for e in examples[:4]] + [tokenizer.eos_token]


def test_trimmed_tokenizer_makes_the_same_pieces(model, tokenizer, texts):
    _, trimmed = trim_vocabulary(model, tokenizer, texts)
    assert len(trimmed) < len(tokenizer)
    for text in texts:
        assert trimmed.convert_ids_to_tokens(trimmed(text)["input_ids"]) == tokenizer.convert_ids_to_tokens(tokenizer(text)["input_ids"])


def test_any_text_survives_the_trimmed_tokenizer(model, tokenizer, texts, prompts):
    _, trimmed = trim_vocabulary(model, tokenizer, texts)
    for text in [*UNICODE, *random_unicode(), *prompts]:
        assert trimmed.decode(trimmed(text)["input_ids"]) == text


def test_trimmed_tokenizer_keeps_its_special_tokens(model, tokenizer, texts):
    small, trimmed = trim_vocabulary(model, tokenizer, texts)
    assert (trimmed.eos_token, trimmed.pad_token, trimmed.bos_token) == ("<|im_end|>", "<|im_end|>", "<|im_start|>")
    assert trimmed.padding_side == "left"
    for holder in (small.config, small.generation_config):
        assert (holder.eos_token_id, holder.pad_token_id) == (trimmed.eos_token_id, trimmed.pad_token_id)
    assert len(trimmed("<|im_end|>")["input_ids"]) == 1
    assert trimmed.decode(trimmed("yes<|im_end|>")["input_ids"], skip_special_tokens=True) == "yes"


def kept_ids(tokenizer, trimmed) -> list[int]:
    """The old id of each new id, found by the token's text."""
    old = tokenizer.get_vocab()
    return [old[piece] for piece, _ in sorted(trimmed.get_vocab().items(), key=lambda item: item[1])]


@pytest.mark.parametrize("tied", [True, False])
def test_trimmed_model_gives_kept_tokens_their_old_logits(make_model, tokenizer, texts, tied):
    model = make_model(tied=tied)
    small, trimmed = trim_vocabulary(model, tokenizer, texts)
    kept = kept_ids(tokenizer, trimmed)
    assert small.config.vocab_size == len(trimmed) == len(kept)
    for text in texts:
        with torch.no_grad():
            new = small(**trimmed(text, return_tensors="pt")).logits
            old = model(**tokenizer(text, return_tensors="pt")).logits
        assert torch.allclose(new, old[..., kept], atol=1e-5)


def test_special_tokens_outside_the_vocabulary_move_with_the_others(make_model, tokenizer, texts):
    """Some tokenizers add their special tokens behind the vocabulary: those ids change when it is cut."""
    late = copy.deepcopy(tokenizer)
    late.add_special_tokens({"eos_token": "<|end|>", "pad_token": "<|pad|>"})
    model = make_model()
    model.resize_token_embeddings(len(late), mean_resizing=False)
    model.config.eos_token_id, model.config.pad_token_id = late.eos_token_id, late.pad_token_id
    small, trimmed = trim_vocabulary(model, late, texts)
    assert late.eos_token_id >= 450 > len(trimmed) and (trimmed.eos_token, trimmed.pad_token) == ("<|end|>", "<|pad|>")
    assert (small.config.eos_token_id, small.config.pad_token_id) == (trimmed.eos_token_id, trimmed.pad_token_id)
    assert small.config.vocab_size == len(trimmed) and trimmed("<|end|>")["input_ids"] == [trimmed.eos_token_id]
    with torch.no_grad():
        new, old = (m(**t(texts[0] + "<|end|>", return_tensors="pt")).logits for m, t in ((small, trimmed), (model, late)))
    assert torch.allclose(new, old[..., kept_ids(late, trimmed)], atol=1e-5)


def test_ids_keep_their_old_order(model, tokenizer, texts):
    kept = kept_ids(tokenizer, trim_vocabulary(model, tokenizer, texts)[1])
    assert kept == sorted(kept)


def test_keep_frequent_adds_the_lowest_ids(model, tokenizer, texts):
    few, more = (trim_vocabulary(model, tokenizer, texts, keep_frequent=n)[1].get_vocab() for n in (0, 350))
    lowest = set(tokenizer.convert_ids_to_tokens(range(350)))
    assert lowest <= set(more) and not lowest <= set(few) and set(few) < set(more)


def test_trimming_leaves_model_and_tokenizer_alone(model, tokenizer, texts):
    before, vocabulary = weights(model), tokenizer.get_vocab()
    small, _ = trim_vocabulary(model, tokenizer, texts)
    with torch.no_grad():
        small.model.embed_tokens.weight.add_(1.0)
    assert same(model, before) and model.config.vocab_size == 450 and tokenizer.get_vocab() == vocabulary


def test_tied_embeddings_count_once(make_model):
    tied, untied = make_model(), make_model(tied=False)
    layer = 2 * (32 * 32 + 32 * 16) + 3 * 32 * 64 + 2 * 32  # attention with half the key-value heads, MLP, two norms
    assert parameters(tied) == 450 * 32 + 2 * layer + 32
    assert parameters(untied) == parameters(tied) + 450 * 32
    assert megabytes(tied) == pytest.approx(parameters(tied) * 4 / 1e6)
    assert megabytes(tied.half()) == pytest.approx(parameters(tied) * 2 / 1e6)


def test_trimmed_model_still_ties(model, tokenizer, texts):
    small, trimmed = trim_vocabulary(model, tokenizer, texts)
    assert small.lm_head.weight is small.model.embed_tokens.weight
    assert parameters(model) - parameters(small) == 32 * (len(tokenizer) - len(trimmed))


def test_damaged_file_is_named_with_the_fix(tmp_path):
    path = tmp_path / "weights.gguf"
    path.write_bytes(b"good" * 1000)
    expected = hashlib.sha256(b"good" * 1000).hexdigest()
    check_sha256(path, expected)
    path.write_bytes(b"good" * 999 + b"goof")
    with pytest.raises(RuntimeError, match=r"weights\.gguf is damaged .*Delete it and run again"):
        check_sha256(path, expected)


def test_damaged_download_in_the_cache_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("LAB_CACHE", str(tmp_path))
    (tmp_path / models.GGUF).write_bytes(b"half a file")
    with pytest.raises(RuntimeError, match="is damaged"):
        models.fetch_gguf()


@pytest.fixture
def saved(model, tokenizer, tmp_path):
    folder = tmp_path / "tiny"
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_load_gives_the_saved_model_ready_to_answer(saved, model, tokenizer):
    loaded, own = load(saved, load_profile("smoke"))
    assert same(loaded.cpu(), model) and loaded.dtype == torch.float32 and not loaded.training
    assert own.padding_side == "left" and own.get_vocab() == tokenizer.get_vocab() and own.eos_token == "<|im_end|>"


def test_bundled_follows_the_setting(saved, model, monkeypatch):
    monkeypatch.setenv("LAB_MODEL_SOURCE", str(saved))
    assert same(load("bundled")[0].cpu(), model)


def test_missing_folder_names_the_fix(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"No model at '.*nowhere'.*LAB_MODEL_SOURCE.*package.*hub.*config\.json"):
        load(tmp_path / "nowhere")


def test_folder_without_weights_names_the_fix(saved):
    (saved / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="LAB_MODEL_SOURCE"):
        load(saved)
