"""Planted faults are found, clean text is not."""

import random
from itertools import combinations

import pytest

from labutils.audit import NEAR, audit, balance, distinct, near_duplicates, ngrams, openings, shared_ngrams, words
from labutils.data import Example

CLEAN = [
    "The kettle arrived with a crack along the handle and leaks.",
    "Could you move my delivery from Monday to the end of the week?",
    "where do i type the voucher code, the page has no box for it",
    "My card was charged twice for the same pair of boots yesterday.",
    "Nobody has answered my letter about the missing parcel since June.",
    "i want to send back the blue curtains, they are far too short",
]


def examples(texts: list[str], prefix: str = "m", label: str = "a") -> list[Example]:
    return [Example(f"{prefix}{number:03}", "conversation", (("user", text),), label) for number, text in enumerate(texts)]


def test_words_ignore_case_punctuation_and_numbers():
    assert words("Order 48213: DON'T send 2!") == words("order 7 don't send 99") == ["order", "#", "don't", "send", "#"]


def test_ngrams_of_a_short_text_are_the_whole_of_it():
    assert ngrams("one two three", 2) == {("one", "two"), ("two", "three")}
    assert ngrams("hello", 2) == {("hello",)}


def test_clean_text_has_no_duplicates():
    assert near_duplicates(examples(CLEAN)) == []
    assert near_duplicates(examples(CLEAN[:3], "t"), examples(CLEAN[3:], "p")) == []


@pytest.mark.parametrize("copy", [
    CLEAN[3],
    CLEAN[3].lower().replace(".", "!!"),
    "Hello, " + CLEAN[3] + " Thanks.",
    CLEAN[3].replace("yesterday", "today"),
])
def test_planted_duplicate_is_found_with_its_ids(copy):
    pairs = near_duplicates(examples([*CLEAN, copy]))
    assert [pair[:2] for pair in pairs] == [("m003", "m006")]
    mine, theirs = ngrams(CLEAN[3], 2), ngrams(copy, 2)
    assert pairs[0][2] == pytest.approx(len(mine & theirs) / len(mine | theirs)) and pairs[0][2] >= NEAR


def test_another_order_number_does_not_hide_a_copy():
    pairs = near_duplicates(examples(["Please look for parcel 11111 at once", "Please look for parcel 98765 at once"]))
    assert pairs == [("m000", "m001", 1.0)]


def test_near_copy_of_a_test_message_is_found():
    test, training = examples(CLEAN[:3], "t"), examples([*CLEAN[3:], CLEAN[1].replace("Monday", "Tuesday")], "p")
    assert [pair[:2] for pair in near_duplicates(test, training)] == [("t001", "p003")]


def test_leak_is_found_when_both_splits_number_from_one():
    test, training = examples(CLEAN[:3], ""), examples([CLEAN[0], CLEAN[4], CLEAN[5]], "")
    assert [pair[:2] for pair in near_duplicates(test, training)] == [("000", "000")]


def test_every_pair_above_the_threshold_is_found():
    rng = random.Random(0)
    vocabulary = [a + b + c for a in "bdfgk" for b in "aeiou" for c in "lmnrt"]
    texts = [" ".join(rng.sample(vocabulary, 12)) for _ in range(150)]
    for text in list(texts):  # one word replaced inside: 9 of 13 word pairs are common, 0.69
        changed = text.split()
        changed[rng.randrange(1, 11)] = "other"
        texts.append(" ".join(changed))
    grams = [ngrams(text, 2) for text in texts]
    close = {(i, j) for (i, a), (j, b) in combinations(enumerate(grams), 2) if len(a & b) >= NEAR * len(a | b)}
    assert len(close) == 150
    assert {(int(one[1:]), int(other[1:])) for one, other, _ in near_duplicates(examples(texts))} == close


def test_messages_in_another_script_are_not_all_the_same():
    assert near_duplicates(examples(["Где мой заказ, жду уже неделю", "Верните деньги за чайник, он течёт", "いつ届きますか"])) == []


def test_shared_run_of_six_words_is_found_and_one_of_five_is_not():
    training = examples(["I told you the page has no box for it, twice!", "my card was charged twice but for another thing"], "p")
    assert shared_ngrams(examples(CLEAN, "t"), training) == {"t002": {"the page has no box for", "page has no box for it"}}
    assert set(shared_ngrams(examples(CLEAN, "t"), training, n=5)) == {"t002", "t003"}


def test_clean_or_short_text_shares_no_run():
    assert shared_ngrams(examples(CLEAN[:3], "t"), examples(CLEAN[3:], "p")) == {}
    assert shared_ngrams(examples(["where is it"], "t"), examples(["where is it"], "p")) == {}
    assert shared_ngrams(examples(CLEAN, "t"), []) == {}


def test_openings_and_diversity():
    texts = ["where is my desk", "Where is my lamp?", "where is my bike", "send it back"]
    assert openings(examples(texts)).most_common() == [("where is my", 3), ("send it back", 1)]
    assert distinct(examples(["a b c d"])) == 1.0
    assert distinct(examples(["a b a b a"])) == pytest.approx(2 / 4)


def test_diversity_is_measured_on_the_same_number_of_words():
    rng = random.Random(0)
    texts = [" ".join(rng.choice("abcdefghij") for _ in range(10)) for _ in range(1000)]
    assert distinct(examples(texts), sample=200) == distinct(examples(texts[:20]))
    assert distinct(examples(texts)) < distinct(examples(texts), sample=200)


def test_balance_counts_labels_largest_first():
    counts = balance([*examples(CLEAN[:2], "x", "few"), *examples(CLEAN, "y", "many")])
    assert list(counts.items()) == [("many", 6), ("few", 2)]


def test_audit_table_shows_each_planted_fault():
    corpus = {
        "train": [*examples([*CLEAN[2:], CLEAN[5]], "r"), *examples(["the handle and leaks into everything", "Hello"], "s", "b")],
        "test": examples(CLEAN[:2], "t"),
        "pool": examples([CLEAN[0] + " Please help.", "there was a crack along the handle and leaks all over my new oak table"], "p"),
    }
    table = audit(corpus)
    assert list(table.index) == ["train", "test", "pool"]
    assert table["messages"].tolist() == [7, 2, 2]
    assert table["exact duplicates"].tolist() == [1, 0, 0]
    assert table["near duplicates"].tolist() == [1, 0, 0]
    assert table["near copies of a test message"].tolist() == [0, 0, 1]
    assert table["test messages sharing 6 words"].tolist() == [0, 0, 1]
    assert table.loc["train", "most common opening"] == pytest.approx(2 / 7)
    assert table.loc["train", "largest to smallest label"] == pytest.approx(5 / 2)
    assert table.loc["test", "words per message"] == pytest.approx((11 + 13) / 2)
