"""Train a network on labelled images, then predict class probabilities for others."""

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import joblib
import numpy as np
import torch
from torch.nn import functional
from tqdm import tqdm

from alkit.augmentation import augmented_batches, send
from alkit.data import Images
from alkit.network import Model, Muon, Network, model_for, rescale
from alkit.recipe import Recipe

PRECISIONS = {"bf16": torch.bfloat16, "fp16": torch.float16}
KINDS = {4: np.uint8, 2: np.float32}  # of images (N, H, W, C), and of features (N, D)
SMALL = 1e8  # below this many weights times pixels a step, threads wait for each other longer than they work


def choose_device(name: str = "auto") -> torch.device:
    """The named device; "auto" is the first present of cuda, mps and cpu. Raises ValueError for one not present."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        torch.zeros(1, device=name).item()  # read back from there, it proves that the device is present and computes
    except (RuntimeError, AssertionError, ImportError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f'device is {name!r} ({reason}); give "auto", "cpu", "cuda" or "mps".') from error
    return torch.device(name)


def choose_precision(device: torch.device) -> str:
    """Return the fastest safe precision of a device: "bf16" or "fp16" where its hardware has it, otherwise "fp32"."""
    if device.type == "cuda":
        return "bf16" if torch.cuda.get_device_capability(device) >= (8, 0) else "fp16"
    # Without these instructions a processor emulates bf16, many times slower than fp32.
    has = torch.cpu.get_capabilities() if device.type == "cpu" and hasattr(torch.cpu, "get_capabilities") else {}
    return "bf16" if has.get("avx512_bf16") or has.get("amx_bf16") else "fp32"


def fit(
    part: Images, recipe: Recipe, seed: int = 0, device: str | torch.device = "auto", *,
    n_classes: int | None = None, precision: str | None = None, weights: dict | None = None, progress: str = "fit",
) -> Model:  # fmt: skip
    """Train a new network on images (N, H, W, C) uint8, or their features, with labels (N,) int in 0..n_classes-1.

    The images stay on the device as uint8 and are augmented there; nothing waits for the device before an epoch ends.
    Convolutions learn by Muon, all else by Nesterov's momentum; the rate rises for a fifth of the steps, then falls to
    0. Same seed, model of processor or GPU, precision, number of threads and versions: the same network to the bit.
    `n_classes` is the largest label + 1 unless given; `precision` that of `choose_precision`, in which the network will
    predict too; `weights` are `weights_of` a network to go on from, all but its last layer; `progress` the text before
    the bar. Raises ValueError for images, labels and weights that do not belong together, and an unknown precision.
    """
    images, labels = part.inputs, part.labels
    if images.dtype != KINDS.get(images.ndim) or len(images) != len(labels) or len(images) < 2:
        problem = f"images or features are {images.dtype} of shape {images.shape} with {len(labels)} labels"
        raise ValueError(f"{problem}; give uint8 (N, H, W, C) or float32 (N, D), two or more, and as many labels.")
    n_classes = n_classes or int(labels.max()) + 1
    if labels.min() < 0 or labels.max() >= n_classes:
        raise ValueError(f"labels are {labels.min()} to {labels.max()}; give 0 to {n_classes - 1}.")
    device = choose_device(device) if isinstance(device, str) else device
    precision, generator = precision or choose_precision(device), torch.Generator().manual_seed(seed)
    mixed = mixed_precision(device, precision)
    n_steps = recipe.epochs * (n_batches := -(-len(images) // recipe.batch_size))
    work = min(recipe.batch_size, len(images)) * work_of_one(images, recipe.width)
    bar = progress_bar(n_steps, progress)
    with threads_for(work), bar, torch.backends.cudnn.flags(enabled=True, deterministic=True):
        model = new_network(images, n_classes, recipe.width, seed, weights)
        model = model.to(device, memory_format=torch.channels_last)
        model.precision, model.n_threads = precision, torch.get_num_threads()
        images, labels = send(torch.tensor(images), device), send(torch.tensor(labels, dtype=torch.int64), device)
        loss_scale = 1024 if precision == "fp16" else 1  # or small gradients would vanish
        matrices = model.convolutions()
        others = [w for w in model.parameters() if w.requires_grad and not any(w is matrix for matrix in matrices)]
        optimizer, given = Muon(matrices, others), (images, labels, n_batches, recipe, generator)
        batches = (batch for _ in range(recipe.epochs) for batch in augmented_batches(*given))
        for step, (batch, targets) in enumerate(batches):
            with mixed:
                loss = functional.cross_entropy(model(batch), targets, label_smoothing=recipe.label_smoothing)
            (loss_scale * loss).backward()
            rate = min((step + 1) / (0.2 * n_steps + 1), (1 - step / n_steps) / 0.8)
            optimizer.step(recipe.learning_rate * rate, loss_scale)
            rescale(matrices)
            bar.update()
    return model.eval()


def predict_proba(model: Model, images: np.ndarray, *, flip: bool = False, shift: int = 0) -> np.ndarray:
    """Return class probabilities (N, n_classes) float32, rows that sum to 1, of images (N, H, W, C) or features (N, D).

    The logits of several views of an image are averaged: with `flip` of its mirror image too, with `shift` above 0 also
    (at half the weight together) of images moved that many pixels up and left, and down and right.
    One batch of images is on the model's device at a time, so the array may be a memory map larger than memory.
    Raises ValueError for images unlike those it was trained on, and FloatingPointError if the model gives no numbers.
    """
    # The last layer in fp32: rounded logits would tie, and samplers look at small differences.
    probabilities = _predict(model, images, lambda seen: model.classifier(seen).softmax(1), flip, shift)
    if not np.isfinite(probabilities).all():
        raise FloatingPointError("The network predicts NaN: its training diverged; lower recipe.learning_rate.")
    return probabilities


def predict_features(model: Model, images: np.ndarray, look: Callable | None = None, flip: bool = False) -> np.ndarray:
    """Return what the last layer sees of images (N, H, W, C) uint8, or of features (N, D), as they are, (N, D) float32.

    look: what gives (B, D) of a batch (B, C, H, W) instead. With `flip`, the mean over an image and its mirror image.
    Raises ValueError for images that are not as those the model was trained on.
    """
    return _predict(model, images, lambda features: features, flip, look=look)


def weights_of(model: Model) -> dict[str, np.ndarray]:
    """The weights of a network as arrays, by names that begin with "weights."."""
    return {f"weights.{name}": value.cpu().numpy() for name, value in model.state_dict().items()}


def network_of(arrays: dict[str, np.ndarray], images: np.ndarray, n_classes: int, width: int, device: str) -> Model:
    """The network of these `weights_of`, for images (N, H, W, C) or features (N, D), in the precision of its device.

    Raises ValueError where there are none, as in published runs.
    """
    weights = {name[8:]: torch.tensor(value) for name, value in arrays.items() if name.startswith("weights.")}
    if not weights:
        raise ValueError("This run was published without its network: of features it has those of the pool at most.")
    model = model_for(images.shape[1:], n_classes, width)
    model.load_state_dict(weights)
    return model.to(choose_device(device), memory_format=torch.channels_last).eval()


def _predict(model: Model, images: np.ndarray, output: Callable, flip=False, shift=0, look=None) -> np.ndarray:
    n_axes = 4 if isinstance(model, Network) else 2
    if (images.ndim, images.dtype, images.shape[-1]) != (n_axes, KINDS[n_axes], len(model.mean)):
        needed = "uint8 (N, H, W, C)" if n_axes == 4 else "float32 (N, D)"
        problem = f"images or features are {images.dtype} of shape {images.shape}"
        raise ValueError(f"{problem}; this model takes {needed}, the last axis of {len(model.mean)}.")
    device, n_pixels, outputs = model.classifier.weight.device, math.prod(images.shape[1:3]), []
    mixed = mixed_precision(device, model.precision or choose_precision(device))
    # What a processor's caches hold, 125 images of 32x32, goes a fifth faster than 500; a GPU wants many at a time.
    batch_size = max(1, 128_000 // n_pixels) if device.type == "cpu" else 500
    # Images as small as digits are predicted as they are trained, by one thread.
    bar, look = progress_bar(-(-len(images) // batch_size), "predict", 2), look or model.features
    with threads_for(50 * work_of_one(images, model.width)), torch.inference_mode(), bar:
        for start in range(0, max(1, len(images)), batch_size):
            batch = send(torch.tensor(images[start : start + batch_size]), device)
            with mixed:
                # The last layer is linear: the mean of the features gives the mean of the logits.
                features = sum(weight * look(view).float() for weight, view in _views(batch, flip, shift))
            outputs.append(output(features))
            bar.update()
        return torch.cat(outputs).cpu().numpy()


def _views(batch: torch.Tensor, flip: bool, shift: int) -> list[tuple[float, torch.Tensor]]:
    """Views (B, C, H, W) of a batch (B, H, W, C) with weights that add up to 1; features (B, D) have only one."""
    if batch.ndim == 2:
        return [(1.0, batch)]
    batch = batch.permute(0, 3, 1, 2)
    views = [(1.0, batch)]
    if shift:
        height, width = batch.shape[2:]
        padded = functional.pad(batch.float(), (shift,) * 4, "replicate")
        moved = [padded[:, :, place : place + height, place : place + width] for place in (0, 2 * shift)]
        views = [(0.5, batch), *((0.25, view) for view in moved)]
    return [(weight / 2, each) for weight, view in views for each in (view, view.flip(3))] if flip else views


def new_network(images: np.ndarray, n_classes: int, width: int, seed: int, weights: dict | None = None) -> Model:
    """A network with weights drawn from `seed`; its first layer is set from some images, up to 2,000 of 32x32.

    weights: `weights_of` another, that it gets in all but its last layer; raises ValueError where they do not fit.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        model = model_for(images.shape[1:], n_classes, width)
    some = torch.tensor(images[:: max(-(-len(images) // 2000), -(-images.size // (2000 * 32 * 32 * 3)))])
    model.whiten(some.permute(0, 3, 1, 2) if some.ndim == 4 else some)
    if not weights:
        return model
    own = {name: value.numpy() for name, value in model.state_dict().items()}
    given = {name[8:]: value for name, value in weights.items()} | {"classifier.weight": own["classifier.weight"]}
    right = {name: each.shape for name, each in given.items()} == {name: each.shape for name, each in own.items()}
    if not right or not all(each.dtype.kind in "fi" and np.isfinite(each).all() for each in given.values()):
        problem = f"weights are not those of a network of width {width} for what this one learns from"
        raise ValueError(f"{problem}; give a file that `alkit features` wrote of such images, with this width.")
    model.load_state_dict({name: torch.tensor(value) for name, value in given.items()})
    return model


def mixed_precision(device: torch.device, precision: str) -> AbstractContextManager:
    """Compute in bf16 or fp16 what loses nothing by it; with "fp32", all as it is. Raises ValueError for another."""
    if precision not in ("fp32", *PRECISIONS):
        raise ValueError(f"precision is {precision!r}; give fp32, {' or '.join(PRECISIONS)}.")
    return torch.autocast(device.type, PRECISIONS[precision]) if precision in PRECISIONS else nullcontext()


def work_of_one(inputs: np.ndarray, width: int) -> int:
    """About what an image (N, H, W, C), or a row of features (N, D), costs: weights of a layer, times pixels."""
    return math.prod(inputs.shape[1:3]) * width ** (inputs.ndim // 2)


@contextmanager
def threads_for(work: float) -> Iterator[None]:
    """Compute with one thread where a step is small, otherwise with those torch has, but no more than the cores that
    this process may use, by its affinity and its container's quota."""
    before = torch.get_num_threads()
    torch.set_num_threads(1 if work < SMALL else min(before, joblib.cpu_count()))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def progress_bar(total: int, text: str, delay: float = 0, unit: str = "step", **options) -> tqdm:
    """A bar that leaves nothing behind, shown after `delay` seconds; `options` as tqdm has them."""
    # To standard output: notebooks show standard error on a red ground.
    return tqdm(total=total, desc=text, unit=unit, delay=delay, file=sys.stdout, leave=False, ascii=True, **options)
