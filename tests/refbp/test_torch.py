"""Activations and AdamW against PyTorch, which differentiates and steps by its own programs; in float64."""

import numpy as np
import pytest

import refbp
from refbp.activations import ACTIVATIONS, HIDDEN_ACTIVATIONS

torch = pytest.importorskip("torch")

FUNCTIONS = {
    "identity": torch.nn.Identity(),
    "relu": torch.nn.ReLU(),
    "logistic": torch.nn.Sigmoid(),
    "tanh": torch.nn.Tanh(),
    "leaky_relu": torch.nn.LeakyReLU(),
    "elu": torch.nn.ELU(),
    "selu": torch.nn.SELU(),
    # with the threshold of 20 that is the default, up to 2e-9 is missing above it
    "softplus": torch.nn.Softplus(threshold=100),
    "gelu": torch.nn.GELU(),
    "silu": torch.nn.SiLU(),
    "mish": torch.nn.Mish(),
    "softmax": torch.nn.Softmax(dim=-1),
    "exp": torch.exp,
}
LOSSES = {
    "squared_error": lambda z, y: 0.5 * ((z - y) ** 2).sum() / len(y),
    "log_loss": lambda z, y: -(y * torch.log_softmax(z, dim=1)).sum() / len(y),
}


def tensors(arrays, requires_grad=False):
    return [torch.tensor(a, requires_grad=requires_grad) for a in arrays]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_value_and_gradient(name):
    z = np.concatenate([np.linspace(-30, 30, 241), [0.0, -0.0, 1e-12, -1e-12]]).reshape(49, 5)
    dh = np.random.default_rng(0).standard_normal(z.shape)
    (z_torch,) = tensors([z], requires_grad=True)
    h_torch = FUNCTIONS[name](z_torch)
    h_torch.backward(torch.tensor(dh))
    activation = ACTIVATIONS[name]
    h = activation.forward(z)
    np.testing.assert_allclose(h, h_torch.detach().numpy(), rtol=1e-12, atol=1e-14)
    dz = activation.backward(dh, activation.kept(z, h))
    np.testing.assert_allclose(dz, z_torch.grad.numpy(), rtol=1e-12, atol=1e-14)


@pytest.fixture
def check_adamw():
    def check(problem, activation, loss, **settings):
        weights, biases, x, y, keywords = problem
        tensor_weights, tensor_biases = tensors(weights, True), tensors(biases, True)
        tensor_x, tensor_y = tensors([x, y])
        comp = refbp.AdamW(0.02, **settings)
        ref = torch.optim.AdamW(
            [{"params": tensor_weights}, {"params": tensor_biases, "weight_decay": 0.0}],
            lr=0.02,
            betas=(settings.get("beta_1", 0.9), settings.get("beta_2", 0.999)),
            eps=settings.get("epsilon", 1e-8),
            weight_decay=settings.get("weight_decay", 0.01),
        )
        for _ in range(50):
            _, gradients = refbp.loss_and_gradient(weights, biases, x, y, **keywords)
            comp.step(weights + biases, gradients.dweights + gradients.dbiases)
            ref.zero_grad()
            z = tensor_x
            for i, (w, b) in enumerate(zip(tensor_weights, tensor_biases, strict=True)):
                z = (activation(z) if i else z) @ w + b
            penalty = keywords["weight_decay"] / 2 * sum((w**2).sum() for w in tensor_weights)
            (loss(z, tensor_y) + penalty).backward()
            ref.step()
        for a, b in zip(problem.params, tensor_weights + tensor_biases, strict=True):
            np.testing.assert_allclose(a, b.detach().numpy(), rtol=0, atol=1e-10)

    return check


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", HIDDEN_ACTIVATIONS)
def test_fifty_steps_of_adamw(name, loss, make_problem, check_adamw):
    """Weights decay and biases do not, in addition to an L2 penalty; each program computes its own gradients."""
    check_adamw(make_problem((4, 6, 5, 3), name, loss, "d2l", weight_decay=0.03), FUNCTIONS[name], LOSSES[loss])


@pytest.mark.parametrize(
    "settings",
    [{"weight_decay": 0.0}, {"beta_1": 0.5, "beta_2": 0.7, "epsilon": 0.1, "weight_decay": 2.0}, {"epsilon": 1.0}],
    ids=str,
)
def test_settings_of_adamw(settings, make_problem, check_adamw):
    problem = make_problem((4, 6, 5, 3), "tanh", "squared_error", "d2l", weight_decay=0.03)
    check_adamw(problem, torch.tanh, LOSSES["squared_error"], **settings)
