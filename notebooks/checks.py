"""How an answer is checked: by a sentence that says what is off, not what is right."""

import json
import traceback
from collections.abc import Callable
from functools import wraps
from numbers import Real
from pathlib import Path

import numpy as np

from alkit.samplers import Pool, sample

said_to = ""  # a file to which every check adds what it says; `alkit grade` names one


class AnswerError(Exception):
    """An answer that cannot be looked at, with the sentence for it."""


def exercise(problem_with: Callable[..., str]) -> Callable[..., None]:
    """Make a check that prints "Right.", or the sentence of a function on what is off.

    None is an answer still to be given; code of a student that stops with an error is one too.
    Its `problem` is the same without printing: the sentence, empty if all is right.
    """

    def problem(answer: object, *given) -> str:
        try:
            return problem_with(_given(answer), *given)
        except AnswerError as error:
            return str(error)
        except Exception as error:  # whatever a student's code does
            return f"it stops with {type(error).__name__}: {error}{_line(error, answer)}"

    @wraps(problem_with)
    def check(answer: object, *given) -> None:
        found = "it was stopped; does it come to an end?"
        try:
            found = problem(answer, *given)
            print(_sentence(found))
        finally:
            if said_to:
                row = {"exercise": problem_with.__name__, "said": _sentence(found)}
                with Path(said_to).open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")

    check.problem = problem
    return check


def _sentence(found: str) -> str:
    return f"Not yet: {found}" if found else "Right."


def result_of(function: object, *given) -> object:
    """What a student's function gives; raises AnswerError if it is none or gives None."""
    if not callable(function):
        raise AnswerError(f"give a function, not {type(function).__name__}.")
    return _given(function(*given))


def number(answer: object, expected: float, known: dict | None = None, share=0.005) -> str:
    """What is off with a number by more than `share`; `known` explains wrong numbers."""
    if not isinstance(answer, Real) or isinstance(answer, bool) or answer != answer:
        return f"give a number, not {type(answer).__name__ if answer == answer else 'NaN'}."
    answer = float(answer)  # a fraction, too
    if np.isclose(answer, expected, rtol=share, atol=1e-9):
        return ""
    known = (known or {}) | {
        "that is in per cent; give it as a share from 0 to 1.": 100 * expected,
        "the size is right, the sign is not.": -expected,
        f"that is too {'large' if answer > expected else 'small'}.": answer,
    }
    return next(said for said, wrong in known.items() if np.isclose(answer, wrong, rtol=share))


def array(answer: object, expected: np.ndarray, known: dict | None = None) -> str:
    """What is off with an array; `known` maps a sentence to the wrong array that it explains."""
    result = np.asarray(answer, float)
    known = (known or {}) | {"the sizes are right, the sign is not.": -expected}
    for sentence, wrong in known.items():
        right = wrong.shape == expected.shape and np.allclose(wrong, expected)
        if not right and result.shape == wrong.shape and np.allclose(result, wrong, rtol=1e-4):
            return sentence
    if result.shape != expected.shape:
        return f"the result has shape {result.shape}; {expected.shape} is needed."
    if np.isnan(result).any():
        return f"{np.isnan(result).sum()} of {result.size} numbers are NaN."
    wrong = ~np.isclose(result, expected)
    return f"{wrong.sum()} of {result.size} numbers are off." if wrong.any() else ""


def sampler(answer: object, pool: Pool, n_query: int) -> str:
    """What is off with an answer that should be a strategy."""
    picks = [result_of(answer, pool, n_query, np.random.default_rng(0)) for _ in range(2)]
    try:  # the kit's own sentence on picks that are none
        picks = [sample(lambda *_, given=given: given, pool, n_query, 0) for given in picks]
    except ValueError as error:
        return str(error)
    random = "the same seed gives other picks: take all random numbers from the generator."
    return "" if np.array_equal(*picks) else random


def _given(answer: object) -> object:
    if answer is None:
        raise AnswerError("replace None by your answer.")
    return answer


def _line(error: Exception, answer: object) -> str:
    """Where in the student's own code an error came up: the last line of it that was running."""
    names, steps = getattr(answer, "__globals__", None), traceback.walk_tb(error.__traceback__)
    if not (own := [step for step in steps if step[0].f_globals is names]):
        return ""
    (line,) = traceback.StackSummary.extract(own[-1:])
    return f" (line {line.lineno} of your cell: {line.line})"
