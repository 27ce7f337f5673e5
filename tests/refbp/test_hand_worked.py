"""Examples worked out by hand, number by number."""

import numpy as np
import pytest

import refbp

pytestmark = pytest.mark.smoke


def sigma(z):
    return 1 / (1 + np.exp(-z))


def test_one_step_of_a_logistic_network():
    """The network of scikit-learn's own `test_fit`: 3-2-1, one row, target 0, alpha and learning rate 0.1."""
    weights = [np.array([[0.1, 0.2], [0.3, 0.1], [0.5, 0.0]]), np.array([[0.1], [0.2]])]
    biases = [np.array([0.1, 0.1]), np.array([1.0])]
    x, y = np.array([[0.6, 0.8, 0.7]]), np.array([[0.0]])

    h1 = sigma(0.6 * 0.1 + 0.8 * 0.3 + 0.7 * 0.5 + 0.1)  # 0.6792
    h2 = sigma(0.6 * 0.2 + 0.8 * 0.1 + 0.1)  # 0.5744
    o = sigma(h1 * 0.1 + h2 * 0.2 + 1)  # 0.7654
    d1, d2 = (1 - h1) * h1 * o * 0.1, (1 - h2) * h2 * o * 0.2  # 0.01668, 0.03742
    dw1 = [
        [0.6 * d1 + 0.1 * 0.1, 0.6 * d2 + 0.1 * 0.2],
        [0.8 * d1 + 0.1 * 0.3, 0.8 * d2 + 0.1 * 0.1],
        [0.7 * d1 + 0.1 * 0.5, 0.7 * d2],
    ]
    dw2 = [[h1 * o + 0.1 * 0.1], [h2 * o + 0.1 * 0.2]]
    np.testing.assert_allclose([h1, h2, o], [0.67918, 0.57444, 0.76545], atol=1e-5)

    loss, gradients = refbp.loss_and_gradient(
        weights, biases, x, y, activation="logistic", loss="binary_log_loss", weight_decay=0.1
    )
    sum_of_squares = 0.01 + 0.04 + 0.09 + 0.01 + 0.25 + 0.01 + 0.04
    assert loss == pytest.approx(-np.log(1 - o) + 0.1 / 2 * sum_of_squares)
    for comp, ref in zip(gradients.dweights + gradients.dbiases, [dw1, dw2, [d1, d2], [o]], strict=True):
        np.testing.assert_allclose(comp, ref, rtol=1e-14)

    refbp.SGD(0.1, momentum=0).step(weights + biases, gradients.dweights + gradients.dbiases)
    np.testing.assert_allclose(weights[0][0], [0.098, 0.19575], atol=1e-5)
    np.testing.assert_allclose(weights[1], [[0.0470], [0.15403]], atol=1e-4)
    np.testing.assert_allclose(biases[0], [0.09833, 0.09626], atol=1e-5)
    np.testing.assert_allclose(biases[1], [0.9235], atol=1e-4)


def test_two_rows_two_relu_units_two_outputs_by_hand():
    r"""Integers all the way: X = [[1, 2], [3, -1]], W1 = [[1, -1], [2, 1]], W2 = [[1, 0], [2, -1]], Y = 0.

    Z1 = [[5, 1], [1, -4]], H = [[5, 1], [1, 0]], O = H W2 = [[7, -1], [1, 0]] = Delta2;
    Delta2 W2^T = [[7, 15], [1, 2]], the last entry is off: Delta1 = [[7, 15], [1, 0]].
    """
    weights = [np.array([[1.0, -1.0], [2.0, 1.0]]), np.array([[1.0, 0.0], [2.0, -1.0]])]
    biases = [np.zeros(2), np.zeros(2)]
    x, y = np.array([[1.0, 2.0], [3.0, -1.0]]), np.zeros((2, 2))
    value, g = refbp.loss_and_gradient(weights, biases, x, y, activation="relu", loss="squared_error")
    assert value == (49 + 1 + 1) / 8  # halved, mean over two rows and two outputs
    np.testing.assert_array_equal(g.deltas[1], [[7, -1], [1, 0]])
    np.testing.assert_array_equal(g.deltas[0], [[7, 15], [1, 0]])
    np.testing.assert_array_equal(g.dweights[1], np.array([[36, -5], [7, -1]]) / 2)
    np.testing.assert_array_equal(g.dweights[0], np.array([[10, 15], [13, 30]]) / 2)
    np.testing.assert_array_equal(g.dbiases[1], [4, -0.5])
    np.testing.assert_array_equal(g.dbiases[0], [4, 7.5])

    # weights 3 and 1: S = 4, the first row counts three times
    _, g = refbp.loss_and_gradient(
        *(weights, biases, x, y),
        activation="relu",
        loss="squared_error",
        sample_weight=np.array([3.0, 1.0]),
        weight_decay=2.0,
    )
    np.testing.assert_array_equal(g.deltas[1], [[21, -3], [1, 0]])
    np.testing.assert_array_equal(g.dweights[1], (np.array([[106, -15], [21, -3]]) + 2 * weights[1]) / 4)


def test_cross_entropy_of_even_odds_by_hand():
    """Zero weights: all classes have probability 1/3, the residual is 1/3 off target and -2/3 on."""
    value, g = refbp.loss_and_gradient(
        *([np.zeros((1, 3))], [np.zeros(3)], np.array([[2.0]]), np.array([[0.0, 1.0, 0.0]])),
        activation="relu",
        loss="log_loss",
    )
    assert value == pytest.approx(np.log(3))
    np.testing.assert_allclose(g.dweights[0], [[2 / 3, -4 / 3, 2 / 3]])
    np.testing.assert_allclose(g.dbiases[0], [1 / 3, -2 / 3, 1 / 3])
