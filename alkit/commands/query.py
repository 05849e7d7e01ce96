"""Which images to label next: those that a strategy picks of a pool without labels, as a table and a page."""

import io
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from html import escape
from pathlib import Path
from unicodedata import normalize

import nbformat
import numpy as np
import pandas as pd
from PIL import Image

from alkit.commands.pages import render
from alkit.folders import picture
from alkit.loading import find, load
from alkit.profiles import read_profile, recipes_of, with_weights
from alkit.records import replace_file
from alkit.samplers import SAMPLERS, SCORES, sample
from alkit.strategies import BEYOND
from alkit.study import Study

COLUMNS = "position image score predicted probability label digest".split()
NEXT = "Choose labels and save the table, to where the browser puts downloads. Go on with `--labels` and that file."


def query(
    data: str, output: Path, strategy: str = "least_certainty_margin", n: int = 10, labels: list[Path] = (),
    size: int = 0, profile: str = "cifar10", seed: int = 0, device: str = "auto",
) -> Path:  # fmt: skip
    """Train on the labelled images, write the n to label next as CSV and as a page beside it, and return this page.

    A row an image, the most informative first: its position in the pool as it was at first, its name (a file, or the
    position), the strategy's score, if it is one of SCORES, the class that the model predicts and how probable it finds
    it, a label to fill in, and a digest of what it shows. labels: such tables with labels, which count as labelled now.
    What was trained once, on the same images and labels, is read. data, size: as for `load`, with images without
    labels; profile: whose recipe for original_label, and weights, to train with.
    Raises ValueError for parameters and labels that cannot be used, and for an output in which labels are filled in.
    """
    strategies = SAMPLERS | BEYOND
    if strategy not in strategies:
        raise ValueError(f"strategy is {strategy!r}; give one of {', '.join(strategies)}.")
    if problem := _lost_with(output):
        raise ValueError(f"output is {output}, {problem}; give another file FILE.csv.")
    output.parent.mkdir(parents=True, exist_ok=True)  # before anything is trained
    own = read_profile(profile)
    recipes = recipes_of(own["recipes"])
    dataset = with_weights(load(data, unlabelled=True, size=size), own.get("weights"), profile, recipes)
    images, known, classes = dataset.train.images, dataset.train.labels.copy(), dataset.class_names
    n_given, source = int((known >= 0).sum()), find(data)
    pool, names = images[n_given:], dataset.pool_files or tuple(map(str, range(len(images) - n_given)))

    def digest(position: int) -> str:  # not of what sides of another size would change
        return _digest((source / names[position]).read_bytes() if source.is_dir() else pool[position])

    for path in labels:
        _take_labels(path, known[n_given:], names, digest, classes, source)
    left = np.flatnonzero(known < 0)
    if not len(left):
        raise ValueError(f"All {len(known)} images of {data} have a label; there is none to ask for.")
    if not 1 <= n <= len(left):
        raise ValueError(f"n is {n}; give 1 to {len(left)}, for so many images have no label yet.")
    order, n_labelled = np.argsort(known < 0, kind="stable"), len(known) - len(left)
    train = replace(dataset.train, labels=known)[order]
    # The protocol tests each model: where there is no test set, on what it was trained on, which nobody is told.
    test = dataset.test if len(dataset.test) else train[:n_labelled]
    study = Study(profile, replace(dataset, train=train, test=test), n_labelled, n, (seed,), recipes, device)
    print(f"{dataset.name}: {n_labelled} labelled ({n_labelled - n_given} by tables), {len(left)} without a label")
    run, view = study.run("original_label", seed), study.view(seed)
    picks = sample(strategies[strategy], view, n, seed)
    rows, positions = view.probabilities, left[picks] - n_given
    table = pd.DataFrame({"position": positions, "image": [names[position] for position in positions]})
    table["score"] = SCORES[strategy](rows)[picks] if strategy in SCORES else np.nan
    table["predicted"] = [classes[number] for number in rows[picks].argmax(axis=1)]
    table["probability"], table["label"] = rows[picks].max(axis=1), ""
    table["digest"] = [digest(position) for position in positions]
    f1 = f"reaches a macro F1 of {run['f1']:.3f} on {len(test):,}" if len(dataset.test) else "was tested on none"
    text = f"Picked by {strategy}, of {len(left):,} images; the model learned from {n_labelled:,} and {f1}."
    print(text)
    table = table[COLUMNS].round(4)
    replace_file(output, lambda path: table.to_csv(path, index=False, encoding="utf-8-sig"))
    return _page(table, text, source, pool, classes, output)


