"""A small, wide network for images, sized by them, one for features, and Muon, the optimiser of convolutions."""

import math
from itertools import accumulate, pairwise

import torch
from torch import nn
from torch.nn import functional


class Convolution(nn.Module):
    """Three by three pixels, normalised over the batch, then GELU: (N, inputs, H, W) to (N, outputs, H, W).

    The weights are kept as a matrix (outputs, 9 * inputs), for Muon, the optimiser, works on matrices.
    """

    def __init__(self, inputs: int, outputs: int, pool: bool = False):
        super().__init__()
        self.inputs = inputs
        self.weight = nn.Parameter(torch.randn(outputs, 9 * inputs))
        # Pooling comes before normalisation and activation, which then work on a quarter of the numbers.
        self.pool = nn.MaxPool2d(2) if pool else nn.Identity()
        self.normalise = nn.BatchNorm2d(outputs)
        self.normalise.weight.requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = self.weight.view(-1, 3, 3, self.inputs).permute(0, 3, 1, 2)
        return functional.gelu(self.normalise(self.pool(functional.conv2d(x, weight, padding=1))))


class Model(nn.Module):
    """What a network of images and one of features have in common: a last layer, on what `features` gives, (N, D)."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(images))

    def convolutions(self) -> list[nn.Parameter]:
        """The weights of all convolutions that learn, each a matrix."""
        return [module.weight for module in self.modules() if isinstance(module, Convolution)]


class Network(Model):
    """Turns images (N, C, H, W), uint8 or real numbers of 0 to 255, into logits (N, n_classes).

    A fixed first layer makes the colours of neighbouring pixels uncorrelated (`whiten`). Then the sides are halved
    until the shorter has 2 to 5 pixels: one stage for 8x8, three for 28x28 and 32x32, five for 96x96.
    """

    def __init__(self, image_shape: tuple[int, int, int], n_classes: int, width: int = 64):
        super().__init__()
        self.width, self.precision = width, ""  # that of its device
        height, image_width, channels = image_shape
        n_stages = max(1, round(math.log2(min(height, image_width) / 4)))
        widths = [width * min(2**stage, 4) for stage in range(n_stages)]
        self.register_buffer("mean", torch.zeros(channels, 1, 1))
        self.register_buffer("scale", torch.ones(channels, 1, 1))
        self.register_buffer("whitening", torch.zeros(8 * channels, channels, 2, 2))
        self.bias = nn.Parameter(torch.zeros(8 * channels))
        # Each stage halves the sides and widens the channels, then looks once more.
        steps = pairwise([8 * channels, *widths])
        self.stages = nn.Sequential(*(nn.Sequential(Convolution(a, b, pool=True), Convolution(b, b)) for a, b in steps))
        self.classifier = nn.Linear(widths[-1], n_classes, bias=False)
        rescale(self.convolutions())

    def features(self, images: torch.Tensor) -> torch.Tensor:
        return self.maps(images)[-1].amax((2, 3))

    def maps(self, images: torch.Tensor) -> list[torch.Tensor]:
        """What the fixed layer and each stage give, (N, channels, height, width) each."""
        x = functional.conv2d((images - self.mean) * self.scale, self.whitening, self.bias)
        return [*accumulate(self.stages, lambda seen, stage: stage(seen), initial=functional.gelu(x))]

    @torch.no_grad()
    def whiten(self, images: torch.Tensor) -> None:
        """Set the first layer from images (N, C, H, W): standardised channels, then patches of 2x2 pixels whitened.

        Filters are principal components, each divided by its spread, once with either sign (Page 2019; Jordan 2024).
        """
        self.mean.copy_(images.float().mean((0, 2, 3))[:, None, None])
        # Images of one colour have no spread to divide by.
        self.scale.copy_(1 / images.float().std((0, 2, 3)).clamp(min=1)[:, None, None])
        patches = functional.unfold((images - self.mean) * self.scale, 2).transpose(1, 2).flatten(0, 1).double()
        variances, components = torch.linalg.eigh(patches.T @ patches / len(patches))
        filters = (components / (variances + 5e-4).sqrt()).T.unflatten(1, (-1, 2, 2))
        self.whitening.copy_(torch.cat([filters, -filters]))


class Perceptron(Model):
    """Turns features (N, D) of images, made by another model, into logits (N, n_classes).

    Each feature is standardised; then come `width` hidden units, normalised over each image, and GELU.
    """

    def __init__(self, n_features: int, n_classes: int, width: int = 64):
        super().__init__()
        self.width, self.precision = width, ""
        self.register_buffer("mean", torch.zeros(n_features))
        self.register_buffer("scale", torch.ones(n_features))
        self.stages = nn.Sequential(nn.Linear(n_features, width), nn.LayerNorm(width), nn.GELU())
        self.classifier = nn.Linear(width, n_classes, bias=False)

    def features(self, given: torch.Tensor) -> torch.Tensor:
        return self.stages((given - self.mean) * self.scale)

    @torch.no_grad()
    def whiten(self, given: torch.Tensor) -> None:
        """Standardise what is given, (N, D); a feature that is always the same has no spread to divide by."""
        self.mean.copy_(given.mean(0))
        self.scale.copy_(given.std(0).reciprocal().nan_to_num(posinf=0))


def model_for(shape: tuple[int, ...], n_classes: int, width: int) -> Model:
    """A model for images of shape (H, W, C), or for features of shape (D,)."""
    return Network(shape, n_classes, width) if len(shape) == 3 else Perceptron(*shape, n_classes, width)


@torch.no_grad()
def rescale(matrices: list[nn.Parameter]) -> None:
    """Give the weights of convolutions (outputs, inputs) the norm sqrt(outputs), as if their rows had length 1.

    Batch normalisation undoes any scale; a constant one gives a step of the optimiser the same meaning throughout.
    """
    for matrix in matrices:
        matrix.mul_(len(matrix) ** 0.5 / torch.linalg.vector_norm(matrix))


class Muon:
    """Momentum, of matrices made orthogonal: each step turns a matrix by the same amount in all directions it can.

    Jordan 2024, https://kellerjordan.github.io/posts/muon, with three Newton-Schulz steps. The few other weights take
    plain steps by Nesterov's momentum, at half the rate. torch.optim.Muon computes in bf16, which most processors
    emulate: a third of the training time went into it. And any optimiser of torch imports torch's compiler when it is
    first used, which takes seconds: longer than a small network does to learn.
    """

    def __init__(self, matrices: list[nn.Parameter], others: list[nn.Parameter]):
        self.matrices, self.others = ([(w, torch.zeros_like(w)) for w in weights] for weights in (matrices, others))

    @torch.no_grad()
    def step(self, rate: float, loss_scale: float = 1) -> None:
        """Change the weights by their gradients, which are those of the loss times `loss_scale`, and forget these."""
        for matrix, mean in self.matrices:
            mean.lerp_(matrix.grad, 0.4)
            direction = orthogonal(matrix.grad.lerp(mean, 0.6))
            tall = max(1, len(matrix) / matrix.shape[1]) ** 0.5
            matrix.sub_(direction, alpha=rate * tall)  # of a gradient, only its direction counts
            matrix.grad = None
        for weight, momentum in self.others:
            momentum.mul_(0.85).add_(weight.grad)
            weight.sub_(weight.grad.add(momentum, alpha=0.85), alpha=rate / 2 / loss_scale)
            weight.grad = None


def orthogonal(matrix: torch.Tensor) -> torch.Tensor:
    """Return a matrix of the same singular vectors, its singular values drawn towards 1: most end between 0.7 and 1.2.

    Three steps of Newton and Schulz, an odd polynomial of the matrix, with the coefficients of Jordan 2024.
    """
    if len(matrix) > matrix.shape[1]:
        return orthogonal(matrix.T).T
    matrix = matrix / torch.linalg.vector_norm(matrix).clamp(min=1e-7)
    for _ in range(3):
        square = matrix @ matrix.T
        matrix = 3.4445 * matrix + (2.0315 * square @ square - 4.7750 * square) @ matrix
    return matrix
