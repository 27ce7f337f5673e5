"""matmul and linear against NumPy and refbp, element by element, where loops begin and end."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastbp.kernels import linear, matmul
from fastbp.kernels.functions.activations import ELEMENTWISE
from support.bounds import check_by_projection, check_linear, check_matmul
from support.lattice import DTYPES, LAYOUTS, PRIME, panel_width, random_problem, row_sizes, shapes

# A single thread takes a shorter way for small products.
THREADS = (1, 2, 3, 7, None)

each_dtype = pytest.mark.parametrize("dtype", DTYPES)
each_activation = pytest.mark.parametrize("activation", ELEMENTWISE)


def empty_of(m, n, dtype):
    """Return memory that must be written before it is read."""
    return np.full((m, n), np.nan, dtype=dtype)


@pytest.mark.smoke
@each_dtype
def test_edge_lattice(dtype, rng):
    for m, k, n in shapes(dtype):
        a, b = random_problem(rng, dtype, m, k, n)
        out = empty_of(m, n, dtype)
        assert matmul(a, b, out=out) is out
        check_matmul(out, a, b)
        np.testing.assert_array_equal(matmul(a, b), out)


@each_dtype
def test_threads_change_no_bit(dtype, rng):
    for m, k, n in [*shapes(dtype)[::3], (300, 50, 100)]:
        a, b = random_problem(rng, dtype, m, k, n)
        one, *others = [matmul(a, b, out=empty_of(m, n, dtype), n_threads=threads) for threads in THREADS]
        for other in others:
            np.testing.assert_array_equal(other, one)
        check_matmul(one, a, b)


@pytest.mark.smoke
@pytest.mark.parametrize("layout_a", LAYOUTS)
@pytest.mark.parametrize("layout_b", LAYOUTS)
@each_dtype
def test_layouts(dtype, layout_a, layout_b, rng):
    nr = panel_width(dtype)
    for m, k, n in [(9, PRIME, nr + 1), (17, nr - 1, nr), (1, 2 * nr + 1, 3)]:
        a, b = random_problem(rng, dtype, m, k, n)
        a, b = LAYOUTS[layout_a](a), LAYOUTS[layout_b](b)
        check_matmul(matmul(a, b, out=empty_of(m, n, dtype)), a, b)
        check_matmul(matmul(a, b, n_threads=2), a, b)


@each_dtype
def test_small_products_of_unusual_arrays(dtype, rng):
    # Small products are done in place where all arrays are contiguous and writeable, and no other way where not.
    for m, k, n in [(1, 1, 1), (9, 5, 3), (8, 64, 64), (13, 7, 50)]:
        a, b = random_problem(rng, dtype, m, k, n)
        ref = matmul(a, b, n_threads=2)
        check_matmul(ref, a, b)
        for change in (np.asfortranarray, lambda x: x[::-1].copy()[::-1], of_a_subclass, read_only):
            for left, right in [(change(a), b), (a, change(b)), (change(a), change(b))]:
                np.testing.assert_array_equal(matmul(left, right), ref)
        both = np.full(m * k + k * n + m * n, np.nan, dtype)
        left, right, out = np.split(both, [m * k, m * k + k * n])
        left, right, out = left.reshape(m, k), right.reshape(k, n), out.reshape(m, n)
        left[...], right[...] = a, b
        assert matmul(left, right, out=out) is out, "neighbours in memory do not overlap"
        np.testing.assert_array_equal(out, ref)


def of_a_subclass(x):
    return x.view(type("Subclass", (np.ndarray,), {}))


def read_only(x):
    x = x.copy()
    x.flags.writeable = False
    return x


@each_dtype
def test_repeated_elements(dtype, rng):
    row, column = rng.standard_normal((1, 30)).astype(dtype), rng.standard_normal((30, 1)).astype(dtype)
    a, b = np.broadcast_to(row, (11, 30)), np.broadcast_to(column, (30, 50))
    check_matmul(matmul(a, b), a, b)


@each_dtype
def test_zero_sizes(dtype):
    for m, k, n in [(0, 3, 4), (3, 4, 0), (0, 0, 0), (3, 0, 4)]:
        out = empty_of(m, n, dtype)
        result = matmul(np.ones((m, k), dtype), np.ones((k, n), dtype), out=out)
        assert result is out
        assert result.shape == (m, n)
        assert not result.any()
    assert linear(np.ones((0, 3), dtype), np.ones((3, 2), dtype), np.ones(2, dtype)).shape == (0, 2)


@each_dtype
@pytest.mark.parametrize("threads", [1, 2])
def test_large_product_by_projection(dtype, threads, rng):
    for m, k, n in [(701, 523, 389), (200, 3001, 300), (2003, 64, 64), (64, 64, 2003)]:
        a, b = random_problem(rng, dtype, m, k, n)
        check_by_projection(matmul(a, b, out=empty_of(m, n, dtype), n_threads=threads), a, b, rng)


@each_dtype
def test_projection_rejects_one_wrong_element(dtype, rng):
    a, b = random_problem(rng, dtype, 300, 200, 300)
    comp = matmul(a, b)
    check_by_projection(comp, a, b, rng)
    comp[7, 5] += 1
    with pytest.raises(AssertionError, match="projection"):
        check_by_projection(comp, a, b, rng)


@each_dtype
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_non_finite_values_go_where_they_should(dtype, value, rng):
    nr = panel_width(dtype)
    for m, k, n in [(9, 5, nr + 1), (1, nr + 1, 3), (17, 200, 2)]:
        a, b = random_problem(rng, dtype, m, k, n)
        a[m // 2, k - 1] = value
        with np.errstate(invalid="ignore"):
            ref = np.sum(a[:, :, np.newaxis].astype(np.float64) * b[np.newaxis], axis=1)
        comp = matmul(a, b)
        touched = np.zeros((m, n), dtype=bool)
        touched[m // 2] = True
        assert np.isfinite(comp[~touched]).all()
        np.testing.assert_array_equal(comp[touched], ref[touched])
        b[0, n - 1] = value
        assert not np.isfinite(matmul(a, b)[:, n - 1]).any()


@pytest.mark.smoke
@each_activation
@each_dtype
def test_linear(dtype, activation, rng):
    nr = panel_width(dtype)
    for m in row_sizes(dtype):
        for k, n in [(1, 1), (PRIME, nr - 1), (3, nr + 1), (nr, 2 * nr + 1)]:
            x, w = random_problem(rng, dtype, m, k, n)
            b = rng.standard_normal(n).astype(dtype)
            x /= dtype(np.sqrt(k))
            check_linear(linear(x, w, b, activation=activation, out=empty_of(m, n, dtype)), x, w, b, activation)
            check_linear(linear(x, w, activation=activation, out=empty_of(m, n, dtype)), x, w, None, activation)
            check_linear(linear(x, w, b[::-1], activation=activation), x, w, b[::-1], activation)


@each_activation
@each_dtype
def test_linear_threads_change_no_bit(dtype, activation, rng):
    for m, k, n in [(1, 5, 300), (37, 11, 100), (500, 30, 20)]:
        x, w = random_problem(rng, dtype, m, k, n)
        b = rng.standard_normal(n).astype(dtype)
        one, *others = [linear(x, w, b, activation=activation, n_threads=threads) for threads in THREADS]
        for other in others:
            np.testing.assert_array_equal(other, one)


@each_dtype
def test_linear_hands_nan_on(dtype):
    x = np.array([[1.0, np.nan], [1.0, 2.0]], dtype=dtype)
    w = np.eye(2, dtype=dtype)
    for activation in ELEMENTWISE:
        comp = linear(x, w, np.zeros(2, dtype), activation=activation)
        np.testing.assert_array_equal(np.isnan(comp), [[True, True], [False, False]], err_msg=activation)


# Of the others: infinity and 0.
LIMITS = {
    "identity": (np.inf, -np.inf),
    "leaky_relu": (np.inf, -np.inf),
    "tanh": (1, -1),
    "logistic": (1, 0),
    "elu": (np.inf, -1),
    "selu": (np.inf, -1.7580993408473766),
}


@each_dtype
def test_linear_of_infinity(dtype):
    x = np.array([[np.inf], [-np.inf]], dtype=dtype)
    w = np.ones((1, 1), dtype)
    for activation in ELEMENTWISE:
        limits = LIMITS.get(activation, (np.inf, 0))
        comp = linear(x, w, activation=activation)[:, 0]
        np.testing.assert_allclose(comp, limits, rtol=np.finfo(dtype).eps, err_msg=activation)


strides = st.integers(-3, 3).filter(bool)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    shape=st.tuples(st.integers(1, 70), st.integers(1, 70), st.integers(1, 70)),
    steps=st.tuples(strides, strides, strides, strides),
    dtype=st.sampled_from(DTYPES),
    threads=st.integers(1, 4),
    seed=st.integers(0, 1000),
)
def test_any_shape_and_stride(shape, steps, dtype, threads, seed):
    rng = np.random.default_rng(seed)
    m, k, n = shape
    row_a, column_a, row_b, column_b = steps
    a = rng.standard_normal((m * abs(row_a), k * abs(column_a))).astype(dtype)[::row_a, ::column_a]
    b = rng.standard_normal((k * abs(row_b), n * abs(column_b))).astype(dtype)[::row_b, ::column_b]
    check_matmul(matmul(a, b, out=empty_of(m, n, dtype), n_threads=threads), a, b)


def test_what_does_not_fit_is_said_before_memory_is_asked_for():
    # A result of these rows and columns would be 8 TB.
    with pytest.raises(ValueError, match=r"^b "):
        matmul(np.ones((1 << 20, 1)), np.ones((2, 1 << 20)))