def _lost_with(output: Path) -> str:
    """What would be lost if a table were written there, and its page beside it; nothing where nothing would."""
    if output.suffix != ".csv" or output.is_dir():
        return "a folder or a name without .csv"
    if not output.exists():
        page = output.with_suffix(".html")
        return f"beside which {page.name} is of something else" if page.exists() else ""
    try:
        return "in which labels are filled in" if (_read(output)["label"] != "").any() else ""
    except ValueError:
        return "which is there and no table of `alkit query`"


def _take_labels(path: Path, known: np.ndarray, names: tuple, digest: Callable, classes: tuple, source: Path) -> None:
    """Write the labels of a table into `known` (N,), -1 where there are none yet."""
    numbers = {_plain(name): number for number, name in enumerate(classes)}
    folded = {name.casefold(): number for name, number in numbers.items()}
    places, table = {_plain(name): place for place, name in enumerate(names)}, _read(path)
    if not len(table := table[table["label"] != ""]):
        raise ValueError(f"{path} has no label filled in; the page saves its table where the browser puts downloads.")
    for row in table.to_dict("records"):
        place, label = places.get(row["image"]), row["label"]
        number = numbers.get(label, folded.get(label.casefold()) if len(folded) == len(classes) else None)
        if number is None:
            problem = f"has the label {label!r}; give one of {', '.join(classes)}, or a folder to a new class"
        elif place is None and source.is_dir() and _is_below(source / classes[number], row):
            continue  # the picture was moved there since, which says the same
        elif place is None or digest(place) != row["digest"]:
            problem = "is not among those without a label, or another picture now; put it back, or empty its label"
        elif known[place] not in (-1, number):
            problem = f"has the labels {classes[known[place]]} and {classes[number]}; give one"
        else:
            known[place] = number
            continue
        raise ValueError(f"{path}: image {row['image']} {problem}.")


def _read(path: Path) -> pd.DataFrame:
    """A table that `query` wrote, perhaps saved by a spreadsheet program since, all as texts."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        text = text.partition("\n")[2] if text.startswith("sep=") else text
        separator = max(",;\t", key=text.partition("\n")[0].count)
        # The heading as a row, for where rows are longer than it, pandas would move all columns by one.
        table = pd.read_csv(io.StringIO(text), sep=separator, dtype=str, keep_default_na=False, header=None).fillna("")
    except (ValueError, OSError) as error:
        problem = f"{path} cannot be read ({' '.join(str(error).split())})"
        raise ValueError(f"{problem}; give a table of `alkit query`, as CSV in UTF-8.") from error
    heading = table.iloc[0].str.strip().str.casefold().tolist()
    if missing := [name for name in ("image", "label", "digest") if heading.count(name) != 1]:
        raise ValueError(f"{path} lacks the columns {', '.join(missing)}; give a table that `alkit query` wrote.")
    return table[1:].set_axis(heading, axis=1).map(_plain)


def _plain(text: str) -> str:
    """A name without spaces around it, its accents written as most programs do."""
    return normalize("NFC", text).strip()


def _digest(seen: bytes | np.ndarray) -> str:
    # With a letter ahead, for spreadsheet programs take 12e45 for a number.
    return f"x{sha256(bytes(seen)).hexdigest()[:12]}"


def _is_below(folder: Path, row: dict) -> bool:
    """Whether the picture of a row is in this folder, under its old name."""
    found = [path for path in folder.rglob("*") if path.is_file() and _plain(path.name) == Path(row["image"]).name]
    return any(_digest(path.read_bytes()) == row["digest"] for path in found)


def _page(table: pd.DataFrame, text: str, source: Path, pool: np.ndarray, classes: tuple, output: Path) -> Path:
    """The pictures with what the model predicts, and a field for each label, as a page that can save the table."""

    def tag(position: int, name: str) -> str:
        image = picture(source / name) if source.is_dir() else Image.fromarray(pool[position].squeeze())
        image.thumbnail((160, 160))
        image.save(png := io.BytesIO(), format="png")
        return f'<img alt="{escape(name)}" src="data:image/png;base64,{b64encode(png.getvalue()).decode()}">'

    rows = pd.DataFrame({"picture": list(map(tag, table["position"], table["image"]))})
    rows = rows.assign(predicted=table["predicted"].map(escape), probability=table["probability"])
    rows["image"] = table["image"].map(escape)
    html = rows.to_html(index=False, escape=False, border=0, float_format="{:.3f}".format, justify="left")
    cells = [nbformat.v4.new_markdown_cell(f"# Label these {len(table)} images\n\n{text} {NEXT}\n\n{html}")]
    empty_where_none = table.astype(object).where(table.notna(), "").to_numpy().tolist()
    to_save = {"columns": COLUMNS, "rows": empty_where_none, "classes": classes, "file": output.name}
    notebook, page = nbformat.v4.new_notebook(cells=cells), output.with_suffix(".html")
    render(notebook, page, True, formulas=False, query=to_save)
    return page
