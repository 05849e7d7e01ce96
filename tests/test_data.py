"""Loading, checking and splitting data; the CIFAR-10 download against a server on this machine."""

import hashlib
import io
import os
import pickle
import tarfile
import threading
import tracemalloc
import warnings
import zipfile
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import arrays
from sklearn.datasets import load_digits

from alkit import loading
from alkit.data import Dataset, Images, reveal, split
from alkit.loading import CIFAR10_CLASSES, load


@pytest.fixture
def path(tmp_path):
    return tmp_path / "mine.npz"


def small(**changes):
    given = arrays(**changes)
    parts = [Images(given[f"x_{part}"][..., None], given[f"y_{part}"].astype(np.int64)) for part in ("train", "test")]
    return Dataset("small", ("ant", "bee", "cat"), *parts)


def test_digits_are_those_of_scikit_learn():
    dataset, original = load("digits"), load_digits()
    assert dataset.train.images.shape == (1297, 8, 8, 1)
    assert dataset.test.images.shape == (500, 8, 8, 1)
    assert dataset.class_names == tuple("0123456789")
    both = dataset.train + dataset.test
    assert both.images.dtype == np.uint8
    assert both.labels.dtype == np.int64
    # Every image once, in the one part or the other, with its own label.
    sixteenths = np.rint(both.images / 255 * 16).astype(int)
    ours, theirs = (
        Counter((image.tobytes(), label) for image, label in zip(images, labels.tolist(), strict=True))
        for images, labels in ((sixteenths, both.labels), (original.images.astype(int), original.target))
    )
    assert ours == theirs
    assert abs(np.bincount(dataset.test.labels) - np.bincount(original.target) * 500 / 1797).max() < 1
    assert load("digits").fingerprint == dataset.fingerprint


@pytest.mark.parametrize("channels", [(), (1,), (3,)], ids=str)
@pytest.mark.parametrize("sides", [(8, 8), (28, 28), (64, 64), (96, 96), (8, 96)], ids=str)
def test_an_own_file(path, sides, channels):
    given = arrays((*sides, *channels))
    np.savez(path, **given)
    dataset = load(str(path))
    assert (dataset.name, dataset.class_names) == ("mine", ("0", "1", "2"))
    for name, part in {"train": dataset.train, "test": dataset.test}.items():
        assert part.images.dtype == np.uint8
        np.testing.assert_array_equal(part.images, given[f"x_{name}"].reshape(-1, *sides, *(channels or (1,))))
        assert part.labels.dtype == np.int64
        np.testing.assert_array_equal(part.labels, given[f"y_{name}"])


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("type_", [np.uint8, np.int16, np.uint64])
def test_a_file_may_be_compressed_and_name_itself_and_its_classes(path, save, type_):
    given = arrays()
    labels = {key: given[key].astype(type_) for key in ("y_train", "y_test")}
    save(path, **given | labels, name="Insects", class_names=[b"ant", b"bee", "hornet, größer".encode()])
    dataset = load(str(path))
    assert (dataset.name, dataset.class_names) == ("Insects", ("ant", "bee", "hornet, größer"))
    assert dataset.train.labels.dtype == np.int64


@pytest.mark.parametrize("n_classes", [2, 1000])
def test_two_to_a_thousand_classes(path, n_classes):
    np.savez(path, **arrays(n_classes=n_classes))
    assert len(load(str(path)).class_names) == n_classes


def test_a_path_is_looked_up_here_then_at_home_in_the_project(tmp_path, monkeypatch):
    here, project, home = (tmp_path / name for name in ("here", "project", "home"))
    for seed, folder in enumerate((here, project, home)):
        folder.mkdir()
        np.savez(folder / "mine.npz", **arrays(seed=seed))
    monkeypatch.chdir(here)
    monkeypatch.setattr(loading, "ROOT", project)
    for variable in ("HOME", "USERPROFILE"):  # the second is that of Windows
        monkeypatch.setenv(variable, str(home))

    def loaded(source):
        return load(source).train.images[..., 0]

    np.testing.assert_array_equal(loaded("~/mine.npz"), arrays(seed=2)["x_train"])
    np.testing.assert_array_equal(loaded("mine.npz"), arrays(seed=0)["x_train"])
    Path("mine.npz").unlink()
    np.testing.assert_array_equal(loaded("mine.npz"), arrays(seed=1)["x_train"])


IMAGES = arrays()["x_train"]


