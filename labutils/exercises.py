"""Check the answers to the exercises, give hints, and go on with the reference where an answer is not right yet."""

import copy
import dis
import inspect
import math
import numbers
from itertools import zip_longest

import numpy as np

from .exercise_cases import EXERCISES, Case, Exercise
from .solutions import REFERENCES

BLANKS = (None, Ellipsis, NotImplemented)  # what stands where a learner has written nothing yet
_hints_given: dict[str, int] = {}


class _Raised(Exception):
    """The learner's function raised; the cause is what it raised."""


def check(name: str, answer):
    """Try an answer on the exercise's cases, tell the result in print, and return what the notebook should go on with.

    Each case runs on a deep copy of its inputs. Whole numbers and text must be equal, other numbers nearly so; lists, tuples,
    arrays and tensors of the same shape count as the same.

    Args:
        name: of the exercise.
        answer: the learner's function; for a value exercise (a reference without parameters), the value.

    Returns:
        `answer` when every case is right; otherwise the reference, after a notice of the first case that is not.

    Raises:
        ValueError: no such exercise.
    """
    exercise, reference = _find(name), REFERENCES[name]
    by_value = not inspect.signature(reference).parameters
    fallback = reference() if by_value else reference
    if any(answer is blank for blank in BLANKS):
        return _unfinished(name, fallback)
    if not by_value and not callable(answer):
        print(f"{name}: not right yet, going on with the reference.\n  expected: a function\n  came:     {show(answer)}")
        return fallback
    for number, case in enumerate(exercise.cases, 1):
        try:
            problem = _judge_value(answer, case, exercise) if by_value else _try_case(answer, case, exercise, reference)
        except _Raised as raised:
            if _is_stub(raised.__cause__, answer):
                return _unfinished(name, fallback)
            problem = _expectation(case), _error_text(raised.__cause__, answer)
        except Exception as error:  # a list that holds itself, a tensor without data: no result may stop the notebook
            problem = _expectation(case), f"a result that cannot be compared ({type(error).__name__}: {error})"
        if problem:
            _print_notice(name, f"case {number} of {len(exercise.cases)}, {case.title}", _call_text(name, case, reference), problem)
            return fallback
    # A second run of a check cell alone meets what the first one put in, which says nothing about the learner's function.
    again = f" But this is the reference, put in by an earlier check: to check your own {name}, run its cell first."
    print("Correct." + (again if answer is reference else ""))
    return answer


def hint(name: str) -> None:
    """Print the exercise's next hint: the first call gives a nudge, the next one more; after the last, the last again.

    Raises:
        ValueError: no such exercise.
    """
    hints = _find(name).hints
    given = min(_hints_given.get(name, 0) + 1, len(hints))
    last = " (there are no more)" if _hints_given.get(name) == len(hints) else ""
    _hints_given[name] = given
    print(f"Hint {given} of {len(hints)}{last}: {hints[given - 1]}")


def _find(name: str) -> Exercise:
    if name not in list(EXERCISES):
        raise ValueError(f"Unknown exercise {name!r}; the exercises are {', '.join(EXERCISES)}.")
    return EXERCISES[name]


def _unfinished(name: str, fallback):
    print(f"{name}: not done yet, going on with the reference.")
    return fallback


def _print_notice(name: str, case: str, call: str, problem: tuple[str, str]) -> None:
    print(f"{name}: not right yet, going on with the reference.\n  {case}")
    if call:
        print(f"  input:    {call}")
    print(f'  expected: {problem[0]}\n  came:     {problem[1]}\n  For help: hint("{name}")')


def _try_case(answer, case: Case, exercise: Exercise, reference) -> tuple[str, str] | None:
    """(expected, came) in words when the answer fails the case, else None."""

    def call(*args):
        try:
            return answer(*args)
        except Exception as error:
            raise _Raised from error

    args = copy.deepcopy(case.args)
    result = call(*args)
    # Taken before a judge calls the answer again: a result may be a view of something that the answer keeps.
    came, remarks = show(result), _changed_arguments(args, case, reference)
    if result is None:
        remarks.insert(0, "the function returned nothing: is a `return` missing?")
    right = _agrees(result, case, exercise, lambda *more: plain(call(*copy.deepcopy(more))))
    if right is True and not remarks:
        return None
    expected = _expectation(case) if right is True else right
    if remarks and result is not None:
        expected += ", with the arguments left as they were"
    return expected, "; ".join([came, *remarks])


