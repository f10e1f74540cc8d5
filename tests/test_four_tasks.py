"""NLI, question answering, math and summarisation: parse, verify and score, against values worked out by hand."""

import pytest

from labutils.data import Example
from labutils.tasks import TASKS, Answer, get_task
from labutils.tasks.calculator import calculate, valid_steps
from labutils.tasks.qa import token_f1


def example(task: str, text: str, label: str, reply: str, **more) -> Example:
    return Example("a", task, (("user", text),), label, {}, reply, **more)


@pytest.mark.parametrize("steps, value", [
    ("answer = 3 * 7.40", 22.2),
    ("sale_price = 80.00 * (1 - 0.15); answer = sale_price - 5.00", 63.0),
    ("a = 10; b = a / 4; answer = -b + a", 7.5),
    ("answer = round(10 / 3, 2)", 3.33),
    ("answer = max(0, min(5, 9) - 7)", 0.0),
    ("answer = 1; answer = answer + 1", 2.0),
])
def test_steps_are_evaluated(steps, value):
    assert calculate(steps) == pytest.approx(value)


NOT_STEPS = (
    "", "answer", "answer = ", "total = 3", "answer = total", "answer = 1 / 0", "answer = 2 ** 9999", "answer = 'a' * 3",
    "answer = True + 1", "answer = __import__('os').getpid()", "answer = (1).real", "answer = [1][0]", "answer = lambda: 1",
    "answer = round(1.234, ndigits=1)", "answer = " + "(" * 500 + "1" + ")" * 500, "1x = 3; answer = 1", "answer == 3", "answer = 10e400",
    "answer = round(5, 0 - 10e400)",
)


@pytest.mark.parametrize("steps", NOT_STEPS)
def test_nothing_but_arithmetic_is_evaluated(steps):
    assert get_task("math", []).parse(steps) == Answer(None, {}, steps.strip())


@pytest.mark.parametrize("steps, share", [
    ("a = 2 * 3; answer = a + 1", 1.0), ("a = 2 * three; b = 4; answer = a + b", 1 / 3), ("answer 4", 0.0), ("a = 1; b = 1 / 0", 0.5),
])
def test_valid_steps(steps, share):
    assert valid_steps(steps) == pytest.approx(share)


@pytest.mark.parametrize("task", TASKS.values())
def test_a_task_has_the_settings_of_its_class(task):
    """Were they fields, each instance would get the base's."""
    names = ("main", "metrics", "weights", "teacher_weights", "min_confidence", "max_new_tokens")
    assert all(getattr(task(), name) == getattr(task, name) for name in names)
    assert get_task("conversation", []).weights == (60, 3, 1) and get_task("qa", []).metrics == ("valid", "exact_match", "answerable_known")


def test_math_scores_the_number_and_not_the_steps():
    task, question = get_task("math", []), example("math", "2 mugs at 4.50 each, 1 came broken.", "1 step", "answer = 4.50")
    answers = [task.parse(text) for text in (" answer = 4.50", "back = 9 - 4.50; answer = back", "answer = 2 * 4.50", "give back 4.50")]
    assert [answer.label for answer in answers] == ["4.50", "4.50", "9.00", None]
    scores = task.score(answers, [question] * 4)
    assert scores["exact_answer"] == [1, 1, 0, 0] and scores["valid"] == [1, 1, 1, 0]
    assert scores["valid_steps"] == [1, 1, 1, 0]
    found = [task.verify(answer, question) for answer in answers]
    assert found == [[], ["a number is not in the message"], [], ["steps cannot be computed"]]
    assert task.verify(task.parse("answer = 4.50 * 31"), question) == ["a number is not in the message"]
    discount = example("math", "Two jars at 6.00, and fifteen percent off.", "2 steps", "")
    assert task.verify(task.parse("sum = 2 * 6.00; answer = sum * 0.85"), discount) == []


@pytest.mark.parametrize("found, gold, f1", [
    ("a fine comb", "The fine comb.", 1.0),  # articles, case and full stops do not count
    ("fine", "fine comb", 2 / 3),
    ("comb comb", "fine comb", 0.5),
    ("cold water", "fine comb", 0.0),
    ("not stated", "not stated", 1.0),
    ("not stated", "fine comb", 0.0),
    ("stated", "not stated", 0.0),
    ("Not stated.", "not stated", 1.0),
    ("", "fine comb", 0.0),
    ("the", "not stated", 0.0),
])
def test_token_f1(found, gold, f1):
    assert token_f1(found, gold) == pytest.approx(f1)


def test_answers_must_stand_in_the_passage():
    text = "Passage: Lift pills off with a fine comb.\nQuestion: What about pills? A brush?"
    task, question = get_task("qa", []), example("qa", text, "answerable", "fine comb")
    for answer, reasons in {
        "fine comb": [], "not stated": [], "A brush": ["answer is not in the passage"], "ine com": ["answer is not in the passage"],
        "Passage": ["answer is not in the passage"], "": ["not of the agreed form"], "the": ["not of the agreed form"],
        "a\nb": ["not of the agreed form"],
    }.items():
        assert task.verify(task.parse(answer), question) == reasons
    scores = task.score([task.parse(text) for text in ("not stated", "", "a brush")], [question] * 3)
    assert scores["answerable_known"] == [0, 0, 1]
    assert task.cluster(question) == "Lift pills off with a fine comb."


def test_nli_reads_the_label_before_the_reason():
    text, labels = "Policy: ...\nClaim: ...", ("entailment", "neutral", "contradiction")
    items = [example("nli", text, label, "Day 45 is too late.") for label in labels]
    task = get_task("nli", items)
    assert task.labels == ("contradiction", "entailment", "neutral")
    assert task.parse(task.gold(items[1])) == Answer("neutral", {}, "Day 45 is too late.")
    assert task.parse("maybe | because").label is None and task.parse("neutral").label is None
    assert task.verify(task.parse("neutral | so"), items[0]) == ["reason too short or too long"]


def test_a_summary_keeps_facts_and_invents_no_number():
    turns = (("user", "Order 48213: the armrest is cracked."), ("assistant", "A new one by Friday?"), ("user", "Yes, in oak."))
    facts, summary = ("48213", "oak", "Friday"), "Armrest of order 48213 cracked; oak one by Friday."
    ticket = Example("a", "summarization", turns, "summary", {}, summary, "hand", facts)
    task = get_task("summarization", [ticket])
    texts = (summary, "The armrest of order 48213 is cracked; OAK follows.", "Order 148213 has a cracked armrest, oak.", "Order\nnumber")
    answers = [task.parse(text) for text in texts]
    scores = task.score(answers, [ticket] * 4)
    assert scores["fact_recall"] == pytest.approx([1, 2 / 3, 1 / 3, 0]) and scores["invented"] == [0, 0, 1, 1]
    assert scores["rouge_l"][0] == pytest.approx(1)
    strange = ["a number is not in the ticket", "the order number is missing"]
    assert [task.verify(answer, ticket) for answer in answers] == [[], [], strange, ["not of the agreed form"]]
    assert task.verify(task.parse("Cracked armrest, 48213."), ticket) == ["summary too short or too long"]
