"""Train a network on labelled images, then predict class probabilities for others."""

import math
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from tqdm import tqdm

from alkit.augmentation import augmented_batches, send
from alkit.network import Network
from alkit.optimizer import Muon
from alkit.recipe import Recipe

PRECISIONS = {"bf16": torch.bfloat16, "fp16": torch.float16}


def choose_device(name: str = "auto") -> torch.device:
    """Return the named device; "auto" is the first present of cuda, mps and cpu.

    Raises ValueError for a device that is unknown or not present.
    """
    if name == "records":
        raise ValueError(
            'device is "records", which reads published runs, and what you ask for is not among them; '
            "give a profile that trains, such as cifar10."
        )
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        # A number put there and read back proves that the device is present and computes.
        torch.zeros(1, device=name).item()
    except (RuntimeError, AssertionError, ImportError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f'device is {name!r} ({reason}); give "auto", "cpu", "cuda" or "mps".') from error
    return torch.device(name)


def choose_precision(device: torch.device) -> str:
    """Return the fastest safe precision of a device: "bf16" or "fp16" where its hardware has it, otherwise "fp32"."""
    if device.type == "cuda":
        return "bf16" if torch.cuda.get_device_capability(device) >= (8, 0) else "fp16"
    if device.type == "cpu" and hasattr(torch.cpu, "get_capabilities"):
        # Without these instructions bf16 is emulated, many times slower than fp32.
        capabilities = torch.cpu.get_capabilities()
        return "bf16" if capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") else "fp32"
    return "fp32"


def fit(
    images: np.ndarray,
    labels: np.ndarray,
    recipe: Recipe,
    seed: int,
    device: str | torch.device = "auto",
    *,
    n_classes: int | None = None,
    precision: str | None = None,
    progress: str = "fit",
) -> Network:
    """Train a new network on images (N, H, W, C) uint8 with labels (N,) int in 0..n_classes-1.

    The images stay on the device as uint8 and are augmented there; nothing waits for the device before an epoch ends.
    Convolutions learn by Muon, all else by SGD; the rates rise for a fifth of the steps, then fall to 0. Same seed,
    model of processor or GPU, precision, number of threads and versions: the same network to the bit. `n_classes` is
    the largest label + 1 unless given; `precision` that of `choose_precision`; `progress` the text before the bar.
    Raises ValueError for images and labels that do not belong together.
    """
    if images.dtype != np.uint8 or images.ndim != 4 or len(images) != len(labels) or len(images) < 2:
        raise ValueError(
            f"images are {images.dtype} of shape {images.shape} with {len(labels)} labels; "
            "give at least two uint8 images of shape (N, H, W, C) and as many labels."
        )
    chosen = choose_device(device) if isinstance(device, str) else device
    precision = precision or choose_precision(chosen)
    model = _new_network(images, n_classes or int(labels.max()) + 1, recipe.width, seed).to(
        chosen, memory_format=torch.channels_last
    )
    images, labels = send(torch.tensor(images), chosen), send(torch.tensor(labels, dtype=torch.int64), chosen)
    n_batches = -(-len(images) // recipe.batch_size)
    n_steps = recipe.epochs * n_batches
    # Small gradients would vanish in fp16. Muon looks at directions only; for SGD the rate takes the factor back.
    loss_scale = 1024 if precision == "fp16" else 1
    convolutions = model.convolutions()
    matrices = set(map(id, convolutions))
    others = [weight for weight in model.parameters() if weight.requires_grad and id(weight) not in matrices]
    optimizers = [
        Muon(convolutions, recipe.learning_rate),
        torch.optim.SGD(others, recipe.learning_rate / 2 / loss_scale, momentum=0.85, nesterov=True),
    ]
    schedules = [
        torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: min((step + 1) / (0.2 * n_steps + 1), (1 - step / n_steps) / 0.8)
        )
        for optimizer in optimizers
    ]
    loss_function = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
    generator = torch.Generator().manual_seed(seed)
    model.train()
    with progress_bar(n_steps, progress) as bar, torch.backends.cudnn.flags(enabled=True, deterministic=True):
        for _ in range(recipe.epochs):
            for batch, targets in augmented_batches(images, labels, n_batches, recipe, generator):
                with _mixed(chosen, precision):
                    loss = loss_function(model(batch), targets)
                model.zero_grad(set_to_none=True)
                (loss_scale * loss).backward()
                for part in (*optimizers, *schedules):
                    part.step()
                model.rescale()
                bar.update()
    return model.eval()


