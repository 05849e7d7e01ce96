"""Train a network on labelled images, then predict class probabilities for others."""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from alkit.network import Network

PRECISIONS = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Recipe:
    """Every hyper-parameter of one training.

    epochs: passes over the images. batch_size: images a step. learning_rate: the peak of a one-cycle schedule.
    momentum, weight_decay: of SGD with Nesterov's momentum. label_smoothing: 0 to below 1. width: channels of the first
    stage. shift: largest random translation in pixels. flip: mirror half of the images. cutout: side of the hidden
    square in pixels, 0 for none.

    Raises TypeError or ValueError for a value of the wrong type or out of range.
    """

    epochs: int = 30
    batch_size: int = 250
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 0.0005
    label_smoothing: float = 0.0
    width: int = 64
    shift: int = 4
    flip: bool = True
    cutout: int = 0

    def __post_init__(self):
        for item in fields(self):
            value = getattr(self, item.name)
            accepted = (int, float) if item.type is float else (item.type,)
            if type(value) not in accepted:
                kind = item.type.__name__
                raise TypeError(
                    f"recipe.{item.name} is {value!r}; give a value of type {kind}, such as {item.default}."
                )
            lowest = 1 if item.name in ("epochs", "batch_size", "width") else 0
            if not lowest <= value < float("inf"):
                raise ValueError(f"recipe.{item.name} is {value}; give a finite number of at least {lowest}.")
        for name in ("momentum", "label_smoothing"):
            if getattr(self, name) >= 1:
                raise ValueError(f"recipe.{name} is {getattr(self, name)}; give a number from 0 to below 1.")


def choose_device(name: str = "auto") -> torch.device:
    """Return the named device; "auto" is the first present of cuda, mps and cpu.

    Raises ValueError for a device that is unknown or not present.
    """
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
    device: str = "auto",
    *,
    n_classes: int | None = None,
    precision: str | None = None,
    progress: str = "fit",
) -> Network:
    """Train a new network on images (N, H, W, C) uint8 with labels (N,) int in 0..n_classes-1.

    The images stay on the device as uint8 and are augmented there. Same seed, device, precision, number of threads and
    versions: the same network to the bit. `n_classes` is the largest label + 1 unless given; `precision` that of
    `choose_precision`; `progress` the text before the bar. Raises ValueError for images and labels that do not belong
    together.
    """
    if images.dtype != np.uint8 or images.ndim != 4 or len(images) != len(labels) or len(images) < 2:
        raise ValueError(
            f"images are {images.dtype} of shape {images.shape} with {len(labels)} labels; "
            "give at least two uint8 images of shape (N, H, W, C) and as many labels."
        )
    chosen = choose_device(device)
    precision = precision or choose_precision(chosen)
    model = _new_network(images, n_classes or int(labels.max()) + 1, recipe.width, seed).to(
        chosen, memory_format=torch.channels_last
    )
    images = torch.tensor(images).to(chosen)
    labels = torch.tensor(labels, dtype=torch.int64).to(chosen)
    n_batches = -(-len(images) // recipe.batch_size)
    optimizer = torch.optim.SGD(
        model.parameters(), recipe.learning_rate, recipe.momentum, weight_decay=recipe.weight_decay,
        nesterov=recipe.momentum > 0,
    )  # fmt: skip
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.learning_rate, total_steps=recipe.epochs * n_batches + 1, cycle_momentum=False
    )
    loss_function = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
    scaler = torch.amp.GradScaler(chosen.type, init_scale=1024, enabled=precision == "fp16")
    generator = torch.Generator().manual_seed(seed)
    model.train()
    with _bar(recipe.epochs * n_batches, progress) as bar, torch.backends.cudnn.flags(enabled=True, deterministic=True):
        for _ in range(recipe.epochs):
            for batch, targets in augmented_batches(images, labels, n_batches, recipe, generator):
                with _mixed(chosen, precision):
                    loss = loss_function(model(batch), targets)
                optimizer.zero_grad(set_to_none=True)
                scaler.scale(loss).backward()
                scaler.step(optimizer)
                scaler.update()
                schedule.step()
                bar.update()
    return model.eval()


