"""What does not fit is refused with an error that names it, before any memory is written."""

import numpy as np
import pytest

from fastbp.kernels import LinearState, linear, linear_backward, linear_backward_update, matmul
from fastbp.kernels.functions.activations import ACTIVATIONS, HIDDEN
from fastbp.kernels.functions.optimizers import SGD, Adam, AdamW


def ones(*shape, dtype=np.float64):
    return np.ones(shape, dtype)


def read_only(array):
    array.flags.writeable = False
    return array


LIST = [[1.0, 2.0], [3.0, 4.0]]

WRONG_OPERANDS = {
    "list": (lambda: LIST, TypeError),
    "integers": (lambda: ones(4, 5, dtype=np.int64), TypeError),
    "complex": (lambda: ones(4, 5, dtype=np.complex128), TypeError),
    "half precision": (lambda: ones(4, 5, dtype=np.float16), TypeError),
    "other precision": (lambda: ones(4, 5, dtype=np.float32), TypeError),
    "other byte order": (lambda: ones(4, 5, dtype=">f8"), TypeError),
    "one dimension": (lambda: ones(5), ValueError),
    "three dimensions": (lambda: ones(1, 4, 5), ValueError),
    "wrong length": (lambda: ones(6, 5), ValueError),
}
each_wrong_operand = pytest.mark.parametrize("wrong", WRONG_OPERANDS)


@each_wrong_operand
def test_operands_of_matmul(wrong):
    make, error = WRONG_OPERANDS[wrong]
    out = np.full((3, 5), 7.0)
    with pytest.raises(error, match=r"^b must"):
        matmul(ones(3, 4), make(), out=out)
    assert (out == 7).all()


@each_wrong_operand
def test_operands_of_linear(wrong):
    make, error = WRONG_OPERANDS[wrong]
    out = np.full((3, 5), 7.0)
    with pytest.raises(error, match=r"^w must"):
        linear(ones(3, 4), make(), ones(5), out=out)
    assert (out == 7).all()


@pytest.mark.parametrize("name", ["a", "x"])
def test_first_operand(name):
    function = matmul if name == "a" else linear
    for wrong, error in [(LIST, TypeError), (ones(3, 4, dtype=np.int32), TypeError), (ones(4), ValueError)]:
        with pytest.raises(error, match=rf"^{name} must"):
            function(wrong, ones(4, 5))


@pytest.mark.parametrize(
    ("bias", "error"),
    [([1.0] * 5, TypeError), (ones(5, dtype=np.float32), TypeError), (ones(4), ValueError), (ones(1, 5), ValueError)],
)
def test_bias(bias, error):
    out = np.full((3, 5), 7.0)
    with pytest.raises(error, match=r"^b must"):
        linear(ones(3, 4), ones(4, 5), bias, out=out)
    assert (out == 7).all()


WRONG_OUTPUTS = {
    "list": (lambda: [[0.0] * 5] * 3, TypeError),
    "other precision": (lambda: ones(3, 5, dtype=np.float32), TypeError),
    "wrong shape": (lambda: ones(5, 3), ValueError),
    "one dimension": (lambda: ones(15), ValueError),
    "Fortran order": (lambda: np.asfortranarray(ones(3, 5)), ValueError),
    "every second column": (lambda: ones(3, 10)[:, ::2], ValueError),
    "negative strides": (lambda: ones(3, 5)[::-1], ValueError),
    "read-only": (lambda: read_only(ones(3, 5)), ValueError),
    "unaligned": (lambda: np.ones(121, np.uint8)[1:].view(np.float64).reshape(3, 5), ValueError),
}


@pytest.mark.parametrize("wrong", WRONG_OUTPUTS)
def test_out(wrong):
    make, error = WRONG_OUTPUTS[wrong]
    for function in (matmul, linear):
        out = make()
        before = np.array(out)
        with pytest.raises(error, match=r"^out must"):
            function(ones(3, 4), ones(4, 5), out=out)
        np.testing.assert_array_equal(out, before)


def test_out_that_overlaps_an_operand():
    memory = np.random.default_rng(0).standard_normal((9, 5))
    before = memory.copy()
    a, b = memory[:5], memory[4:]
    with pytest.raises(ValueError, match=r"^out must not overlap a"):
        matmul(a, ones(5, 5), out=memory[:5])
    with pytest.raises(ValueError, match=r"^out must not overlap a"):
        matmul(a, ones(5, 5), out=memory[4:])
    with pytest.raises(ValueError, match=r"^out must not overlap b"):
        matmul(ones(5, 5), b, out=memory[:5])
    with pytest.raises(ValueError, match=r"^out must not overlap b"):
        linear(ones(1, 5), ones(5, 5), memory[0], out=memory[:1])
    np.testing.assert_array_equal(memory, before)


@pytest.mark.parametrize("n_threads", [0, -2, -100])
def test_n_threads(n_threads):
    out = np.full((3, 5), 7.0)
    for function in (matmul, linear):
        with pytest.raises(ValueError, match=r"^n_threads must be"):
            function(ones(3, 4), ones(4, 5), out=out, n_threads=n_threads)
    assert (out == 7).all()
    with pytest.raises(ValueError, match=r"^n_threads must be"):
        linear_backward(ones(3, 5), ones(3, 4), ones(4, 5), n_threads=n_threads)
    update = Update()
    with pytest.raises(ValueError, match=r"^n_threads must be"):
        update(n_threads=n_threads)
    update.assert_nothing_changed()


