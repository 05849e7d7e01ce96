"""Where data sets come from: scikit-learn's digits, CIFAR-10, four arrays in a file, or a folder of pictures."""

import io
import math
import os
import shutil
import socket
import tempfile
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from alkit import ROOT
from alkit.data import Dataset, Images
from alkit.records import replace_file

BUILT_IN = ("digits", "cifar10")
ARRAYS = ("x_train", "y_train", "x_test", "y_test")
PUBLISHED = {"y_train", "y_test", "shape", "name", "class_names", "known_as"}
CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
# Files that do not carry their own name and classes, recognised by their fingerprint.
KNOWN_FILES = {"8ff9e219faad2372": ("CIFAR-10, JPEG re-encoded", CIFAR10_CLASSES)}
LARGEST = 2**34  # bytes that the arrays of a file may unpack to: a small file can hold more zeros than any memory


def data_folder() -> Path:
    """Where downloads are kept: the environment variable ALKIT_DATA, or `data`, seen from the project's folder."""
    return ROOT / (os.environ.get("ALKIT_DATA") or "data")


def load(source: str, *, unlabelled: bool | None = False, size: int = 0) -> Dataset:
    """Load "cifar10", "digits" or the path of an `.npz` file or a folder, seen from here or the project's folder.

    The file holds `x_train`, `y_train`, `x_test`, `y_test`: images (N, H, W) or (N, H, W, C) uint8, sides of 8 to 96
    pixels and 1 or 3 channels, labels (N,) integer, numbered from 0, 2 to 1,000 classes; perhaps `class_names`, `name`,
    and `features_train` and `features_test`, (N, D) real numbers, from which models learn then. A folder is read as
    `read_folder` says, to which `size` goes. With `unlabelled`, images without labels are needed too (None: taken where
    there are some), `x_pool`, perhaps their `pool_files`, and `features_pool` where the others have features; they come
    last in `train`, with the label -1, and `test` is empty where there is none. Of a file that the kit published, which
    has no images, CIFAR-10 in `data_folder()` gives them, if its labels are the same, or else grey squares. "cifar10"
    downloads once (170 MB, checksum verified) into `data_folder()`, from CIFAR10_URL if set; a
    `cifar-10-python.tar.gz` there is used instead. Raises FileNotFoundError for a file that is missing or no .npz,
    ConnectionError for a failed download and ValueError for content that cannot be used.
    """
    if source in BUILT_IN and unlabelled:
        raise ValueError(f"{source} has a label for every image; give a folder or file with images without labels.")
    if source == "digits":
        return _load_digits()
    path = _cifar10(data_folder()) if source == "cifar10" else find(source)
    if path is None or not (path.is_dir() or path.suffix.lower() == ".npz"):
        problem = f"data is {source!r} ({'no such file' if path is None else 'not an .npz file'})"
        raise FileNotFoundError(f'{problem}; give "cifar10", "digits" or the path of an .npz file or a folder.')
    if path.is_dir():
        from alkit.folders import read_folder  # torchvision takes seconds

        return _dataset(path, read_folder(path, size), unlabelled=unlabelled)
    if size:
        raise ValueError(f"size is {size}, but {path} is a file, whose images stay as they are; leave size out.")
    arrays = arrays_of(path)
    if arrays.keys() - {"features_train", "features_test"} == PUBLISHED:
        return _without_images(path, arrays)
    return _dataset(path, arrays, unlabelled=unlabelled)


def find(source: str) -> Path | None:
    """The file or folder of this path, seen from the working folder or the project's; None where there is none."""
    here = os.path.expanduser(source)  # noqa: PTH111, which would raise for a user that is unknown
    return next((path for path in (Path(here), ROOT / source) if source and path.exists()), None)


def _load_digits() -> Dataset:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    # 0..16 becomes 0..255. The bundled order goes by writer, so a split in order would test on unseen writers.
    images = Images(np.round(digits.images[..., None] * (255 / 16)).astype(np.uint8), digits.target)
    parts = train_test_split(np.arange(len(images)), test_size=500, random_state=0, stratify=digits.target)
    return Dataset("scikit-learn digits", tuple("0123456789"), *(images[part] for part in parts))


