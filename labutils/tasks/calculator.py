"""Evaluate the steps of a solution: the model says what to compute, this file computes it."""

import ast
import operator

OPERATORS = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv, ast.USub: operator.neg,
}
FUNCTIONS = {"round": round, "min": min, "max": max}


def calculate(steps: str) -> float:
    """The value of `answer` in steps such as "goods = 3 * 12.50; answer = goods - 1".

    Only numbers, names of earlier steps, + - * / and round, min, max: what a model writes is never run as a program.

    Raises:
        ValueError: a step is not of that form, divides by zero, or `answer` is missing.
    """
    values: dict[str, float] = {}
    for step in steps.split(";"):
        _take(step, values)
    if "answer" not in values:
        raise ValueError("no step is called `answer`")
    return values["answer"]


def valid_steps(steps: str) -> float:
    """Share of the steps that can be computed from the message's numbers and the steps before them."""
    values, each = {}, steps.split(";")
    valid = 0
    for step in each:
        try:
            _take(step, values)
            valid += 1
        except ValueError:
            continue
    return valid / len(each)


def _take(step: str, values: dict[str, float]) -> None:
    """Compute one step and keep its value under its name."""
    name, equals, expression = (part.strip() for part in step.partition("="))
    if not equals or not name.isidentifier():
        raise ValueError(f"not a step: {step.strip()!r}")
    try:
        values[name] = float(_value(ast.parse(expression, mode="eval").body, values))
    except (SyntaxError, ArithmeticError, KeyError, TypeError, RecursionError, MemoryError) as error:
        raise ValueError(f"cannot compute {step.strip()!r}") from error


def _value(node: ast.expr, values: dict[str, float]):
    """Value of one node of an expression's tree; KeyError for whatever is not allowed."""
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return float(node.value)  # an int could grow without limit
    if isinstance(node, ast.Name):
        return values[node.id]
    if isinstance(node, ast.UnaryOp):
        return OPERATORS[type(node.op)](_value(node.operand, values))
    if isinstance(node, ast.BinOp):
        return OPERATORS[type(node.op)](_value(node.left, values), _value(node.right, values))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        arguments = [_value(argument, values) for argument in node.args]
        if node.func.id == "round":
            arguments[1:] = map(int, arguments[1:])
        return FUNCTIONS[node.func.id](*arguments)
    raise KeyError(type(node).__name__)