def predict_proba(
    model: Network, images: np.ndarray, *, precision: str | None = None, batch_size: int = 500
) -> np.ndarray:
    """Return the class probabilities (N, n_classes) float32 of images (N, H, W, C) uint8; each row sums to 1.

    Images are sent to the model's device in batches, so the array may be a memory map larger than memory.
    Raises FloatingPointError if the model gives anything but finite numbers.
    """
    device = model.classifier.weight.device
    precision = precision or choose_precision(device)
    outputs = []
    with torch.inference_mode(), _bar(-(-len(images) // batch_size), "predict", delay=2) as bar:
        for start in range(0, len(images), batch_size):
            batch = torch.tensor(images[start : start + batch_size]).to(device)
            with _mixed(device, precision):
                features = model.features(batch.permute(0, 3, 1, 2))
            # The last layer in fp32: rounded logits would tie, and samplers look at small differences.
            outputs.append(model.classifier(features.float()).softmax(1))
            bar.update()
        probabilities = torch.cat(outputs).cpu().numpy()
    if not np.isfinite(probabilities).all():
        raise FloatingPointError("The network predicts NaN: its training diverged; lower recipe.learning_rate.")
    return probabilities


def augmented_batches(
    images: torch.Tensor, labels: torch.Tensor, n_batches: int, recipe: Recipe, generator: torch.Generator
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield one epoch in random order: batches (B, C, H, W) uint8, shifted, flipped and cut out, with their labels.

    The random numbers come from the CPU, so that they are the same on every device, and travel once an epoch.
    """
    n, height, width, _ = images.shape
    draws = torch.stack(
        [
            torch.randperm(n, generator=generator),
            *torch.randint(-recipe.shift, recipe.shift + 1, (2, n), generator=generator),
            torch.randint(0, 2, (n,), generator=generator) * recipe.flip,
            torch.randint(0, height, (n,), generator=generator),
            torch.randint(0, width, (n,), generator=generator),
        ]
    ).to(images.device)
    for order, down, right, flip, row, column in (part.unbind() for part in draws.tensor_split(n_batches, 1)):
        rows, columns = _mirrored(height, down), _mirrored(width, right)
        columns = torch.where(flip[:, None].bool(), columns.flip(1), columns)
        batch = images[order[:, None, None], rows[:, :, None], columns[:, None, :]]
        if recipe.cutout:
            hidden = _near(row, height, recipe.cutout)[:, :, None] & _near(column, width, recipe.cutout)[:, None, :]
            batch = batch.masked_fill(hidden[..., None], 128)
        yield batch.permute(0, 3, 1, 2), labels[order]


def _mirrored(size: int, offset: torch.Tensor) -> torch.Tensor:
    """Where each pixel of a shifted row comes from, (B, size): what would lie outside is mirrored at the edge."""
    position = (torch.arange(size, device=offset.device) + offset[:, None]) % (2 * size - 2)
    return size - 1 - (size - 1 - position).abs()


def _near(centre: torch.Tensor, size: int, side: int) -> torch.Tensor:
    """Which of `size` pixels lie in a stretch of `side` pixels around each centre: (B, size) bool."""
    distance = torch.arange(size, device=centre.device) - centre[:, None]
    return (distance >= -(side // 2)) & (distance < side - side // 2)


def _new_network(images: np.ndarray, n_classes: int, width: int, seed: int) -> Network:
    """A network with weights drawn from `seed`, that normalises by the mean and spread of its training images."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        model = Network(images.shape[1:], n_classes, width)
    channels = torch.tensor(images).flatten(0, 2).float()
    model.mean.copy_(channels.mean(0)[:, None, None])
    model.scale.copy_(1 / channels.std(0).clamp(min=1)[:, None, None])
    return model


def _mixed(device: torch.device, precision: str) -> AbstractContextManager:
    return nullcontext() if precision == "fp32" else torch.autocast(device.type, PRECISIONS[precision])


def _bar(total: int, description: str, delay: float = 0) -> tqdm:
    # To standard output: notebooks show standard error on a red ground.
    return tqdm(total=total, desc=description, unit="step", file=sys.stdout, leave=False, ascii=True, delay=delay)
