"""What every task is made of: prompt, parse, verify, score."""

from dataclasses import dataclass, field
from typing import ClassVar

from ..data import Example


@dataclass(frozen=True)
class Answer:
    """A parsed completion. `label` is None when the completion does not have the agreed form."""

    label: str | None = None
    slots: dict = field(default_factory=dict)
    reply: str = ""


@dataclass(frozen=True)
class Task:
    """The base of all tasks: messages as the prompt, and four parts that a task fills in.

    Attributes:
        labels: the answers that there are, where they can be listed (then one forward pass over the prompt decides); else empty, and
            an example's label is only its kind, by which splits are balanced.
        slots: names of the slots of an answer.
        name: of its folder under `data/`, and of LAB_TASK.
        instruction: what a model that was not adapted is told. cue: what its answers should begin with.
        main: the metric that decides, between 0 and 1.
        metrics: of `score`, in the order of tables.
        max_new_tokens: limit of a completion.
        min_confidence: answers that the teacher gives a smaller probability are dropped: of the label where labels can be listed, else
            of a token on average (the geometric mean).
        weights: in a student's loss, of the completion's first token, of the others of its fields, and of its words, against 1 for a
            position of the prompt: a few tokens decide, and they should not drown among the rest.
        teacher_weights: the same, when the teacher is adapted (on completions alone).
    """

    labels: tuple[str, ...] = ()
    slots: tuple[str, ...] = ()
    name: ClassVar[str] = "task"
    instruction: ClassVar[str] = ""
    cue: ClassVar[str] = "Answer:"
    main: ClassVar[str] = "accuracy"
    metrics: ClassVar[tuple[str, ...]] = ("valid",)
    max_new_tokens: ClassVar[int] = 48
    min_confidence: ClassVar[float] = 0.5
    weights: ClassVar[tuple[float, float, float]] = (20.0, 20.0, 20.0)
    teacher_weights: ClassVar[tuple[float, float, float]] = (1.0, 1.0, 1.0)

    def prompt(self, example: Example) -> str:
        """The text before the completion: what was said so far, then `Answer:`."""
        return "\n".join([*(text for _, text in example.turns), "Answer:"])

    @property
    def settings(self) -> tuple:
        """All that decides how the task is taught: a run that was made with others is another run."""
        return self.name, self.weights, self.teacher_weights, self.min_confidence, self.max_new_tokens

    def cluster(self, example: Example) -> str:
        """What examples with the same text to read share (three claims about one policy): they are not drawn one by one."""
        return example.id

    def target(self, example: Example) -> str:
        """The right answer of a labelled example, as `parse` would read it from its gold completion."""
        return example.label if self.labels else self.parse(example.reply).label

    def gold(self, example: Example) -> str:
        """The completion of a labelled example (it starts with a blank, as tokenizers expect)."""
        return f" {example.reply}"

    def parse(self, text: str) -> Answer:
        """Read a completion; an empty Answer when it is not of the agreed form."""
        raise NotImplementedError

    def verify(self, answer: Answer, example: Example) -> list[str]:
        """Reasons to reject an answer; an empty list means that it may become training data."""
        raise NotImplementedError

    def score(self, answers: list[Answer], examples: list[Example]) -> dict[str, list[float]]:
        """One number between 0 and 1 per example and metric."""
        raise NotImplementedError
