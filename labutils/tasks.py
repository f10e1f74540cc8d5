"""The lab's tasks as objects with the same four parts: prompt, parse, verify, score."""

from dataclasses import dataclass, field

from rouge_score.rouge_scorer import RougeScorer

from .data import Example


@dataclass(frozen=True)
class Answer:
    """A parsed completion. `label` is None when the completion does not have the agreed form."""

    label: str | None = None
    slots: dict = field(default_factory=dict)
    reply: str = ""


@dataclass(frozen=True)
class Conversation:
    """Customer support: one line with the intent, the slots and a short reply.

    The completion is `intent | order | product | reply`, with `-` where the message has no such slot. The label comes
    first so that one forward pass over the prompt already decides it.
    """

    labels: tuple[str, ...]
    name: str = "conversation"
    slots: tuple[str, ...] = ("order", "product")
    reply_words: int = 25

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


TASKS = {"conversation": Conversation}


def get_task(name: str, examples: list[Example]) -> Conversation:
    """The task called `name` with the labels of the given training examples (so a foreign corpus brings its own).

    Raises:
        ValueError: no such task, or a label that the one-line completion cannot carry.
    """
    if name not in TASKS:
        raise ValueError(f"LAB_TASK is {name!r}; it must be one of {', '.join(TASKS)}.")
    labels = sorted({example.label for example in examples})
    for label in labels:
        if "|" in label or label != label.strip() or label == "-":
            raise ValueError(f"Label {label!r} cannot stand in a completion: it must be plain text without '|'.")
    slots = sorted({slot for example in examples for slot in example.slots})
    return TASKS[name](tuple(labels), slots=tuple(slots))


def check_gold(task: Conversation, gold: list[Example]) -> None:
    """Gold that verification would reject cannot be taught: the teacher's answers would all be dropped.

    Raises:
        ValueError: that is so for more than a tenth of the gold answers; the message names the first and its reasons.
    """
    found = [(e.id, reasons) for e in gold if (reasons := task.verify(task.parse(task.gold(e)), e))]
    if len(found) > 0.1 * len(gold):
        raise ValueError(
            f"Verification would reject {len(found)} of {len(gold)} gold answers, {found[0][0]} first ({'; '.join(found[0][1])}): "
            "change those answers, or the limits in labutils/tasks.py."
        )
