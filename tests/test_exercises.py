"""check, hint, the reference solutions, and solved notebooks."""

import inspect
from statistics import mode

import nbformat
import numpy as np
import pytest
import torch
from wrong_answers import WRONG, naive_kl

from labutils import exercises, solutions
from labutils.exercise_cases import EXERCISES, Case, Exercise
from labutils.exercises import check, hint
from labutils.solutions import REFERENCES
from labutils.solve import solution_source, solve_notebook


def learner(name):
    """The reference as a learner's own function: run from the source that a solved notebook holds, in a namespace with nothing else."""
    space = {}
    exec(solution_source(name), space)
    return space[name]


def unfinished(*args):
    raise NotImplementedError


# Right answers


@pytest.mark.parametrize("name", EXERCISES)
def test_reference_source_alone_is_correct_and_kept(name, capsys):
    own = learner(name)
    assert check(name, own) is own
    assert capsys.readouterr().out == "Correct.\n"


def test_every_exercise_has_a_reference_three_cases_and_two_hints():
    assert list(EXERCISES) == list(REFERENCES) and len(EXERCISES) == 14
    for name, exercise in EXERCISES.items():
        assert len(exercise.cases) >= 3 and len({case.title for case in exercise.cases}) == len(exercise.cases), name
        assert len(exercise.hints) == 2, name
        assert REFERENCES[name].__doc__ and "\n" not in REFERENCES[name].__doc__, name


@pytest.mark.parametrize(
    "name, answer",
    [
        ("completion_labels", lambda p, c: np.array([-100] * len(p) + c)),
        ("completion_labels", lambda p, c: torch.tensor([-100] * len(p) + c)),
        ("balanced_sample", lambda labels, n: tuple(solutions.balanced_sample(labels, n))),
        ("find_duplicates", lambda texts: [list(pair) for pair in reversed(solutions.find_duplicates(texts))]),
        ("find_duplicates", lambda texts: np.array(solutions.find_duplicates(texts)).reshape(-1, 2)),
        ("kl_divergence", lambda t, s: solutions.kl_divergence(t, s).tolist()),
        ("kl_divergence", lambda t, s: solutions.kl_divergence(t.double(), s.double()).numpy()),
        ("kl_divergence", lambda t, s: solutions.kl_divergence(t, s.requires_grad_())),
        ("kl_divergence", lambda t, s: (t.softmax(-1) * ((t - t.logsumexp(-1, True)) - (s - s.logsumexp(-1, True)))).sum(-1)),
        ("majority", lambda samples: list(solutions.majority(samples))),
        ("majority", lambda samples: (mode(samples), np.float32(samples.count(mode(samples)) / len(samples))) if samples else [None, 0]),
        ("student_parameters", lambda *args: float(solutions.student_parameters(*args))),
        ("cost_per_thousand", lambda price, speed: torch.tensor(price / speed / 3.6)),
        ("bootstrap_interval", lambda v, n, seed: np.percentile(np.random.default_rng(seed).choice(v, (n, len(v))).mean(1), [2.5, 97.5])),
    ],
)
def test_other_right_answers_are_correct(name, answer, capsys):
    assert check(name, answer) is answer
    assert capsys.readouterr().out == "Correct.\n"


def test_bootstrap_cases_do_not_depend_on_lucky_draws(capsys):
    """Other ways to draw give other resamples; all must pass, whatever the seed."""
    for shift in range(1, 13):
        def answer(values, resamples, seed, shift=shift):
            rng = np.random.default_rng(seed + 1000 * shift)
            means = values[rng.integers(len(values), size=(resamples, len(values)))].mean(1)
            return np.quantile(means, [0.025, 0.975])

        check("bootstrap_interval", answer)
        assert capsys.readouterr().out == "Correct.\n", shift


# Wrong answers


@pytest.mark.parametrize("name, answer, number", [(n, a, k) for n, _, a, k in WRONG], ids=[f"{n}: {what}" for n, what, _, _ in WRONG])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_typical_wrong_answers_are_caught(name, answer, number, capsys):
    assert check(name, answer) is REFERENCES[name]
    notice = capsys.readouterr().out
    cases = EXERCISES[name].cases
    case = f"case {number} of {len(cases)}, {cases[number - 1].title}"
    assert notice.startswith(f"{name}: not right yet, going on with the reference.\n  {case}\n")
    assert f"  input:    {name}(" in notice and "  expected: " in notice and "  came:     " in notice
    assert "Correct" not in notice and "cannot be compared" not in notice and len(notice) < 1200


