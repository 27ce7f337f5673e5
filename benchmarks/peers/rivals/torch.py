"""PyTorch, eager: `Adam(fused=True)`, data as tensors, rows by `index_select` (the fastest of three ways tried)."""

import numpy as np
import torch

from benchmarks.common import Problem
from benchmarks.peers import rivals


def start(threads: int, dtype: str) -> str:
    """Set the number of threads; returns the version."""
    torch.set_num_threads(threads)
    return torch.__version__


def _linear(w: np.ndarray, b: np.ndarray) -> torch.nn.Linear:
    """Return a layer with these parameters."""
    weight = torch.from_numpy(w.T.copy())
    layer = torch.nn.Linear(*w.shape, dtype=weight.dtype)
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(torch.from_numpy(b))
    return layer


class Trainer(rivals.Trainer):
    """A Sequential of Linear and ReLU."""

    def __init__(self, problem: Problem, batch: int, alpha: float) -> None:
        self._linears = [_linear(w, b) for w, b in zip(problem.weights, problem.biases, strict=True)]
        layers = [layer for linear in self._linears for layer in (linear, torch.nn.ReLU())]
        self._network = torch.nn.Sequential(*layers[:-1])
        self._optimizer = torch.optim.Adam(
            [
                {"params": [layer.weight for layer in self._linears], "weight_decay": alpha / batch},
                {"params": [layer.bias for layer in self._linears]},
            ],
            lr=rivals.LEARNING_RATE,
            betas=(rivals.BETA_1, rivals.BETA_2),
            eps=rivals.EPSILON,
            fused=True,
        )
        self._x = torch.from_numpy(problem.x)
        self._classes = torch.from_numpy(problem.y.argmax(axis=1))
        self._minibatches = torch.from_numpy(problem.order).split(batch)

    def train(self) -> float:
        losses = []
        for rows in self._minibatches:
            self._optimizer.zero_grad()
            output = self._network(self._x.index_select(0, rows))
            loss = torch.nn.functional.cross_entropy(output, self._classes.index_select(0, rows))
            loss.backward()
            self._optimizer.step()
            losses.append(loss.detach())
        return torch.stack(losses).mean().item()

    def parameters(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        weights = [layer.weight.detach().numpy().T for layer in self._linears]
        return weights, [layer.bias.detach().numpy() for layer in self._linears]