def _cifar10(folder: Path) -> Path:
    """The file, made once by torchvision, which verifies every checksum and uses an archive that is already there."""
    if (path := folder / "cifar10.npz").exists():
        return path
    from torchvision.datasets import CIFAR10

    class Source(CIFAR10):
        url = os.environ.get("CIFAR10_URL", CIFAR10.url)

    archive, patience = folder / CIFAR10.filename, socket.getdefaulttimeout()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        socket.setdefaulttimeout(60)  # of a server that says nothing
        # In a folder of its own, for another process may download at the same time.
        with tempfile.TemporaryDirectory(dir=folder) as own:
            if archive.is_file():
                shutil.copy(archive, own)
            train, test = Source(own, train=True, download=True), Source(own, train=False)
            Path(own, archive.name).replace(archive)
    except Exception as error:  # whatever a network, a server or a disk can do
        remedy = f"try again, set CIFAR10_URL to a mirror, ALKIT_DATA to a folder, or put {archive.name} into {folder}"
        raise ConnectionError(f"CIFAR-10 could not be had from {Source.url} ({error}); {remedy}.") from error
    finally:
        socket.setdefaulttimeout(patience)
    arrays = {"x_train": train.data, "y_train": train.targets, "x_test": test.data, "y_test": test.targets}
    names = {"name": "CIFAR-10", "class_names": CIFAR10_CLASSES}
    replace_file(path, lambda partial: np.savez(partial, **arrays, **names))
    return path


def arrays_of(path: Path, weights: bool = False) -> dict[str, np.ndarray]:
    """All arrays of a file but `weights_of` a network, or these alone; headers come before anything is unpacked."""
    name, total = "", 0
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                with archive.open(name) as file:
                    head = io.BytesIO(file.read(2**16))  # numpy takes no longer header, but would unpack one first
                # The third version differs from the second in the encoding of names of fields.
                number = min(np.lib.format.read_magic(head)[0], 2)
                shape, _, kind = getattr(np.lib.format, f"read_array_header_{number}_0")(head)
                if kind.hasobject:
                    raise ValueError("it holds Python objects; save texts with .astype(str), numbers with .astype(int)")
                total += math.prod(map(abs, shape)) * max(kind.itemsize, 1)
                if total > LARGEST:
                    raise ValueError(f"with it, arrays would take {total >> 30:,} GiB, {LARGEST >> 30} at most")
        with np.load(path, allow_pickle=False) as file:
            return {(name := key): file[key] for key in file.files if key.startswith("weights.") == weights}
    except Exception as error:  # a damaged archive fails in many ways
        array, problem = (" ".join(text.split()) for text in (name.removesuffix(".npy"), str(error)))
        raise ValueError(f"{path}{f' ({array})' if array else ''} cannot be read: {problem}.") from error


def _dataset(path: Path, arrays: dict[str, np.ndarray], known_as: str = "", unlabelled: bool | None = False) -> Dataset:
    unlabelled = "x_pool" in arrays if unlabelled is None else unlabelled
    needed = ARRAYS if not unlabelled or {*ARRAYS[2:]} & arrays.keys() else ARRAYS[:2]
    needed += ("x_pool",) * unlabelled
    if missing := [key for key in needed if key not in arrays]:
        where = " (in a folder: CLASS/*.png, test/CLASS/*.png, unlabelled/*.png)" if path.is_dir() else ""
        raise ValueError(f"{path} lacks {', '.join(missing)}; it has to hold {', '.join(needed)}{where}.")
    given = {part: arrays[f"y_{part}"] for part in ("train", "test") if f"y_{part}" in needed}
    given |= {"pool": np.zeros(arrays["x_pool"].shape[:1], int)} if unlabelled else {}
    features = [f"features_{part}" for part in given]
    used = [*needed, *features, "class_names", "name", *["pool_files"] * unlabelled]
    if unknown := sorted(set(arrays) - set(used)):
        print(f"{path.name}: {', '.join(unknown)} not used; {', '.join(used[:-1])} and {used[-1]} are.")
    parts = {part: _check_part(path, part, arrays[f"x_{part}"], labels) for part, labels in given.items()}
    train, test = parts["train"], parts.get("test", parts["train"][:0])
    if len(shapes := {each.images.shape[1:] for each in parts.values()}) > 1:
        shapes = ", ".join(f"{each.images.shape[1:]} in x_{part}" for part, each in parts.items())
        raise ValueError(f"{path} has images of shape {shapes}; all have to be the same.")
    n_classes = int(train.labels.max()) + 1
    for part, called in (("train", "training"), ("test", "test")):
        present = np.unique(parts[part].labels) if part in parts else np.arange(n_classes)
        if n_classes < 2 or not np.array_equal(present, np.arange(n_classes)):
            problem = f"{len(present)} classes up to {present[-1]} among its {called} labels"
            accepted = "2 to 1,000 classes numbered from 0, each with training and test images"
            raise ValueError(f"{path} has {problem}; {accepted}, are accepted.")
    unnamed, images = (path.resolve().stem, tuple(map(str, range(n_classes)))), Dataset("", (), train, test, known_as)
    name, class_names = KNOWN_FILES.get(images.fingerprint, unnamed)
    if arrays.keys() & {*features}:
        parts = _with_features(path, parts, arrays)
        train, test = parts["train"], parts.get("test", parts["train"][:0])
    name = _texts(path, arrays, "name", 1)[0] if "name" in arrays else name
    class_names = _texts(path, arrays, "class_names", n_classes) if "class_names" in arrays else class_names
    pool_files = _texts(path, arrays, "pool_files", len(parts["pool"])) if unlabelled and "pool_files" in arrays else ()
    if unlabelled:
        train += replace(parts["pool"], labels=np.full(len(parts["pool"]), -1))
    return Dataset(name, class_names, train, test, known_as, pool_files)


