"""The network: a small residual convolutional network, sized by the images it is given."""

import math

import torch
from torch import nn


def _convolution(inputs: int, outputs: int, *between: nn.Module) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), *between, nn.BatchNorm2d(outputs), nn.GELU()
    )


class Stage(nn.Module):
    """Halve the image sides, widen the channels, then add what two more convolutions see."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        # Pooling comes before normalisation and activation, which then work on a quarter of the numbers.
        self.narrow = _convolution(inputs, outputs, nn.MaxPool2d(2))
        self.residual = nn.Sequential(_convolution(outputs, outputs), _convolution(outputs, outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.narrow(x)
        return x + self.residual(x)


class Network(nn.Module):
    """Turns images (N, C, H, W) uint8 into logits (N, n_classes).

    The sides are halved until about 4 pixels are left: one stage for 8x8, three for 28x28 and 32x32, five for 96x96.
    `features` gives what the last layer sees, (N, D).
    """

    def __init__(self, image_shape: tuple[int, int, int], n_classes: int, width: int = 64):
        super().__init__()
        height, image_width, channels = image_shape
        n_stages = max(1, round(math.log2(min(height, image_width) / 4)))
        widths = [width * min(2**stage, 4) for stage in range(n_stages)]
        self.register_buffer("mean", torch.zeros(channels, 1, 1))
        self.register_buffer("scale", torch.ones(channels, 1, 1))
        self.stages = nn.Sequential(*map(Stage, [channels, *widths[:-1]], widths))
        self.classifier = nn.Linear(widths[-1], n_classes)

    def features(self, images: torch.Tensor) -> torch.Tensor:
        return self.stages((images - self.mean) * self.scale).amax((2, 3))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(images))
