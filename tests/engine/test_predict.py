"""The forward pass of any number of rows against refbp, to a bound of its rounding errors."""

import numpy as np
import pytest

from fastbp.network.prediction import NonFiniteError, finds_non_finite, predict
from support.error_analysis import OUTPUTS, check_outputs
from support.lattice import DTYPES, HIDDEN, LAYOUTS, column_sizes, panel_width, row_sizes
from support.networks import LOSSES, make_problem

each_dtype = pytest.mark.parametrize("dtype", DTYPES)


def outputs(problem, n_threads=1, x=None, **options):
    return predict(
        problem.weights,
        problem.biases,
        problem.x if x is None else x,
        activation=problem.activation,
        output=OUTPUTS[problem.loss],
        n_threads=n_threads,
        **options,
    )


@pytest.mark.smoke
@pytest.mark.parametrize("activation", HIDDEN)
@pytest.mark.parametrize("loss", LOSSES)
@each_dtype
def test_outputs(dtype, activation, loss, rng):
    nr = panel_width(dtype)
    for n in row_sizes(dtype):
        for sizes in [(1, 1), (5, nr + 1, 3), (nr - 1, 4, nr), (3, 1, 2 * nr + 1, 7, 2)]:
            problem = make_problem(rng, sizes, n=n, activation=activation, loss=loss, dtype=dtype)
            check_outputs(problem, outputs(problem))


@each_dtype
def test_rows_beyond_a_chunk(dtype, rng):
    problem = make_problem(rng, (3, 5, 2), n=9001, loss="log_loss", dtype=dtype)
    comp = outputs(problem)
    check_outputs(problem, comp)
    for threads in (2, 3, 7, None):
        np.testing.assert_array_equal(outputs(problem, threads), comp)


@each_dtype
def test_a_row_does_not_depend_on_the_others(dtype, rng):
    # Few rows take another way through the network than many.
    problem = make_problem(rng, (7, 30, 5), n=70, loss="log_loss", dtype=dtype)
    comp = outputs(problem)
    for row in range(40):
        np.testing.assert_array_equal(outputs(problem, x=problem.x[row : row + 1])[0], comp[row])
        np.testing.assert_array_equal(outputs(problem, x=problem.x[:row]), comp[:row])
    problem.x[17] = np.nan
    again = outputs(problem)
    assert np.isnan(again[17]).all()
    np.testing.assert_array_equal(np.delete(again, 17, axis=0), np.delete(comp, 17, axis=0))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("n", [1, 11, 50])
@each_dtype
def test_layouts(dtype, layout, n, rng):
    problem = make_problem(rng, (panel_width(dtype) + 3, 6, 2), n=n, dtype=dtype)
    ref = outputs(problem)
    np.testing.assert_array_equal(outputs(problem, x=LAYOUTS[layout](problem.x)), ref)
    problem.weights = [LAYOUTS[layout](w) for w in problem.weights]
    np.testing.assert_array_equal(outputs(problem), ref)


@each_dtype
def test_no_rows(dtype, rng):
    problem = make_problem(rng, (3, 6, 2), dtype=dtype)
    assert outputs(problem, x=problem.x[:0]).shape == (0, 2)


def test_of_another_type_is_converted(rng):
    problem = make_problem(rng, (3, 6, 2), dtype=np.float32)
    comp = outputs(problem, x=problem.x.astype(np.float64))
    assert comp.dtype == np.float32
    np.testing.assert_array_equal(comp, outputs(problem))


@each_dtype
def test_any_element_that_is_not_finite_is_found(dtype, rng):
    for n_in in column_sizes(dtype):
        problem = make_problem(rng, (n_in, 6, 2), n=41, dtype=dtype)
        assert finds_non_finite(problem.x, np.dtype(dtype))
        outputs(problem, only_finite=True)
        for row, column, value in [(0, 0, np.nan), (39, n_in - 1, np.inf), (40, n_in // 2, -np.inf)]:
            x = problem.x.copy()
            x[row, column] = value
            for threads in (1, 3):
                with pytest.raises(NonFiniteError):
                    outputs(problem, threads, x, only_finite=True)
            assert outputs(problem, x=x).shape == (41, 2), "nobody asked"


@each_dtype
def test_what_is_not_finite_is_found_in_every_block_and_chunk(dtype, rng):
    problem = make_problem(rng, (523, 5, 2), n=1200, dtype=dtype)
    for row, column in [(0, 522), (1199, 0), (1199, 522), (600, 300)]:
        x = problem.x.copy()
        x[row, column] = np.nan
        for threads in (1, 2):
            with pytest.raises(NonFiniteError):
                outputs(problem, threads, x, only_finite=True)


@each_dtype
def test_the_largest_numbers_are_finite(dtype, rng):
    problem = make_problem(rng, (9, 6, 2), n=40, dtype=dtype)
    problem.x[:] = np.finfo(dtype).max
    problem.x[1] = -np.finfo(dtype).max
    outputs(problem, only_finite=True)


def test_where_others_have_to_look(rng):
    x = make_problem(rng, (9, 6, 2), n=40, dtype=np.float32).x
    float32 = np.dtype(np.float32)
    wide = np.zeros((40, 18), dtype=float32)
    assert finds_non_finite(wide[::-1, :9], float32)
    shifted = np.zeros(40 * 9 * 4 + 1, dtype=np.uint8)[1:].view(float32).reshape(40, 9)
    for other in (
        x[:10],
        x.astype(np.float64),
        x.astype(">f4"),
        np.asfortranarray(x),
        wide[:, ::2],
        shifted,
        x[0],
        [x],
    ):
        assert not finds_non_finite(other, float32)