def _without_images(path: Path, arrays: dict[str, np.ndarray]) -> Dataset:
    """The data set of published runs, with the pictures of CIFAR-10 if these are here and their labels are the same."""
    (known_as,), shape = _texts(path, arrays, "known_as", 1), np.ravel(arrays["shape"])[:4].tolist()
    if not known_as or [type(side) for side in shape] != [int] * 3 or not 0 < min(shape) <= max(shape) < 100:
        raise ValueError(f"{path} has shape {str(shape)!r} and known_as {known_as!r}; publish the runs again.")
    cached = data_folder() / "cifar10.npz"
    original = _dataset(cached, arrays_of(cached)) if cached.is_file() else None
    given = {key: arrays[key] for key in arrays.keys() - {"shape", "known_as"}}
    for part in ("train", "test"):
        labels, found = given[f"y_{part}"], getattr(original, part, None)
        same = found is not None and np.array_equal(found.labels, labels)
        given[f"x_{part}"] = found.images if same else np.broadcast_to(np.uint8(128), (labels.size, *shape))
    dataset = _dataset(path, given, known_as)
    pictures = "pictures of the original" if dataset.train.images.strides[0] else "grey squares for pictures"
    return replace(dataset, name=f"{dataset.name} ({pictures})")


def _texts(path: Path, arrays: dict[str, np.ndarray], key: str, n: int) -> tuple[str, ...]:
    """The n different texts that an array has to hold, perhaps as bytes in UTF-8 or as whole numbers."""
    array = arrays[key]
    given = np.ravel(array)[: n + 1].tolist()  # a file may hold millions
    texts = tuple(each.decode(errors="replace") if isinstance(each, bytes) else str(each) for each in given)
    if array.dtype.kind not in "SUiu" or not len(texts) == len(set(texts)) == n or "\ufffd" in "".join(texts):
        problem = f"{key} of type {array.dtype} and shape {array.shape}"
        raise ValueError(f"{path} has {problem}; {n} different texts, bytes in UTF-8, are accepted.")
    return texts


def _check_part(path: Path, part: str, images: np.ndarray, labels: np.ndarray) -> Images:
    """Return the part as (N, H, W, C) uint8 and int64, or say what is wrong with it."""
    shape = images.shape if images.ndim == 4 else (*images.shape, 1)
    if images.dtype != np.uint8 or len(shape) != 4:
        problem = f"x_{part} of type {images.dtype} and shape {images.shape}; uint8 of (N, H, W) or (N, H, W, C) is"
    elif not (8 <= shape[1] <= 96 and 8 <= shape[2] <= 96 and shape[3] in (1, 3)):
        problem = f"x_{part} of shape {images.shape}; sides of 8 to 96 pixels and 1 or 3 channels are"
    elif not len(images):
        problem = f"no images in x_{part}; one or more are"
    elif labels.ndim != 1 or labels.dtype.kind not in "iu":
        problem = f"y_{part} of type {labels.dtype} and shape {labels.shape}; integers of shape (N,) are"
    elif len(labels) != len(images):
        problem = f"{len(images)} images but {len(labels)} labels in {part}; one label for each image is"
    elif labels.min() < 0 or labels.max() >= 1000:
        problem = f"labels from {labels.min()} to {labels.max()} in y_{part}; class numbers of 0 to 999 are"
    else:
        return Images(images.reshape(shape), labels.astype(np.int64))
    raise ValueError(f"{path} has {problem} accepted.")


def _with_features(path: Path, parts: dict[str, Images], arrays: dict[str, np.ndarray]) -> dict[str, Images]:
    """Return the parts with their features as float32, or say what is wrong with these."""
    given, done = {part: arrays.get(f"features_{part}", np.empty(0)) for part in parts}, {}
    widths = {each.shape[-1] for each in given.values() if each.ndim and each.size}
    for part, rows in given.items():
        right = rows.dtype.kind in "fiu" and rows.shape == (len(parts[part]), *widths) and 2 <= min(widths) <= 8192
        with np.errstate(over="ignore"):  # what is too large for float32 is refused as infinity
            done[part] = replace(parts[part], features=rows.astype(np.float32) if right else rows)
        if not right or not np.isfinite(done[part].features).all():
            problem = f"features_{part} of type {rows.dtype} and shape {rows.shape}{', some not finite' * right}"
            raise ValueError(f"{path} has {problem}; (N, 2 to 8,192) finite real numbers for every part are accepted.")
    return done