def test_activation():
    out = np.full((3, 5), 7.0)
    for name in ("softmax", "RELU", "", None):
        with pytest.raises(ValueError, match=r"^activation must be"):
            linear(ones(3, 4), ones(4, 5), activation=name, out=out)
    assert (out == 7).all()
    for name in ("softmax", "exp", "sigmoid", *(name for name in HIDDEN if ACTIVATIONS[name].needs_slopes)):
        with pytest.raises(ValueError, match=r"^x_activation must be"):
            linear_backward(ones(3, 5), ones(3, 4), ones(4, 5), x_activation=name)


def test_linear_without_columns():
    with pytest.raises(ValueError, match=r"^x must"):
        linear(ones(3, 0), ones(0, 5))


@each_wrong_operand
def test_operands_of_linear_backward(wrong):
    make, error = WRONG_OPERANDS[wrong]
    with pytest.raises(error, match=r"^w must"):
        linear_backward(ones(3, 5), ones(3, 4), make())
    other = make().T if isinstance(make(), np.ndarray) and make().ndim == 2 else make()
    with pytest.raises(error, match=r"^x must"):
        linear_backward(ones(5, 3), other if wrong != "wrong length" else ones(4, 4), ones(4, 3))


def test_empty_operands_of_linear_backward():
    for n, n_in, n_out in [(0, 4, 5), (3, 0, 5), (3, 4, 0)]:
        with pytest.raises(ValueError, match="must not be empty"):
            linear_backward(ones(n, n_out), ones(n, n_in), ones(n_in, n_out))


class Update:
    """A valid call of linear_backward_update; arguments can be replaced."""

    def __init__(self, optimizer=None):
        rng = np.random.default_rng(0)
        self.optimizer = optimizer or SGD()
        self.dz, self.x = rng.standard_normal((3, 5)), rng.standard_normal((3, 4))
        self.w, self.b = rng.standard_normal((4, 5)), rng.standard_normal(5)
        self.state = LinearState.zeros(self.w, self.b, self.optimizer)
        self.before = None

    def arrays(self):
        return [self.dz, self.x, self.w, self.b, *self.state.arrays().values()]

    def __call__(self, **keywords):
        self.before = [np.array(a) for a in self.arrays()]
        return linear_backward_update(self.dz, self.x, self.w, self.b, self.state, optimizer=self.optimizer, **keywords)

    def assert_nothing_changed(self):
        for array, before in zip(self.arrays(), self.before, strict=True):
            np.testing.assert_array_equal(array, before)
        assert self.state.t == 0


def refuse(update, error, match, **keywords):
    with pytest.raises(error, match=match):
        update(**keywords)
    update.assert_nothing_changed()


@pytest.mark.parametrize("weight_decay", [-1.0, -1e-9, np.nan, np.inf])
def test_weight_decay(weight_decay):
    with pytest.raises(ValueError, match=r"^weight_decay must be"):
        linear_backward(ones(3, 5), ones(3, 4), ones(4, 5), weight_decay=weight_decay)
    refuse(Update(), ValueError, "^weight_decay must be", weight_decay=weight_decay)


@pytest.mark.parametrize("batch_weight", [0.0, np.nan, np.inf])
def test_batch_weight(batch_weight):
    refuse(Update(), ValueError, "^batch_weight must be", batch_weight=batch_weight)


@pytest.mark.parametrize("name", ["w", "b", "state.m_w", "state.m_b", "state.v_w", "state.v_b"])
@pytest.mark.parametrize("fault", ["read-only", "not contiguous", "shape", "dtype"])
def test_what_is_written(name, fault):
    update = Update(Adam())
    owner, attribute = (update.state, name[6:]) if name.startswith("state.") else (update, name)
    array = getattr(owner, attribute)
    wrong = {
        "read-only": lambda: read_only(array.copy()),
        "not contiguous": lambda: np.repeat(array, 2, axis=-1)[..., ::2],
        "shape": lambda: np.concatenate([array, array], axis=-1),
        "dtype": lambda: array.astype(np.float32),
    }[fault]()
    setattr(owner, attribute, wrong)
    refuse(update, TypeError if fault == "dtype" else ValueError, f"^{name} must")


def test_what_is_written_must_not_overlap():
    memory = np.zeros((8, 5))
    update = Update()
    update.w, update.state.m_w = memory[:4], memory[3:7]
    refuse(update, ValueError, "^(w|state.m_w) must not overlap (w|state.m_w)")
    update = Update()
    update.x = update.w[:3, :4]
    refuse(update, ValueError, "^w must not overlap x")
    update = Update()
    update.dz = np.broadcast_to(update.b, (3, 5))
    refuse(update, ValueError, "^b must not overlap dz")


@pytest.mark.parametrize("t", [-1, 1.5, 2**63, True, None])
def test_steps_that_cannot_be_counted(t):
    update = Update()
    before = update.w.copy()
    update.state.t = t
    with pytest.raises(ValueError, match=r"^state\.t must be"):
        update()
    np.testing.assert_array_equal(update.w, before)


def test_state_of_another_optimizer():
    for other in (Adam(), AdamW()):
        update = Update()
        update.optimizer = other
        refuse(update, ValueError, r"^state\.v_w must")


def test_b_that_is_no_array():
    update = Update()
    with pytest.raises(TypeError, match=r"^b must"):
        linear_backward_update(update.dz, update.x, update.w, [0.0] * 5, update.state, optimizer=update.optimizer)
