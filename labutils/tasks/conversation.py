"""Customer support: sort a message, copy its slots, reply in a line."""

from dataclasses import dataclass

from rouge_score.rouge_scorer import RougeScorer

from ..data import Example
from .base import Answer, Task


@dataclass(frozen=True)
class Conversation(Task):
    """Customer support: one line with the intent, the slots and a short reply.

    The completion is `intent | order | product | reply`, with `-` where the message has no such slot. The label comes
    first so that one forward pass over the prompt already decides it.
    """

    name = "conversation"
    cue = "Category:"
    main = "intent_accuracy"
    metrics = ("valid", "slot_accuracy", "rouge_l")
    min_confidence = 0.7
    weights = (60.0, 3.0, 1.0)  # the label among about 60 positions: half of all weight
    teacher_weights = (30.0, 1.0, 1.0)
    reply_words = 25

    @property
    def instruction(self) -> str:
        return f"Sort the customer's message into one of: {', '.join(self.labels)}."

    def prompt(self, example: Example) -> str:
        """The text before the completion: the turns so far, then `Answer:`."""
        names = {"user": "Customer", "assistant": "Agent"}
        turns = [f"{names[role]}: {text}" for role, text in example.turns]
        return "\n".join([*turns, "Answer:"])

    def completion(self, label: str, slots: dict, reply: str) -> str:
        """The text that the model should write after the prompt (it starts with a blank, as tokenizers expect)."""
        return " " + " | ".join([label, *(slots.get(slot) or "-" for slot in self.slots), reply])

    def gold(self, example: Example) -> str:
        """The completion of a labelled example."""
        return self.completion(example.label, example.slots, example.reply)

    def parse(self, text: str) -> Answer:
        """Read a completion; an empty Answer when it is not of the agreed form."""
        parts = [part.strip() for part in text.strip().split("|", len(self.slots) + 1)]
        if len(parts) != len(self.slots) + 2 or parts[0] not in self.labels:
            return Answer()
        slots = {slot: None if part in ("", "-") else part for slot, part in zip(self.slots, parts[1:-1])}
        return Answer(parts[0], slots, parts[-1])

    def verify(self, answer: Answer, example: Example) -> list[str]:
        """Reasons to reject an answer; an empty list means that it may become training data."""
        if answer.label is None:
            return ["not of the agreed form"]
        reasons = [
            f"{slot} is not in the message" for slot, value in answer.slots.items() if value and value not in example.text
        ]
        words = len(answer.reply.split())
        if not 2 <= words <= self.reply_words:
            reasons.append("reply too short or too long")
        return reasons

    def score(self, answers: list[Answer], examples: list[Example]) -> dict[str, list[float]]:
        """One number between 0 and 1 per example and metric.

        Slot accuracy is the share of slots that are exactly right; ROUGE-L (Lin 2004) is the F-measure against the gold
        reply. BLEU and chrF belong to a whole corpus: see `evaluation.corpus_scores`.
        """
        rouge = RougeScorer(["rougeL"])
        rows = {"valid": [], "slot_accuracy": [], "rouge_l": []}
        for answer, example in zip(answers, examples, strict=True):
            right = [answer.slots.get(slot) == example.slots.get(slot) for slot in self.slots if answer.label]
            rows["valid"].append(float(answer.label is not None))
            rows["slot_accuracy"].append(sum(right) / len(self.slots) if self.slots else 1.0)
            rows["rouge_l"].append(rouge.score(example.reply, answer.reply)["rougeL"].fmeasure)
        return rows
