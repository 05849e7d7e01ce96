"""Data sets as plain arrays: load one, then split it into the labelled images, the pool and the test set."""

import hashlib
import os
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from alkit import ROOT

ARRAYS = ("x_train", "y_train", "x_test", "y_test")
CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
# Files that do not carry their own name and classes, recognised by their fingerprint.
KNOWN_FILES = {"8ff9e219faad2372": ("CIFAR-10, JPEG re-encoded", CIFAR10_CLASSES)}


@dataclass(frozen=True, eq=False)
class Part:
    """Some images with their labels: images (N, H, W, C) uint8 in 0..255, labels (N,) int64 in 0..n_classes-1."""

    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, positions) -> "Part":
        return Part(self.images[positions], self.labels[positions])

    def __add__(self, other: "Part") -> "Part":
        return Part(np.concatenate([self.images, other.images]), np.concatenate([self.labels, other.labels]))


@dataclass(frozen=True, eq=False)
class Dataset:
    """A training part and a test part, with the name to show and the name of every class.

    known_as: the fingerprint, where it is not that of these images. without_images: the images are stand-ins.
    """

    name: str
    class_names: tuple[str, ...]
    train: Part = field(repr=False)
    test: Part = field(repr=False)
    known_as: str = field(default="", repr=False)
    without_images: bool = False

    @cached_property
    def fingerprint(self) -> str:
        """`known_as`, or 16 hexadecimal digits of a SHA-256 over shapes and bytes of the four arrays."""
        if self.known_as:
            return self.known_as
        digest = hashlib.sha256()
        for part in (self.train, self.test):
            for array in (part.images, part.labels):
                digest.update(str(array.shape).encode())
                digest.update(np.ascontiguousarray(array))
        return digest.hexdigest()[:16]


@dataclass(frozen=True, eq=False)
class Split:
    """The three parts of the protocol: `labelled` and `pool` come from the training images, `test` is apart."""

    labelled: Part
    pool: Part
    test: Part


def data_folder() -> Path:
    """Where downloads are kept: the environment variable ALKIT_DATA, or `data`, seen from the project's folder."""
    return ROOT / os.environ.get("ALKIT_DATA", "data")


def load(source: str) -> Dataset:
    """Load "cifar10", "digits" or the path of an `.npz` file.

    A path is looked up from the working folder, then from the project's. The file holds `x_train`, `y_train`,
    `x_test`, `y_test`: images (N, H, W) or (N, H, W, C) uint8 with sides of 8 to 96 pixels and 1 or 3 channels,
    labels (N,) integer, numbered from 0, 2 to 1,000 classes. It may also hold `class_names` and `name`. A file that
    the kit published with its runs holds labels alone: CIFAR-10 in `data_folder()`, if it has the same, or else grey
    squares, give the images.

    "cifar10" downloads once (170 MB, checksum verified) into `data_folder()`. A `cifar-10-python.tar.gz` already
    there is used instead, and the environment variable CIFAR10_URL names a mirror; the checksum makes either safe.

    Raises FileNotFoundError for a file that is missing or no .npz, ConnectionError for a failed download and ValueError
    for content that cannot be used.
    """
    if source == "digits":
        return _load_digits()
    if source == "cifar10":
        return _load_cifar10(data_folder())
    candidates = [Path(source).expanduser(), ROOT / source]
    path = next((path for path in candidates if path.is_file()), None)
    if path is None or path.suffix != ".npz":
        problem = "no such file" if path is None else "not an .npz file"
        raise FileNotFoundError(
            f'data is {source!r} ({problem}); give "cifar10", "digits" or the path of an .npz file.'
        )
    return _load_npz(path)