def test_zeros_that_would_fill_the_memory_are_refused_before_they_are_unpacked(path, monkeypatch):
    monkeypatch.setattr(loading, "LARGEST", 2**20)
    np.savez_compressed(path, **arrays(x_train=np.zeros((2**19, 8, 8), np.uint8)))
    assert path.stat().st_size < 2**16
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"\(x_train\) cannot be read: with it, arrays would take"):
        load(str(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


def test_an_object_of_a_pickle_is_never_made(path):
    class Hostile:
        def __reduce__(self):
            return Path.touch, (path.with_suffix(".touched"),)

    np.savez(path, **arrays(class_names=np.array([Hostile(), Hostile(), Hostile()], object)))
    with pytest.raises(ValueError, match=r"\(class_names\) cannot be read: it holds Python objects"):
        load(str(path))
    assert not path.with_suffix(".touched").exists()


def test_a_suffix_in_capital_letters_is_accepted(tmp_path):
    np.savez(tmp_path / "mine.npz", **arrays())
    (tmp_path / "mine.npz").rename(tmp_path / "MINE.NPZ")
    assert load(str(tmp_path / "MINE.NPZ")).name == "MINE"


def test_arrays_that_are_not_used_are_named(path, capsys):
    np.savez(path, **arrays(), weights=np.ones(12), x_val=IMAGES, name="Insects")
    assert load(str(path)).name == "Insects"
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("mine.npz: weights, x_val not used")
    np.savez(path, **arrays())
    load(str(path))
    assert not capsys.readouterr().out
    # Neither are those of which no other program may know the place, or whose header is in UTF-8.
    with zipfile.ZipFile(path, "a") as archive, warnings.catch_warnings(action="ignore"):
        for name, array in {"../outside": IMAGES, "fields": np.zeros(3, [("šířka", "u1")])}.items():
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, array)
    load(str(path))
    assert capsys.readouterr().out.startswith("mine.npz: ../outside, fields not used")
    assert [each.name for each in path.parent.iterdir()] == ["mine.npz"]
    assert not (path.parents[1] / "outside.npy").exists()


@pytest.mark.parametrize("n_labelled", [3, 5, 11])
def test_split_takes_the_first_and_leaves_the_rest(n_labelled):
    dataset = small()
    parts = split(dataset, n_labelled)
    np.testing.assert_array_equal(parts.labelled.images, dataset.train.images[:n_labelled])
    np.testing.assert_array_equal(parts.labelled.labels, dataset.train.labels[:n_labelled])
    np.testing.assert_array_equal(parts.pool.images, dataset.train.images[n_labelled:])
    np.testing.assert_array_equal(parts.pool.labels, dataset.train.labels[n_labelled:])
    np.testing.assert_array_equal(parts.test.images, dataset.test.images)
    assert (len(parts.labelled), len(parts.pool)) == (n_labelled, 12 - n_labelled)
    assert np.bincount(parts.labelled.labels, minlength=5).tolist() == [
        len(range(c, n_labelled, 3)) for c in range(3)
    ] + [0, 0]


def test_the_fingerprint_is_stable():
    dataset = small()
    assert small().fingerprint == dataset.fingerprint
    images = np.asfortranarray(dataset.train.images)
    assert Dataset("other", ("a", "b", "c"), Images(images, dataset.train.labels), dataset.test).fingerprint == (
        dataset.fingerprint
    )
    # Records keep it, so it must not change from one version to the next.
    ramp = Images(np.arange(128, dtype=np.uint8).reshape(2, 8, 8, 1), np.arange(2))
    digest = hashlib.sha256(b"(2, 8, 8, 1)" + bytes(range(128)) + b"(2,)" + bytes([0] * 8 + [1] + [0] * 7))
    digest.update(b"(1, 8, 8, 1)" + bytes(range(64)) + b"(1,)" + bytes(8))
    assert Dataset("ramp", ("a", "b"), ramp, ramp[:1]).fingerprint == digest.hexdigest()[:16]


@pytest.mark.parametrize("key", ["x_train", "y_train", "x_test", "y_test"])
def test_one_pixel_or_label_changes_the_fingerprint(key):
    changed = arrays()[key]
    changed.flat[-1] ^= 1
    assert small(**{key: changed}).fingerprint != small().fingerprint


def test_the_shape_changes_the_fingerprint():
    low, high = small(shape=(8, 16)), small(shape=(16, 8))
    assert low.train.images.tobytes() == high.train.images.tobytes()
    assert low.fingerprint != high.fingerprint


# CIFAR-10, in its own format but with 4 images a file, from a server on this machine.


def pickled(content) -> bytes:
    """A pickle that names numpy's module and the flags of its type as the numpy of 2009 did."""
    old = pickle.dumps(content, protocol=2).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    return old.replace(b"\x89\x88\x87q", b"K\x00K\x01\x87q")


def add(archive, name, content):
    entry = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))
    return hashlib.md5(content).hexdigest()