def _judge_value(answer, case: Case, exercise: Exercise) -> tuple[str, str] | None:
    right = _agrees(answer, case, exercise, None)
    return None if right is True else (right, show(answer))


def _agrees(result, case: Case, exercise: Exercise, again) -> bool | str:
    """True, or in words what was expected."""
    if case.judge:
        return case.judge(plain(result), again) or True
    expected, found = plain(case.expected), plain(result)
    if exercise.any_order and isinstance(found, list):
        expected, found = sorted(expected, key=repr), sorted(found, key=repr)
    return same(expected, found, case.tolerance) or _expectation(case)


def _expectation(case: Case) -> str:
    return case.expected if case.judge else show(case.expected)


def _changed_arguments(args: tuple, case: Case, reference) -> list[str]:
    names = inspect.signature(reference).parameters
    return [
        f"the argument {name} was changed, to {show(now)}: work on a copy"
        for name, now, before in zip(names, args, case.args)
        if plain(now) != plain(before)
    ]


def plain(value):
    """Arrays, tensors and tuples as lists, NumPy numbers as Python numbers, at every depth."""
    if hasattr(value, "tolist") and not isinstance(value, type):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return {key: plain(item) for key, item in value.items()} if isinstance(value, dict) else value


def same(expected, found, tolerance: float) -> bool:
    """Whether two plain values agree: floats within `tolerance` (absolute) or 1e-5 (relative), all else exactly."""
    if isinstance(expected, list):
        if not isinstance(found, list):
            return False
        nothing = object()  # agrees with no value, so that a longer list is not taken for an equal one
        return all(same(a, b, tolerance) for a, b in zip_longest(expected, found, fillvalue=nothing))
    if isinstance(expected, numbers.Real) and not isinstance(expected, bool):
        if not isinstance(found, numbers.Real) or isinstance(found, bool):
            return False
        # A parameter count off by a few hundred is wrong, however small its share: only floats are compared with tolerance.
        return found == expected if isinstance(expected, int) else math.isclose(found, expected, rel_tol=1e-5, abs_tol=tolerance)
    return type(found) is type(expected) and found == expected


def show(value, limit: int = 300) -> str:
    """A value on one line, cut in the middle when it is long."""
    if hasattr(value, "detach"):
        return f"tensor({_array_text(value.detach().cpu())})"
    if isinstance(value, np.ndarray):
        return f"array({_array_text(value)})"
    if isinstance(value, np.generic):
        value = value.item()
    text = " ".join(repr(value).split())
    if isinstance(value, tuple):
        text = f"({', '.join(show(item) for item in value)}{',' if len(value) == 1 else ''})"
    return text if len(text) <= limit else f"{text[: limit - 60]} ... {text[-50:]}"


def _array_text(value) -> str:
    # Through lists, because NumPy has no bfloat16.
    return " ".join(np.array2string(np.array(value.tolist()), precision=6, separator=", ", threshold=20).split())


def _call_text(name: str, case: Case, reference) -> str:
    given = zip(inspect.signature(reference).parameters, case.args)
    return f"{name}({', '.join(f'{parameter}={show(value)}' for parameter, value in given)})" if case.args else ""


def _frames(error: BaseException) -> list:
    frames, step = [], error.__traceback__
    while step:
        frames.append(step)
        step = step.tb_next
    return frames


def _is_stub(error: BaseException, answer) -> bool:
    """Whether the answer itself says `raise NotImplementedError`; torch raises the same error for a dtype that it lacks."""
    last = _frames(error)[-1]
    code = last.tb_frame.f_code
    raises = code.co_code[last.tb_lasti] == dis.opmap["RAISE_VARARGS"]
    return isinstance(error, NotImplementedError) and raises and code is getattr(answer, "__code__", None)


def _error_text(error: BaseException, answer) -> str:
    code = getattr(answer, "__code__", None)
    lines = [step.tb_lineno for step in _frames(error) if code and step.tb_frame.f_code.co_filename == code.co_filename]
    return f"{type(error).__name__}: {error}" + (f" (line {lines[-1]})" if lines else "")