# A case that fails only last hides behind the others; edge cases must be able to fail on their own.


@pytest.mark.parametrize("name", EXERCISES)
def test_each_case_alone_can_fail(name, capsys):
    """An answer that is right on all cases but one is caught by that one."""
    for number, case in enumerate(EXERCISES[name].cases, 1):
        def answer(*args, spoiled=case.args):
            return ["spoiled"] if exercises.plain(args) == exercises.plain(spoiled) else REFERENCES[name](*args)

        assert check(name, answer) is REFERENCES[name]
        assert f"case {number} of " in capsys.readouterr().out


# What else an answer may do


@pytest.mark.parametrize("name", EXERCISES)
def test_stub_goes_on_with_the_reference(name, capsys):
    assert check(name, unfinished) is REFERENCES[name]
    assert capsys.readouterr().out == f"{name}: not done yet, going on with the reference.\n"


@pytest.mark.parametrize("blank", [None, ..., NotImplemented])
def test_blank_counts_as_not_done(blank, capsys):
    assert check("majority", blank) is solutions.majority
    assert "not done yet" in capsys.readouterr().out


def test_stub_with_a_message_counts_as_not_done(capsys):
    def majority(samples):
        raise NotImplementedError("Your turn.")

    check("majority", majority)
    assert capsys.readouterr().out == "majority: not done yet, going on with the reference.\n"


def test_not_implemented_error_from_torch_is_an_error_of_the_answer(capsys):
    """torch raises NotImplementedError for a dtype without a kernel; a learner who sees "not done yet" would never find it."""
    with pytest.raises(NotImplementedError):
        torch.tensor([[1, 2]]).softmax(-1)
    check("kl_divergence", lambda teacher, student: teacher.long().softmax(-1))
    notice = capsys.readouterr().out
    assert "not done yet" not in notice and "came:     NotImplementedError: " in notice


def test_exception_is_shown_with_its_line(capsys):
    def majority(samples):
        label = samples[0]
        return label, samples.count(label) / len(samples[:0])

    line = inspect.getsourcelines(majority)[1] + 2
    assert check("majority", majority) is solutions.majority
    assert f"came:     ZeroDivisionError: division by zero (line {line})" in capsys.readouterr().out


def test_wrong_signature_is_shown(capsys):
    assert check("cost_per_thousand", lambda price: price) is solutions.cost_per_thousand
    assert "TypeError" in capsys.readouterr().out


def test_none_is_explained(capsys):
    assert check("completion_labels", lambda p, c: None) is solutions.completion_labels
    assert "came:     None; the function returned nothing: is a `return` missing?" in capsys.readouterr().out


def test_changed_arguments_are_explained_even_when_the_result_is_right(capsys):
    def completion_labels(prompt_ids, completion_ids):
        right = solutions.completion_labels(prompt_ids, completion_ids)
        prompt_ids.clear()
        return right

    assert check("completion_labels", completion_labels) is solutions.completion_labels
    notice = capsys.readouterr().out
    assert "came:     [-100, -100, -100, 21, 22]; the argument prompt_ids was changed, to []: work on a copy" in notice
    assert "completion_ids was changed" not in notice


@pytest.mark.parametrize(
    "name, answer, argument",
    [
        ("kl_divergence", lambda t, s: solutions.kl_divergence(t.sub_(t.max()), s), "teacher_logits"),
        ("bootstrap_interval", lambda v, n, seed: (v.sort(), solutions.bootstrap_interval(v, n, seed))[1], "values"),
        ("grounded", lambda slots, text: (solutions.grounded(slots, text), slots.clear())[0], "slots"),
    ],
)
def test_changed_tensors_arrays_and_dictionaries_are_noticed(name, answer, argument, capsys):
    before = exercises.plain([case.args for case in EXERCISES[name].cases])
    assert check(name, answer) is REFERENCES[name]
    assert f"the argument {argument} was changed" in capsys.readouterr().out
    assert exercises.plain([case.args for case in EXERCISES[name].cases]) == before  # the answer saw copies only


def test_something_else_than_a_function(capsys):
    assert check("majority", ("refund", 0.75)) is solutions.majority
    assert "expected: a function\n  came:     ('refund', 0.75)" in capsys.readouterr().out


RING = []
RING.append(RING)
ODD = [object(), {}, {1, 2}, "text", np.ndarray, [[]], float("nan"), True, 10**400, RING, torch.empty(3, device="meta"), iter(())]


