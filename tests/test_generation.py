"""Batched generation: rows that have ended leave the batch, and nobody else's answer changes."""

from collections import Counter

import pytest
import torch

from labutils.generation import complete


@pytest.fixture
def ending(model, tokenizer):
    """The tiny model, bent so that answers end after different numbers of tokens."""
    with torch.no_grad():
        direction = torch.randn(model.config.hidden_size, generator=torch.Generator().manual_seed(3))
        model.lm_head.weight[tokenizer.eos_token_id] = direction * model.lm_head.weight.norm(dim=1).max() * 0.6
    return model


def test_answers_are_those_of_the_library(ending, tokenizer, prompts):
    inputs = tokenizer(prompts, return_tensors="pt", padding=True, padding_side="left")
    ends = {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id}
    output = ending.generate(**inputs, max_new_tokens=12, do_sample=False, **ends)
    expected = tokenizer.batch_decode(output[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    answers = complete(ending, tokenizer, prompts, max_new_tokens=12)
    assert answers == expected
    lengths = {len(tokenizer(answer)["input_ids"]) for answer in answers}
    assert len(lengths) > 2  # otherwise nothing would have left early


def test_a_row_that_has_ended_is_not_computed(ending, tokenizer, prompts):
    sizes = []
    ending.lm_head.register_forward_hook(lambda module, states, out: sizes.append(len(out)))
    complete(ending, tokenizer, prompts, max_new_tokens=12)
    assert sizes == sorted(sizes, reverse=True) and sizes[0] == len(prompts) > sizes[-1]


def test_sampling_follows_the_distribution_at_its_temperature(model, tokenizer, prompts):
    with torch.no_grad():
        logits = model(**tokenizer(prompts[:1], return_tensors="pt")).logits[0, -1]
    torch.manual_seed(0)
    drawn = Counter(complete(model, tokenizer, prompts[:1] * 4000, max_new_tokens=1, temperature=0.5))
    best = logits.argmax()
    expected = (logits / 0.5).softmax(-1)[best].item()
    assert drawn[tokenizer.decode(best, skip_special_tokens=True)] / 4000 == pytest.approx(expected, abs=0.03)
    assert abs(expected - logits.softmax(-1)[best].item()) > 0.05  # another temperature would be seen
