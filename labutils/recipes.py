"""What makes a student: where it starts, what it learns from, for how long. A recipe is data; `pipeline` carries it out."""

from dataclasses import dataclass, replace

from .profile import Profile
from .students import steps_for


@dataclass(frozen=True)
class Recipe:
    """One student.

    Attributes:
        name: unique within a run; names the student's files.
        layers, choice: which of the teacher's layers it takes (`models.layer_choice`), or "random" weights of that shape.
        start: "teacher" (adapted to the domain) or "untouched" (as published).
        data: "answers" of the teacher, "gold" labels, "both", or "none" (not trained).
        soft: learn the teacher's distribution at every position, not only its words.
        answers: how many teacher answers; None for the profile's number.
        source: take only "hand" or only "generated" prompts; None takes the pool in its order.
        rate, epochs: None for the profile's.
        lora: rank of adapters; None trains all weights.
        verified: leave out answers that verification rejects.
    """

    name: str
    layers: int
    choice: str = "first"
    start: str = "teacher"
    data: str = "answers"
    soft: bool = True
    answers: int | None = None
    source: str | None = None
    rate: float | None = None
    epochs: float | None = None
    lora: int | None = None
    verified: bool = True


def main_recipes(profile: Profile) -> dict[str, Recipe]:
    """The students of the results table that the profile trains, by name."""
    layers, lora = profile.student_layers, profile.student_lora
    recipes = [
        Recipe("untrained", layers, data="none", start="untouched"),
        Recipe("gold_only", layers, data="gold", soft=False, lora=lora),
        Recipe("gold_only_untouched", layers, data="gold", soft=False, start="untouched", lora=lora),
        Recipe("distilled_words", layers, data="both", soft=False, lora=lora),
        Recipe("distilled", layers, data="both", soft=profile.soft, lora=lora),
    ]
    return {recipe.name: recipe for recipe in recipes if recipe.name in profile.students}


def layer_recipes(profile: Profile) -> list[Recipe]:
    """Which layers, and how many: four choices and random weights at each size, on a small equal budget."""
    choices = ("first", "even", "ends", "last", "random")
    return [
        Recipe(f"layers-{choice}-{count}", count, choice, answers=profile.curve_answers, epochs=2)
        for count in profile.curve_layers
        for choice in choices
    ]


def size_recipes(profile: Profile) -> list[Recipe]:
    """How accuracy grows with the number of teacher answers beside the gold, on hand-written and on generated prompts; the largest
    hand-written size is the distilled student itself, for the pool begins with its hand-written part. Every second size of generated
    prompts is enough to see the difference."""
    recipes = [
        Recipe(f"answers-{source}-{count}", profile.student_layers, data="both", answers=count, source=source)
        for source, counts in (("hand", profile.curve_sizes), ("generated", profile.curve_sizes[1::2]))
        for count in counts
    ]
    return [*recipes, Recipe("distilled", profile.student_layers, data="both", answers=profile.answers)]


def rate_recipes(profile: Profile) -> list[Recipe]:
    """Learning rates, full fine-tuning against LoRA, on a small equal budget."""
    base = Recipe("rate", profile.student_layers, answers=profile.sweep_answers, epochs=2)
    full = [replace(base, name=f"rate-full-{rate:g}", rate=rate) for rate in profile.sweep_rates]
    lora = [replace(base, name=f"rate-lora-{10 * rate:g}", rate=10 * rate, lora=16) for rate in profile.sweep_rates[-3:]]
    return full + lora


def verification_recipes(profile: Profile) -> list[Recipe]:
    """The same number of answers, from the same pool, verified or taken as they come."""
    verified = Recipe(f"layers-first-{profile.student_layers}", profile.student_layers, answers=profile.curve_answers, epochs=2)
    return [verified, replace(verified, name="unverified", verified=False)]


def steps(recipe: Recipe, profile: Profile, gold: int, answers: int | None = None) -> int:
    """Optimiser steps of a recipe, given the numbers of gold messages and of answers (by default as many as it asks for); gold-only
    students get as many as the distilled student."""
    answers = (recipe.answers or profile.answers) if answers is None else answers
    examples = answers + (0 if recipe.data == "answers" else gold)
    return steps_for(examples, recipe.epochs or profile.epochs, profile.batch_size)
