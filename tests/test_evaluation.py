"""Intervals, verdicts and tables."""

import io

import numpy as np
import pandas as pd
import pytest

from labutils.evaluation import compare, corpus_scores, interval, predict, quality_rows, retention
from labutils.tasks import Answer
from labutils.teachers import label_log_probabilities


def draws(rate: float, count: int, seed: int = 0) -> np.ndarray:
    """Right or wrong answers of a model that is right at this rate."""
    return (np.random.default_rng(seed).random(count) < rate).astype(float)


def test_interval_covers_the_mean_and_has_the_textbook_width():
    values = draws(0.7, 400)
    mean, low, high = interval(values)
    assert mean == values.mean() and low < mean < high
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)


def test_interval_narrows_with_the_square_root_of_the_examples():
    widths = [np.diff(interval(np.tile(draws(0.7, 50), copies))[1:])[0] for copies in (1, 16)]
    assert widths[0] / widths[1] == pytest.approx(4, rel=0.15)


def test_interval_holds_the_true_rate_about_95_times_in_100():
    covered = [low <= 0.7 <= high for _, low, high in (interval(draws(0.7, 100, seed)) for seed in range(60))]
    assert 0.85 <= np.mean(covered) < 1


def test_interval_of_constant_values_is_a_point():
    assert interval([1.0, 1.0, 1.0]) == (1.0, 1.0, 1.0)


def test_interval_counts_the_spread_between_seeds():
    """Two seeds that disagree: the interval must be wider than that of the examples alone."""
    far = np.stack([draws(0.5, 400, 1), draws(0.9, 400, 2)])
    near = np.stack([draws(0.7, 400, 1), draws(0.7, 400, 2)])
    assert interval(far)[0] == pytest.approx(far.mean())
    assert np.diff(interval(far)[1:]) > 3 * np.diff(interval(near)[1:])


def test_interval_repeats_with_its_seed():
    values = np.random.default_rng(0).random(60)
    assert interval(values, seed=1) == interval(values, seed=1) != interval(values, seed=2)


@pytest.mark.parametrize("ours, theirs, verdict", [
    (draws(0.9, 300, 1), draws(0.6, 300, 2), "better"),
    (draws(0.6, 300, 1), draws(0.9, 300, 2), "worse"),
    (draws(0.7, 300, 1), draws(0.7, 300, 3), "no difference shown"),
    (draws(0.9, 8, 1), draws(0.7, 8, 5), "no difference shown"),  # too few examples
])
def test_verdict_on_a_planted_difference(ours, theirs, verdict):
    found = compare(ours, theirs)
    assert found["verdict"] == verdict
    assert found["difference"] == pytest.approx(ours.mean() - theirs.mean())
    assert found["low"] <= found["difference"] <= found["high"]
    assert (found["p"] < 0.05) == (verdict != "no difference shown")


def test_comparison_is_paired():
    """Two models that differ on 12 of 300 examples, always the same way: only pairing shows it."""
    theirs = draws(0.6, 300)
    ours = theirs.copy()
    ours[np.flatnonzero(theirs == 0)[:12]] = 1.0
    assert compare(ours, theirs)["verdict"] == "better"
    assert compare(np.random.default_rng(0).permutation(ours), theirs)["verdict"] == "no difference shown"


def test_comparison_with_itself_shows_no_difference():
    found = compare(draws(0.7, 100), draws(0.7, 100))
    assert found == {"difference": 0.0, "low": 0.0, "high": 0.0, "p": 1.0, "verdict": "no difference shown"}


def test_comparison_turns_around_with_its_arguments():
    one, other = draws(0.8, 200, 1), draws(0.7, 200, 2)
    assert compare(one, other)["difference"] == -compare(other, one)["difference"]
    assert compare(one, other)["low"] == pytest.approx(-compare(other, one)["high"], abs=0.02)


def test_comparison_averages_seeds():
    ours = np.stack([draws(0.9, 300, seed) for seed in range(3)])
    assert compare(ours, draws(0.6, 300, 9))["difference"] == pytest.approx(ours.mean() - draws(0.6, 300, 9).mean())


def test_one_lucky_seed_among_three_is_no_difference():
    """Seeds are drawn anew too: the mean of three lies above, but it hangs on one of them."""
    theirs = np.stack([draws(0.7, 1000, seed) for seed in (1, 2, 3)])
    ours = np.stack([draws(0.9, 1000, 4), *theirs[:2]])
    assert compare(ours.mean(0), theirs.mean(0))["verdict"] == "better"  # as if each were one model
    assert compare(ours, theirs)["verdict"] == "no difference shown"


def test_retention_of_an_identical_model_is_one():
    values = draws(0.7, 200)
    assert retention(values, values) == (1.0, 1.0, 1.0)


def test_retention_is_the_share_of_the_teachers_accuracy():
    teacher = draws(0.8, 400)
    student = teacher.copy()
    student[np.flatnonzero(teacher)[:80]] = 0.0
    kept, low, high = retention(student, teacher)
    assert kept == pytest.approx(student.mean() / teacher.mean()) and low < kept < high < 1
    assert high - low < 0.15  # the same examples are drawn for both