@pytest.fixture
def cifar(tmp_path, monkeypatch):
    """A server of a tiny archive that torchvision takes for the original, and an empty data folder."""
    from torchvision.datasets import CIFAR10  # which takes seconds

    generator = np.random.default_rng(0)
    files = {"batches.meta": pickled({"label_names": list(CIFAR10_CLASSES)})}
    batches = []
    for index, name in enumerate([*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]):
        # A row an image: 1,024 bytes of red, then green, then blue.
        rows = generator.integers(0, 256, (10, 3072), np.uint8)
        batch = {"data": rows, "labels": [(index + i) % 10 for i in range(10)]}
        batches.append(batch)
        files[name] = pickled(batch)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        md5 = {name: add(archive, name, content) for name, content in files.items()}
    content = packed.getvalue()
    monkeypatch.setattr(CIFAR10, "tgz_md5", hashlib.md5(content).hexdigest())
    monkeypatch.setattr(CIFAR10, "train_list", [[f"data_batch_{i}", md5[f"data_batch_{i}"]] for i in range(1, 6)])
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", md5["test_batch"]]])
    monkeypatch.setattr(CIFAR10, "meta", CIFAR10.meta | {"md5": md5["batches.meta"]})
    state = SimpleNamespace(archive=content, batches=batches, folder=tmp_path / "data", requests=0)
    state.reply = lambda request: whole(request, content)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            state.requests += 1
            state.reply(self)

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("CIFAR10_URL", f"http://127.0.0.1:{server.server_port}/cifar-10-python.tar.gz")
    monkeypatch.setenv("ALKIT_DATA", str(state.folder))
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


def whole(request, content, length=None):
    request.send_response(200)
    request.send_header("Content-Length", str(length or len(content)))
    request.end_headers()
    request.wfile.write(content)


def chunk_then_stop(request, content):
    request.protocol_version = "HTTP/1.1"
    request.send_response(200)
    request.send_header("Transfer-Encoding", "chunked")
    request.end_headers()
    request.wfile.write(b"%x\r\n" % len(content) + content[:500])
    request.close_connection = True


def check(dataset, cifar):
    assert (dataset.name, dataset.class_names) == ("CIFAR-10", CIFAR10_CLASSES)
    rows = np.concatenate([batch["data"] for batch in cifar.batches])
    images = np.stack([rows[:, :1024], rows[:, 1024:2048], rows[:, 2048:]], axis=-1).reshape(-1, 32, 32, 3)
    labels = np.concatenate([batch["labels"] for batch in cifar.batches])
    both = dataset.train + dataset.test
    np.testing.assert_array_equal(both.images, images)
    np.testing.assert_array_equal(both.labels, labels)
    assert (len(dataset.train), len(dataset.test)) == (50, 10)


def test_cifar10_is_downloaded_converted_and_kept(cifar):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check(load("cifar10"), cifar)
    # The second time the arrays are enough.
    assert sorted(file.name for file in cifar.folder.iterdir()) == ["cifar-10-python.tar.gz", "cifar10.npz"]
    (cifar.folder / "cifar-10-python.tar.gz").unlink()
    requests = cifar.requests
    check(load("cifar10"), cifar)
    assert cifar.requests == requests > 0


def test_an_archive_already_there_is_used(cifar):
    cifar.folder.mkdir()
    (cifar.folder / "cifar-10-python.tar.gz").write_bytes(cifar.archive)
    check(load("cifar10"), cifar)
    assert cifar.requests == 0


def test_a_broken_archive_already_there_is_replaced(cifar):
    cifar.folder.mkdir()
    (cifar.folder / "cifar-10-python.tar.gz").write_bytes(cifar.archive[:-50])
    check(load("cifar10"), cifar)


def test_a_folder_that_cannot_be_made_is_no_failed_download(cifar, monkeypatch):
    cifar.folder.write_text("a file")
    with pytest.raises(FileExistsError):
        load("cifar10")


