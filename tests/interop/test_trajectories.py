"""Fifty steps of training compared with PyTorch in float64: every hidden activation, and AdamW."""

from itertools import pairwise

import numpy as np
import pytest

from fastbp import MLP, SGD, AdamW
from fastbp.kernels.functions.activations import ACTIVATIONS, HIDDEN

torch = pytest.importorskip("torch")
nn = torch.nn

STEPS = 50
SIZES = (5, 24, 13, 2)


def torch_twin(net):
    """Return a module with the weights of a network."""
    layers = []
    for w, b in zip(net.weights, net.biases, strict=True):
        linear = nn.Linear(*w.shape, dtype=torch.float64)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(w.T))
            linear.bias.copy_(torch.from_numpy(b))
        layers += [linear, getattr(nn, ACTIVATIONS[net.activation].torch)()]
    return nn.Sequential(*layers[:-1])


def trajectories(activation, optimizer, make_theirs):
    """Train both for the same steps, comparing the weights after each; returns how far the weights have moved."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((40, SIZES[0])), rng.standard_normal((40, SIZES[-1]))
    net = MLP(SIZES, activation=activation, dtype="float64", seed=0)
    module = torch_twin(net)
    theirs = make_theirs(
        [p for p in module.parameters() if p.ndim == 2], [p for p in module.parameters() if p.ndim == 1]
    )
    start = [w.copy() for w in net.weights]
    inputs, targets = torch.from_numpy(x), torch.from_numpy(y)
    for step in range(STEPS):
        net.partial_fit(x, y, batch_size=40, shuffle=False, optimizer=None if step else optimizer)
        theirs.zero_grad()
        (0.5 * (module(inputs) - targets).square().sum() / len(x)).backward()
        theirs.step()
        linears = [layer for layer in module if isinstance(layer, nn.Linear)]
        for w, b, linear in zip(net.weights, net.biases, linears, strict=True):
            np.testing.assert_allclose(w, linear.weight.detach().numpy().T, rtol=0, atol=1e-10)
            np.testing.assert_allclose(b, linear.bias.detach().numpy(), rtol=0, atol=1e-10)
    assert len(start) == len(list(pairwise(SIZES)))
    return min(np.abs(w - old).max() for w, old in zip(net.weights, start, strict=True))


@pytest.mark.parametrize("activation", HIDDEN)
def test_activations(activation):
    moved = trajectories(
        activation,
        SGD(0.1, momentum=0.0, nesterov=False),
        lambda weights, biases: torch.optim.SGD([*weights, *biases], lr=0.1),
    )
    assert moved > 0.01


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
@pytest.mark.parametrize("activation", ["tanh", "gelu"])
def test_adamw(activation, weight_decay):
    moved = trajectories(
        activation,
        AdamW(0.01, beta_1=0.85, beta_2=0.97, epsilon=1e-6, weight_decay=weight_decay),
        lambda weights, biases: torch.optim.AdamW(
            [{"params": weights, "weight_decay": weight_decay}, {"params": biases, "weight_decay": 0.0}],
            lr=0.01,
            betas=(0.85, 0.97),
            eps=1e-6,
        ),
    )
    assert moved > 0.1
