"""Sum up a support ticket in a sentence or two, and keep the facts."""

import re

from rouge_score.rouge_scorer import RougeScorer

from ..data import Example
from .base import Answer, Task


class Summarization(Task):
    """Summaries of tickets of several turns; the completion is the summary alone.

    An example's `facts` (order number, product, amount, what was agreed) must stand in its summary word for word.
    """

    name = "summarization"
    instruction = "Sum up the support ticket in one or two sentences, on one line. Keep order numbers, products, amounts and what was agreed."
    main = "fact_recall"
    metrics = ("valid", "invented", "rouge_l")
    max_new_tokens = 80
    min_confidence = 0.0  # a summary has many good wordings, each of small probability: verification reads it instead
    weights = (4.0, 4.0, 4.0)
    summary_words = 45

    def prompt(self, example: Example) -> str:
        """The turns so far with their speakers, then `Summary:`."""
        names = {"user": "Customer", "assistant": "Agent"}
        return "\n".join([*(f"{names[role]}: {text}" for role, text in example.turns), "Summary:"])

    def target(self, example: Example) -> str:
        return example.reply

    def parse(self, text: str) -> Answer:
        summary = text.strip()
        return Answer("summary", {}, summary) if summary and "\n" not in summary else Answer()

    def verify(self, answer: Answer, example: Example) -> list[str]:
        if answer.label is None:
            return ["not of the agreed form"]
        reasons = [] if 6 <= len(answer.reply.split()) <= self.summary_words else ["summary too short or too long"]
        return [*reasons, *(["a number is not in the ticket"] if invented(answer.reply, example) else [])]

    def score(self, answers: list[Answer], examples: list[Example]) -> dict[str, list[float]]:
        """Share of the facts kept, whether a number was invented, and ROUGE-L (Lin 2004) against the gold summary."""
        rouge = RougeScorer(["rougeL"])
        rows = {"fact_recall": [], "valid": [], "invented": [], "rouge_l": []}
        for answer, example in zip(answers, examples, strict=True):
            kept = [fact.lower() in answer.reply.lower() for fact in example.facts]
            rows["fact_recall"].append(sum(kept) / len(kept))
            rows["valid"].append(float(answer.label is not None))
            rows["invented"].append(float(bool(invented(answer.reply, example))))
            rows["rouge_l"].append(rouge.score(example.reply, answer.reply)["rougeL"].fmeasure)
        return rows


def invented(summary: str, example: Example) -> set[str]:
    """Numbers of the summary that nobody wrote in the ticket."""
    said = " ".join(text for _, text in example.turns)
    return set(re.findall(r"\d+(?:\.\d+)?", summary)) - set(re.findall(r"\d+(?:\.\d+)?", said))
