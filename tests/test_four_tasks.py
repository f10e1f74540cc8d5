"""NLI, question answering, math and summarisation: parse, verify and score, against values worked out by hand."""

import math

import pytest

from labutils.data import Example
from labutils.tasks import Answer, get_task
from labutils.tasks.calculator import calculate
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


@pytest.mark.parametrize("steps", [
    "", "answer", "answer = ", "total = 3", "answer = total", "answer = 1 / 0", "answer = 2 ** 9999", "answer = 'a' * 3", "answer = True + 1",
    "answer = __import__('os').getpid()", "answer = (1).real", "answer = [1][0]", "answer = round(1.234, ndigits=1)", "answer = lambda: 1",
    "answer = " + "(" * 500 + "1" + ")" * 500, "1x = 3; answer = 1", "answer == 3", "answer = 10e400",
])
def test_nothing_but_arithmetic_is_evaluated(steps):
    try:
        assert not math.isfinite(calculate(steps)) or steps == "answer = 1"
    except ValueError:
        return


def test_math_scores_the_number_and_not_the_steps():
    task, question = get_task("math", []), example("math", "2 mugs at 4.50 each, 1 came broken.", "1 step", "answer = 4.50")
    answers = [task.parse(text) for text in (" answer = 4.50", "back = 9 - 4.50; answer = back", "answer = 2 * 4.50", "give back 4.50")]
    assert [answer.label for answer in answers] == ["4.50", "4.50", "9.00", None]
    scores = task.score(answers, [question] * 4)
    assert scores["exact_answer"] == [1, 1, 0, 0] and scores["valid"] == [1, 1, 1, 0]
    assert scores["grounded_steps"] == [1, 0.5, 1, 0]
    assert [task.verify(answer, question) for answer in answers] == [[], [], [], ["steps cannot be computed"]]
    assert task.verify(task.parse("answer = 7 * 3"), question) == ["no number of the message is used"]


@pytest.mark.parametrize("found, gold, f1", [
    ("a fine comb", "The fine comb.", 1.0),  # articles, case and full stops do not count
    ("fine", "fine comb", 2 / 3),
    ("comb comb", "fine comb", 0.5),
    ("cold water", "fine comb", 0.0),
    ("not stated", "not stated", 1.0),
    ("not stated", "fine comb", 0.0),
    ("stated", "not stated", 0.0),
    ("", "fine comb", 0.0),
])
def test_token_f1(found, gold, f1):
    assert token_f1(found, gold) == pytest.approx(f1)


def test_answers_must_stand_in_the_passage():
    task, question = get_task("qa", []), example("qa", "Passage: Lift pills off with a fine comb.\nQuestion: What about pills? A brush?", "answerable", "fine comb")
    for answer, reasons in {
        "fine comb": [], "not stated": [], "A brush": ["answer is not in the passage"], "": ["not of the agreed form"],
        "a\nb": ["not of the agreed form"],
    }.items():
        assert task.verify(task.parse(answer), question) == reasons
    assert task.score([task.parse("not stated")], [question])["answerable_known"] == [0.0]


def test_nli_reads_the_label_before_the_reason():
    items = [example("nli", "Policy: ...\nClaim: ...", label, "Day 45 is too late.") for label in ("entailment", "neutral", "contradiction")]
    task = get_task("nli", items)
    assert task.labels == ("contradiction", "entailment", "neutral")
    assert task.parse(task.gold(items[1])) == Answer("neutral", {}, "Day 45 is too late.")
    assert task.parse("maybe | because").label is None and task.parse("neutral").label is None
    assert task.verify(task.parse("neutral | so"), items[0]) == ["reason too short or too long"]


def test_a_summary_keeps_facts_and_invents_no_number():
    turns = (("user", "Order 48213: the armrest is cracked."), ("assistant", "A new one by Friday?"), ("user", "Yes, in oak."))
    ticket = Example("a", "summarization", turns, "summary", {}, "Armrest of order 48213 cracked; oak one by Friday.", "hand", ("48213", "oak", "Friday"))
    task = get_task("summarization", [ticket])
    answers = [task.parse(text) for text in (ticket.reply, "The armrest of order 48213 is cracked; OAK follows.", "Order 48999 has a cracked armrest, oak.")]
    scores = task.score(answers, [ticket] * 3)
    assert scores["fact_recall"] == pytest.approx([1, 2 / 3, 1 / 3]) and scores["invented"] == [0, 0, 1]
    assert scores["rouge_l"][0] == pytest.approx(1)
    assert [task.verify(answer, ticket) for answer in answers] == [[], [], ["a number is not in the ticket"]]
    assert task.verify(task.parse("Cracked armrest."), ticket) == ["summary too short or too long"]
