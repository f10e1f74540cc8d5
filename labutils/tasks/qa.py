"""Answer a question from a passage, in words of the passage, or say that it is not stated there."""

import re
import string
from collections import Counter

from ..data import Example
from .base import Answer, Task

NOT_STATED = "not stated"


class Qa(Task):
    """Extractive question answering with unanswerable questions; the message is `Passage: ...` and `Question: ...`.

    The completion is the answer alone. Scores are those of SQuAD 2.0 (Rajpurkar et al. 2018, section 5): an unanswerable question has
    the answer "not stated", and any other answer to it scores 0. An example's label is its kind: `answerable` or `unanswerable`.
    """

    name = "qa"
    instruction = f"Answer the question in words of the passage, or with '{NOT_STATED}' where it does not say."
    main = "token_f1"
    metrics = ("valid", "exact_match", "answerable_known")
    max_new_tokens = 24
    answer_words = 12

    def cluster(self, example: Example) -> str:
        return passage(example) or example.id

    def parse(self, text: str) -> Answer:
        answer = text.strip()
        return Answer(answer, {}, answer) if words(answer) and "\n" not in answer else Answer()

    def verify(self, answer: Answer, example: Example) -> list[str]:
        if answer.label is None:
            return ["not of the agreed form"]
        if not answerable(answer.label):
            return []
        whole = rf"(?<!\w){re.escape(answer.label)}(?!\w)"
        reasons = [] if re.search(whole, passage(example)) else ["answer is not in the passage"]
        return reasons if len(answer.label.split()) <= self.answer_words else [*reasons, "answer too long"]

    def score(self, answers: list[Answer], examples: list[Example]) -> dict[str, list[float]]:
        """Token F1, exact match, and whether the model knew that there is an answer, or none."""
        rows = {"token_f1": [], "valid": [], "exact_match": [], "answerable_known": []}
        for answer, example in zip(answers, examples, strict=True):
            found, gold = answer.label or "", example.reply
            rows["token_f1"].append(token_f1(found, gold))
            rows["valid"].append(float(answer.label is not None))
            rows["exact_match"].append(float(words(found) == words(gold)))
            rows["answerable_known"].append(float(answer.label is not None and answerable(found) == answerable(gold)))
        return rows


def passage(example: Example) -> str:
    """The passage of a message, without the question."""
    return example.text.rpartition("\nQuestion:")[0].removeprefix("Passage:").strip()


def words(text: str) -> list[str]:
    """The words that count: lowercase, without punctuation and articles (SQuAD's normalisation)."""
    bare = text.lower().translate(str.maketrans("", "", string.punctuation))
    return re.sub(r"\b(a|an|the)\b", " ", bare).split()


def answerable(answer: str) -> bool:
    """Whether an answer says anything but "not stated"."""
    return words(answer) != words(NOT_STATED)


def token_f1(found: str, gold: str) -> float:
    """Harmonic mean of precision and recall of words; where either says "not stated" or nothing, 1 or 0."""
    found_words, gold_words = words(found), words(gold)
    if not (found_words and gold_words and answerable(found) and answerable(gold)):
        return float(found_words == gold_words)
    shared = sum((Counter(found_words) & Counter(gold_words)).values())
    return 2 * shared / (len(found_words) + len(gold_words)) if shared else 0.0
