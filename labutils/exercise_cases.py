"""Hints and cases of the exercises. Expected results are written down, not computed by the reference, so that they test it too."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from .exercise_judges import SCORES, follows_seed, narrows, near_normal, stays_inside


@dataclass(frozen=True)
class Case:
    """One call of the learner's function.

    Attributes:
        title: what is special about it, as it stands in the notice.
        args: the arguments; empty for a value exercise.
        expected: the result; with a judge, what the judge asks for, in words.
        judge: for results that are drawn at random: given the result and a function that calls the answer again on other
            arguments, says in words what was expected and did not hold ("" when all did).
        tolerance: absolute difference allowed between floats.
    """

    title: str
    args: tuple
    expected: object = None
    judge: Callable | None = None
    tolerance: float = 1e-6


@dataclass(frozen=True)
class Exercise:
    """What `check` and `hint` know of an exercise; `any_order`: the result is a list whose order does not matter."""

    hints: tuple[str, ...]
    cases: tuple[Case, ...]
    any_order: bool = False


EXERCISES = {
    "student_parameters": Exercise(
        hints=(
            "Write down the shape of each weight of one layer. What lies outside the layers, and is anything shared?",
            "A key or value matrix has only (hidden // heads) * kv_heads columns; the feed-forward part has three matrices; each layer "
            "has two norms of length hidden and one more follows the last layer; tied embeddings count once.",
        ),
        cases=(
            Case("SmolLM2-135M: 30 layers, 49,152 tokens", (30, 49152), 134515008),
            Case("a student of 8 layers and 7,243 tokens", (8, 7243), 32493312),
            Case("SmolLM2-360M: other widths", (32, 49152, 960, 2560, 15, 5), 361821120),
            Case("as many key and value heads as heads", (2, 50, 32, 64, 4, 4), 22240),
            Case("no layers at all: embedding and final norm stay", (0, 1000), 576576),
        ),
    ),
    "training_minutes": Exercise(
        hints=(
            "How many tokens does the training read in all, and how many can it read in one second? Mind the unit of the result.",
            "Examples times epochs times tokens of one example, divided by the speed, gives seconds; a minute has 60.",
        ),
        cases=(
            Case("3,000 examples, 2 epochs, 100 tokens each, 250 tokens/s", (3000, 2, 100, 250), 40.0),
            Case("a result that is not whole", (304, 5, 60, 100), 15.2),
            Case("half an epoch", (1000, 0.5, 120, 1000), 1.0),
            Case("no examples take no time", (0, 3, 100, 250), 0.0),
        ),
    ),
    "find_duplicates": Exercise(
        hints=(
            "Turn each text into a key that is the same for texts that count as equal; then remember where each key was first seen.",
            "re.sub can put one '#' in place of each run of digits, and split with join collapses white space. Keep a dictionary from "
            "the key to its first index, and add a pair only when the key is there already.",
        ),
        cases=(
            Case("upper and lower case", (["Where is my parcel?", "Cancel it", "where is MY parcel?"],), [(0, 2)]),
            Case("order numbers of different length", (["order 4711 is late", "it broke", "order 9 is late"],), [(0, 2)]),
            Case("line breaks and double blanks", (["the  kettle\nis dead", "the kettle is dead"],), [(0, 1)]),
            Case("three equal texts: each points to the first", (["thanks", "hello", "Thanks", "THANKS"],), [(0, 2), (0, 3)]),
            Case("a number is not the same as no number or two numbers", (["order 12", "order", "order 1 2", "order twelve"],), []),
            Case("no texts", ([],), []),
        ),
        any_order=True,
    ),
    "balanced_sample": Exercise(
        hints=(
            "Walk once through the labels and keep count of how many of each you have taken.",
            "Take an index while the count of its label is below per_label, and raise that count when you take it; enumerate gives the "
            "indices in ascending order by itself.",
        ),
        cases=(
            Case("two of each label", (["a", "b", "a", "a", "b", "c", "b", "c"], 2), [0, 1, 2, 4, 5, 7]),
            Case("one of each label, not in alphabetical order", (["refund", "cancel", "cancel", "account", "refund"], 1), [0, 1, 3]),
            Case("a label with fewer items than asked for", (["x", "x", "y", "x"], 3), [0, 1, 2, 3]),
            Case("none of each", (["a", "b"], 0), []),
            Case("no labels", ([], 2), []),
        ),
    ),
    "grounded": Exercise(
        hints=(
            "Which slots can be wrong at all? An empty slot (None) claims nothing.",
            "Go over the items, keep a name when its value is not None and the text does not contain it, and sort what you kept.",
        ),
        cases=(
            Case("one invented number", ({"order": "555", "product": "kettle"}, "My kettle from order 4711 is dead"), ["order"]),
            Case("all slots stand in the text", ({"order": "48213", "product": "hedge trimmer"}, "hedge trimmer, mine 48213, nowhere"), []),
            Case("an empty slot", ({"order": None, "product": "lamp"}, "The lamp flickers"), []),
            Case("several names, to be sorted", ({"product": "sofa", "order": None, "city": "Bonn"}, "Where is it?"), ["city", "product"]),
            Case("the same word in another case is not the same", ({"product": "kettle"}, "Kettle is dead"), ["product"]),
            Case("no slots", ({}, "hello"), []),
        ),
    ),
    "majority": Exercise(
        hints=(
            "Count the samples. What should come out of an empty list, and which label wins a tie?",
            "collections.Counter keeps the order in which labels were first seen, also in most_common; the share is the winner's count "
            "over the number of samples. Treat the empty list before you count.",
        ),
        cases=(
            Case("three of four agree", (["refund", "cancel", "refund", "refund"],), ("refund", 0.75)),
            Case("the last one wins", (["a", "b", "b"],), ("b", 2 / 3)),
            Case("a tie: the label seen first", (["tracking", "cancel", "tracking", "cancel"],), ("tracking", 0.5)),
            Case("a tie: seen first, not first to reach the highest count", ([7, 3, 3, 7, 5],), (7, 0.4)),
            Case("no samples", ([],), (None, 0.0)),
        ),
    ),
    "completion_labels": Exercise(
        hints=(
            "The labels are as long as prompt and completion together. Which of them should the loss not see?",
            "Multiplying a list repeats it: make a list of -100 as long as the prompt, and put the completion's ids behind it.",
        ),
        cases=(
            Case("a prompt of three tokens, a completion of two", ([11, 12, 13], [21, 22]), [-100, -100, -100, 21, 22]),
            Case("the same token in prompt and completion", ([5, 6], [6, 5, 2]), [-100, -100, 6, 5, 2]),
            Case("token 0 is a token like any other", ([0, 4], [0, 9]), [-100, -100, 0, 9]),
            Case("an empty prompt", ([], [7, 8]), [7, 8]),
            Case("an empty completion", ([3, 4], []), [-100, -100]),
        ),
    ),
    "kl_divergence": Exercise(
        hints=(
            "Forward KL weighs the difference of the log-probabilities, teacher minus student, by the teacher's probabilities. Which "
            "axis do you sum over, and what happens to exp at a logit of 10,000?",
            "Take log_softmax of both over the last axis: nothing overflows, and no logarithm of zero arises. The teacher's "
            "probabilities are the exp of its log-probabilities; sum, not mean, over the vocabulary only.",
        ),
        cases=(
            Case(
                "one position: P = (.7, .2, .1), Q = (.4, .4, .2)",
                (torch.log(torch.tensor([[0.7, 0.2, 0.1]])), torch.log(torch.tensor([[0.4, 0.4, 0.2]]))), [0.183787],
            ),
            Case(
                "three positions of four tokens",
                (torch.tensor([[2.0, 0, 1, -1], [0, 0, 0, 0], [5, 1, 3, 1]]), torch.tensor([[1.0, 1, 0, 0], [3, 0, 0, 0], [5, 1, 1, 3]])),
                [0.327813, 1.002912, 0.199698],
            ),
            Case("student and teacher agree", (torch.tensor([[1.0, 2, 3], [-4, 0, 4]]),) * 2, [0.0, 0.0]),
            Case(
                "logits around 10,000", (torch.tensor([[10000.0, 9999, 9998]]), torch.tensor([[9998.0, 9999, 10001]])), [1.822630],
                tolerance=5e-3,  # float32 has three decimals left at 10,000
            ),
            Case(
                "a token that the student holds for impossible",
                (torch.tensor([[10000.0, 0, -10000], [10000, 0, 0]]), torch.tensor([[0.0, 10000, -10000], [10000, 0, 0]])), [10000.0, 0.0],
            ),
        ),
    ),
    "bootstrap_interval": Exercise(
        hints=(
            "What would the mean be with other messages of the same kind? Draw as many values as there are, with replacement.",
            "rng.integers(n, size=n) gives the indices of one draw: keep the mean of those values, once per resample. Then take "
            "np.quantile of all the means, at 2.5% and 97.5%.",
        ),
        cases=(
            Case("400 values around 5", (SCORES, 5000, 0), "a pair (low, high) around the mean", near_normal),
            Case("the same seed twice, then another seed", (SCORES[:60], 500, 7), "a pair (low, high), fixed by the seed", follows_seed),
            Case("40 values, then nine times as many", (SCORES[:40], 1000, 0), "a pair (low, high), narrower for more values", narrows),
            Case("1 right answer of 20", (np.array([0.0] * 19 + [1.0]), 4000, 1), "(0.0, 0.15)", stays_inside),
            Case("all values equal", (np.full(12, 3.0), 200, 0), (3.0, 3.0)),
        ),
    ),
    "cost_per_thousand": Exercise(
        hints=(
            "How long does the machine work on 1,000 answers, and what does it cost in that time? Mind the units.",
            "An hour has 3,600 seconds: the price of a second, divided by the answers of a second, is the cost of one answer.",
        ),
        cases=(
            Case("3.60 an hour, one answer a second", (3.6, 1), 1.0),
            Case("a small machine: 0.10 an hour, 2.5 answers a second", (0.10, 2.5), 0.0111111),
            Case("less than one answer a second", (18.0, 0.25), 20.0),
            Case("a machine that costs nothing", (0, 5), 0.0),
        ),
    ),
    "rare_labels": Exercise(
        hints=(
            "Count the labels first. Which entry of the count is not a label at all?",
            "collections.Counter counts; keep a name when it is not empty and its count is below least, and sort what you kept.",
        ),
        cases=(
            Case("one label of three is rare", (["a", "b", "a", "c", "b", "a", "b"], 2), ["c"]),
            Case("exactly as many as asked for is enough", (["a", "a", "b", "b", "b"], 2), []),
            Case("rows without a label", (["pay", "", "pay", "", ""], 4), ["pay"]),
            Case("several names, to be sorted", (["z", "m", "a", "a"], 2), ["m", "z"]),
            Case("an empty text once is no rare label", (["a", "a", ""], 2), []),
            Case("no rows", ([], 5), []),
        ),
    ),
    "margin": Exercise(
        hints=(
            "The standard error of a share p from n messages is the square root of p (1 - p) / n.",
            "1.96 standard errors to either side hold 95% of a normal distribution. The margin is one side only.",
        ),
        cases=(
            Case("80% of 100 messages", (0.8, 100), 0.0784),
            Case("the same of 400: half of it", (0.8, 400), 0.0392),
            Case("50% is the least certain", (0.5, 100), 0.098),
            Case("99% of 1,000 messages", (0.99, 1000), 0.0061671),
            Case("nothing wrong: the approximation sees no uncertainty", (1.0, 50), 0.0),
        ),
    ),
    "suspects": Exercise(
        hints=(
            "You need positions, not values: which positions would a sort by probability put first?",
            "sorted(range(len(probabilities)), key=...) keeps the order of equals; cut it after k.",
        ),
        cases=(
            Case("two of four", ([0.9, 0.1, 0.5, 0.02], 2), [3, 1]),
            Case("equals: the earlier first", ([0.3, 0.2, 0.9, 0.2], 3), [1, 3, 0]),
            Case("none asked for", ([0.3, 0.2], 0), []),
            Case("more asked for than there are", ([0.4, 0.1], 5), [1, 0]),
        ),
    ),
    "answers_for": Exercise(
        hints=(
            "np.interp reads a curve at a value of x. What is x here, the number or the accuracy?",
            "Interpolate np.log(sizes) over the accuracies and take the exp of it; before that, treat accuracies below the first and above "
            "the last.",
        ),
        cases=(
            Case("half way between 100 and 400, on a logarithmic scale", (0.6, [100, 400], [0.5, 0.7]), 200.0),
            Case("exactly a point of the curve", (0.7, [100, 400, 800], [0.5, 0.7, 0.75]), 400.0),
            Case("a quarter of the way in the second piece", (0.72, [10, 100, 1000], [0.5, 0.7, 0.78]), 177.827941, tolerance=1e-3),
            Case("more than the curve reaches", (0.9, [100, 400], [0.5, 0.7]), float("inf")),
            Case("less than its first point", (0.4, [100, 400], [0.5, 0.7]), 0.0),
        ),
    ),
}
