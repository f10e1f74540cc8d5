"""Word problems of a shop: the model writes the steps, a calculator evaluates them."""

import math
import re

from ..data import Example
from .base import Answer, Task
from .calculator import calculate, valid_steps

TOLERANCE = 0.0051  # half a cent, and what rounding in the last step may add
COUNTING = (
    "zero one two three four five six seven eight nine ten eleven twelve "
    "thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty"
)
WORDS = {word: number for number, word in enumerate(COUNTING.split())} | {
    "half": 2, "double": 2, "twice": 2, "pair": 2, "couple": 2, "third": 3, "thirds": 3, "quarter": 4, "quarters": 4, "fifth": 5,
    "tenth": 10, "dozen": 12,
}
CONSTANTS = {0.0, 1.0, 2.0, 7.0, 12.0, 24.0, 52.0, 60.0, 100.0, 365.0, 1000.0}  # of days, months, hours, minutes, cents and percent


class Math(Task):
    """Math reasoning; the completion is steps such as `goods = 3 * 12.50; answer = goods - 1` (as in PAL, Gao et al. 2023).

    The arithmetic is done by `calculator.calculate`, never by the model. An example's label is its kind: `1 step`, `2 steps`, `3 or more`.
    """

    name = "math"
    instruction = "Write the steps that compute the answer, for example: goods = 3 * 12.50; answer = goods - 1. Write nothing else."
    main = "exact_answer"
    metrics = ("valid", "valid_steps")
    max_new_tokens = 64
    weights = (10.0, 10.0, 10.0)

    def parse(self, text: str) -> Answer:
        steps = text.strip()
        try:
            value = calculate(steps)
        except ValueError:
            return Answer(None, {}, steps)
        return Answer(f"{value:.2f}" if math.isfinite(value) else None, {}, steps)

    def verify(self, answer: Answer, example: Example) -> list[str]:
        """Steps must run, and compute with the message's numbers only (and those that everybody knows, such as 7 days)."""
        if answer.label is None:
            return ["steps cannot be computed"]
        reasons = [] if float(answer.label) >= 0 else ["negative answer"]
        strange = [number for number in numbers(answer.reply) if round(number, 6) not in grounded(example.text)]
        return [*reasons, "a number is not in the message"] if strange else reasons

    def score(self, answers: list[Answer], examples: list[Example]) -> dict[str, list[float]]:
        """Whether the number is right, whether the steps run to the end, and the share of steps that do."""
        rows = {"exact_answer": [], "valid": [], "valid_steps": []}
        for answer, example in zip(answers, examples, strict=True):
            right = answer.label is not None and abs(float(answer.label) - float(self.target(example))) <= TOLERANCE
            rows["exact_answer"].append(float(right))
            rows["valid"].append(float(answer.label is not None))
            rows["valid_steps"].append(valid_steps(answer.reply))
        return rows


def numbers(text: str) -> set[float]:
    """The numbers that stand in a text as figures."""
    return {float(found.replace(",", "")) for found in re.findall(r"\d[\d,]*(?:\.\d+)?", text)}


def grounded(text: str) -> set[float]:
    """Numbers with which a text may be computed: its own in figures and words, as a share of a hundred, one more or less, and constants."""
    said = numbers(text) | {float(WORDS[word]) for word in re.findall(r"[a-z]+", text.lower()) if word in WORDS}
    each = {form for x in said for form in (x, x / 100, 1 - x / 100, 1 + x / 100, x - 1, x + 1)}
    return {round(number, 6) for number in each | CONSTANTS}
