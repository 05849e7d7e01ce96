"""Data sets as plain arrays, and their split into the labelled images, the pool and the test set."""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import NamedTuple

import numpy as np


@dataclass(frozen=True, eq=False)
class Images:
    """Some images with their labels: images (N, H, W, C) uint8 in 0..255, labels (N,) int64 in 0..n_classes-1.

    features: (N, D) float32 of them, made by another model, or None; where there are some, models learn from these.
    """

    images: np.ndarray
    labels: np.ndarray
    features: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, positions) -> "Images":
        return Images(*(each[positions] for each in self.arrays()))

    def __add__(self, other: "Images") -> "Images":
        return Images(*map(np.concatenate, zip(self.arrays(), other.arrays(), strict=True)))

    @property
    def inputs(self) -> np.ndarray:
        """What a model is trained on, and predicts: the features, where there are some, otherwise the images."""
        return self.images if self.features is None else self.features

    def arrays(self) -> list[np.ndarray]:
        """Those that there are, in this order."""
        return [each for each in (self.images, self.labels, self.features) if each is not None]


@dataclass(frozen=True, eq=False)
class Dataset:
    """A training and a test part; known_as: the fingerprint of images that these are stand-ins for, empty otherwise.

    pool_files: names of the training images without labels, if any. weights: those of a network to go on from, if any.
    """

    name: str
    class_names: tuple[str, ...]
    train: Images = field(repr=False)
    test: Images = field(repr=False)
    known_as: str = field(default="", repr=False)
    pool_files: tuple[str, ...] = field(default=(), repr=False)
    weights: dict[str, np.ndarray] = field(default_factory=dict, repr=False)

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits of a SHA-256 over shapes and bytes of all arrays; `known_as` for images and labels."""
        digest, parts = hashlib.sha256(self.known_as.encode()), (self.train.arrays(), self.test.arrays())
        digest.update("".join(self.weights).encode())
        for array in chain(*(part[2 * bool(self.known_as) :] for part in parts), self.weights.values()):
            digest.update(str(array.shape).encode())
            digest.update(np.ascontiguousarray(array))
        return self.known_as if not self.trains and not self.weights else digest.hexdigest()[:16]

    @property
    def trains(self) -> bool:
        """Whether there is something to train on: features, or images that are no stand-ins."""
        return not self.known_as or self.train.features is not None


class Split(NamedTuple):
    """The three parts of the protocol: `labelled` and `pool` come from the training images, `test` is apart."""

    labelled: Images
    pool: Images
    test: Images


def split(dataset: Dataset, n_labelled: int, order: int = 0) -> Split:
    """Call the first `n_labelled` training images labelled and the rest the pool.

    `order` above 0 is the seed of a random order that the training images are brought into first.
    Raises ValueError if the pool would be empty or a class has no labelled image.
    """
    train = dataset.train
    if isinstance(n_labelled, bool) or not isinstance(n_labelled, int | np.integer) or not 0 < n_labelled < len(train):
        problem = f"n_labelled is {n_labelled!r}, but {dataset.name} has {len(train)} training images"
        raise ValueError(f"{problem}; choose 1 to {len(train) - 1}, so that a pool remains.")
    if type(order) is not int or order < 0:
        raise ValueError(f"order is {order!r}; give 0, or the seed of a random order.")
    train = train[np.random.default_rng(order).permutation(len(train)) if order else slice(None)]
    missing = np.setdiff1d(np.arange(len(dataset.class_names)), train.labels[:n_labelled])
    if len(missing):
        names = f"{len(missing)} classes ({', '.join(dataset.class_names[i] for i in missing[:5])})"
        problem = f"The first {n_labelled} training images of {dataset.name} have none of {names}"
        raise ValueError(f"{problem}; raise n_labelled or shuffle the training images.")
    return Split(train[:n_labelled], train[n_labelled:], dataset.test)


def reveal(pool: Images, picks: np.ndarray) -> Images:
    """The oracle: the picked images, positions (k,) in the pool, with the labels that a person would have given."""
    return pool[picks]


def check_folds(labelled: Images, n_folds: int) -> None:
    """Raise ValueError for less than 2 folds to validate with, and where no class has as many labelled images."""
    if type(n_folds) is not int or n_folds < 2:
        raise ValueError(f"n_folds is {n_folds!r}; give a whole number of at least 2.")
    if (most := np.bincount(labelled.labels).max()) < n_folds:
        problem = f"n_labelled is {len(labelled)}: no class has more than {most} labelled images"
        raise ValueError(f"{problem}, but {n_folds} folds need one each; raise n_labelled.")
