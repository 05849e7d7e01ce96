"""The exercises of the notebooks, a check each; none gives its solution away."""

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd
from checks import array, exercise, number, result_of, sampler
from compare import holm, paired_differences, seeds_needed
from scipy import stats
from scipy.spatial.distance import cdist
from scipy.special import softmax
from sklearn.metrics import accuracy_score, f1_score

from alkit import samplers
from alkit.data import Images
from alkit.samplers import SAMPLERS, Pool
from alkit.study import Study


def _rows(n: int, zeros: bool = False) -> np.ndarray:
    """Rows of random probabilities."""
    rows = np.random.default_rng(0).dirichlet(np.ones(4), n)
    rows[: n // 2 * zeros, 0] = 0
    return rows / rows.sum(axis=1, keepdims=True)


@exercise
def labels_asked(answer: object, study: Study) -> str:
    both = study.n_labelled + study.n_query
    known = {"that counts the labels as well that were there at the start.": both}
    return number(answer, study.n_query, known, 0)


@exercise
def f1_of_cat(answer: object) -> str:
    known = {
        "that is the plain mean of precision and recall; look at the formula again.": 0.625,
        "that is the precision.": 0.75,
        "that is the recall.": 0.5,
    }
    return number(answer, 0.6, known)


@exercise
def labelled_share(answer: object, study: Study) -> str:
    n_labelled, n_pool = len(study.labelled), len(study.pool)
    of_pool = "that is relative to the pool; the labelled images are training images too."
    return number(
        answer, n_labelled / (n_labelled + n_pool), {of_pool: n_labelled / n_pool}, 1e-6
    )


@exercise
def shared_images(answer: Callable[[Images, Images], int]) -> str:
    images = np.random.default_rng(0).integers(0, 256, (200, 4, 4, 1), np.uint8)
    part = Images(images, np.zeros(len(images), np.int64))
    labelled, pool = part[:60], part[60:]
    planted = labelled[:20] + labelled[:5] + pool[:7]
    for one, other, expected, what in (
        (planted, labelled, 25, "20 labelled images, 5 a second time, and 7 of the pool"),
        (labelled[:50], pool, 0, "50 labelled images, looked for in the pool"),
    ):
        if problem := number(result_of(answer, one, other), expected, share=0):
            return f"for {what}: {problem}"
    return ""


@exercise
def class_missed(answer: object, confused: pd.DataFrame) -> str:
    found = pd.Series(np.diag(confused), confused.index).round(2)  # as the heatmap shows them
    if str(answer) not in found.index:
        return f"give the name of a class, one of {', '.join(found.index)}."
    lower = (found < found[str(answer)]).sum()
    return f"{lower} of the diagonal's {len(found)} cells are lower." if lower else ""


@exercise
def macro_f1(answer: Callable[[np.ndarray, np.ndarray], float]) -> str:
    random = np.random.default_rng(0)
    true = random.choice(4, 200, p=[0.6, 0.2, 0.1, 0.1])
    predicted = np.where(random.random(200) < 0.6, true, random.integers(0, 4, 200))
    plain, weighted = (f1_score(true, predicted, average=kind) for kind in ("macro", "weighted"))
    known = {
        "that is the accuracy.": accuracy_score(true, predicted),
        "that weighs classes by their size; macro F1 counts all alike.": weighted,
    }
    return number(result_of(answer, true.copy(), predicted.copy()), plain, known, 1e-6)


@exercise
def picks_expected(answer: object, study: Study) -> str:
    labels = study.pool.labels
    n_classes, expected = len(np.unique(labels)), np.mean(labels == 0) * study.n_query
    known = {
        "that is how many there are in the pool.": np.sum(labels == 0),
        "the pool does not hold equally many of each class.": study.n_query / n_classes,
    }
    return number(answer, expected, known, 0.006 / max(expected, 0.006))  # two decimals will do


@exercise
def picks_of_first_half(answer: Callable) -> str:
    for n, n_query in ((101, 20), (60, 7)):
        pool, half = Pool(_rows(n)), n // 2
        if problem := sampler(answer, pool, n_query):
            return problem
        picks = [samplers.sample(answer, pool, n_query, seed) for seed in range(100)]
        every = np.unique(picks)
        if every.max() >= n - half:
            return f"of a pool of {n} images it picks from the second half as well."
        if set(picks[0]) == set(picks[1]):
            return "another seed gives the same picks: these are not random."
        if never := half - np.sum(every < half):
            return f"of a pool of {n} images it never picks {never} of the first {half}."
    return ""


@exercise
def order_of_three(answer: object) -> str:
    letters = [letter for letter in str(answer).upper() if letter.isalpha()]
    if sorted(letters) != list("DEF"):
        return 'give the three letters in order, such as "DEF".'
    if letters == list("FDE"):
        return "that begins with the image the model is most sure of."
    return "" if letters == list("EDF") else "compare the largest probability of each image."


@exercise
def least_certainty_of_logits(answer: Callable) -> str:
    logits = np.random.default_rng(0).normal(0, 2, (50, 4))
    p, of_classes = softmax(logits, axis=1), softmax(logits, axis=0)
    known = {
        "that is high where the model is sure; it should be the other way round.": p.max(1),
        "logits are no probabilities yet: softmax comes first.": 1 - logits.max(1),
        "softmax goes over the classes of an image, not over the images.": 1 - of_classes.max(1),
        "that is the largest score of each class; each image needs one.": 1 - p.max(0),
    }
    right = samplers.least_certainty(p)
    if problem := array(result_of(answer, logits.copy()), right, known):
        return problem
    with np.errstate(all="ignore"):
        problem = array(answer(logits + 1000), right)
    hint = f"where logits are near 1,000, {problem} Subtract the largest of each row first."
    return hint if problem else ""


@exercise
def two_rows(answer: object) -> str:
    rows = np.asarray(answer, float)
    if rows.shape != (2, 3) or (rows < 0).any() or not np.allclose(rows.sum(1), 1):
        return "give two rows of three probabilities, each row with a sum of 1."
    shown = [[0.05, 0.05, 0.90], [0.00, 0.50, 0.50], [0.25, 0.30, 0.45]]
    if any(np.allclose(np.sort(row), each) for row in rows for each in shown):
        return "A, B and C do not count; find others."
    least, margin = samplers.least_certainty(rows), samplers.least_certainty_margin(rows)
    if least[0] <= least[1]:
        return "least certainty does not prefer the first row: lower its largest probability."
    bring_closer = "margin does not prefer the second row: bring its two largest closer together."
    return bring_closer if margin[1] <= margin[0] else ""


@exercise
def margin_by_hand(answer: object) -> str:
    known = {
        "that is what the most probable class leaves over, which is least certainty.": 0.3,
        "subtract the second largest probability, wherever it stands.": -0.65,
        "begin with the largest probability and subtract the second largest.": 0.65,
    }
    return number(answer, -0.45, known)


@exercise
def entropy_by_hand(answer: object) -> str:
    known = {
        "that is in bits; the natural logarithm gives nats.": 1.5,
        "that is with the logarithm to base 10; take the natural one.": 1.5 * np.log10(2),
        "weigh each logarithm with its own probability.": 2.5 * np.log(2),
    }
    return number(answer, 1.5 * np.log(2), known)


@exercise
def entropy_function(answer: Callable) -> str:
    p, q = _rows(50), _rows(50, zeros=True)
    right = samplers.entropy(p)
    known = {"that is in bits; the kit uses the natural logarithm.": right / np.log(2)}
    if problem := array(result_of(answer, p.copy()), right, known):
        return problem
    with np.errstate(all="ignore"):
        problem = array(answer(q.copy()), samplers.entropy(q))
    return f"where a probability is 0, {problem} 0 log 0 counts as 0." if problem else ""


@exercise
def undecided(answer: object, results: pd.DataFrame) -> str:
    names = [name for name in SAMPLERS if name != "least_certainty"]
    if not isinstance(answer, Iterable) or not set(answer) <= set(names):
        return f"give a list of names out of {', '.join(names)}; it may be empty."
    leads = paired_differences(results, "least_certainty").loc[names]
    expected = set(leads.index[~((leads["low"] > 0) | (leads["high"] < 0))])
    missing, wrong = len(expected - set(answer)), len(set(answer) - expected)
    return f"{missing} missing, {wrong} too many." if missing or wrong else ""


@exercise
def interval(answer: Callable[[np.ndarray], tuple[float, float]]) -> str:
    for values in ([0.02, 0.005, 0.011, -0.004, 0.013, 0.001, 0.007], [0.05, 0.04, 0.09]):
        n, mean, std = len(values), np.mean(values), np.std(values, ddof=1)
        (t, t_of_more), root = stats.t.isf(0.025, [n - 1, n]), n**0.5
        halves = {
            "with few seeds Student's t is larger than the 1.96 of many.": 1.96 * std / root,
            "Student's t has one degree of freedom fewer than seeds.": t_of_more * std / root,
            "divide the standard deviation by the root of the number of seeds.": t * std,
            "divide by the root of the number of seeds, not by the number.": t * std / n,
            "the standard deviation of a sample divides by n - 1.": t * np.std(values) / root,
            "": t * std / root,
        }
        known = {said: mean + half * np.array([-1, 1]) for said, half in halves.items()}
        if problem := array(result_of(answer, np.array(values)), known.pop(""), known):
            return f"of {n} values, {problem}"
    return ""


@exercise
def seeds_for_a_point(answer: object) -> str:
    normal = "that is by the normal distribution; few seeds need Student's t, and a few more."
    return number(answer, seeds_needed(0.01, 0.02), {normal: 32}, 1e-9)


@exercise
def holm_function(answer: Callable[[np.ndarray], np.ndarray]) -> str:
    p = np.array([0.04, 0.01, 0.03])
    not_rising = "a larger p may not end up smaller than a smaller one: keep the running maximum."
    known = {
        "that is Bonferroni's correction; Holm is milder from the second on.": 3 * p,
        not_rising: np.array([0.04, 0.03, 0.06]),
        "give them back in the order in which they came.": np.array([0.03, 0.06, 0.06]),
        "these are the p-values as they were.": p,
    }
    if problem := array(result_of(answer, p.copy()), holm(p), known):
        return problem
    return "no probability is above 1." if np.max(answer(np.array([0.9, 0.8]))) > 1 else ""


@exercise
def jaccard(answer: Callable[[np.ndarray, np.ndarray], float]) -> str:
    a, b = np.array([1, 5, 3, 9, 7, 11]), np.array([9, 2, 4, 5, 13, 15])
    known = {
        "that is the share of one set; divide by how many positions are in either.": 2 / 6,
        "that counts what both have twice; divide by how many are in either.": 2 / 12,
        "that is how many they have in common; divide.": 2,
    }
    if problem := number(result_of(answer, a, b), 0.2, known, 1e-6):
        return problem
    problem = number(answer(np.array([0, 1, 2]), np.array([2, 3])), 0.25, share=1e-6)
    return f"for sets of 3 and 2 with 1 in common, {problem}" if problem else ""


@exercise
def own_sampler(answer: Callable, pool: Pool, n_query: int) -> str:
    return sampler(answer, pool, n_query)


@exercise
def k_center(answer: Callable) -> str:
    random = np.random.default_rng(0)
    pool = Pool(_rows(40), random.normal(size=(40, 3)), random.normal(size=(5, 3)))
    apart, away = (cdist(pool.features, of) for of in (pool.features, pool.labelled_features))

    def picked(distance: np.ndarray) -> np.ndarray:
        picks = []
        for _ in range(12):
            picks.append(distance.argmax())
            distance = np.minimum(distance, apart[picks[-1]])
        return np.array(picks)

    known = {
        "each pick counts as labelled: measure again after it.": np.argsort(-away.min(1))[:12],
        "the distance to the nearest labelled image counts.": picked(away.max(axis=1)),
        "the labelled images count from the start.": picked(np.full(40, np.inf)),
    }
    right = picked(away.min(axis=1))
    return sampler(answer, pool, 12) or array(answer(pool, 12, random), right, known)


@exercise
def gradient_length(answer: object) -> str:
    known = {
        "the predicted class counts as right: subtract 1 from its probability.": 5 * 0.54**0.5,
        "that is the length of p - e alone; the features count as well.": 0.14**0.5,
        "the lengths of the two vectors are multiplied, not added.": 0.14**0.5 + 5,
    }
    return number(answer, 5 * 0.14**0.5, known)


@exercise
def typicality_by_hand(answer: object) -> str:
    known = {
        "that is the mean distance; a typical image has a large number.": 4 / 3,
        "the mean of the distances counts, not their sum.": 1 / 4,
        "first the mean of the distances, then one divided by it.": (2 + 1 + 0.4) / 3,
    }
    return number(answer, 3 / 4, known)


@exercise
def coverage(answer: Callable[[np.ndarray, np.ndarray, float], float]) -> str:
    features, picks = np.random.default_rng(0).normal(size=(60, 2)), np.array([50, 3, 20])
    near = cdist(features, features[picks]) < 1.0
    known = {
        "that is the share that no pick has around it.": 1 - near.any(axis=1).mean(),
        "that is how many; divide by all images.": near.any(axis=1).sum(),
        "an image with two picks around counts once.": near.sum() / 60,
        "the nearest pick is enough; not all have to be near.": near.all(axis=1).mean(),
        "the picks are images too, and cover themselves.": (near.any(axis=1).sum() - 3) / 60,
        "the first images are not the picks; these are positions.": (
            cdist(features, features[:3]).min(axis=1) < 1.0
        ).mean(),
    }
    return number(result_of(answer, features, picks, 1.0), near.any(axis=1).mean(), known, 1e-6)


@exercise
def noisy_oracle(answer: Callable) -> str:
    truth = np.random.default_rng(0).integers(0, 4, 40_000)
    few, given = truth % 3, [truth.copy(), truth.copy()]
    labels, again = (
        np.asarray(result_of(answer, each, 4, 0.2, np.random.default_rng(1))) for each in given
    )
    if not np.array_equal(truth, given[0]):
        return "it changes the true labels themselves; work on a copy."
    if labels.shape != truth.shape or not np.isin(labels, range(4)).all():
        found = f"{labels.dtype} of shape {labels.shape}"
        return f"give {len(truth)} class numbers from 0 to 3, not {found}."
    wrong = labels != truth
    share, steps = wrong.mean(), np.bincount((labels - truth)[wrong] % 4, minlength=4)[1:]
    known = {
        "a wrong label is one of the other classes; yours is sometimes the right one.": 0.15,
        "that is how often it should be wrong, not right.": 0.8,
    }
    if not np.array_equal(labels, again):
        return "the same seed gives other labels: take all random numbers from the generator."
    # 0.02 is ten standard errors of a share of 0.2, and five within a class.
    if abs(share - 0.2) > 0.02:
        said = next((said for said, wrong in known.items() if abs(share - wrong) < 0.02), "")
        return said or f"{share:.0%} of the labels are wrong, for a rate of 20 %."
    if abs(steps / steps.sum() - 1 / 3).max() > 0.03:
        return "some wrong classes are given more often than others."
    parts = [wrong[:20_000], wrong[20_000:], *(wrong[truth == each] for each in range(4))]
    if max(abs(part.mean() - 0.2) for part in parts) > 0.02:
        return "some images are wrong more often than others; the chance is the same for all."
    other = np.asarray(result_of(answer, few, 3, 0.5, np.random.default_rng(2)))
    right = other.max() < 3 and abs((other != few).mean() - 0.5) < 0.02
    return "" if right else "with three classes and a rate of 0.5 it is off; use both numbers."


@exercise
def majority_by_hand(answer: object) -> str:
    known = {
        "there are three ways in which exactly two of them are wrong.": 0.2**2 * 0.8 + 0.2**3,
        "all three may be wrong as well.": 3 * 0.2**2 * 0.8,
        "if two are wrong the third is right, with the chance 0.8.": 3 * 0.2**2 + 0.2**3,
        "that is how often it is right.": 1 - 0.104,
        "that is how often all three are wrong.": 0.2**3,
    }
    return number(answer, 0.104, known)


@exercise
def best_of_two(answer: object) -> str:
    known = {
        "that is the mean of all three; the worse of two is never reported.": 0.72,
        "that is the best of all three; two are drawn.": 0.74,
        "that is what the worse of the two gives.": (0.70 + 0.70 + 0.72) / 3,
        "give three decimals; and there are three ways to draw two, all equally likely.": 0.73,
        "the two are different recipes; none is drawn twice.": 6.56 / 9,
    }
    return number(answer, 2.2 / 3, known, 0.0005)


@exercise
def chosen_blind(answer: Callable[[np.ndarray, np.ndarray], float]) -> str:
    validation = np.array([0.61, 0.72, 0.58, 0.72, 0.66, 0.72])
    test = np.array([0.65, 0.64, 0.60, 0.63, 0.69, 0.66])
    known = {
        "that is the best on the test set; it must not choose.": 0.69,
        "that is the validation F1 of the chosen one; report its F1 on the test set.": 0.72,
        "of equals the first counts.": 0.66,
        "of equals the first counts, not the worst on the test set.": 0.63,
        "that is a position, not an F1.": 1,
    }
    off = number(result_of(answer, validation, test), 0.64, known, 0.001)
    return off or number(result_of(answer, validation[::-1], test[::-1]), 0.66, known, 0.001)


@exercise
def loss_of_echo(answer: object) -> str:
    known = {
        "that is the covariance in one of the two views.": 1,
        "views and spread are as they should be, but two equal numbers have a covariance.": 0,
        "the sum of the squares is divided by the number of numbers.": 4,
    }
    return number(answer, 2, known, 0.011)


@exercise
def by_neighbour(answer: Callable) -> str:
    generator = np.random.default_rng(0)
    labelled, labels = generator.normal(size=(12, 3)), generator.permutation(12) // 3
    features = generator.normal(size=(40, 3))
    away = cdist(features, labelled)
    given = np.asarray(result_of(answer, features, labelled, labels))
    if given.shape != (40,):
        return f"the result has the shape {given.shape}; give a class for each of the 40 images."
    if np.array_equal(given, away.argmin(axis=1)):
        return "these are positions of the nearest ones; give the labels that stand there."
    if np.array_equal(given, labels[away.argmax(axis=1)]):
        return "these are labels of the farthest ones."
    return "" if np.array_equal(given, labels[away.argmin(axis=1)]) else "these are other labels."
