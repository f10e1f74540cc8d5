"""The shipped corpus keeps what its datasheet promises."""

from collections import Counter

import pytest

from labutils.audit import near_duplicates, shared_ngrams
from labutils.data import SPLITS, read_jsonl
from labutils.profile import ROOT
from labutils.tasks import get_task

GOLD = ("train", "validation", "test")


@pytest.fixture(scope="module")
def corpus():
    folder = ROOT / "data" / "conversation"
    return {split: read_jsonl(folder / f"{split}.jsonl", labelled=split != "pool") for split in SPLITS}


@pytest.fixture(scope="module")
def hand(corpus):
    """The hand-written messages of each split."""
    return {split: [e for e in examples if e.source == "hand"] for split, examples in corpus.items()}


@pytest.mark.parametrize("split, least", [("train", 240), ("validation", 120), ("test", 360)])
def test_gold_is_large_enough_and_written_by_hand(corpus, split, least):
    assert len(corpus[split]) >= least
    assert {e.source for e in corpus[split]} == {"hand"}


def test_pool_is_large_enough(corpus, hand):
    assert len(corpus["pool"]) >= 8000 and len(hand["pool"]) >= 4000
    assert {e.label for e in corpus["pool"]} == {None}  # the student must not find labels there


def test_ids_are_unique_in_the_whole_corpus(corpus):
    counts = Counter(e.id for examples in corpus.values() for e in examples)
    assert [name for name, count in counts.items() if count > 1] == []


def test_every_gold_split_has_all_labels(corpus):
    labels = {split: {e.label for e in corpus[split]} for split in GOLD}
    assert len(labels["train"]) >= 12 and labels["train"] == labels["validation"] == labels["test"]


@pytest.mark.parametrize("split", GOLD)
def test_labels_are_balanced(corpus, split):
    counts = Counter(e.label for e in corpus[split]).values()
    assert max(counts) <= 1.2 * min(counts)


@pytest.mark.parametrize("split", ["train", "validation", "pool"])
def test_no_near_copy_of_a_test_message(corpus, split):
    assert near_duplicates(corpus["test"], corpus[split]) == []


@pytest.mark.parametrize("split", SPLITS)
def test_no_near_duplicates_inside_a_hand_written_part(hand, split):
    assert near_duplicates(hand[split]) == []


def test_no_near_duplicates_between_hand_written_training_parts(hand):
    assert near_duplicates(hand["train"], hand["pool"]) == []
    assert near_duplicates(hand["validation"], hand["train"] + hand["pool"]) == []


def test_few_test_messages_share_six_words_with_training_text(corpus):
    shared = shared_ngrams(corpus["test"], corpus["train"] + corpus["pool"])
    assert len(shared) <= 0.03 * len(corpus["test"]), shared


@pytest.mark.parametrize("split", GOLD)
def test_gold_answers_have_the_agreed_form(corpus, split):
    """Replies are short, slots are words of the message, and nothing is lost between writing and parsing."""
    task = get_task("conversation", corpus["train"])
    for example in corpus[split]:
        answer = task.parse(task.gold(example))
        assert task.verify(answer, example) == [], example.id
        assert (answer.label, answer.slots, answer.reply) == (example.label, example.slots, example.reply), example.id


@pytest.mark.parametrize("split", GOLD)
def test_replies_are_short(corpus, split):
    counts = [len(e.reply.split()) for e in corpus[split]]
    assert max(counts) <= 25 and sum(counts) / len(counts) <= 18


def test_a_planted_copy_would_be_found(corpus):
    """The counter-check of this file: it must be able to fail."""
    first, *rest = corpus["test"][:50]
    assert near_duplicates([first, *rest], [first]) == [(first.id, first.id, 1.0)]
    assert near_duplicates([first, *rest, first]) == [(first.id, first.id, 1.0)]
