"""Images to label next: folders of pictures, pools without labels, and the tables that go back and forth."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import TINY, arrays, loaded_from_elsewhere
from PIL import Image
from tqdm import tqdm

from alkit import fit, folders, load, predict_proba
from alkit import study as study_module
from alkit.commands import main
from alkit.profiles import load_study, read_profile
from alkit.samplers import SAMPLERS
from alkit.strategies import BEYOND

RECIPE = load_study(str(TINY)).recipe("original_label")


@pytest.fixture
def own(tmp_path, digits):
    """A folder of 0s, 1s and 2s: 12 labelled and 20 not, with what operating systems and JupyterLab leave there."""
    some = digits.train[np.flatnonzero(digits.train.labels < 3)[:32]]
    for number, (image, label) in enumerate(zip(some.images, some.labels, strict=True)):
        name = ("zero", "one", "two")[label] if number < 12 else "unlabelled"
        save(tmp_path / "own" / name / f"{number:02}.png", image.squeeze())
    save(tmp_path / "own" / ".ipynb_checkpoints" / "a.png", some.images[0].squeeze())
    save(tmp_path / "own" / "one" / ".ipynb_checkpoints" / "b.png", some.images[0].squeeze())
    (tmp_path / "own" / "README.txt").write_text("mine")
    return tmp_path / "own"


def save(path, image, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path, **options)


def ask(data, output, *more):
    return main(["query", "--data", str(data), "--output", str(output), "--profile", str(TINY), *map(str, more)])


def table(path):
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def test_the_smallest_margins_of_a_model_of_the_labelled_images_come_first(own, tmp_path):
    assert ask(own, tmp_path / "picks.csv", "--n", 5) == 0
    images = load(str(own), unlabelled=True).train
    model = fit(images[:12], RECIPE, 0, n_classes=3)
    ordered = np.sort(predict_proba(model, images.images[12:]), axis=1)
    margin = ordered[:, -1] - ordered[:, -2]
    picks = pd.read_csv(tmp_path / "picks.csv")
    assert picks["position"].tolist() == np.argsort(margin, kind="stable")[:5].tolist()
    assert picks["score"].to_numpy() == pytest.approx(-np.sort(margin)[:5], abs=1e-4)
    assert picks["probability"].to_numpy() == pytest.approx(ordered[picks["position"], -1], abs=1e-4)
    assert picks["image"].tolist() == [f"unlabelled/{12 + place}.png" for place in picks["position"]]


def test_labels_go_back_in_and_nothing_is_trained_twice(own, tmp_path, capsys, monkeypatch):
    first, second = tmp_path / "picks.csv", tmp_path / "more.csv"
    ask(own, first, "--n", 6)
    filled = table(first)
    filled.loc[:3, "label"] = ["zero", " ONE ", "two", "one"]
    filled.to_csv(first, index=False)
    assert ask(own, second, "--n", 16, "--labels", first) == 0
    assert "16 labelled (4 by tables), 16 without a label" in capsys.readouterr().out
    assert set(table(second)["image"]) == {f"unlabelled/{n}.png" for n in range(12, 32)} - set(filled["image"][:4])
    # They are for the same pictures, whatever size these are brought to.
    assert ask(own, tmp_path / "other.csv", "--labels", first, "--n", 1, "--size", 12) == 0

    def never(*given, **more):
        raise AssertionError("trained again")

    monkeypatch.setattr(study_module, "fit", never)
    assert ask(own, tmp_path / "again.csv", "--n", 16, "--labels", first) == 0
    assert (tmp_path / "again.csv").read_bytes() == second.read_bytes()
    # The labels that somebody gave are never written over, and count only once.
    before = first.read_bytes()
    assert ask(own, first) == 2 and "in which labels are filled in" in capsys.readouterr().err
    assert first.read_bytes() == before
    assert ask(own, second, "--labels", first, first, "--n", 1) == 0


def test_a_profile_may_go_on_from_weights(own, tmp_path):
    folder = load(str(own), unlabelled=True).train
    np.savez(tmp_path / "own.npz", x_train=folder.images[:12], y_train=folder.labels[:12], x_pool=folder.images[12:])
    made = ["--output", str(tmp_path / "features.npz"), "--epochs", "2", "--width", str(RECIPE.width)]
    assert main(["features", "--data", str(tmp_path / "own.npz"), "--profile", str(TINY), *made]) == 0
    values = read_profile(str(TINY)) | {"profile": "from", "weights": str(tmp_path / "features.npz")}
    (tmp_path / "from.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    assert ask(own, tmp_path / "picks.csv", "--n", 20, "--profile", tmp_path / "from.yaml") == 0
    with np.load(tmp_path / "features.npz") as file:
        weights = {name: file[name] for name in file.files if name.startswith("weights.")}
    model = fit(folder[:12], RECIPE, 0, n_classes=3, weights=weights)
    ordered = np.sort(predict_proba(model, folder.images[12:]), axis=1)
    picks = pd.read_csv(tmp_path / "picks.csv")
    assert picks["probability"].to_numpy() == pytest.approx(ordered[picks["position"], -1], abs=1e-4)


@pytest.mark.parametrize("separator, end", [(";", "\r\n"), ("\t", "\n"), (",", "\n")])
def test_a_table_may_come_from_a_spreadsheet_program(own, tmp_path, separator, end):
    ask(own, tmp_path / "picks.csv", "--n", 2)
    filled = table(tmp_path / "picks.csv").assign(label="two")
    filled.iloc[:, ::-1].to_csv(
        tmp_path / "back.csv", index=False, sep=separator, lineterminator=end, encoding="utf-8-sig"
    )
    assert ask(own, tmp_path / "next.csv", "--labels", tmp_path / "back.csv", "--n", 18) == 0
    assert not set(table(tmp_path / "next.csv")["image"]) & set(filled["image"])


@pytest.mark.parametrize("strategy", [*SAMPLERS, *BEYOND])
def test_every_strategy_picks_from_a_file(strategy, tmp_path):
    pool = np.random.default_rng(1).integers(0, 256, (20, 8, 8), np.uint8)
    # Classes named as pandas names what is missing.
    given = arrays(x_pool=pool, class_names=["NA", "null", "1"], x_test=None, y_test=None)
    np.savez(tmp_path / "own.npz", **given)
    assert ask(tmp_path / "own.npz", tmp_path / "picks.csv", "--strategy", strategy, "--n", 6) == 0
    picks = table(tmp_path / "picks.csv")
    assert len(set(picks["position"])) == 6 and set(picks["image"]) <= set(map(str, range(20)))
    assert set(picks["predicted"]) <= {"NA", "null", "1"}
    back = picks.assign(label=picks["predicted"])
    back.to_csv(tmp_path / "back.csv", index=False)
    assert ask(tmp_path / "own.npz", tmp_path / "next.csv", "--labels", tmp_path / "back.csv", "--n", 14) == 0
    assert set(table(tmp_path / "next.csv")["position"]) == set(map(str, range(20))) - set(picks["position"])


def test_a_test_set_is_scored_on_where_there_is_one(tmp_path, capsys):
    given = arrays(x_pool=np.zeros((5, 8, 8), np.uint8))
    np.savez(tmp_path / "own.npz", **given)
    assert ask(tmp_path / "own.npz", tmp_path / "picks.csv", "--n", 1) == 0
    assert re.search(r"reaches a macro F1 of [01]\.\d{3} on 3\.", capsys.readouterr().out)
    assert ask(tmp_path / "own.npz", tmp_path / "more.csv", "--n", 1, "--size", 16) == 2
    assert ask("digits", tmp_path / "more.csv") == 2
    said = capsys.readouterr().err
    assert "leave size out" in said and "digits has a label for every image" in said
    # A study has no use for images without labels, and says so.
    assert len(load(str(tmp_path / "own.npz")).train) == 12
    assert "x_pool not used" in capsys.readouterr().out


def test_the_page_shows_the_pictures_and_needs_no_network(own, tmp_path):
    (own / "one").rename(own / "<b>one & only")
    (own / "two").rename(own / "$$")
    for path in (own / "unlabelled").iterdir():
        path.rename(path.with_name(f"x$_${path.name}"))
    ask(own, tmp_path / "picks.csv", "--n", 3)
    page = (tmp_path / "picks.html").read_text(encoding="utf-8")
    assert loaded_from_elsewhere(page) == []
    shown = [name.replace("&#36;", "$") for name in re.findall(r'<img alt="(.*?)"', page)]
    assert shown == table(tmp_path / "picks.csv")["image"].tolist() and "<math" not in page
    # What a browser would see of the script, and nothing of the name as markup.
    given = json.loads(re.search(r"const query = (.*), \[said", page)[1])
    assert given["classes"] == ["$$", "<b>one & only", "zero"] and len(given["rows"]) == 3
    assert "<b>one" not in page


def relabelled(own, tmp_path, name="back.csv", **columns):
    ask(own, tmp_path / "picks.csv", "--n", 2)
    table(tmp_path / "picks.csv").assign(**columns).to_csv(tmp_path / name, index=False)
    return "--labels", tmp_path / name


BAD = {
    "has the label 'three'; give one of one, two, zero": lambda own, at: relabelled(own, at, label="three"),
    "image unlabelled/99.png is not among": lambda own, at: relabelled(own, at, label="two", image="unlabelled/99.png"),
    "another picture now": lambda own, at: relabelled(own, at, label="two", digest="x0"),
    "has the labels two and one; give one": lambda own, at: (
        *relabelled(own, at, label="two"),
        relabelled(own, at, label="one", name="back2.csv")[1],
    ),
    "lacks the columns image, digest": lambda own, at: ("--labels", write(at / "a.csv", "position,label\n1,two\n")),
    "image  is not among": lambda own, at: ("--labels", write(at / "a.csv", "image,label,digest\n,two,x\n")),
    "image x is not among": lambda own, at: ("--labels", write(at / "a.csv", "image,label,digest\ny\nx,two")),
    "cannot be read": lambda own, at: ("--labels", at / "absent.csv"),
    "lacks the columns label": lambda own, at: ("--labels", write(at / "a.csv", "image,label,digest,label\na,,x,two")),
    "a.csv cannot be read": lambda own, at: ("--labels", write(at / "a.csv", "image,digest,label\na,x,two,\n")),
    "has no label filled in": lambda own, at: relabelled(own, at),
    "out.csv, beside which out.html is of something else": lambda own, at: write(at / "out.html", "mine") and (),
    "out.txt, a folder or a name without .csv; give": lambda own, at: ("--output", at / "out.txt"),
    "n is 21; give 1 to 20": lambda own, at: ("--n", 21),
    "strategy is 'margin'": lambda own, at: ("--strategy", "margin"),
    "size is 7": lambda own, at: ("--size", 7),
}


def write(path, text):
    path.write_text(text)
    return path


@pytest.mark.parametrize("text", ["mine\n", "image,digest,label\na,x,two,\n"])
def test_a_table_of_something_else_is_not_written_over(text, own, tmp_path, capsys):
    write(tmp_path / "mine.csv", text)
    assert ask(own, tmp_path / "mine.csv") == 2
    assert "which is there and no table of `alkit query`; give another file" in capsys.readouterr().err
    assert (tmp_path / "mine.csv").read_text() == text


def test_labels_of_several_tables_count_also_of_pictures_that_were_moved_since(own, tmp_path, capsys):
    (own / "one").rename(own / "Ha\u0308user ")  # as macOS writes it
    tables = [tmp_path / name for name in ("a.csv", "b.csv", "c.csv")]
    for number, path in enumerate(tables[:2]):
        given = [each for earlier in tables[:number] for each in ("--labels", earlier)]
        assert ask(own, path, "--n", 3, *given) == 0
        table(path).assign(label=["two", "H\u00e4user", "H\u00c4USER"]).to_csv(path, index=False)
    name = table(tables[0])["image"][0]
    (own / name).rename(own / "two" / Path(name).name)
    assert ask(own, tables[2], "--n", 14, "--labels", tables[0], "--labels", tables[1]) == 0
    assert "18 labelled (5 by tables), 14 without a label" in capsys.readouterr().out
    filled = table(tables[2]).assign(label="zero")
    filled.to_csv(tables[2], index=False)
    assert ask(own, tmp_path / "d.csv", "--n", 1, "--labels", *tables) == 2
    assert "All 32 images" in capsys.readouterr().err
    # Another picture of that name is none of those that were moved.
    save(own / "two" / Path(name).name, np.zeros((8, 8), np.uint8))
    assert ask(own, tmp_path / "d.csv", "--n", 1, "--labels", tables[0]) == 2
    assert "put it back, or empty its label" in capsys.readouterr().err


@pytest.mark.parametrize("sentence", BAD)
def test_what_cannot_be_used_is_said_in_a_sentence(sentence, own, tmp_path, capsys):
    given = BAD[sentence](own, tmp_path)
    assert ask(own, tmp_path / "out.csv", *given) == 2
    assert sentence in (said := capsys.readouterr().err) and said.count("\n") == 1
    assert not (tmp_path / "out.csv").exists()


def test_a_plain_folder_is_read_as_torchvision_reads_it(tmp_path, digits):
    for number, (image, label) in enumerate(zip(digits.train.images[:60], digits.train.labels[:60], strict=True)):
        for part in (tmp_path / "own", tmp_path / "own" / "test"):
            save(part / str(label) / "deeper" / f"{number}.png", np.repeat(image, 3, axis=2))
    from torchvision.datasets import ImageFolder  # seconds, which only this test needs

    ours, theirs = load(str(tmp_path / "own")), ImageFolder(tmp_path / "own" / "test")
    assert ours.class_names == tuple(theirs.classes) and ours.train.images.shape == (60, 8, 8, 3)
    assert [(np.asarray(image).tobytes(), label) for image, label in theirs] == [
        (image.tobytes(), label) for image, label in zip(ours.test.images, ours.test.labels, strict=True)
    ]
    # The same to train on, but shuffled: the first of them count as labelled.
    assert sorted(image.tobytes() for image in ours.train.images) == sorted(im.tobytes() for im in ours.test.images)
    assert len(set(ours.train.labels[:12])) > 3


def test_pictures_are_read_as_they_are_meant_to_be_seen(own, tmp_path, capsys):
    wide = np.zeros((40, 80, 3), np.uint8)
    wide[:, 60:] = 255, 0, 0  # of which the middle square shows nothing
    tall = Image.fromarray(wide.transpose(1, 0, 2)[::-1])
    turned = Image.Exif()
    turned[0x0112] = 6  # to be turned clockwise
    save(own / "unlabelled" / "a.jpg", Image.fromarray(wide), quality=95)
    save(own / "unlabelled" / "b.jpg", tall, exif=turned, quality=95)
    save(own / "unlabelled" / "c.png", Image.fromarray(np.zeros((64, 64, 4), np.uint8)))
    (own / "unlabelled" / "d.heic").write_text("")
    dataset = load(str(own), unlabelled=True)
    said = capsys.readouterr().out
    assert "35 pictures, cut and brought to 32x32 pixels" in said and "1 files not used, as d.heic" in said
    shown = dict(zip(dataset.pool_files, dataset.train.images[-len(dataset.pool_files) :], strict=True))
    assert shown["unlabelled/a.jpg"].shape == (32, 32, 3)
    assert np.abs(shown["unlabelled/a.jpg"].astype(int) - shown["unlabelled/b.jpg"]).max() < 30
    assert (shown["unlabelled/c.png"] == 255).all()  # what can be seen through lies on white
    assert load(str(own), unlabelled=True, size=16).train.images.shape == (35, 16, 16, 3)


def test_a_folder_that_takes_long_shows_how_far_it_is(own, monkeypatch, capsys):
    at_once = {"delay": 0, "mininterval": 0}
    monkeypatch.setattr(folders, "tqdm", lambda files, text, **options: tqdm(files, text, **options | at_once))
    load(str(own), unlabelled=True)
    said = capsys.readouterr()  # notebooks show standard error on a red ground
    assert "read train" in said.out and "12/12" in said.out and "20/20" in said.out and not said.err


def test_a_grey_folder_stays_grey(own):
    dataset = load(str(own), unlabelled=True)
    assert dataset.train.images.shape == (32, 8, 8, 1) and len(dataset.test) == 0
    assert dataset.train.labels[12:].tolist() == [-1] * 20 and dataset.class_names == ("one", "two", "zero")


def leave_two_untested(own):
    for name in ("one", "two", "zero"):
        save(own / "test" / name / f"{name}.png", np.zeros((8, 8), np.uint8))
    (own / "test" / "two" / "two.png").unlink()


FOLDERS = {
    "cannot be read as a picture": lambda own: write(own / "one" / "bad.png", "no picture"),
    "more than 8 bits a channel": lambda own: save(own / "one" / "deep.png", np.full((8, 8), 40_000, np.uint16)),
    "has no picture of three": lambda own: (own / "three").mkdir(),
    "of its test ten; give": lambda own: save(own / "test" / "ten" / "a.png", np.zeros((8, 8), np.uint8)),
    "has a folder 'Test '; name it test": lambda own: (own / "Test ").mkdir(),
    "has no picture of two to test on": leave_two_untested,
    "lacks x_pool": lambda own: (own / "unlabelled").rename(own.parent / "away"),
    "has the class folders -, and": lambda own: [
        (own / name).rename(own.parent / name) for name in ("zero", "one", "two")
    ],
}


@pytest.mark.parametrize("sentence", FOLDERS)
def test_a_folder_that_cannot_be_used_is_refused_in_a_sentence(sentence, own, tmp_path, capsys):
    FOLDERS[sentence](own)
    assert ask(own, tmp_path / "out.csv") == 2
    assert sentence in (said := capsys.readouterr().err) and said.count("\n") == 1


def test_features_learned_without_labels_go_on_to_a_query(own, tmp_path):
    given = ["--data", own, "--output", tmp_path / "own.npz", "--size", 8, "--epochs", 2, "--width", 8]
    assert main(["features", *map(str, given)]) == 0
    dataset = load(str(tmp_path / "own.npz"), unlabelled=True)
    assert dataset.train.features.shape == (32, 32) and len(dataset.test) == 0
    assert ask(tmp_path / "own.npz", tmp_path / "picks.csv", "--n", 3) == 0
    assert set(table(tmp_path / "picks.csv")["image"]) <= {f"unlabelled/{number:02}.png" for number in range(12, 32)}
