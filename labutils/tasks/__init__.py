"""The lab's tasks as objects with the same four parts: prompt, parse, verify, score."""

from ..data import Example
from .base import Answer, Task
from .conversation import Conversation
from .math import Math
from .nli import Nli
from .qa import Qa
from .summarization import Summarization

__all__ = ["Answer", "Task", "TASKS", "check_gold", "get_task"]
TASKS = {task.name: task for task in (Conversation, Nli, Qa, Math, Summarization)}
LISTED = ("conversation", "nli")  # tasks whose answers can be listed: those of the training examples


def get_task(name: str, examples: list[Example]) -> Task:
    """The task called `name` with the labels of the given training examples (so a foreign corpus brings its own).

    Raises:
        ValueError: no such task, or a label that the one-line completion cannot carry.
    """
    if name not in TASKS:
        raise ValueError(f"LAB_TASK is {name!r}; it must be one of {', '.join(TASKS)}.")
    labels = sorted({example.label for example in examples}) if name in LISTED else []
    for label in labels:
        if "|" in label or label != label.strip() or label == "-":
            raise ValueError(f"Label {label!r} cannot stand in a completion: it must be plain text without '|'.")
    slots = sorted({slot for example in examples for slot in example.slots})
    return TASKS[name](tuple(labels), tuple(slots))


def check_gold(task: Task, gold: list[Example]) -> None:
    """Gold that verification would reject cannot be taught: the teacher's answers would all be dropped.

    Raises:
        ValueError: that is so for more than a tenth of the gold answers; the message names the first and its reasons.
    """
    found = [(e.id, reasons) for e in gold if (reasons := task.verify(task.parse(task.gold(e)), e))]
    if len(found) > 0.1 * len(gold):
        raise ValueError(
            f"Verification would reject {len(found)} of {len(gold)} gold answers, {found[0][0]} first ({'; '.join(found[0][1])}): "
            "change those answers, or the limits in labutils/tasks/."
        )
