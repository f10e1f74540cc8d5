"""Does a claim follow from a policy, contradict it, or is it left open? The label first, then the reason in a line."""

from ..data import Example
from .base import Answer, Task


class Nli(Task):
    """Natural language inference on shop policies; the message is `Policy: ...` and, on the next line, `Claim: ...`.

    The completion is `label | reason`. One forward pass over the prompt decides the label, before the reason.
    """

    name = "nli"
    instruction = "Does the claim follow from the policy? Answer entailment, contradiction, or neutral where the policy leaves it open."
    main = "accuracy"
    min_confidence = 0.9
    weights = (80.0, 1.0, 1.0)
    teacher_weights = (10.0, 1.0, 1.0)
    reason_words = 20

    def cluster(self, example: Example) -> str:
        return example.text.rpartition("\nClaim:")[0] or example.id

    def gold(self, example: Example) -> str:
        return f" {example.label} | {example.reply}"

    def parse(self, text: str) -> Answer:
        label, bar, reason = (part.strip() for part in text.partition("|"))
        return Answer(label, {}, reason) if bar and label in self.labels else Answer()

    def verify(self, answer: Answer, example: Example) -> list[str]:
        if answer.label is None:
            return ["not of the agreed form"]
        return [] if 2 <= len(answer.reply.split()) <= self.reason_words else ["reason too short or too long"]

    def score(self, answers: list[Answer], examples: list[Example]) -> dict[str, list[float]]:
        return {"valid": [float(answer.label is not None) for answer, _ in zip(answers, examples, strict=True)]}
