"""Muon, the optimiser of the convolutions."""

import torch
from torch import nn


class Muon(torch.optim.Optimizer):
    """Momentum, made orthogonal: each step turns a matrix by the same amount in all directions it can.

    Jordan 2024, https://kellerjordan.github.io/posts/muon, with three Newton-Schulz steps. torch.optim.Muon computes
    these in bf16, which most processors emulate: a third of the training time went into it.
    """

    def __init__(self, matrices: list[nn.Parameter], learning_rate: float, momentum: float = 0.6):
        super().__init__(matrices, {"lr": learning_rate, "momentum": momentum})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            for matrix in group["params"]:
                state = self.state[matrix]
                mean = state.setdefault("mean", torch.zeros_like(matrix)).lerp_(matrix.grad, 1 - group["momentum"])
                direction = orthogonal(matrix.grad.lerp(mean, group["momentum"]))
                tall = max(1, len(matrix) / matrix.shape[1]) ** 0.5
                matrix.sub_(direction, alpha=group["lr"] * tall)


def orthogonal(matrix: torch.Tensor) -> torch.Tensor:
    """Return a matrix of the same singular vectors, its singular values drawn towards 1: most end between 0.7 and 1.2.

    Three steps of Newton and Schulz, an odd polynomial of the matrix, with the coefficients of Jordan 2024.
    """
    if len(matrix) > matrix.shape[1]:
        return orthogonal(matrix.T).T
    matrix = matrix / matrix.norm().clamp(min=1e-7)
    for _ in range(3):
        square = matrix @ matrix.T
        matrix = 3.4445 * matrix + (2.0315 * square @ square - 4.7750 * square) @ matrix
    return matrix
