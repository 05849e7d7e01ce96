"""Folders of pictures, the way people keep them, as the arrays that an .npz file holds."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from torchvision.datasets.folder import IMG_EXTENSIONS, make_dataset
from tqdm import tqdm

UNLABELLED = ("unlabelled", "unlabeled")
APART = {"test", *UNLABELLED}
GREY = {"1", "L", "LA"}


def read_folder(folder: Path, size: int = 0) -> dict[str, np.ndarray]:
    """The arrays for `load` of FOLDER/CLASS/*.png, FOLDER/unlabelled/*.png (x_pool) and FOLDER/test/CLASS/*.png.

    Pictures may lie deeper; what is hidden is left out. Where all have the same sides of 8 to 96 pixels, and no `size`
    is given, they stay as they are; otherwise the middle square is brought to `size`, or 32, pixels. They are grey if
    all files are. The labelled ones are shuffled, always alike. Raises ValueError for a size out of range, a file that
    cannot be read, less than two classes, one without pictures, and a `test` with other classes.
    """
    if size and not 8 <= size <= 96:
        raise ValueError(f"size is {size}; give 8 to 96 pixels.")
    classes, tests = (_folders(place) for place in (folder, folder / "test"))
    if len(classes) < 2 or ((folder / "test").exists() and tests != classes):
        problem = f"the class folders {', '.join(classes) or '-'}, and of its test {', '.join(tests) or '-'}"
        raise ValueError(f"{folder} has {problem}; give CLASS/*.png for two or more, test/CLASS/*.png for all or none.")
    numbers = {name: number for number, name in enumerate(classes)}
    found = {"train": _files(folder, numbers), "pool": _files(folder, dict.fromkeys(UNLABELLED, -1))}
    found["test"] = _files(folder / "test", numbers)
    for part in ("train", "test")[: 1 + bool(tests)]:
        if missing := [name for name, number in numbers.items() if number not in {each for _, each in found[part]}]:
            problem = f"{folder} has no picture of {', '.join(missing)} to {part} {'with' if part == 'train' else 'on'}"
            raise ValueError(f"{problem}; put one there, or take the folder away.")
    found["train"] = [found["train"][i] for i in np.random.default_rng(0).permutation(len(found["train"]))]
    paths = [path for files in found.values() for path, _ in files]
    sizes, modes, sides = set(), set(), (size or 32, size or 32)
    for path in paths:
        with _opened(path) as image:  # of which no more than the head is read
            turned = image.getexif().get(0x0112, 1) > 4
            sizes, modes = sizes | {image.size[:: -1 if turned else 1]}, modes | {image.mode}
    if not size and len(sizes) == 1 and 8 <= min(*sizes) <= max(*sizes) <= 96:
        sides = sizes.pop()
    if sizes - {sides}:
        print(f"{folder.resolve().name}: {len(paths):,} pictures, cut and brought to {sides[0]}x{sides[1]} pixels.")
    arrays, mode = {"class_names": np.array(classes)}, "L" if modes <= GREY else "RGB"
    for part, files in found.items():
        if files:
            bar = tqdm(files, f"read {part}", delay=2, file=sys.stdout, leave=False, ascii=True)  # a minute a thousand
            pictures = [ImageOps.fit(picture(path, mode, sides), sides) for path, _ in bar]
            arrays |= {f"x_{part}": np.stack(pictures), f"y_{part}": np.array([number for _, number in files])}
    if arrays.pop("y_pool", None) is not None:  # which is -1 for each
        arrays["pool_files"] = np.array([Path(path).relative_to(folder).as_posix() for path, _ in found["pool"]])
    return arrays


def picture(path: str | Path, mode: str = "RGB", sides: tuple[int, int] = (160, 160)) -> Image.Image:
    """A picture of at least these sides, as it is meant to be seen: turned as its camera says, and on white.

    Raises ValueError for a file that cannot be read, and for numbers of more than 8 bits, which Pillow would cut off.
    """
    with _opened(path) as image:
        if image.mode.startswith(("I", "F")):
            raise ValueError(f"it has more than 8 bits a channel, {image.mode}")
        image.draft(None, (2 * max(sides), 2 * max(sides)))  # a JPEG need not be read as large as it is
        upright = ImageOps.exif_transpose(image)
        if upright.has_transparency_data:
            upright = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright.convert("RGBA"))
        return upright.convert(mode)


@contextmanager
def _opened(path: str | Path) -> Iterator[Image.Image]:
    try:
        with Image.open(path) as image:
            yield image
    except Exception as error:  # a file can be damaged in many ways
        raise ValueError(f"{path} cannot be read as a picture ({error}); mend it or take it away.") from error


def _folders(folder: Path) -> list[str]:
    """The names of the classes' folders in a folder; hidden ones, as JupyterLab leaves them behind, are none."""
    inside = [each.name for each in folder.iterdir() if each.is_dir()] if folder.is_dir() else []
    if wrong := [name for name in inside if name not in APART and name.strip().casefold() in APART]:
        raise ValueError(f"{folder} has a folder {wrong[0]!r}; name it {wrong[0].strip().casefold()}, or otherwise.")
    return sorted(name for name in inside if not name.startswith((".", "__")) and name not in APART)


def _files(folder: Path, numbers: dict[str, int]) -> list[tuple[str, int]]:
    """The pictures of each class, path and number, in order; what is none is named."""
    files = make_dataset(folder, numbers, extensions="", allow_empty=True)
    files = [each for each in files if not re.search(r"(^|/)(\.|__)", Path(each[0]).relative_to(folder).as_posix())]
    if other := [Path(path).name for path, _ in files if not path.lower().endswith(IMG_EXTENSIONS)]:
        print(f"{folder.name}: {len(other):,} files not used, as {other[0]}; {', '.join(IMG_EXTENSIONS)} are read.")
    return [(path, number) for path, number in files if path.lower().endswith(IMG_EXTENSIONS)]
