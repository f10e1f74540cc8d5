"""The task's four parts: prompt, parse, verify, score."""

import dataclasses

import pytest

from labutils.data import Example
from labutils.tasks import Answer, get_task


def test_prompt_shows_the_turns_in_order_and_ends_before_the_answer(task):
    turns = (("user", "Hello."), ("assistant", "How can we help?"), ("user", "Stop 10234."))
    prompt = task.prompt(Example("a", "conversation", turns))
    assert prompt == "Customer: Hello.\nAgent: How can we help?\nCustomer: Stop 10234.\nAnswer:"


def test_prompt_does_not_contain_what_is_to_be_found(task, examples):
    for example in examples:
        prompt = task.prompt(example)
        assert example.reply not in prompt
        assert prompt == task.prompt(dataclasses.replace(example, label="other", slots={}, reply="Something else."))


def test_gold_is_one_line_with_the_label_first(task, examples):
    assert task.gold(examples[0]) == " cancel | 10234 | - | Order 10234 is stopped."
    assert task.gold(examples[1]) == " cancel | - | desk lamp | Fine, the desk lamp will not be sent."


def test_gold_survives_parsing(task, examples):
    for example in examples:
        assert task.parse(task.gold(example)) == Answer(example.label, example.slots, example.reply)


def test_reply_may_contain_the_separator(task):
    answer = task.parse(task.completion("cancel", {"order": "1"}, "Yes | no | maybe."))
    assert answer == Answer("cancel", {"order": "1", "product": None}, "Yes | no | maybe.")


@pytest.mark.parametrize("text", [
    "", " ", "cancel", "cancel | 10234 | -", "rant | - | - | Sorry.", "Cancel | - | - | Sorry.", " | - | - | Sorry.",
    "I think cancel | - | - | Sorry.", "cancel, -, -, Sorry.",
])
def test_malformed_text_is_an_empty_answer(task, text):
    assert task.parse(text) == Answer(None, {}, "")


@pytest.mark.parametrize("text", [
    "cancel|10234| - |We stop it.", "  cancel |  10234|  | We stop it.\n", "cancel | 10234 | - | We stop it.",
])
def test_blanks_around_the_parts_do_not_matter(task, text):
    assert task.parse(text) == Answer("cancel", {"order": "10234", "product": None}, "We stop it.")


def test_gold_answers_pass_verification(task, examples):
    assert [task.verify(task.parse(task.gold(example)), example) for example in examples] == [[]] * len(examples)


@pytest.mark.parametrize("answer, reasons", [
    (Answer(), ["not of the agreed form"]),
    (Answer("cancel", {"order": "99999", "product": None}, "We stop it."), ["order is not in the message"]),
    (Answer("cancel", {"order": "10234", "product": "bike"}, "We stop it."), ["product is not in the message"]),
    (Answer("cancel", {}, "No."), ["reply too short or too long"]),
    (Answer("cancel", {}, ""), ["reply too short or too long"]),
    (Answer("cancel", {}, "word " * 26), ["reply too short or too long"]),
    (Answer("cancel", {"order": "9", "product": "bike"}, "No."),
     ["order is not in the message", "product is not in the message", "reply too short or too long"]),
    (Answer("cancel", {"order": "10234"}, "word " * 25), []),
    (Answer("cancel", {"order": None}, "We stop."), []),
])
def test_verification_gives_each_reason(task, examples, answer, reasons):
    assert task.verify(answer, examples[0]) == reasons


def test_slot_found_only_in_the_agents_turn_is_rejected(task):
    example = Example("a", "conversation", (("user", "Stop it."), ("assistant", "Order 10234?"), ("user", "That one.")))
    assert task.verify(Answer("cancel", {"order": "10234"}, "We stop it."), example) == ["order is not in the message"]


def test_score_values(task, examples):
    gold = dataclasses.replace(examples[0], reply="the van stopped here")
    answers = [
        Answer("cancel", {"order": "10234", "product": None}, "the van stopped here"),
        Answer("tracking", {"order": "10234", "product": "van"}, "the van"),  # precision 1, recall 1/2
        Answer("cancel", {"order": None, "product": "van"}, "nothing in common"),
        Answer(),
    ]
    scores = task.score(answers, [gold] * 4)
    assert scores["valid"] == [1.0, 1.0, 1.0, 0.0]
    assert scores["slot_accuracy"] == [1.0, 0.5, 0.0, 0.0]
    assert scores["rouge_l"] == pytest.approx([1.0, 2 / 3, 0.0, 0.0])


def test_rouge_rewards_order(task, examples):
    gold = dataclasses.replace(examples[0], reply="one two three four")
    answers = [Answer("cancel", {}, "one two three four"), Answer("cancel", {}, "four three two one")]
    assert task.score(answers, [gold] * 2)["rouge_l"] == pytest.approx([1.0, 0.25])


def test_score_refuses_lists_of_different_length(task, examples):
    with pytest.raises(ValueError):
        task.score([Answer()], examples[:2])


@pytest.mark.parametrize("label", ["return|refund", "a | b", " padded", "padded ", "-"])
def test_label_that_a_completion_cannot_carry_is_refused(examples, label):
    with pytest.raises(ValueError, match=r"cannot stand in a completion") as error:
        get_task("conversation", [*examples, dataclasses.replace(examples[0], label=label)])
    assert repr(label) in str(error.value)


def test_unknown_task_is_named_with_the_choices(examples):
    with pytest.raises(ValueError, match=r"LAB_TASK is 'poetry'; it must be one of conversation"):
        get_task("poetry", examples)


def test_task_takes_labels_and_slots_from_the_examples(task):
    assert (task.labels, task.slots) == (("cancel", "invoice", "tracking"), ("order", "product"))
