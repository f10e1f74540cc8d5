"""Word problems of a shop: the model writes the steps, a calculator evaluates them."""

import math
import re

from ..data import Example
from .base import Answer, Task
from .calculator import calculate

TOLERANCE = 0.0051  # half a cent, and what rounding in the last step may add


class Math(Task):
    """Math reasoning; the completion is steps such as `goods = 3 * 12.50; answer = goods - 1` (as in PAL, Gao et al. 2023).

    The arithmetic is done by `calculator.calculate`, never by the model. An example's label is its kind: `1 step`, `2 steps`, `3 or more`.
    """

    name = "math"
    instruction = "Write the steps that compute the answer, for example: goods = 3 * 12.50; answer = goods - 1. Write nothing else."
    main = "exact_answer"
    metrics = ("valid", "grounded_steps")
    max_new_tokens = 64
    weights = (10.0, 10.0, 10.0)

    def parse(self, text: str) -> Answer:
        steps = text.strip()
        try:
            value = calculate(steps)
        except ValueError:
            return Answer()
        return Answer(f"{value:.2f}", {}, steps) if math.isfinite(value) else Answer()

    def verify(self, answer: Answer, example: Example) -> list[str]:
        if answer.label is None:
            return ["steps cannot be computed"]
        reasons = [] if float(answer.label) >= 0 else ["negative answer"]
        return reasons if numbers(example.text) & numbers(answer.reply) else [*reasons, "no number of the message is used"]

    def score(self, answers: list[Answer], examples: list[Example]) -> dict[str, list[float]]:
        """Whether the number is right, and the share of the steps' numbers that the message names."""
        rows = {"exact_answer": [], "valid": [], "grounded_steps": []}
        for answer, example in zip(answers, examples, strict=True):
            right = answer.label is not None and abs(float(answer.label) - calculate(example.reply)) <= TOLERANCE
            used = numbers(answer.reply)
            rows["exact_answer"].append(float(right))
            rows["valid"].append(float(answer.label is not None))
            rows["grounded_steps"].append(len(used & numbers(example.text)) / len(used) if used else 0.0)
        return rows


def numbers(text: str) -> set[float]:
    """The numbers that stand in a text as figures."""
    return {float(found.replace(",", "")) for found in re.findall(r"\d[\d,]*(?:\.\d+)?", text)}