def predict_proba(
    model: Network,
    images: np.ndarray,
    *,
    flip: bool = False,
    shift: int = 0,
    precision: str | None = None,
    batch_size: int | None = None,
) -> np.ndarray:
    """Return the class probabilities (N, n_classes) float32 of images (N, H, W, C) uint8; each row sums to 1.

    The logits of several views of an image are averaged: with `flip` of its mirror image too, with `shift` above 0 also
    (at half the weight together) of images moved that many pixels up and left, and down and right.
    One batch of images is on the model's device at a time, so the array may be a memory map larger than memory; unless
    given, `batch_size` is what suits the device.
    Raises FloatingPointError if the model gives anything but finite numbers.
    """

    def output(features):
        # The last layer in fp32: rounded logits would tie, and samplers look at small differences.
        return model.classifier(features).softmax(1)

    probabilities = _predict(model, images, output, flip, shift, precision, batch_size)
    if not np.isfinite(probabilities).all():
        raise FloatingPointError("The network predicts NaN: its training diverged; lower recipe.learning_rate.")
    return probabilities


def predict_features(model: Network, images: np.ndarray, *, precision: str | None = None) -> np.ndarray:
    """Return what the last layer sees of each image as it is, (N, D) float32; a batch at a time, as `predict_proba`."""
    return _predict(model, images, lambda features: features, False, 0, precision, None)


def _predict(
    model: Network,
    images: np.ndarray,
    output: Callable[[torch.Tensor], torch.Tensor],
    flip: bool,
    shift: int,
    precision: str | None,
    batch_size: int | None,
) -> np.ndarray:
    device = model.classifier.weight.device
    precision = precision or choose_precision(device)
    # What a processor's caches hold, 125 images of 32x32, goes a fifth faster than 500; a GPU wants many at a time.
    batch_size = batch_size or (max(1, 128_000 // math.prod(images.shape[1:3])) if device.type == "cpu" else 500)
    outputs = []
    with torch.inference_mode(), progress_bar(-(-len(images) // batch_size), "predict", delay=2) as bar:
        for start in range(0, max(1, len(images)), batch_size):
            batch = send(torch.tensor(images[start : start + batch_size]), device).permute(0, 3, 1, 2)
            with _mixed(device, precision):
                # The last layer is linear: the mean of the features gives the mean of the logits.
                views = _views(batch, flip, shift)
                features = sum(weight * model.features(view).float() for weight, view in views)
            outputs.append(output(features))
            bar.update()
        return torch.cat(outputs).cpu().numpy()


def _views(batch: torch.Tensor, flip: bool, shift: int) -> list[tuple[float, torch.Tensor]]:
    """Views of a batch (B, C, H, W) with weights that add up to 1."""
    views = [(1.0, batch)]
    if shift:
        height, width = batch.shape[2:]
        padded = functional.pad(batch.float(), (shift,) * 4, "replicate")
        moved = [padded[:, :, place : place + height, place : place + width] for place in (0, 2 * shift)]
        views = [(0.5, batch), *((0.25, view) for view in moved)]
    return [(weight / 2, each) for weight, view in views for each in (view, view.flip(3))] if flip else views


def _new_network(images: np.ndarray, n_classes: int, width: int, seed: int) -> Network:
    """A network with weights drawn from `seed`; its first layer is set from some images, up to 2,000 of 32x32."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        model = Network(images.shape[1:], n_classes, width)
    some = images[:: max(-(-len(images) // 2000), -(-images.size // (2000 * 32 * 32 * 3)))]
    model.whiten(torch.tensor(some).permute(0, 3, 1, 2))
    return model


def progress_bar(total: int, text: str, unit: str = "step", **options) -> tqdm:
    """A bar that leaves nothing behind; `options` as tqdm has them."""
    # To standard output: notebooks show standard error on a red ground.
    return tqdm(total=total, desc=text, unit=unit, file=sys.stdout, leave=False, ascii=True, **options)


def _mixed(device: torch.device, precision: str) -> AbstractContextManager:
    return nullcontext() if precision == "fp32" else torch.autocast(device.type, PRECISIONS[precision])
