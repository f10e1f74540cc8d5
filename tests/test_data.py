"""Reading, cutting and splitting examples; what a bad line says."""

import json
from collections import Counter

import pytest

from labutils.data import DataError, Example, balanced, load_corpus, read_jsonl, split_examples
from labutils.profile import ROOT, Profile
from labutils.tasks import get_task


def changed(row: dict, **fields) -> dict:
    """The row with some fields replaced; None removes a field."""
    return {name: value for name, value in {**row, **fields}.items() if value is not None}


def said(*turns) -> list[dict]:
    return [{"role": role, "content": content} for role, content in turns]


BAD_LINES = {
    "bad JSON": (lambda row: '{"id": "x", "task": ', "(whole line)", "one JSON object"),
    "a list": (lambda row: "[1, 2]", "(whole line)", "found a list"),
    "no id": (lambda row: changed(row, id=None), "id", "non-empty string"),
    "blank id": (lambda row: changed(row, id="  "), "id", "non-empty string"),
    "number as id": (lambda row: changed(row, id=7), "id", "non-empty string"),
    "duplicate id": (lambda row: changed(row, id="row-0"), "id", "unused id, but 'row-0' stands in line 1"),
    "no task": (lambda row: changed(row, task=None), "task", "non-empty string"),
    "no messages": (lambda row: changed(row, messages=None), "messages", "non-empty list"),
    "empty messages": (lambda row: changed(row, messages=[]), "messages", "non-empty list"),
    "bad role": (lambda row: changed(row, messages=said(("system", "hi"), ("user", "hi"))), "messages[0].role", '"user" or "assistant"'),
    "message is text": (lambda row: changed(row, messages=["hi"]), "messages[0].role", '"user" or "assistant"'),
    "empty content": (lambda row: changed(row, messages=said(("user", "hi"), ("assistant", " "))), "messages[1].content", "non-empty text"),
    "reply only": (lambda row: changed(row, messages=said(("assistant", "hi"))), "messages", "a user message before the reply"),
    "two replies": (
        lambda row: changed(row, messages=said(("user", "a"), ("assistant", "b"), ("assistant", "c"))), "messages", "a user message before",
    ),
    "foreign slot": (lambda row: changed(row, slots={"order": "99999"}), "slots.order", "words of the user's message, found '99999'"),
    "slots not an object": (lambda row: changed(row, slots=["10234"]), "slots", "object of strings or nulls"),
    "number as slot": (lambda row: changed(row, slots={"order": 10234}), "slots", "object of strings or nulls"),
    "empty slot": (lambda row: changed(row, slots={"order": ""}), "slots.order", "null where there are none"),
    "unknown source": (lambda row: changed(row, source="web"), "source", "one of hand, generated, found 'web'"),
    "no label": (lambda row: changed(row, label=None), "label", "non-empty string"),
    "blank label": (lambda row: changed(row, label=" "), "label", "non-empty string"),
    "no reply": (lambda row: changed(row, messages=said(("user", "order 55810"))), "messages", "the assistant's reply"),
}


@pytest.mark.parametrize("kind", BAD_LINES)
def test_bad_line_names_file_line_field_and_expectation(kind, example_rows, write_jsonl):
    change, field, expected = BAD_LINES[kind]
    path = write_jsonl("train.jsonl", [example_rows[0], "", change(example_rows[3]), example_rows[4]])
    with pytest.raises(DataError) as error:
        read_jsonl(path)
    message = str(error.value)
    assert str(path) in message
    assert ", line 3, " in message  # the blank line counts
    assert f"field {field!r}:" in message
    assert expected in message


def test_line_in_another_encoding_names_file_and_line(example_rows, tmp_path):
    path = tmp_path / "train.jsonl"
    lines = [json.dumps(row, ensure_ascii=False) for row in (example_rows[0], example_rows[6])]
    path.write_bytes("\n".join(lines).encode("cp1252"))
    with pytest.raises(DataError) as error:
        read_jsonl(path)
    assert str(path) in str(error.value) and "line 2" in str(error.value) and "UTF-8" in str(error.value)


def test_read_keeps_every_field(example_rows, write_jsonl):
    turns = [("user", "Hello, about 10234 "), ("assistant", "Yes?"), ("user", "stop it"), ("assistant", "Done now.")]
    example_rows[0]["messages"] = said(*turns)
    example = read_jsonl(write_jsonl("train.jsonl", example_rows))[0]
    turns = (("user", "Hello, about 10234"), ("assistant", "Yes?"), ("user", "stop it"))
    assert example == Example("row-0", "conversation", turns, "cancel", {"order": "10234", "product": None}, "Done now.", "hand")
    assert example.text == "Hello, about 10234 stop it"


def test_slot_must_be_the_customers_words_not_the_agents(example_rows, write_jsonl):
    example_rows[0]["messages"] = said(("user", "Stop my order."), ("assistant", "10234?"), ("user", "yes"), ("assistant", "Done now."))
    with pytest.raises(DataError, match="slots.order"):
        read_jsonl(write_jsonl("train.jsonl", example_rows))


@pytest.mark.parametrize("value", ["-", "USB-A | USB-C", " 10234", " "])
def test_slot_must_be_one_that_a_completion_can_carry(example_rows, write_jsonl, value):
    example_rows[0]["messages"] = said(("user", f"Stop it - {value} please"), ("assistant", "Done now."))
    example_rows[0]["slots"] = {"order": value}
    with pytest.raises(DataError, match=r"line 1, field 'slots\.order': expected words .* null"):
        read_jsonl(write_jsonl("train.jsonl", example_rows))


