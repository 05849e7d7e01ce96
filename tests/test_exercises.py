"""The exercises: every check says what is off with a wrong answer, and Right. to the notebook's own solution."""

import ast
import re
from fractions import Fraction
from types import SimpleNamespace

import exercises
import nbformat
import numpy as np
import pandas as pd
import pytest
from compare import holm
from conftest import in_a_cell
from scipy.spatial.distance import cdist
from scipy.special import softmax
from scipy.stats import t
from sklearn.metrics import f1_score
from test_notebooks import PATHS

from alkit.samplers import Pool
from alkit.study import EXPERIMENTS, Study

NAMES = ("bird", "cat", "dog")
CONFUSED = pd.DataFrame([[0.9, 0.1, 0.0], [0.2, 0.5, 0.3], [0.0, 0.4, 0.6]], NAMES, NAMES)
DRAWN = np.random.default_rng(0)
# Least certainty is clearly behind margin and ahead of random; entropy is its equal.
SHIFTS = dict(zip(EXPERIMENTS, (-0.3, -0.1, 0, 0.1, 0, 0.3), strict=True))
TABLE = pd.DataFrame(
    {"experiment": name, "seed": seed, "f1": 0.6 + shift + 0.01 * (-1) ** (seed + place)}
    for place, (name, shift) in enumerate(SHIFTS.items())
    for seed in range(5)
)
POOL = Pool(DRAWN.dirichlet(np.ones(4), 100), DRAWN.normal(size=(100, 3)), DRAWN.normal(size=(9, 3)))


def counted(one, other):
    return len(set(map(bytes, one.images)) & set(map(bytes, other.images)))


def my_interval(half):
    """Intervals of half width `half`, a function of how many values, their spread and Student's factor."""

    def answer(values):
        n = len(values)
        width = half(n, values.std(ddof=1), t.isf(0.025, n - 1))
        return values.mean() - width, values.mean() + width

    return answer


def holm_unclipped(p):
    corrected, order = np.empty(len(p)), np.argsort(p)
    corrected[order] = np.maximum.accumulate(np.sort(p) * np.arange(len(p), 0, -1))
    return corrected


def holm_in_place(p):
    p.sort()
    return np.maximum.accumulate(p * [3, 2, 1])


def shared_share(divisor):
    return lambda a, b: len(np.intersect1d(a, b)) / divisor(a, b)


def overconfident(logits):
    powers = np.exp(logits)
    return 1 - powers.max(axis=1) / powers.sum(axis=1)


def farthest(pool, k, random):
    return np.argsort(-cdist(pool.features, pool.labelled_features).min(axis=1))[:k]


def erring(other, rate=0.2):
    """An oracle that gives what `other` gives in place of a share `rate` of the labels."""

    def answer(truth, n_classes, _, random):
        return np.where(random.random(len(truth)) < rate, other(truth, n_classes, random), truth)

    return answer


def first_wrong(truth, n_classes, random):
    """An oracle that is wrong for the first fifth of the images."""
    others = (truth + random.integers(1, n_classes, len(truth))) % n_classes
    return np.where(np.arange(len(truth)) < len(truth) / 5, others, truth)


# For each check wrong answers, and what it has to say.
def near(features, picks, radius):
    return cdist(features, features[picks]) < radius


