"""Training and prediction on small images, and the augmentation against numpy."""

import random
import subprocess
import sys
import warnings
from dataclasses import FrozenInstanceError, asdict, replace

import numpy as np
import pytest
import torch
from scipy.special import softmax

from alkit import augmentation, training
from alkit.augmentation import augmented_batches
from alkit.data import Images
from alkit.network import Muon, Network, orthogonal
from alkit.recipe import Recipe
from alkit.training import fit, network_of, predict_features, predict_proba, weights_of

RECIPE = Recipe(epochs=5, batch_size=50, width=16, shift=1, flip=False)
BRIEF = replace(RECIPE, epochs=1, width=4)
STILL = replace(RECIPE, shift=0)


@pytest.fixture(scope="module")
def model(digits):
    return train(digits.train, RECIPE)


@pytest.fixture
def no_warnings():
    """Every warning is an error, also those that torch gives once a process."""
    torch.set_warn_always(True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield
    torch.set_warn_always(False)


def train(part, recipe, seed=0, precision="fp32"):
    return fit(part, recipe, seed, "cpu", precision=precision)


def accuracy(model, part):
    return (predict_proba(model, part.images).argmax(1) == part.labels).mean()


def weights(model):
    return torch.cat([value.flatten().double() for value in model.state_dict().values()])


def noise(n=60, shape=(8, 8, 1), seed=0):
    """Random images without the grey of a cutout, 128."""
    return np.random.default_rng(seed).integers(0, 128, (n, *shape), np.uint8)


def epoch(images, recipe, n_batches=3, seed=0):
    """One epoch of images labelled with their positions: the batches, and (position, image (H, W, C)) of each."""
    tensors = torch.as_tensor(images), torch.arange(len(images))
    batches = list(augmented_batches(*tensors, n_batches, recipe, torch.Generator().manual_seed(seed)))
    pairs = [
        (int(label), image.permute(1, 2, 0).numpy())
        for batch, labels in batches
        for image, label in zip(batch, labels, strict=True)
    ]
    return batches, pairs


def test_the_defaults_are_those_that_records_were_named_by():
    old = Recipe(30, 125, 0.1, 0.1, 64, 4, True, 0, 0.0)
    assert Recipe() == old, "another default would give old numbers a new meaning"


def test_a_recipe_is_known_by_what_differs_from_the_defaults():
    assert Recipe().changes() == {}
    # A whole number where a float is meant is the same recipe.
    assert Recipe(epochs=3, colour=0, learning_rate=1).changes() == {"epochs": 3, "learning_rate": 1.0}
    changes = {"batch_size": 7, "flip": False, "cutout": 2}
    assert Recipe(**changes).changes() == changes
    assert asdict(Recipe(**changes)) == asdict(Recipe()) | changes


def test_the_limits_are_accepted_and_a_recipe_is_frozen():
    lowest = dict.fromkeys(("epochs", "batch_size", "width"), 1) | dict.fromkeys(
        ("shift", "cutout", "learning_rate", "label_smoothing", "colour"), 0
    )
    recipe = Recipe(**lowest | {"learning_rate": 1e-9}, flip=False)
    with pytest.raises(FrozenInstanceError):
        recipe.epochs = 2


def test_the_seed_decides_every_bit(digits):
    part = digits.train[:200]
    first, again, other = (weights(train(part, replace(BRIEF, epochs=2, cutout=2), seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_random_numbers_of_others_neither_matter_nor_change(digits):
    def states():
        return torch.get_rng_state().tolist(), random.getstate(), str(np.random.get_state())  # noqa: NPY002

    before = states()
    first = train(digits.train[:100], BRIEF)
    assert states() == before
    with torch.random.fork_rng():
        torch.manual_seed(12345)
        assert torch.equal(weights(train(digits.train[:100], BRIEF)), weights(first))


def test_it_learns_digits(digits, model):
    # A linear model reaches 0.95, chance 0.1.
    assert accuracy(model, digits.test) > 0.9


@pytest.mark.parametrize(
    "changes",
    [
        {"epochs": 2},
        {"width": 16},
        {"shift": 2},
        {"flip": True},
        {"cutout": 2},
        {"label_smoothing": 0},
        {"learning_rate": 0.05},
        {"colour": 0.5},
        {"batch_size": 2000},
    ],
    ids=str,
)
def test_every_hyper_parameter_takes_part(digits, changes):
    part = digits.train[:100]
    assert not torch.equal(weights(train(part, replace(BRIEF, **changes))), weights(train(part, BRIEF)))


@pytest.mark.parametrize("n_classes", [2, 1000])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("sides", [(8, 8), (28, 28), (32, 32), (64, 64), (96, 96), (8, 96), (96, 8), (29, 31)], ids=str)
def test_the_network_fits_the_images(sides, channels, n_classes):
    network = Network((*sides, channels), n_classes, width=4).eval()
    images = torch.as_tensor(noise(3, (*sides, channels))).permute(0, 3, 1, 2)
    features, logits = network.features(images), network(images)
    assert logits.shape == (3, n_classes)
    assert features.shape == (3, network.classifier.in_features)
    assert logits.isfinite().all()
    torch.testing.assert_close(network(images[1:2])[0], logits[1], rtol=1e-4, atol=1e-4)


def test_images_are_normalised_by_their_own_mean_and_spread():
    images = noise(50, (8, 8, 3)) // np.array([1, 2, 4], np.uint8) + np.array([0, 50, 100], np.uint8)
    network = fit(Images(images, np.arange(50) % 2), BRIEF, 0, "cpu", precision="fp32")
    np.testing.assert_allclose(network.mean.flatten(), images.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(1 / network.scale.flatten(), images.std((0, 1, 2)), rtol=1e-3)


@pytest.mark.parametrize(("side", "n_stages"), [(8, 1), (28, 3), (32, 3), (96, 5)])
def test_larger_images_get_more_stages(side, n_stages):
    assert len(Network((side, side, 1), 2, width=4).stages) == n_stages


def test_brightness_and_contrast_of_all_images_do_not_matter():
    images, labels = noise(50) // 2, np.arange(50) % 2
    brighter = images * 3 + 50
    first, second = (
        predict_proba(fit(Images(given, labels), BRIEF, 0, "cpu", precision="fp32"), given)
        for given in (images, brighter)
    )
    np.testing.assert_allclose(first, second, atol=1e-3)


def test_images_of_one_colour_are_no_division_by_zero():
    network = fit(Images(np.zeros((4, 8, 8, 1), np.uint8), np.arange(4) % 2), BRIEF, 0, "cpu", precision="fp32")
    np.testing.assert_allclose(predict_proba(network, noise(5)).sum(1), 1, rtol=1e-5)


def test_classes_may_be_more_than_the_labels_show(digits):
    part = digits.train[:60]
    network = fit(part, BRIEF, 0, "cpu", n_classes=12, precision="fp32")
    assert predict_proba(network, part.images).shape == (60, 12)


def test_rows_sum_to_one_and_batches_do_not_matter(digits, model):
    images = digits.test.images[:120]
    whole = predict_proba(model, images)
    assert (whole.shape, whole.dtype) == ((120, 10), np.float32)
    assert (whole >= 0).all()
    np.testing.assert_allclose(whole.sum(1, dtype=float), 1, atol=1e-5)
    for size in (1, 7, 50):
        parts = [predict_proba(model, images[start : start + size]) for start in range(0, 120, size)]
        np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-4, atol=1e-6)
    order = np.random.default_rng(0).permutation(120)
    shuffled = predict_proba(model, images[order])
    np.testing.assert_allclose(shuffled, whole[order], rtol=1e-4, atol=1e-6)


@pytest.mark.usefixtures("no_warnings")
@pytest.mark.parametrize("kind", ["read-only", "memory map"])
def test_arrays_that_cannot_be_written_are_accepted_in_silence(digits, tmp_path, kind):
    images = digits.train.images[:70].copy()
    if kind == "memory map":
        np.save(tmp_path / "images.npy", images)
        locked, labels = np.load(tmp_path / "images.npy", mmap_mode="r"), digits.train.labels[:70]
    else:
        locked, labels = images.copy(), digits.train.labels[:70].copy()
        locked.flags.writeable = labels.flags.writeable = False
    network = fit(digits.train[:70], BRIEF, 0, "cpu", precision="fp32")
    np.testing.assert_array_equal(predict_proba(network, locked), predict_proba(network, images))
    assert torch.equal(weights(fit(Images(locked, labels), BRIEF, 0, "cpu", precision="fp32")), weights(network))


def test_bf16_predicts_as_fp32_does(digits, model):
    images = digits.test.images[:200]

    def predicted(precision):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(model, "precision", precision)
            return predict_proba(model, images)

    fp32, bf16 = predicted("fp32"), predicted("bf16")
    assert not np.array_equal(fp32, bf16)
    np.testing.assert_allclose(bf16.sum(1, dtype=float), 1, atol=1e-5)
    # bf16 keeps 8 bits: a logit of 10 is known to 0.04, and a few such errors add up.
    assert abs(bf16 - fp32).max() < 0.1
    assert abs(bf16 - fp32).mean() < 0.005


def test_bf16_trains_as_fp32_does(digits, model):
    # The noise of 500 test images at 0.95 is 0.01, and two runs differ by more than that alone.
    bf16 = train(digits.train, RECIPE, precision="bf16")
    assert all(value.dtype == torch.float32 for value in bf16.parameters())
    assert not torch.equal(weights(bf16), weights(model))
    assert abs(accuracy(bf16, digits.test) - accuracy(model, digits.test)) < 0.05


def test_a_diverged_training_is_no_prediction(digits):
    network = train(digits.train[:100], BRIEF)
    torch.nn.init.constant_(network.classifier.weight, torch.inf)
    with pytest.raises(FloatingPointError, match="learning_rate"):
        predict_proba(network, digits.test.images)


@pytest.mark.parametrize(("n", "n_batches"), [(60, 1), (60, 3), (61, 7), (9, 9)])
@pytest.mark.parametrize("shape", [(8, 8, 1), (12, 9, 3)], ids=str)
def test_every_image_comes_once_an_epoch(n, n_batches, shape):
    # A colour an image: no shift or flip changes it.
    images = np.broadcast_to(np.arange(n, dtype=np.uint8)[:, None, None, None], (n, *shape)).copy()
    batches, pairs = epoch(images, replace(RECIPE, shift=3, flip=True), n_batches)
    assert len(batches) == n_batches
    assert {len(batch) for batch, _ in batches} <= {n // n_batches, -(-n // n_batches)}
    for batch, labels in batches:
        assert (batch.dtype, labels.dtype) == (torch.uint8, torch.int64)
        assert batch.shape == (len(labels), shape[2], *shape[:2])
    assert sorted(label for label, _ in pairs) == list(range(n))
    assert all((image == label).all() for label, image in pairs)


def test_the_order_is_random_and_the_images_of_the_caller_stay():
    images = noise()
    before = images.copy()
    orders = [[label for label, _ in epoch(images, replace(RECIPE, cutout=4, flip=True), seed=s)[1]] for s in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2] != sorted(orders[2])
    np.testing.assert_array_equal(images, before)


@pytest.mark.parametrize("shape", [(8, 8, 1), (12, 9, 3)], ids=str)
def test_without_augmentation_the_images_come_back(shape):
    images = noise(shape=shape)
    for label, image in epoch(images, STILL)[1]:
        np.testing.assert_array_equal(image, images[label])


@pytest.mark.parametrize("shape", [(8, 8, 1), (12, 9, 3)], ids=str)
def test_a_flip_is_a_mirror_for_half_of_the_images(shape):
    images = noise(400, shape)
    flipped = []
    for label, image in epoch(images, replace(STILL, flip=True))[1]:
        flipped.append(np.array_equal(image, images[label][:, ::-1]))
        assert flipped[-1] or np.array_equal(image, images[label])
    # Five standard deviations of a fair coin.
    assert abs(sum(flipped) - 200) < 50


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize(
    ("shape", "shift"), [((8, 8, 1), shift) for shift in (1, 2, 7, 8, 20)] + [((8, 9, 3), 4), ((12, 9, 3), 8)]
)
def test_a_shift_is_a_crop_of_the_image_padded_with_its_reflection(shape, shift, flip):
    images = noise(300, shape)
    sides = [(shift, shift), (shift, shift), (0, 0)]
    seen = set()
    for label, image in epoch(images, replace(STILL, shift=shift, flip=flip))[1]:
        padded = np.pad(images[label], sides, mode="reflect")
        crops = np.lib.stride_tricks.sliding_window_view(padded, shape)[:, :, 0]
        found = np.argwhere((crops == image).all((2, 3, 4)))
        if flip and not len(found):
            found = np.argwhere((crops[:, :, :, ::-1] == image).all((2, 3, 4)))
        assert len(found)
        seen.update(map(tuple, found - shift))
    assert {down for down, _ in seen} >= {-shift, shift}
    if shift <= 2:
        assert len(seen) == (2 * shift + 1) ** 2


@pytest.mark.parametrize("shape", [(8, 8, 1), (12, 9, 3)], ids=str)
@pytest.mark.parametrize("side", [1, 2, 3, 8])
def test_a_cutout_hides_one_square_at_most(shape, side):
    images = noise(300, shape)
    areas = set()
    for label, image in epoch(images, replace(STILL, cutout=side))[1]:
        hidden = (image == 128).all(2)
        np.testing.assert_array_equal(image[~hidden], images[label][~hidden])
        rows, columns = hidden.any(1), hidden.any(0)
        np.testing.assert_array_equal(hidden, rows[:, None] & columns)
        for stretch in (rows, columns):
            assert 1 <= stretch.sum() <= side
            assert np.ptp(np.flatnonzero(stretch)) == stretch.sum() - 1
        areas.add(hidden.sum())
    assert max(areas) == side**2


def test_fit_leaves_cudnn_on(digits, monkeypatch):
    """`cudnn.flags()` switches it off unless told otherwise, and convolutions on CUDA then run many times slower."""
    seen, batches = [], training.augmented_batches

    def watched(*arguments):
        seen.append((torch.backends.cudnn.enabled, torch.backends.cudnn.deterministic))
        return batches(*arguments)

    monkeypatch.setattr(training, "augmented_batches", watched)
    fit(digits.train[:20], Recipe(epochs=1, width=8), 0, "cpu")
    assert seen == [(True, True)]


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_half_precision_trains_without_warnings_and_does_not_tie_predictions(digits, precision, recwarn):
    part = digits.train[:60]
    model = fit(part, Recipe(epochs=3, width=8, flip=False), 0, "cpu", precision=precision)
    top = np.sort(predict_proba(model, digits.train.images[:300]), axis=1)
    assert not [str(warning.message) for warning in recwarn]
    assert (top[:, -1] - top[:, -2] == 0).sum() == 0


RICH = Recipe(epochs=2, batch_size=20, width=8, cutout=4, colour=0.5)


def test_nothing_stays_on_the_processor_or_waits_for_the_device(monkeypatch):
    """On the meta device a tensor left behind raises, and so does everything that reads a number back."""
    images, labels = noise(50, (32, 32, 3)), np.arange(50) % 10
    meta = fit(Images(images, labels), RICH, 0, torch.device("meta"))
    assert {value.device.type for value in meta.state_dict().values()} == {"meta"}
    with pytest.raises(NotImplementedError, match="meta tensor"):
        predict_proba(meta, images)
    copies = []

    def cpu(tensor):
        copies.append(tensor.shape)
        return torch.zeros(tensor.shape)

    # The probabilities themselves come back, once.
    monkeypatch.setattr(torch.Tensor, "cpu", cpu)
    predict_proba(meta, images, flip=True, shift=1)
    assert copies == [(50, 10)]


class Watched:
    """Stands for an array on disk: no more than is asked for comes into memory."""

    def __init__(self, array):
        self.array, self.read = array, []
        self.shape, self.ndim, self.dtype = array.shape, array.ndim, array.dtype

    def __len__(self):
        return len(self.array)

    def __getitem__(self, rows):
        self.read.append(self.array[rows].nbytes)
        return self.array[rows]


def test_a_large_pool_is_read_batch_by_batch_with_the_same_result():
    images = noise(300, (96, 96, 3))
    model = fit(Images(images[:20], np.arange(20) % 2), BRIEF, 0, "cpu", precision="fp32")
    pool = Watched(images)
    probabilities = predict_proba(model, pool)
    assert pool.read == [images[:13].nbytes] * 23 + [images[:1].nbytes]  # 13 images of 96x96 have 119,808 pixels
    np.testing.assert_allclose(probabilities[-50:], predict_proba(model, images[-50:]), atol=1e-6)
    assert predict_proba(model, images[:0]).shape == (0, 2)


def test_views_are_averaged_logits_of_mirrored_and_moved_images(digits):
    model, images = fit(digits.train[:60], BRIEF, 0, "cpu", precision="fp32"), digits.test.images[:30]

    def logits(views):
        with torch.inference_mode():
            return model(torch.tensor(np.ascontiguousarray(views)).permute(0, 3, 1, 2))

    def edge(down, right):
        padded = np.pad(images, [(0, 0), (1, 1), (1, 1), (0, 0)], mode="edge")
        return padded[:, down : down + 8, right : right + 8]

    moved = [images, images, edge(0, 0), edge(2, 2)]
    for flip, shift, views in [
        (True, 0, [images, images[:, :, ::-1]]),
        (False, 1, moved),
        (True, 1, moved + [view[:, :, ::-1] for view in moved]),
    ]:
        expected = torch.stack([logits(view) for view in views]).mean(0).softmax(1)
        np.testing.assert_allclose(predict_proba(model, images, flip=flip, shift=shift), expected, atol=1e-5)


def test_brightness_contrast_and_saturation_change_as_stated():
    """Each alone, worked out by hand, on images that nothing clips."""
    images = noise(40, (8, 8, 3)) // 2 + 64
    labels = torch.arange(40)
    seed = torch.Generator().manual_seed(0)
    batch, _ = next(augmented_batches(torch.tensor(images), labels, 1, STILL, seed))
    assert batch.dtype == torch.uint8
    zero = torch.zeros(40, 1, 1, 1)
    half = torch.full((40, 1, 1, 1), 0.5)
    pixels = torch.tensor(images).float()

    def recoloured(images, *changes):
        return augmentation._recoloured(images, torch.stack(changes))

    torch.testing.assert_close(recoloured(pixels, zero, zero, zero), pixels)
    torch.testing.assert_close(recoloured(pixels, half / 8, zero, zero), pixels + 8)
    mean = pixels.mean((1, 2, 3), keepdim=True)
    torch.testing.assert_close(recoloured(pixels, zero, -half, zero), (pixels + mean) / 2)
    grey = recoloured(pixels, zero, zero, -half)
    torch.testing.assert_close(grey, pixels.mean(3, keepdim=True).expand_as(pixels))
    assert recoloured(pixels, half, half, half).amax() == 255


def test_recoloured_batches_keep_their_images_apart_and_in_range():
    images = noise(60, (8, 8, 3))
    batches, pairs = epoch(images, replace(STILL, colour=1.0))
    assert {batch.dtype for batch, _ in batches} == {torch.float32}
    stacked = np.stack([image for _, image in sorted(pairs, key=lambda pair: pair[0])])
    assert stacked.min() >= 0
    assert stacked.max() <= 255
    # Brightness, contrast and saturation keep the place of the darkest greys: still the same picture, mostly.
    flat = stacked.std((1, 2, 3)) == 0
    assert flat.mean() < 0.1
    same = [
        np.corrcoef(after.mean(2).ravel(), before.mean(2).ravel())[0, 1]
        for after, before in zip(stacked[~flat], images[~flat], strict=True)
    ]
    assert np.median(same) > 0.95


def test_filters_whiten_the_patches_they_were_made_from(digits):
    """A property independent of how they are computed: responses uncorrelated, of spread 1 where there is spread."""
    colours = np.random.default_rng(0).integers(0, 256, (50, 9, 9, 3), np.uint8)
    colours[..., 1] = colours[..., 0] // 2 + colours[..., 1] // 2
    network = Network((9, 9, 3), 2, width=4)
    images = torch.tensor(colours).permute(0, 3, 1, 2)
    network.whiten(images)
    seen = torch.nn.functional.conv2d((images - network.mean) * network.scale, network.whitening)[:, :12]
    covariance = seen.transpose(0, 1).flatten(1).double()
    covariance = covariance @ covariance.T / covariance.shape[1]
    np.testing.assert_allclose(covariance, np.eye(12), atol=0.02)
    np.testing.assert_array_equal(network.whitening[12:], -network.whitening[:12])


def test_the_scale_of_the_weights_stays():
    network = fit(Images(noise(20), np.arange(20) % 2), BRIEF, 0, "cpu", precision="fp32")
    for weight in [value for name, value in network.stages.named_parameters() if name.endswith("weight")]:
        if weight.ndim == 2:
            assert weight.norm().item() == pytest.approx(len(weight) ** 0.5, rel=1e-4)


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="torch has no Muon before 2.9")
@pytest.mark.parametrize("shape", [(64, 216), (40, 300), (300, 40)])
def test_muon_takes_the_steps_of_torch_up_to_its_bf16(shape):
    random = torch.Generator().manual_seed(0)
    start, *gradients = torch.randn((5, *shape), generator=random)
    ours, theirs = (torch.nn.Parameter(start.clone()) for _ in range(2))
    own, peer = Muon([ours], []), torch.optim.Muon([theirs], 0.1, weight_decay=0, momentum=0.6, ns_steps=3)
    for gradient in gradients:
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        own.step(0.1)
        peer.step()
    steps = theirs.detach() - start
    assert (ours.detach() - theirs.detach()).norm() < 0.01 * steps.norm()


@pytest.mark.parametrize("loss_scale", [1, 1024])
def test_other_weights_take_the_steps_of_sgd_to_the_bit(loss_scale):
    random = torch.Generator().manual_seed(0)
    start, *gradients = torch.randn((9, 10, 64), generator=random)
    ours, theirs = (torch.nn.Parameter(start.clone()) for _ in range(2))
    own, peer = Muon([], [ours]), torch.optim.SGD([theirs], 1.0, momentum=0.85, nesterov=True)
    for number, gradient in enumerate(gradients, 1):
        ours.grad, theirs.grad = loss_scale * gradient, gradient.clone()
        own.step(0.2 / number, loss_scale)
        peer.param_groups[0]["lr"] = 0.1 / number
        peer.step()
    assert torch.equal(ours, theirs)


def test_a_training_does_not_wait_for_the_compiler_of_torch():
    """torch.optim imports it when first used: seconds, where a small network takes hundredths of one."""
    code = "import sys, numpy, alkit; from alkit.data import Images; from alkit.recipe import Recipe"
    code += "; part = Images(numpy.zeros((4, 8, 8, 1), 'uint8'), numpy.arange(4) % 2)"
    code += "; alkit.predict_proba(alkit.fit(part, Recipe(epochs=1, width=4)), part.images)"
    done = subprocess.run([sys.executable, "-c", f"{code}; print(*sys.modules)"], capture_output=True, text=True)
    assert "alkit.training" in done.stdout.split(), done.stderr
    assert "torch._dynamo" not in done.stdout.split()


def test_orthogonal_keeps_the_singular_vectors_and_evens_out_the_singular_values():
    left, _ = torch.linalg.qr(torch.randn(20, 20, generator=torch.Generator().manual_seed(1)))
    right, _ = torch.linalg.qr(torch.randn(30, 20, generator=torch.Generator().manual_seed(2)))
    values = torch.linspace(1, 4, 20)
    result = left.T @ orthogonal(left * values @ right.T) @ right
    torch.testing.assert_close(result, torch.diag(result.diagonal()), atol=1e-5, rtol=0)
    assert 0.6 < result.diagonal().min() <= result.diagonal().max() < 1.25


def test_the_first_layer_is_set_from_a_bounded_number_of_pixels(monkeypatch):
    seen = []
    monkeypatch.setattr(Network, "whiten", lambda network, images: seen.append(images.shape))
    for n, side in ((2000, 32), (2001, 32), (50_000, 8), (300, 96)):
        training.new_network(np.zeros((n, side, side, 3), np.uint8), 2, 4, seed=0)
    assert [shape[0] for shape in seen] == [2000, 1001, 2000, 150]


def test_each_epoch_has_an_order_of_its_own_and_the_rate_rises_then_falls_to_nothing(digits, monkeypatch):
    orders, rates, batches = [], [], training.augmented_batches

    def watched(*given):
        epoch = list(batches(*given))
        orders.append(torch.cat([labels for _, labels in epoch]).tolist())
        return epoch

    class Watched(Muon):
        def step(self, rate, loss_scale):
            rates.append(rate)
            super().step(rate, loss_scale)

    monkeypatch.setattr(training, "augmented_batches", watched)
    monkeypatch.setattr(training, "Muon", Watched)
    recipe = Recipe(epochs=10, batch_size=5, width=4, learning_rate=0.2)
    fit(Images(digits.train.images[:50], np.arange(50)), recipe, 0, "cpu", n_classes=50)
    assert len(orders) == 10
    assert len(set(map(tuple, orders))) == 10
    assert len(rates) == 100
    assert 0.18 < rates[20] <= 0.2  # after a fifth of the steps
    assert np.argmax(rates) in (19, 20, 21)
    assert (np.diff(rates[:20]) > 0).all()
    assert (np.diff(rates[21:]) < 0).all()
    assert rates[-1] < 0.01


def test_colours_change_each_image_by_itself_and_to_both_sides():
    _, pairs = epoch(np.full((60, 8, 8, 3), 128, np.uint8), replace(STILL, colour=1.0))
    levels = np.array([image.mean() for _, image in pairs])
    assert len(np.unique(levels)) > 50
    assert 0.25 < (levels > 128).mean() < 0.75


def test_features_are_what_the_last_layer_sees(digits, model):
    images = digits.test.images[:300]
    features = predict_features(model, images)
    assert (features.dtype, len(features)) == (np.float32, 300)
    logits = features @ model.classifier.weight.detach().numpy().T
    np.testing.assert_allclose(softmax(logits, axis=1), predict_proba(model, images), atol=1e-5)


def test_weights_that_were_kept_predict_the_same_to_the_bit(digits, tmp_path):
    model = fit(digits.train[:200], replace(RECIPE, epochs=2), 0, "cpu")  # in the precision of the processor
    np.savez(tmp_path / "weights.npz", other=np.ones(3), **weights_of(model))
    with np.load(tmp_path / "weights.npz") as kept:
        restored = network_of(dict(kept), digits.test.images, 10, RECIPE.width, "cpu")
    for predict in (predict_proba, predict_features):
        np.testing.assert_array_equal(predict(restored, digits.test.images), predict(model, digits.test.images))
    with pytest.raises(ValueError, match="without its network"):
        network_of({"other": np.ones(3)}, digits.test.images, 10, RECIPE.width, "cpu")


@pytest.fixture
def four_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("four_threads")
@pytest.mark.parametrize(
    ("n", "width", "cores", "n_threads"), [(40, 8, 4, 1), (500, 64, 1, 1), (500, 64, 3, 3), (500, 64, 16, 4)]
)
def test_a_small_fit_takes_one_thread_and_a_large_one_no_more_than_the_cores(
    digits, monkeypatch, n, width, cores, n_threads
):
    monkeypatch.setattr("joblib.cpu_count", lambda: cores)
    model = fit(digits.train[:n], Recipe(epochs=1, batch_size=500, width=width), 0, "cpu")
    assert model.n_threads == n_threads
    assert torch.get_num_threads() == 4


@pytest.mark.usefixtures("four_threads")
def test_the_threads_of_others_stay_after_a_failure(digits, monkeypatch):
    monkeypatch.setattr(training, "augmented_batches", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        fit(digits.train[:40], BRIEF, 0, "cpu")
    assert torch.get_num_threads() == 4
