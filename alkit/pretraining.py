"""Train a network on images without any label, so that what it sees in them can be learned from with few labels."""

import io
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from sklearn.decomposition import PCA
from torch import nn
from torch.nn import functional

from alkit import records, training
from alkit.augmentation import augmented_batches, send
from alkit.network import Model, Muon, rescale
from alkit.recipe import Recipe

SECONDS = 30  # between two times that the state is kept


def views_of(recipe: Recipe, image_shape: tuple[int, ...]) -> Recipe:
    """The recipe with the strong changes that two views of an image need, or to tell them apart would be too easy.

    Of images smaller than 16 pixels, which have no parts worth seeing, that is to shift them and to hide a square.
    """
    small = min(image_shape[:2]) * (min(image_shape[:2]) < 16)
    return replace(recipe, shift=small // 4, cutout=3 * small // 8, colour=0.5)


def loss_of(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """VICReg (Bardes, Ponce and LeCun 2022, arXiv 2105.04906) of what a network says of two views, (B, D) each.

    Their mean squared distance (times 25), how far below 1 the standard deviation of a number is over the batch (the
    mean of each view, times 25), and the squared covariances of different numbers, summed, by D: alike for one image,
    spread over images, each number about something else. By it, features of digits served better, and less depended on
    the seed, than by SimCLR and Barlow Twins at the same cost, judged by labels of training images.
    """
    loss = 25 * functional.mse_loss(one, other)
    for rows in (one, other):
        covariance = rows.T.cov()
        spread = (covariance.diagonal() + 1e-4).sqrt()
        loss = loss + 25 * functional.relu(1 - spread).mean()
        loss = loss + (covariance.square().sum() - covariance.diagonal().square().sum()) / len(covariance)
    return loss


def pretrain(
    images: np.ndarray, recipe: Recipe, seed=0, device="auto", state: Path | None = None, weights: dict | None = None
) -> Model:
    """Train a network on images (N, H, W, C) uint8 by `loss_of` two views of each, changed as the recipe says.

    A projection follows the features in training, and is thrown away. The last layer learns nothing.
    state: a file in which the state is kept now and then; what a stop left there goes on, and ends with the same bits.
    weights: those of a network to go on from. Raises ValueError for such that do not fit and fewer than 4 images, and
    FloatingPointError for a training that diverged.
    """
    if images.dtype != np.uint8 or images.ndim != 4 or len(images) < 4:
        problem = f"images are {images.dtype} of shape {images.shape}"
        raise ValueError(f"{problem}; give at least four uint8 images of shape (N, H, W, C).")
    place, generator = training.choose_device(device), torch.Generator().manual_seed(seed)
    mixed = training.mixed_precision(place, precision := training.choose_precision(place))
    loss_scale = 1024 if precision == "fp16" else 1
    n_steps = recipe.epochs * (n_batches := max(1, len(images) // max(2, recipe.batch_size)))
    work = recipe.batch_size * training.work_of_one(images, recipe.width)
    bar = training.progress_bar(n_steps, "pretrain")
    with training.threads_for(work), bar, torch.backends.cudnn.flags(enabled=True, deterministic=True):
        model = training.new_network(images, 2, recipe.width, seed, weights)
        model = model.to(place, memory_format=torch.channels_last)
        model.precision, model.n_threads = precision, torch.get_num_threads()
        n_features = model.classifier.in_features
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            wide, wider = (nn.Linear(n * n_features, 2 * n * n_features, bias=False) for n in (1, 2))
        projection = nn.Sequential(wide, nn.BatchNorm1d(2 * n_features), nn.ReLU(), wider).to(place)
        matrices = [*model.convolutions(), wide.weight, wider.weight]
        apart = {*map(id, matrices), id(model.classifier.weight)}
        both = nn.ModuleList([model, projection])
        optimizer = Muon(matrices, [w for w in both.parameters() if w.requires_grad and id(w) not in apart])
        momenta = [momentum for _, momentum in optimizer.matrices + optimizer.others]
        tensors = [*both.state_dict().values(), *momenta]
        n_done, kept = _resume(state, tensors, generator, recipe.epochs), time.monotonic()
        bar.update(n_done * n_batches)
        pixels = send(torch.tensor(images), place)
        for epoch in range(n_done, recipe.epochs):
            for number, part in enumerate(torch.randperm(len(images), generator=generator).tensor_split(n_batches)):
                views = torch.cat([view(pixels[part.to(place)], recipe, generator) for _ in range(2)])
                with mixed:
                    loss = loss_of(*projection(model.features(views)).float().chunk(2))
                (loss_scale * loss).backward()
                done = (epoch * n_batches + number) / n_steps
                rate = min((done + 1 / n_steps) / (0.1 + 1 / n_steps), (1 - done) / 0.9)
                optimizer.step(recipe.learning_rate * rate, loss_scale)
                rescale(matrices)
                bar.update()
            if state and epoch + 1 < recipe.epochs and time.monotonic() - kept >= SECONDS:
                _keep(state, epoch + 1, tensors, generator)
                kept = time.monotonic()
        if not torch.isfinite(loss):
            raise FloatingPointError("The network learned NaN: its training diverged; lower recipe.learning_rate.")
    if state:
        state.unlink(missing_ok=True)
    return model.eval()


def view(images: torch.Tensor, recipe: Recipe, generator: torch.Generator) -> torch.Tensor:
    """Images (B, H, W, C), changed at random, as (B, C, H, W) in the same order; of large ones a part each.

    As in SimCLR (Chen et al. 2020) a part has a fifth of the image at least, and a fifth of the parts are grey, or
    colours alone would tell. Three quarters of the pixels a side take half of the time, and show things about as large.
    """
    n, places = len(images), torch.arange(len(images), device=images.device)
    ((changed, order),) = augmented_batches(images, places, 1, recipe, generator)
    changed = changed.float()[order.argsort()]
    if recipe.shift:
        return changed
    drawn = torch.rand(5, n, generator=generator)
    area, stretch = 0.2 + 0.8 * drawn[0], (0.56 * (drawn[1] - 0.5)).exp()
    sides = torch.stack([area * stretch, area / stretch]).sqrt().clamp(max=1)
    middles = (1 - sides) * (2 * drawn[2:4] - 1)
    parts = send(torch.cat([torch.diag_embed(sides.T), middles.T[..., None]], dim=2), images.device)
    size = [*changed.shape[:2], *(3 * side // 4 for side in changed.shape[2:])]
    grid = functional.affine_grid(parts, size, align_corners=False)
    seen = functional.grid_sample(changed, grid, align_corners=False, padding_mode="reflection")
    grey = send(drawn[4] < 0.2, images.device)
    seen[grey] = seen[grey].mean(1, keepdim=True)
    return seen


def feature_extractor(model: Model, some: np.ndarray, flip: bool) -> Callable[[np.ndarray], np.ndarray]:
    """What turns images (N, H, W, C) uint8 into rows (N, D) float32 of what a network sees in all its layers.

    The mean of each channel over each quarter of an image, averaged with those of the image half as large again, and
    with `flip` of the mirror images. Of these numbers, standardised, up to 256 principal components of `some` images,
    each divided by the fourth root of its variance: small ones count too, but less than large ones.
    """

    def look(batch: torch.Tensor) -> torch.Tensor:
        larger = functional.interpolate(batch.float(), scale_factor=1.5, mode="bilinear")
        both = zip(model.maps(batch), model.maps(larger), strict=True)
        return torch.cat([sum(functional.adaptive_avg_pool2d(x, 2).flatten(1) for x in pair) for pair in both], dim=1)

    rows = training.predict_features(model, some, look, flip)
    mean, spread = rows.mean(axis=0), rows.std(axis=0) + 1e-6
    found = PCA(min(256, *rows.shape), svd_solver="covariance_eigh").fit((rows - mean) / spread)
    # Models standardise each number, which undid the fourth root, did not each have a part of all components.
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(len(found.components_),) * 2))[0].astype(np.float32)
    matrix = found.components_.T / found.explained_variance_.clip(1e-6) ** 0.25 @ turn / spread[:, None]
    return lambda images: training.predict_features(model, images, look, flip) @ matrix - mean @ matrix


def _keep(state: Path, epoch: int, tensors: list[torch.Tensor], generator: torch.Generator) -> None:
    torch.save((tensors, epoch, generator.get_state()), packed := io.BytesIO())
    records.replace_file(state, lambda path: path.write_bytes(packed.getvalue()))


@torch.no_grad()
def _resume(state: Path | None, tensors: list[torch.Tensor], generator: torch.Generator, n_epochs: int) -> int:
    """Set all that changes to what was kept, and return how many epochs were done; 0 where nothing of use was."""
    with suppress(Exception):  # absent, or damaged in one of the many ways a file can be
        arrays, epoch, drawn = torch.load(state, "cpu", weights_only=True)
        if [array.shape for array in arrays] == [tensor.shape for tensor in tensors] and 0 < epoch < n_epochs:
            generator.set_state(drawn)
            for tensor, array in zip(tensors, arrays, strict=True):
                tensor.copy_(array)
            return epoch
    return 0
