"""Sum up a support ticket in a sentence or two, and keep the facts."""

import re

from rouge_score.rouge_scorer import RougeScorer

from ..data import Example
from .base import Answer, Task
from .math import WORDS, numbers


class Summarization(Task):
    """Summaries of tickets of several turns; the completion is the summary alone.

    An example's `facts` (order number, product, amount, what was agreed) must stand in its summary word for word.
    """

    name = "summarization"
    instruction = (
        "Sum up the support ticket in one or two sentences, on one line. Keep order numbers, products, amounts and what was agreed."
    )
    cue = "Summary:"
    main = "fact_recall"
    metrics = ("valid", "invented", "rouge_l")
    max_new_tokens = 80
    weights = (4.0, 4.0, 4.0)
    summary_words = 45

    def prompt(self, example: Example) -> str:
        """The turns so far with their speakers, then `Summary:`."""
        names = {"user": "Customer", "assistant": "Agent"}
        return "\n".join([*(f"{names[role]}: {text}" for role, text in example.turns), "Summary:"])

    def parse(self, text: str) -> Answer:
        summary = text.strip()
        return Answer(summary, {}, summary) if summary and "\n" not in summary else Answer()

    def verify(self, answer: Answer, example: Example) -> list[str]:
        """A summary of fair length, with the ticket's order number and without a number that nobody wrote."""
        if answer.label is None:
            return ["not of the agreed form"]
        reasons = [] if 6 <= len(answer.reply.split()) <= self.summary_words else ["summary too short or too long"]
        if invented(answer.reply, example):
            reasons.append("a number is not in the ticket")
        if any(not stands_in(order, answer.reply) for order in orders(example)):
            reasons.append("the order number is missing")
        return reasons

    def score(self, answers: list[Answer], examples: list[Example]) -> dict[str, list[float]]:
        """Share of the facts kept, whether a number was invented (or nothing usable written), and ROUGE-L (Lin 2004) against the gold."""
        rouge = RougeScorer(["rougeL"])
        rows = {"fact_recall": [], "valid": [], "invented": [], "rouge_l": []}
        for answer, example in zip(answers, examples, strict=True):
            kept = [stands_in(fact, answer.reply) for fact in example.facts]
            rows["fact_recall"].append(sum(kept) / len(kept) if kept else float(answer.label is not None))
            rows["valid"].append(float(answer.label is not None))
            rows["invented"].append(float(answer.label is None or bool(invented(answer.reply, example))))
            rows["rouge_l"].append(rouge.score(example.reply, answer.reply)["rougeL"].fmeasure)
        return rows


def stands_in(fact: str, text: str) -> bool:
    """Whether a fact stands in a text as words of its own: 15 does not stand in 71530, nor in 15.50."""
    return bool(re.search(rf"(?<!\w)(?<!\d[.,]){re.escape(fact.lower())}(?!\w|[.,]\d)", text.lower()))


def ticket(example: Example) -> str:
    """All that was said, by both sides."""
    return "\n".join(text for _, text in example.turns)


def orders(example: Example) -> set[str]:
    """Order numbers of a ticket: the only numbers of five figures in this shop, where there is one and no more."""
    found = set(re.findall(r"(?<![\d.,])\d{5}(?![\d]|[.,]\d)", ticket(example)))
    return found if len(found) == 1 else set()


def invented(summary: str, example: Example) -> set[float]:
    """Numbers of the summary that nobody wrote in the ticket, in figures or in words."""
    said = {float(WORDS[word]) for word in re.findall(r"[a-z]+", ticket(example).lower()) if word in WORDS}
    return numbers(summary) - numbers(ticket(example)) - said