FAILURES = {
    "not found": lambda request, content: request.send_error(404),
    "server error": lambda request, content: request.send_error(503),
    "truncated archive": lambda request, content: whole(request, content[:1000]),
    "connection lost": lambda request, content: whole(request, content[:1000], len(content)),
    "connection lost within a chunk": chunk_then_stop,
    "no answer": lambda request, content: None,
    "no HTTP": lambda request, content: request.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "another file": lambda request, content: whole(request, b"<html>Sign in</html>"),
    "no image in it": lambda request, content: whole(request, content[::-1]),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_a_failed_download_says_so_and_the_next_one_works(cifar, failure):
    good, cifar.reply = cifar.reply, lambda request: failure(request, cifar.archive)
    with pytest.raises(ConnectionError, match=r"(?s)http://127\.0\.0\.1.*CIFAR10_URL.*ALKIT_DATA"):
        load("cifar10")
    assert not [file.name for file in cifar.folder.glob("*") if file.is_file()]
    cifar.reply = good
    check(load("cifar10"), cifar)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/cifar-10-python.tar.gz", "mirror/cifar-10-python.tar.gz"])
def test_a_mirror_that_is_none_is_named(cifar, monkeypatch, url):
    monkeypatch.setenv("CIFAR10_URL", url)
    with pytest.raises(ConnectionError, match=url):
        load("cifar10")


def stop(source, *arguments, replace=os.replace, **more):
    if "npz" in str(source):
        raise KeyboardInterrupt
    replace(source, *arguments)


def half_a_file(path, **given):
    Path(path).write_bytes(b"PK")
    raise OSError("No space left on device")


@pytest.mark.parametrize(
    ("module", "name", "broken"), [(os, "replace", stop), (np, "savez", stop), (np, "savez", half_a_file)]
)
def test_an_interrupted_conversion_leaves_no_array_file(cifar, monkeypatch, module, name, broken):
    with monkeypatch.context() as patch:
        patch.setattr(module, name, broken)
        with pytest.raises((KeyboardInterrupt, OSError)):
            load("cifar10")
    assert not list(cifar.folder.glob("*.npz"))
    requests = cifar.requests
    check(load("cifar10"), cifar)
    assert cifar.requests == requests


def test_a_random_order_brings_other_images_first_and_loses_none(digits):
    plain, other, again, third = (split(digits, 60, order) for order in (0, 1, 1, 2))

    def pairs(part):
        return [(bytes(image), label) for image, label in zip(part.images, part.labels.tolist(), strict=True)]

    assert Counter(pairs(other.labelled + other.pool)) == Counter(pairs(digits.train))
    assert pairs(other.labelled) == pairs(again.labelled)
    assert len({str(pairs(parts.labelled)) for parts in (plain, other, third)}) == 3
    assert pairs(other.test) == pairs(digits.test)


def test_the_oracle_gives_the_picked_images_with_their_labels_in_order():
    pool = split(small(), 3).pool
    picks = np.array([4, 0, 7])
    revealed = reveal(pool, picks)
    assert revealed.labels.tolist() == [pool.labels[4], pool.labels[0], pool.labels[7]]
    np.testing.assert_array_equal(revealed.images, np.stack([pool.images[position] for position in picks]))


# The labels alone of published runs.


@pytest.fixture
def published(tmp_path):
    """A file of labels, as the kit publishes it, of images that are known as "0123456789abcdef"."""
    given = arrays((32, 32, 3), n_classes=10)
    labels = {key: given[key] for key in ("y_train", "y_test")}
    path = tmp_path / "labels.npz"
    np.savez(path, **labels, shape=(32, 32, 3), name="Small", class_names=CIFAR10_CLASSES, known_as="0123456789abcdef")
    return path, given


def test_published_labels_come_with_grey_squares_that_take_no_memory(published):
    path, given = published
    dataset = load(str(path))
    assert (dataset.fingerprint, dataset.class_names) == ("0123456789abcdef", CIFAR10_CLASSES)
    for part, name in ((dataset.train, "train"), (dataset.test, "test")):
        np.testing.assert_array_equal(part.labels, given[f"y_{name}"])
        assert part.images.shape == (*given[f"y_{name}"].shape, 32, 32, 3)
        assert (part.images.dtype, part.images.strides[0], np.unique(part.images).tolist()) == (np.uint8, 0, [128])
    assert "grey squares" in dataset.name


def test_published_labels_come_with_the_pictures_that_are_here_if_these_are_the_same(published, tmp_path):
    path, given = published
    (tmp_path / "data").mkdir()
    np.savez(tmp_path / "data" / "cifar10.npz", **given)
    dataset = load(str(path))
    np.testing.assert_array_equal(dataset.train.images, given["x_train"])
    np.testing.assert_array_equal(dataset.test.images, given["x_test"])
    assert dataset.fingerprint == "0123456789abcdef"
    assert "original" in dataset.name
    np.savez(tmp_path / "data" / "cifar10.npz", **given | {key: given[key][::-1] for key in ("y_train", "y_test")})
    assert np.unique(load(str(path)).train.images).tolist() == [128]