@pytest.mark.parametrize("result", ODD, ids=lambda result: type(result).__name__)
def test_odd_results_never_stop_the_notebook(result, capsys):
    for name in EXERCISES:
        assert check(name, lambda *args: result) is REFERENCES[name]
        assert "case 1 of " in capsys.readouterr().out


def test_true_is_not_a_number():
    assert not exercises.same(1, True, 1e-6) and not exercises.same(1.0, True, 1e-6)


def test_same_is_exact_for_whole_numbers_and_close_for_floats():
    assert exercises.same(134515008, 134515008.0, 1e-6) and not exercises.same(134515008, 134515009, 1e-6)
    assert exercises.same(0.0, 9e-7, 1e-6) and not exercises.same(0.0, 2e-6, 1e-6)
    assert exercises.same(10000.0, 10000.05, 1e-6) and not exercises.same(10000.0, 10000.2, 1e-6)
    assert not exercises.same([1, 2], [1, 2, 3], 1e-6) and not exercises.same([1, 2], [1], 1e-6)
    assert not exercises.same([None], [], 1e-6) and not exercises.same([], [None], 1e-6)


def test_second_check_of_a_replaced_answer_says_so(capsys):
    answer = check("majority", unfinished)
    capsys.readouterr()
    assert check("majority", answer) is solutions.majority
    assert "this is the reference, put in by an earlier check" in capsys.readouterr().out


def test_unknown_name_lists_the_known_ones():
    for call in (lambda: check("majorty", len), lambda: hint("majorty"), lambda: check(len, "majority")):
        with pytest.raises(ValueError, match="student_parameters, .*majority, .*cost_per_thousand"):
            call()


def test_value_exercise(monkeypatch, capsys):
    def margin():
        """A value."""
        return 0.25

    monkeypatch.setitem(exercises.EXERCISES, "margin", Exercise(("Look.",), (Case("the share", (), 0.25),)))
    monkeypatch.setitem(exercises.REFERENCES, "margin", margin)
    assert check("margin", np.float64(0.25)) == 0.25 and capsys.readouterr().out == "Correct.\n"
    assert check("margin", 25) == 0.25
    assert capsys.readouterr().out.splitlines()[1:4] == ["  case 1 of 1, the share", "  expected: 0.25", "  came:     25"]
    assert check("margin", ...) == 0.25 and "not done yet" in capsys.readouterr().out


# Hints and what must not be given away


def test_hints_come_one_by_one(monkeypatch, capsys):
    monkeypatch.setattr(exercises, "_hints_given", {})
    first, second = EXERCISES["grounded"].hints
    for expected in (f"Hint 1 of 2: {first}\n", f"Hint 2 of 2: {second}\n", f"Hint 2 of 2 (there are no more): {second}\n"):
        assert hint("grounded") is None
        assert capsys.readouterr().out == expected
    hint("majority")
    assert capsys.readouterr().out.startswith("Hint 1 of 2: ")


@pytest.mark.parametrize("name", EXERCISES)
def test_no_line_of_a_solution_is_shown(name, capsys):
    lines = [line.strip().removeprefix("return ") for line in inspect.getsource(REFERENCES[name]).splitlines()[2:]]
    lines = [line for line in lines if len(line) > 12 and not line.startswith(("import", "from", "for ", "else", "if "))]
    assert lines
    for answer in (unfinished, lambda *args: None, lambda *args: 1 / 0, lambda *args: 5, 5):
        check(name, answer)
    shown = capsys.readouterr().out + " ".join(EXERCISES[name].hints)
    assert not [line for line in lines if line in shown]


# The reference solutions against something independent of the cases


@pytest.mark.parametrize("layers, heads, kv_heads", [(2, 4, 2), (1, 4, 4), (3, 8, 1)])
def test_student_parameters_counts_a_real_model(layers, heads, kv_heads):
    from transformers import LlamaConfig, LlamaForCausalLM

    model = LlamaForCausalLM(LlamaConfig(
        vocab_size=70, hidden_size=32, intermediate_size=48, num_hidden_layers=layers, num_attention_heads=heads,
        num_key_value_heads=kv_heads, tie_word_embeddings=True,
    ))
    assert solutions.student_parameters(layers, 70, 32, 48, heads, kv_heads) == sum(p.numel() for p in model.parameters())


def test_kl_divergence_equals_a_naive_twin_and_is_never_negative():
    generator = torch.Generator().manual_seed(0)
    teacher, student = (3 * torch.randn(50, 11, generator=generator, dtype=torch.float64) for _ in range(2))
    found = solutions.kl_divergence(teacher, student)
    assert found.shape == (50,) and bool((found > 0).all())
    assert torch.allclose(found, naive_kl(teacher, student), rtol=1e-9)
    assert torch.allclose(found, solutions.kl_divergence(teacher + 10000, student - 10000), rtol=1e-6)
    assert solutions.kl_divergence(teacher, teacher).abs().max() < 1e-12


