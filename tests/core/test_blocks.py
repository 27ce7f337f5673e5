"""Training on samples that are made a block of rows at a time."""

import numpy as np
import pytest

from fastbp import MLP, Adam, Stopping
from fastbp.network import samples
from fastbp.network.samples import RowSource


class Rows(RowSource):
    """A matrix that hides behind its blocks, and counts their rows."""

    def __init__(self, x):
        self._x, self.shape, self.sizes = x, x.shape, []

    def rows(self, numbers):
        self.sizes.append(len(numbers))
        return self._x[numbers]


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of 48 rows of 5 inputs, if minibatches have 16."""
    monkeypatch.setattr(samples, "_BYTES_OF_A_BLOCK", 50 * 5 * 8)


def make_data(n):
    rng = np.random.default_rng(5)
    x = rng.standard_normal((n, 5))
    return x, np.argmax(x[:, :3] + 0.1 * rng.standard_normal((n, 3)), axis=1)


@pytest.mark.parametrize("n", [1, 15, 16, 17, 48, 49, 63, 64, 65, 96, 97, 111, 112, 200])
@pytest.mark.parametrize("batch", [1, 16, 47, 300])
def test_ranges_cover_the_rows_and_hold_whole_minibatches(n, batch, small_blocks):
    ranges = list(Rows(np.empty((n, 5))).blocks(batch))
    assert [number for part in ranges for number in range(n)[part]] == list(range(n))
    sizes = [part.stop - part.start for part in ranges]
    assert all(size % batch == 0 for size in sizes[:-1])
    assert sizes[-1] >= min(batch, n)
    assert max(sizes) <= max(50, batch) + batch


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [7, 48, 63, 101, 131])
def test_the_bits_are_those_of_one_matrix(n, dtype, small_blocks):
    x, y = make_data(n)
    weight = np.random.default_rng(1).random(n)

    def train(form):
        net = MLP((5, 9, 3), loss="log_loss", dtype=dtype, seed=3)
        options = {"epochs": 4, "batch_size": 16, "optimizer": Adam(0.01), "weight_decay": 0.1}
        return net.fit(form(x), y, sample_weight=weight, stopping=Stopping(), **options).partial_fit(
            form(x), y, batch_size=16
        )

    source = Rows(x)
    blocks, whole = train(lambda _: source), train(lambda x: x)
    assert max(source.sizes) <= 63 + 16
    for ours, theirs in zip((*blocks.weights, *blocks.biases), (*whole.weights, *whole.biases), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_allclose(blocks.history.loss_curve, whole.history.loss_curve, rtol=1e-14)


def test_all_weights_of_a_block_may_be_zero(small_blocks):
    x, y = make_data(131)
    weight = np.ones(131)
    weight[48:96] = 0.0
    nets = [MLP((5, 9, 3), loss="log_loss", dtype="float64", seed=3) for _ in range(2)]
    for net, form in zip(nets, (Rows, np.asarray), strict=True):
        net.fit(form(x), y, sample_weight=weight, epochs=3, batch_size=16, shuffle=False)
    for ours, theirs in zip(nets[0].weights, nets[1].weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_allclose(nets[0].history.loss_curve, nets[1].history.loss_curve, rtol=1e-14)


def test_validation_rows_may_be_blocks(small_blocks):
    x, y = make_data(120)
    x_valid, y_valid = make_data(77)
    scores = []
    for form in (Rows, np.asarray):
        net = MLP((5, 9, 3), loss="log_loss", dtype="float64", seed=3)
        net.fit(form(x), y, epochs=5, batch_size=16, validation=(form(x_valid), y_valid))
        scores.append(net.history.validation_scores)
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-13)
    assert len(scores[0]) == 5


def test_errors_name_the_argument(small_blocks):
    x, y = make_data(120)
    net = MLP((5, 9, 3), loss="log_loss")
    with pytest.raises(ValueError, match=r"x must have shape \(n, 5\), got \(120, 4\)"):
        net.fit(Rows(x[:, :4]), y)
    with pytest.raises(ValueError, match="y must have 120 rows"):
        net.fit(Rows(x), y[:-1])
    with pytest.raises(ValueError, match="sample_weight must have shape \\(120,\\)"):
        net.fit(Rows(x), y, sample_weight=np.ones(119))
    x[100, 2] = np.nan
    with pytest.raises(ValueError, match="x must be finite"):
        net.fit(Rows(x), y, batch_size=16)


def test_ctrl_c_in_a_block_keeps_the_weights_after_the_last_one(small_blocks):
    x, y = make_data(200)

    class Interrupted(Rows):
        def rows(self, numbers):
            if len(self.sizes) == 2:
                raise KeyboardInterrupt
            return super().rows(numbers)

    net = MLP((5, 9, 3), loss="log_loss", seed=3)
    with pytest.warns(UserWarning, match="interrupted"):
        net.fit(Interrupted(x), y, epochs=5, batch_size=16, shuffle=False)
    again = MLP((5, 9, 3), loss="log_loss", seed=3)
    again.fit(x[:96], y[:96], epochs=1, batch_size=16, shuffle=False)
    for ours, theirs in zip(net.weights, again.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
