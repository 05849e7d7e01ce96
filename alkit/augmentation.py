"""Random changes of the training images, on the device and a whole batch at once."""

from collections.abc import Iterator

import torch

from alkit.recipe import Recipe


def augmented_batches(
    images: torch.Tensor, labels: torch.Tensor, n_batches: int, recipe: Recipe, generator: torch.Generator
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield an epoch of images (N, H, W, C) uint8 in random order: batches (B, C, H, W), changed, and labels (B,).

    They are uint8, or float32 of 0 to 255 where the recipe changes colours; of features (N, D), a part may be taken
    from another image of the batch, as in VIME (Yoon et al. 2020) and SCARF (Bahri et al. 2022). The random numbers
    come from the CPU, so that they are the same on every device, and travel once an epoch.
    """
    n, height, width, _ = images.shape if images.ndim == 4 else (*images.shape, 1, 1)
    ranges = (-recipe.shift, recipe.shift + 1), (-recipe.shift, recipe.shift + 1), (0, 2), (0, height), (0, width)
    order = torch.randperm(n, generator=generator)
    draws = torch.stack([order, *(torch.randint(*each, (n,), generator=generator) for each in ranges)])
    colours = recipe.colour * (2 * torch.rand(3, n, generator=generator) - 1)
    draws, colours = send(draws, images.device), send(colours, images.device)
    batches = zip(draws.tensor_split(n_batches, 1), colours.tensor_split(n_batches, 1), strict=True)
    for (order, down, right, flip, row, column), colour in batches:
        if images.ndim == 2:
            batch = images[order]
            if recipe.swap:
                taken = send(torch.rand(batch.shape, generator=generator) < recipe.swap, images.device)
                batch = torch.where(taken, batch.roll(1, 0), batch)
            yield batch, labels[order]
            continue
        rows, columns = _mirrored(height, down), _mirrored(width, right)
        columns = torch.where(flip[:, None].bool() & recipe.flip, columns.flip(1), columns)
        batch = images[order[:, None, None], rows[:, :, None], columns[:, None, :]]
        if recipe.colour:
            batch = _recoloured(batch.float(), colour[..., None, None, None])
        if recipe.cutout:
            hidden = _near(row, height, recipe.cutout)[:, :, None] & _near(column, width, recipe.cutout)[:, None, :]
            batch = batch.masked_fill(hidden[..., None], 128)
        yield batch.permute(0, 3, 1, 2), labels[order]


def _recoloured(images: torch.Tensor, changes: torch.Tensor) -> torch.Tensor:
    """Images (B, H, W, C) float32 with changes (3, B, 1, 1, 1) of -1 to 1; 0 changes nothing.

    Saturation moves each pixel from its grey, at twice the strength: half of it makes an image grey or doubles its
    colours. Contrast moves it from the mean of its image; brightness adds up to 128.
    """
    brightness, contrast, saturation = changes
    grey, mean = images.mean(3, keepdim=True), images.mean((1, 2, 3), keepdim=True)
    images = grey + (1 + 2 * saturation) * (images - grey)
    return (mean + (1 + contrast) * (images - mean) + 128 * brightness).clamp(0, 255)


def _mirrored(size: int, offset: torch.Tensor) -> torch.Tensor:
    """Where each pixel of a shifted row comes from, (B, size): what would lie outside is mirrored at the edge."""
    position = (torch.arange(size, device=offset.device) + offset[:, None]) % (2 * size - 2)
    return size - 1 - (size - 1 - position).abs()


def _near(centre: torch.Tensor, size: int, side: int) -> torch.Tensor:
    """Which of `size` pixels lie in a stretch of `side` pixels around each centre: (B, size) bool."""
    distance = torch.arange(size, device=centre.device) - centre[:, None]
    return (distance >= -(side // 2)) & (distance < side - side // 2)


def send(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """The tensor on a device; from pinned memory, so that the processor need not wait for the copy."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)