def split(dataset: Dataset, n_labelled: int) -> Split:
    """Call the first `n_labelled` training images labelled and the rest the pool.

    Raises ValueError if the pool would be empty or a class has no labelled image.
    """
    if not 0 < n_labelled < len(dataset.train):
        raise ValueError(
            f"n_labelled is {n_labelled}, but {dataset.name} has {len(dataset.train)} training images; "
            f"choose 1 to {len(dataset.train) - 1}, so that a pool remains."
        )
    labelled, pool = dataset.train[:n_labelled], dataset.train[n_labelled:]
    missing = np.setdiff1d(np.arange(len(dataset.class_names)), labelled.labels)
    if len(missing):
        names = ", ".join(dataset.class_names[i] for i in missing[:5])
        raise ValueError(
            f"The first {n_labelled} training images of {dataset.name} have none of {len(missing)} classes ({names}); "
            "raise n_labelled or shuffle the training images."
        )
    return Split(labelled, pool, dataset.test)


def reordered(dataset: Dataset, seed: int) -> Dataset:
    """The same data set with its training images in a random order, so that others come first and are labelled."""
    order = np.random.default_rng(seed).permutation(len(dataset.train))
    name, known_as = f"{dataset.name}, order {seed}", f"{dataset.fingerprint}-{seed}"
    return replace(dataset, name=name, train=dataset.train[order], known_as=known_as)


def check_folds(labelled: Part, n_folds: int) -> None:
    """Raise ValueError where no class has as many labelled images as there are folds to validate with."""
    if (most := class_counts(labelled, 1).max()) < n_folds:
        raise ValueError(
            f"n_labelled is {len(labelled)}: no class has more than {most} labelled images, but {n_folds} folds need "
            "one each; raise n_labelled."
        )


def class_counts(part: Part, n_classes: int) -> np.ndarray:
    """How many images of each class a part holds: (n_classes,) int64."""
    return np.bincount(part.labels, minlength=n_classes)