def test_byte_order_mark_is_accepted(example_rows, write_jsonl):
    path = write_jsonl("train.jsonl", example_rows, encoding="utf-8-sig")
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    assert [example.id for example in read_jsonl(path)] == [row["id"] for row in example_rows]


def test_unlabelled_file_needs_neither_label_nor_reply(write_jsonl):
    path = write_jsonl("pool.jsonl", [{"id": "a", "task": "conversation", "messages": said(("user", "hello")), "label": None}])
    (example,) = read_jsonl(path, labelled=False)
    assert (example.label, example.reply, example.slots, example.source) == (None, None, {}, "hand")
    with pytest.raises(DataError, match="'label'"):
        read_jsonl(path)


def test_missing_file_names_the_setting(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.jsonl is missing.*LAB_DATA"):
        read_jsonl(tmp_path / "nowhere.jsonl")


def labelled(**counts) -> list[Example]:
    return [Example(f"{label}-{i}", "conversation", (("user", "x"),), label) for label, count in counts.items() for i in range(count)]


@pytest.mark.parametrize("limit, expected", [(3, (1, 1, 1)), (5, (2, 2, 1)), (8, (4, 3, 1)), (13, (9, 3, 1))])
def test_balanced_spreads_evenly_until_a_label_runs_out(limit, expected):
    chosen = balanced(labelled(a=10, b=3, c=1), limit)
    counts = Counter(example.label for example in chosen)
    assert tuple(counts[label] for label in "abc") == expected
    assert len({example.id for example in chosen}) == limit


@pytest.mark.parametrize("limit", [None, 14, 100])
def test_balanced_without_a_cut_keeps_order(limit):
    examples = labelled(a=10, b=3, c=1)
    chosen = balanced(examples, limit)
    assert chosen == examples and chosen is not examples


def test_balanced_depends_on_the_seed_only():
    examples = labelled(a=30, b=30)
    assert balanced(examples, 10, seed=1) == balanced(examples, 10, seed=1)
    assert {e.id for e in balanced(examples, 10, seed=1)} != {e.id for e in balanced(examples, 10, seed=2)}


def test_balanced_takes_unlabelled_examples():
    assert len(balanced([Example(str(i), "conversation", (("user", "x"),)) for i in range(9)], 4)) == 4


def test_split_gives_each_label_the_same_shares():
    examples = labelled(a=20, b=40, c=10)
    parts = split_examples(examples, {"train": 0.7, "validation": 0.1, "test": 0.2})
    counts = {name: tuple(Counter(e.label for e in part)[label] for label in "abc") for name, part in parts.items()}
    assert counts == {"train": (14, 28, 7), "validation": (2, 4, 1), "test": (4, 8, 2)}
    assert sorted(e.id for part in parts.values() for e in part) == sorted(e.id for e in examples)


def test_split_is_random_and_repeatable():
    examples, shares = labelled(a=40), {"one": 0.5, "two": 0.5}
    assert split_examples(examples, shares, seed=3) == split_examples(examples, shares, seed=3)
    assert split_examples(examples, shares, seed=3)["one"] not in (examples[:20], split_examples(examples, shares, seed=4)["one"])


def test_split_refuses_too_few_examples_of_a_label():
    with pytest.raises(ValueError, match=r"Label 'b' has 2 examples, fewer than the 3 splits"):
        split_examples(labelled(a=9, b=2), {"train": 0.8, "validation": 0.1, "test": 0.1})


@pytest.mark.parametrize("shares", [{"train": 0.8, "test": 0.1}, {"train": 0.8, "test": 0.8}])
def test_split_refuses_shares_that_do_not_sum_to_one(shares):
    with pytest.raises(ValueError, match=r"must sum to 1"):
        split_examples(labelled(a=9), shares)


def test_foreign_corpus_brings_its_labels_and_slots(foreign_corpus):
    corpus = load_corpus("conversation", Profile("own", gold=6, validation=3, test=None))
    assert {split: len(examples) for split, examples in corpus.items()} == {"train": 6, "validation": 3, "test": 12, "pool": 12}
    assert Counter(e.label for e in corpus["train"]) == {"bug": 2, "feature": 2, "praise": 2}
    task = get_task("conversation", corpus["train"])
    assert (task.labels, task.slots) == (("bug", "feature", "praise"), ("version",))
    example = corpus["test"][0]
    assert task.gold(example) == " bug | 4.0 | Thank you, noted."
    assert task.parse(task.gold(example)).slots == example.slots


@pytest.mark.parametrize("split", ["validation", "test"])
def test_label_without_training_examples_is_refused(foreign_corpus, split):
    path = foreign_corpus / f"{split}.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace('"label": "praise"', '"label": "rant"'), encoding="utf-8")
    with pytest.raises(ValueError, match=r"No training example has the label rant: add some, or drop those rows"):
        load_corpus("conversation", Profile("own"))


def test_missing_split_names_its_file(foreign_corpus):
    (foreign_corpus / "pool.jsonl").unlink()
    with pytest.raises(FileNotFoundError, match=r"pool\.jsonl is missing"):
        load_corpus("conversation", Profile("own"))


def test_without_lab_data_the_shipped_corpus_is_read():
    corpus = load_corpus("conversation", Profile("own", gold=24, validation=12, test=12))
    assert {example.id.rsplit("-", 1)[0] for example in corpus["train"]} == {"conversation-train"}
    assert len(corpus["pool"]) == sum(1 for line in (ROOT / "data/conversation/pool.jsonl").open(encoding="utf-8") if line.strip())
