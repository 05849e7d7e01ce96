"""How an answer is checked: by a sentence that says what is off, not what is right."""

from collections.abc import Callable
from functools import wraps
from numbers import Real

import numpy as np

from alkit.samplers import Pool, sample

UNANSWERED = "replace None by your answer."


def exercise(problem_with: Callable[..., str]) -> Callable[..., None]:
    """Make a check of a function that says what is off with an answer: it prints a sentence, "Right." if nothing is.

    None is an answer that is still to be given; code of a student that stops with an error is an answer as well.
    Its `problem` is the same without printing: the sentence, empty if nothing is off.
    """

    def problem(answer: object, *given) -> str:
        try:
            return UNANSWERED if answer is None else problem_with(answer, *given)
        except Exception as error:  # whatever a student's code does
            return f"it stops with {type(error).__name__}: {error}"

    @wraps(problem_with)
    def check(answer: object, *given) -> None:
        found = problem(answer, *given)
        print(f"Not yet: {found}" if found else "Right.")

    check.problem = problem
    return check


def number(answer: object, expected: float, known: dict[str, float] | None = None, tolerance: float = 0.005) -> str:
    """What is off with a number; `known` maps a sentence to the wrong number that it explains."""
    if answer is None:
        return UNANSWERED
    if not isinstance(answer, Real) or isinstance(answer, bool):
        return f"give a number, not {type(answer).__name__}."
    if np.isnan(answer):
        return "that is NaN, not a number."
    if np.isclose(answer, expected, rtol=tolerance, atol=1e-9):
        return ""
    for sentence, wrong in (known or {}).items():
        if np.isclose(answer, wrong, rtol=tolerance):
            return sentence
    if np.isclose(answer, 100 * expected, rtol=tolerance):
        return "that is in per cent; give it as a share from 0 to 1."
    if np.isclose(answer, -expected, rtol=tolerance):
        return "the size is right, the sign is not."
    return f"that is too {'large' if answer > expected else 'small'}."


def array(answer: object, expected: np.ndarray, known: dict[str, np.ndarray] | None = None) -> str:
    """What is off with an array; `known` maps a sentence to the wrong array that it explains."""
    if answer is None:
        return UNANSWERED
    result = np.asarray(answer, float)
    for sentence, wrong in (known or {}).items():
        ambiguous = wrong.shape == expected.shape and np.allclose(wrong, expected)
        if result.shape == wrong.shape and np.allclose(result, wrong, rtol=1e-4) and not ambiguous:
            return sentence
    if result.shape != expected.shape:
        return f"the result has shape {result.shape}; {expected.shape} is needed."
    if np.isnan(result).any():
        return f"{np.isnan(result).sum()} of {result.size} numbers are NaN."
    if np.allclose(result, -expected):
        return "the sizes are right, the sign is not."
    wrong = ~np.isclose(result, expected)
    return f"{wrong.sum()} of {result.size} numbers are off." if wrong.any() else ""


def function(answer: object) -> str:
    """What is off with an answer that should be a function."""
    return "" if callable(answer) else f"give a function, not {type(answer).__name__}."


def sampler(answer: object, pool: Pool, k: int) -> str:
    """What is off with an answer that should be a sampler; raises what `sample` raises for its picks."""
    if not callable(answer):
        return function(answer)
    if answer(pool, k, np.random.default_rng(0)) is None:
        return UNANSWERED
    if not np.array_equal(*(sample(answer, pool, k, 0) for _ in range(2))):
        return "the same seed gives other picks: take all random numbers from the generator."
    return ""