def replace_file(path: Path, write_to: Callable[[Path], object]) -> None:
    """Write a file under a temporary name of the same suffix, then give it its own: it is never half there."""
    partial = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        write_to(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _load_digits() -> Dataset:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    # 0..16 becomes 0..255. The bundled order goes by writer, so a split in order would test on unseen writers.
    images = np.round(digits.images[..., None] * (255 / 16)).astype(np.uint8)
    x_train, x_test, y_train, y_test = train_test_split(
        images, digits.target, test_size=500, random_state=0, stratify=digits.target
    )
    names = tuple(str(name) for name in digits.target_names)
    return Dataset("scikit-learn digits", names, Part(x_train, y_train), Part(x_test, y_test))


def _load_cifar10(folder: Path) -> Dataset:
    path = folder / "cifar10.npz"
    if not path.exists():
        arrays = _download_cifar10(folder)
        replace_file(path, lambda partial: np.savez(partial, **arrays, name="CIFAR-10", class_names=CIFAR10_CLASSES))
    return _load_npz(path)


def _download_cifar10(folder: Path) -> dict[str, np.ndarray]:
    """The four arrays, by torchvision, which verifies every checksum and uses what is already in the folder."""
    from torchvision.datasets import CIFAR10
    from torchvision.datasets.utils import check_integrity, download_url

    class Source(CIFAR10):
        url = os.environ.get("CIFAR10_URL", CIFAR10.url)

    folder.mkdir(parents=True, exist_ok=True)
    # In a folder of its own, for another process may download at the same time.
    with tempfile.TemporaryDirectory(dir=folder) as own:
        try:
            if not check_integrity(archive := folder / CIFAR10.filename, CIFAR10.tgz_md5):
                download_url(Source.url, own, CIFAR10.filename, CIFAR10.tgz_md5)
                Path(own, CIFAR10.filename).replace(archive)
            with tarfile.open(archive) as packed:
                packed.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.12 and 3.13 warn without
                packed.extractall(own)
            train, test = Source(own, train=True), Source(own, train=False)
        except Exception as error:  # whatever a network, a server or a disk can do
            raise ConnectionError(
                f"CIFAR-10 could not be downloaded from {Source.url} ({error}); try again, set CIFAR10_URL to a "
                f"mirror, or put {CIFAR10.filename} into {folder}."
            ) from error
    return {"x_train": train.data, "y_train": train.targets, "x_test": test.data, "y_test": test.targets}


def _load_npz(path: Path) -> Dataset:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except Exception as error:  # a damaged archive fails in many ways
        raise ValueError(f"{path} cannot be read ({error}); delete it and make or download it again.") from error
    if "known_as" in arrays:
        return _without_images(arrays)
    missing = [key for key in ARRAYS if key not in arrays]
    if missing:
        raise ValueError(f"{path} lacks {', '.join(missing)}; it has to hold {', '.join(ARRAYS)}.")
    train = _check_part(path, "train", arrays["x_train"], arrays["y_train"])
    test = _check_part(path, "test", arrays["x_test"], arrays["y_test"])
    if train.images.shape[1:] != test.images.shape[1:]:
        raise ValueError(
            f"{path} has training images of shape {train.images.shape[1:]} and test images of shape "
            f"{test.images.shape[1:]}; both have to be the same."
        )
    n_classes = int(train.labels.max()) + 1
    for part, labels in (("training", train.labels), ("test", test.labels)):
        present = np.unique(labels)
        if n_classes < 2 or not np.array_equal(present, np.arange(n_classes)):
            raise ValueError(
                f"{path} has {len(present)} classes up to {present[-1]} among its {part} labels; 2 to 1,000 classes "
                "numbered from 0 are accepted, each with training and test images."
            )
    unnamed = Dataset(path.stem, tuple(map(str, range(n_classes))), train, test)
    name, class_names = KNOWN_FILES.get(unnamed.fingerprint, (unnamed.name, unnamed.class_names))
    class_names = tuple(np.atleast_1d(arrays.get("class_names", class_names)).astype(str).tolist())
    if len(class_names) != n_classes or len(set(class_names)) < n_classes:
        raise ValueError(
            f"{path} has {len(set(class_names))} different class_names for {n_classes} classes; give one for each."
        )
    return Dataset(str(arrays.get("name", name)), class_names, train, test)


def _without_images(arrays: dict[str, np.ndarray]) -> Dataset:
    """The data set of published runs, with the pictures of CIFAR-10 if these are here and their labels are the same."""
    cached = data_folder() / "cifar10.npz"
    original = _load_npz(cached) if cached.is_file() else None
    parts = {}
    for part in ("train", "test"):
        labels = arrays[f"y_{part}"].astype(np.int64)
        grey = np.broadcast_to(np.uint8(128), (len(labels), *arrays["shape"]))
        found = getattr(original, part, None)
        same = found is not None and np.array_equal(found.labels, labels)
        parts[part] = Part(found.images if same else grey, labels)
    pictures = "pictures of the original" if parts["train"].images.strides[0] else "grey squares for pictures"
    class_names = tuple(map(str, arrays["class_names"]))
    name, known_as = f"{arrays['name']} ({pictures})", str(arrays["known_as"])
    return Dataset(name, class_names, **parts, known_as=known_as, without_images=True)


def _check_part(path: Path, part: str, images: np.ndarray, labels: np.ndarray) -> Part:
    """Return the part as (N, H, W, C) uint8 and int64, or say what is wrong with it."""
    shape = images.shape if images.ndim == 4 else (*images.shape, 1)
    if images.dtype != np.uint8 or len(shape) != 4:
        problem = f"x_{part} of type {images.dtype} and shape {images.shape}; uint8 of (N, H, W) or (N, H, W, C) is"
    elif not (8 <= shape[1] <= 96 and 8 <= shape[2] <= 96 and shape[3] in (1, 3)):
        problem = f"x_{part} of shape {images.shape}; sides of 8 to 96 pixels and 1 or 3 channels are"
    elif labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        problem = f"y_{part} of type {labels.dtype} and shape {labels.shape}; integers of shape (N,) are"
    elif len(labels) != len(images) or len(labels) == 0:
        problem = f"{len(images)} images but {len(labels)} labels in {part}; one label for each image is"
    elif labels.min() < 0 or labels.max() >= 1000:
        problem = f"labels from {labels.min()} to {labels.max()} in y_{part}; class numbers of 0 to 999 are"
    else:
        return Part(images.reshape(shape), labels.astype(np.int64))
    raise ValueError(f"{path} has {problem} accepted.")