WRONG = {
    "labels_asked": [(80, "counts the labels as well"), (1, "too small"), ("many", "give a number, not str")],
    "f1_of_cat": [(0.625, "plain mean"), (0.75, "precision"), (60, "per cent"), (float("nan"), "NaN"), (True, "bool")],
    "labelled_share": [(60 / 1237, "relative to the pool"), (2.0, "too large")],
    "shared_images": [
        (lambda one, other: 0, "20 labelled images.*too small"),
        (counted, "5 a second time.*too small"),
        (lambda one, other: len(one), "too large"),
        (lambda one, other: one.bytes, "it stops with AttributeError"),
    ],
    "class_missed": [("a", "give the name of a class, one of bird, cat"), ("dog", "1 of the diagonal's 3 cells are")],
    "macro_f1": [
        (lambda true, predicted: np.mean(true == predicted), "the accuracy"),
        (lambda true, predicted: f1_score(true, predicted, average="weighted"), "by their size"),
        (0.5, "give a function, not float"),
    ],
    "picks_expected": [(122, "how many there are in the pool"), (2.0, "equally many of each"), (0, "too small")],
    "picks_of_first_half": [
        (lambda pool, k, random: random.permutation(len(pool))[:k], "of 101 images .* second half"),
        (lambda pool, k, random: random.permutation(50)[:k], "of 60 images .* second half"),
        (lambda pool, k, random: random.permutation(len(pool) // 2 + 1)[:k], "of 60 images .* second half"),
        (lambda pool, k, random: random.permutation(len(pool) // 2)[:20], r"shape \(20,\); return 7 distinct"),
        (lambda pool, k, random: np.arange(k), "not random"),
        (lambda pool, k, random: random.permutation(k), "not random"),
        (lambda pool, k, random: random.permutation(40)[:k], "never picks 10 of the first 50"),
        (lambda pool, k, random: np.random.default_rng().permutation(50)[:k], "from the generator"),
        (lambda pool, k, random: np.zeros(k, int), "position 0 20 times"),
    ],
    "order_of_three": [("FDE", "most sure"), ("DEF", "compare the largest"), ("ABC", "three letters")],
    "least_certainty_of_logits": [
        (lambda logits: 1 - logits.max(axis=1), "softmax comes first"),
        (lambda logits: softmax(logits, axis=1).max(axis=1), "other way round"),
        (overconfident, "near 1,000, 50 of 50 numbers are NaN"),
        (lambda logits: 1 - softmax(logits, axis=0).max(axis=1), "not over the images"),
        (lambda logits: 1 - softmax(logits, axis=1).max(axis=0), "each image needs one"),
        (lambda logits: logits, r"shape \(50, 4\); \(50,\) is needed"),
        (3, "give a function, not int"),
    ],
    "margin_by_hand": [
        (0.45, "the sign is not"),
        (0.3, "which is least certainty"),
        (-0.65, "subtract the second largest"),
        (0.65, "begin with the largest"),
    ],
    "two_rows": [
        ([[0.9, 0.1, 0.0], [0.5, 0.4, 0.1]], "least certainty does not prefer the first"),
        ([[0.4, 0.3, 0.3], [0.6, 0.3, 0.1]], "margin does not prefer the second"),
        ([[0.5, 0.3, 0.3], [0.6, 0.3, 0.1]], "sum of 1"),
        ([[0.45, 0.3, 0.25], [0.52, 0.47, 0.01]], "A, B and C do not count"),
    ],
    "entropy_by_hand": [(1.5, "bits"), (-1.5 * np.log(2), "the sign is not"), (1.733, "its own prob")],
    "entropy_function": [
        (lambda p: -(p * np.log(p)).sum(axis=1), "where a probability is 0, .*NaN"),
        (lambda p: -((p + 1e-12) * np.log2(p + 1e-12)).sum(axis=1), "bits"),
    ],
    "undecided": [
        (["rnadom"], "list of names out of"),
        (3, "list of names"),
        (["random", "least_certainty_margin"], "1 missing, 2 too many"),
    ],
    "interval": [
        (my_interval(lambda n, std, t: 1.96 * std / n**0.5), "of 7 values, .*Student's t is larger"),
        (my_interval(lambda n, std, t: t * std), "root of the number of seeds"),
        (my_interval(lambda n, std, t: t * std / n), "root of the number of seeds, not by the number"),
        (my_interval(lambda n, std, t: 2.44691 * std / n**0.5), "of 3 values, 2 of 2 numbers are off"),
        (my_interval(lambda n, std, t: t * std * ((n - 1) / n / n) ** 0.5), "divides by n - 1"),
        (lambda values: values.mean(), r"shape \(\); \(2,\) is needed"),
    ],
    "seeds_for_a_point": [(8, "too small"), (100, "too large"), (32, "Student's t, and a few more")],
    "holm_function": [
        (lambda p: 3 * p, "Bonferroni"),
        (lambda p: p, "as they were"),
        (lambda p: np.sort(holm(p)), "order in which they came"),
        (holm_in_place, "order in which they came"),
        (holm_unclipped, "above 1"),
    ],
    "jaccard": [
        (shared_share(lambda a, b: len(a)), "share of one set"),
        (shared_share(lambda a, b: 1), "how many they have in common"),
        (shared_share(lambda a, b: len(a) + len(b)), "both have twice"),
        (shared_share(lambda a, b: 10), "for sets of 3 and 2 .*too small"),
    ],
    "own_sampler": [
        (lambda pool, k, random: np.arange(k - 1), r"int64 of shape \(9,\); return 10"),
        (lambda pool, k, random: np.full(k, 3), "position 3 10 times"),
        (lambda pool, k, random: np.arange(k) + 95, "positions from 95 to 104"),
        (lambda pool, k, random: np.arange(k, dtype=float), "float64 of shape"),
        (lambda pool, k, random: pool.probabilities[:, 0] > 0.5, "a mask: use np.flatnonzero"),
        (lambda pool, k, random: np.random.default_rng().permutation(50)[:k], "from the generator"),
        (lambda pool, k, random: pool.images, "it stops with AttributeError: this pool has no images"),
    ],
    "k_center": [
        (lambda pool, k, random: random.permutation(len(pool))[:k], "numbers are off"),
        (farthest, "measure again after it"),
    ],
    "gradient_length": [
        (np.linalg.norm([0.7, 0.2, 0.1]) * 5, "subtract 1"),
        (np.linalg.norm([0.3, 0.2, 0.1]), "features count as well"),
        (np.linalg.norm([0.3, 0.2, 0.1]) + 5, "multiplied, not added"),
        (2, "too large"),
    ],
    "typicality_by_hand": [
        (4 / 3, "mean distance"),
        (0.25, "not their sum"),
        (3.4 / 3, "then one divided"),
        (0.7, "too small"),
    ],
    "coverage": [
        (lambda features, picks, radius: near(features, picks, radius).any(axis=1).sum(), "how many"),
        (lambda features, picks, radius: near(features, picks, radius).sum() / len(features), "counts once"),
        (lambda features, picks, radius: near(features, picks, radius).all(axis=1).mean(), "not all"),
        (lambda features, picks, radius: (near(features, picks, radius).any(axis=1).sum() - 3) / 60, "themselves"),
        (lambda features, picks, radius: near(features, [0, 1, 2], radius).any(axis=1).mean(), "positions"),
        (lambda features, picks, radius: 1 - near(features, picks, radius).any(axis=1).mean(), "no pick"),
    ],
}
WRONG["noisy_oracle"] = [
    (erring(lambda truth, n, random: random.integers(0, n, len(truth))), "sometimes the right one"),
    (erring(lambda truth, n, random: random.integers(0, n, len(truth)), rate=1), "75% of the labels are wrong"),
    (erring(lambda truth, n, random: (truth + 1) % n), "more often than others"),
    (erring(lambda truth, n, random: (truth + 1) % n, 0.8), "not right"),
    (erring(lambda truth, n, random: truth + 1), "class numbers"),
    (erring(lambda truth, n, _: (truth + np.random.default_rng().integers(1, n, len(truth))) % n), "same seed"),
    (lambda truth, n, rate, random: first_wrong(truth, n, random), "some images are wrong more often"),
    (erring(lambda truth, n, random: (truth + random.integers(1, n, len(truth))) % n), "three classes"),
    (lambda truth, n, rate, random: truth[:5], r"shape \(5,\)"),
    (lambda truth, n, rate, random: truth.__setitem__(0, 3 - truth[0]) or truth, "work on a copy"),
]
WRONG["majority_by_hand"] = [
    (0.04, "three ways"),
    (0.096, "all three may be wrong"),
    (0.128, "the third is right"),
    (0.896, "how often it is right"),
    (0.008, "all three are wrong"),
    (0.2, "too large"),
]
WRONG["best_of_two"] = [
    (0.72, "mean of all three"),
    (0.74, "best of all three"),
    (2.12 / 3, "worse of the two"),
    (0.73, "three decimals.*three ways"),
    (6.56 / 9, "none is drawn twice"),
    (73.33, "per cent"),
]
WRONG["chosen_blind"] = [
    (lambda validation, test: test.max(), "must not choose"),
    (lambda validation, test: validation.max(), "validation F1"),
    (lambda validation, test: test[np.flatnonzero(validation == validation.max())[-1]], "first counts."),
    (lambda validation, test: test[validation == validation.max()].min(), "not the worst"),
    (lambda validation, test: test[1], "must not choose"),
    (lambda validation, test: validation.argmax(), "a position"),
    (lambda validation, test: test.mean(), "too large"),
]
WRONG["loss_of_echo"] = [
    (Fraction(1, 1), "one of the two"),
    (1, "one of the two"),
    (0, "have a covariance"),
    (4, "is divided"),
    (60, "too large"),
]
WRONG["by_neighbour"] = [
    (lambda features, labelled, labels: cdist(features, labelled).argmin(axis=1), "positions"),
    (lambda features, labelled, labels: labels[cdist(features, labelled).argmax(axis=1)], "farthest"),
    (lambda features, labelled, labels: labels[cdist(features, labelled).min().astype(int)], r"shape \(\)"),
    (lambda features, labelled, labels: labels[cdist(labelled, features).argmin(axis=1) % 12], r"shape \(12,\)"),
    (lambda features, labelled, labels: labels[(features @ labelled.T).argmax(axis=1)], "other labels"),
]
# What no sentence may hold.
RIGHT = {"loss_of_echo": 2, "labels_asked": 20, "f1_of_cat": 0.6, "margin_by_hand": -0.45, "seeds_for_a_point": 34}
IMPORTS = (ast.Import, ast.ImportFrom)
GIVEN = {"class_missed": (CONFUSED,), "undecided": (TABLE,), "own_sampler": (POOL, 10)}


@pytest.mark.parametrize("name", WRONG)
def test_a_check_says_what_is_off_with_a_wrong_answer_and_not_what_is_right(name, study):
    needs_study = name in ("labels_asked", "labelled_share", "picks_expected")
    for answer, pattern in WRONG[name]:
        sentence = getattr(exercises, name).problem(answer, *GIVEN.get(name, (study,) if needs_study else ()))
        assert re.match(f".*({pattern})", sentence), sentence
        assert sentence.endswith(".") or "it stops" in sentence
        assert name not in RIGHT or not re.search(rf"(?<![\w.]){RIGHT[name]}(?![\w.])", sentence), sentence


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_each_exercise_waits_for_an_answer_and_its_solution_is_right(path, study, monkeypatch, capsys):
    monkeypatch.setattr(Study, "view", lambda study, seed: POOL)
    names = {"study": study, "dataset": study.dataset, "confused": CONFUSED, "table": TABLE, "pool": POOL, "seed": 0}
    cells = [cell for cell in nbformat.read(path, nbformat.NO_CONVERT).cells if cell.cell_type == "code"]
    imports = [node for cell in cells for node in ast.parse(cell.source).body if isinstance(node, IMPORTS)]
    exec(compile(ast.Module(imports, []), path.name, "exec"), names)
    answers = [cell for cell in cells if cell.metadata.get("tags") in (["exercise"], ["solution"])]
    for cell in answers:
        exec(cell.source, names)
        right = cell.metadata.tags == ["solution"]
        assert capsys.readouterr().out == ("Right.\n" if right else "Not yet: replace None by your answer.\n")
    assert len(answers) >= 4


def test_each_check_is_used_and_has_wrong_answers():
    used = {name for path in PATHS for name in re.findall(r"exercises\.(\w+)\(", path.read_text(encoding="utf-8"))}
    assert used == {name for name, value in vars(exercises).items() if hasattr(value, "problem")} == set(WRONG)


def test_an_error_in_a_students_code_comes_with_the_line_that_it_passed():
    cell = in_a_cell(
        "def helper(pool):\n    return pool.images\n\n\ndef mine(pool, k, generator):\n    return helper(pool)\n"
    )
    sentence = exercises.own_sampler.problem(cell.mine, POOL, 10)
    assert sentence.startswith("it stops with AttributeError")
    assert sentence.endswith("(line 2 of your cell: return pool.images)")


def test_the_class_that_is_missed_is_read_off_the_heatmap_with_its_two_decimals():
    confused = pd.DataFrame([[0.498, 0.502, 0], [0.498, 0.502, 0], [0, 0.4, 0.6]], NAMES, NAMES)
    assert [exercises.class_missed.problem(name, confused) == "" for name in NAMES] == [True, True, False]


def test_a_strategy_of_the_student_enters_even_where_the_solution_stands_below():
    capstone = [cell for cell in nbformat.read(PATHS[9], nbformat.NO_CONVERT).cells if "own_sampler" in cell.source]
    (solution,) = (cell.source for cell in capstone if cell.metadata.get("tags") == ["solution"])

    def mine(pool, k, generator):
        return np.arange(k)

    names = {"exercises": exercises, "pool": POOL, "study": SimpleNamespace(n_query=5)}
    for given in (mine, lambda pool, k, generator: None):
        exec(solution, found := names | {"mine": given})
        assert (found["mine"] is given) == (given is mine)