def test_corpus_scores_lie_between_nothing_in_common_and_a_copy(examples):
    copies = corpus_scores([Answer("cancel", {}, e.reply) for e in examples], examples)
    nothing = corpus_scores([Answer("cancel", {}, "zzz qqq") for _ in examples], examples)
    some = corpus_scores([Answer("cancel", {}, " ".join(e.reply.split()[:-1] + ["zzz"])) for e in examples], examples)
    for metric in ("bleu", "chrf"):
        assert copies[metric] == pytest.approx((100, 100, 100), abs=1e-6) and nothing[metric][0] < 3
        value, low, high = some[metric]
        assert 20 < value < 95 and low < value < high


@pytest.fixture
def predictions(make_model, tokenizer, task, examples) -> list[pd.DataFrame]:
    """Predictions of two models on the example rows, replies for the first seven."""
    return [predict(make_model(seed=seed), tokenizer, task, examples, replies=7, batch_size=5, max_new_tokens=8) for seed in (0, 1)]


def test_predictions_hold_label_probability_and_correctness(predictions, model, tokenizer, task, examples, prompts):
    table = predictions[0]
    probabilities = np.exp(label_log_probabilities(model, tokenizer, prompts, list(task.labels)))
    assert table["id"].tolist() == [e.id for e in examples] and table["gold"].tolist() == [e.label for e in examples]
    assert table["predicted"].tolist() == [task.labels[i] for i in probabilities.argmax(1)]
    np.testing.assert_allclose(table["probability"], probabilities.max(1), rtol=1e-4)
    assert table["main"].tolist() == [float(gold == found) for gold, found in zip(table["gold"], table["predicted"])]
    assert 0 < table["main"].mean() < 1


def test_only_the_first_replies_are_generated(predictions, make_model, tokenizer, task, examples):
    assert predictions[0]["completion"].notna().tolist() == [True] * 7 + [False] * 5
    assert predictions[0]["valid"].notna().tolist() == [True] * 7 + [False] * 5
    assert predict(make_model(), tokenizer, task, examples[:3], replies=10**9, max_new_tokens=4)["completion"].notna().all()


def with_answers(table: pd.DataFrame, task, examples, completions: list[str]) -> pd.DataFrame:
    """The table with other completions for its first rows, scored anew."""
    scores = task.score([task.parse(text) for text in completions], examples[: len(completions)])
    return table[["id", "kind", "gold", "predicted", "probability", "main"]].join(pd.DataFrame({"completion": completions, **scores}))


def test_quality_rows(predictions, task, examples):
    tables = [with_answers(table, task, examples, [task.gold(e) for e in examples[:7]]) for table in predictions]
    found = quality_rows("tiny", tables, task, examples)
    assert list(found.columns) == ["model", "metric", "value", "low", "high", "seeds"]
    assert found["metric"].tolist() == ["intent_accuracy", "main", "macro_f1", "valid", "slot_accuracy", "rouge_l", "bleu", "chrf"]
    assert set(found["model"]) == {"tiny"} and set(found["seeds"]) == {2}
    values = found.set_index("metric")
    assert values.loc["intent_accuracy", "value"] == pytest.approx(np.mean([t["main"].mean() for t in tables]))
    assert values.loc["main"].tolist() == values.loc["intent_accuracy"].tolist()
    assert values.loc[["valid", "slot_accuracy", "rouge_l"], "value"].tolist() == [1, 1, 1]
    assert values.loc[["bleu", "chrf"], "value"].tolist() == pytest.approx([100, 100])
    assert (found["low"] <= found["value"]).all() and (found["value"] <= found["high"]).all()


@pytest.mark.parametrize("empty", ["", "NA", "null"])
def test_quality_rows_do_not_change_when_predictions_were_stored(predictions, task, examples, empty):
    """A model that answered nothing must not lose that row, which would raise its BLEU."""
    completions = [task.gold(e) for e in examples[:6]] + [empty]
    table = with_answers(predictions[0], task, examples, completions)
    stored = pd.read_csv(io.StringIO(table.to_csv(index=False)))
    expected, found = (quality_rows("tiny", [t], task, examples) for t in (table, stored))
    pd.testing.assert_frame_equal(found, expected)


def test_corpus_scores_of_a_student_that_hardly_writes(examples):
    """In some resamples nothing is shared with the gold, in others a little."""
    replies = [examples[0].reply, *["" for _ in examples[1:]]]
    value, low, high = corpus_scores([Answer("cancel", {}, reply) for reply in replies], examples)["chrf"]
    assert 0 <= low <= value and 0 < value <= high <= 100


def test_the_intervals_of_corpus_scores_do_not_shrink_with_the_number_of_seeds(predictions, task, examples):
    """The same answers three times say no more about other messages than once."""
    completions = [task.gold(e) if i % 2 else task.completion("cancel", {}, "We are sorry for that.") for i, e in enumerate(examples)]
    table = with_answers(predictions[0], task, examples, completions)
    once, thrice = (quality_rows("tiny", [table] * seeds, task, examples).set_index("metric") for seeds in (1, 3))
    for metric in ("bleu", "chrf"):
        assert thrice.loc[metric, ["value", "low", "high"]].tolist() == pytest.approx(once.loc[metric, ["value", "low", "high"]].tolist())