def test_kl_divergence_can_be_trained_on():
    teacher, student = torch.tensor([[1e4, 0.0, -1e4]]), torch.tensor([[0.0, 1e4, 0.0]], requires_grad=True)
    solutions.kl_divergence(teacher, student).sum().backward()
    assert torch.allclose(student.grad, torch.tensor([[-1.0, 1.0, 0.0]]))  # q - p


def test_bootstrap_interval_covers_the_true_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(11)
    hits = 0
    for trial in range(400):
        low, high = solutions.bootstrap_interval(rng.normal(0, 1, 60), 200, trial)
        hits += low <= 0 <= high
    assert 365 <= hits <= 392  # about 376 (percentile intervals of 60 values cover 94%), give or take 5; 90% intervals: about 355


def test_bootstrap_interval_accepts_a_list():
    assert solutions.bootstrap_interval([1, 2, 3, 4], 300, 5) == solutions.bootstrap_interval(np.array([1.0, 2, 3, 4]), 300, 5)


# Solved notebooks


def notebook_with(*names):
    cells = [nbformat.v4.new_markdown_cell("# Exercise", metadata={"exercise": "majority"})]
    for name in names:
        stub = nbformat.v4.new_code_cell(
            f"def {name}(*args):\n    raise NotImplementedError", metadata={"exercise": name, "tags": ["keep"]}, execution_count=3,
            outputs=[nbformat.v4.new_output("stream", text="old")],
        )
        cells += [stub, nbformat.v4.new_code_cell(f'{name} = check("{name}", {name})')]
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})


def test_solved_notebook_runs_and_keeps_all_else(tmp_path, capsys):
    source, target = tmp_path / "lab.ipynb", tmp_path / "solved" / "lab.ipynb"
    nbformat.write(notebook_with(*EXERCISES), source)
    before = source.read_bytes()
    assert solve_notebook(source, target) == list(EXERCISES)
    assert source.read_bytes() == before
    old, new = nbformat.read(source, as_version=4), nbformat.read(target, as_version=4)
    nbformat.validate(new)
    assert [cell.id for cell in new.cells] == [cell.id for cell in old.cells]
    assert new.metadata == old.metadata and [cell.metadata for cell in new.cells] == [cell.metadata for cell in old.cells]
    changed = [place for place, (a, b) in enumerate(zip(old.cells, new.cells, strict=True)) if a.source != b.source]
    assert changed == list(range(1, 2 * len(EXERCISES) + 1, 2))
    assert all(new.cells[place].outputs == [] and new.cells[place].execution_count is None for place in changed)
    space = {"check": check}
    for cell in new.cells:
        if cell.cell_type == "code":
            exec(cell.source, space)
    assert capsys.readouterr().out == "Correct.\n" * len(EXERCISES)


def test_solved_cells_import_what_they_need_and_no_more():
    assert solution_source("kl_divergence").startswith("import torch\n\n\ndef kl_divergence(")
    assert solution_source("bootstrap_interval").startswith("import numpy as np\n\n\ndef bootstrap_interval(")
    assert solution_source("completion_labels").startswith("def completion_labels(")


def test_solving_twice_or_in_place_changes_nothing_more(tmp_path):
    path = tmp_path / "lab.ipynb"
    nbformat.write(notebook_with("majority", "grounded"), path)
    assert solve_notebook(str(path), str(path)) == ["majority", "grounded"]
    once = path.read_bytes()
    solve_notebook(path, path)
    assert path.read_bytes() == once


def test_unknown_exercise_in_a_notebook(tmp_path):
    source, target = tmp_path / "lab.ipynb", tmp_path / "solved.ipynb"
    notebook = notebook_with("majority", "majorty")
    nbformat.write(notebook, source)
    with pytest.raises(ValueError, match=f"lab.ipynb, cell {notebook.cells[3].id}: unknown exercise 'majorty'.*student_parameters"):
        solve_notebook(source, target)
    assert not target.exists()


def test_value_exercise_is_solved_by_an_assignment(monkeypatch):
    def margin():
        return 0.25

    monkeypatch.setitem(REFERENCES, "margin", margin)
    monkeypatch.setattr(inspect, "getsource", lambda function: "def margin():\n    return 0.25\n")
    space = {}
    exec(solution_source("margin"), space)
    assert space["margin"] == 0.25
