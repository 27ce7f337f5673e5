"""Training steps against refbp in float64: every activation, loss and optimizer, at every edge of the loops."""

from dataclasses import replace

import numpy as np
import pytest

from fastbp.compiler.target import TARGET
from support.lattice import HIDDEN, LAYOUTS, PRIME, panel_width
from support.networks import LOSSES, OPTIMIZERS, check_training, make_optimizer, make_problem, train, train_reference

MR, NR = TARGET.mr, panel_width(np.float64)
HIDDEN_SHAPES = [(5,), (MR + 1, NR - 1), (NR, 3, MR), (2 * NR + 1, MR - 1, 4, 7)]

each_activation = pytest.mark.parametrize("activation", HIDDEN)
each_loss = pytest.mark.parametrize("loss", LOSSES)
each_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS)


@pytest.mark.smoke
@each_activation
@each_loss
@each_optimizer
def test_one_epoch(activation, loss, optimizer, rng):
    for i, (weight_decay, weighted) in enumerate([(0.0, False), (0.4, False), (0.0, True), (0.4, True)]):
        sizes = (6, *HIDDEN_SHAPES[i], 3)
        keywords = {"activation": activation, "loss": loss, "weight_decay": weight_decay, "weighted": weighted}
        problem = make_problem(rng, sizes, n=2 * MR + 5, batch_size=MR + i, **keywords)
        check_training(problem, make_optimizer(optimizer), all_move=activation != "relu")


@pytest.mark.smoke
@each_activation
@each_optimizer
def test_several_epochs(activation, optimizer, rng):
    problem = make_problem(
        rng, (7, NR + 1, PRIME, 4), n=3 * MR + 1, batch_size=MR, activation=activation, loss="log_loss", epochs=5
    )
    check_training(problem, make_optimizer(optimizer))


@each_loss
def test_one_step_moves_every_parameter(loss, rng):
    problem = make_problem(rng, (6, NR, 9, 5), n=MR, batch_size=MR, loss=loss, weight_decay=0.0)
    check_training(problem, make_optimizer("Nesterov"))


@pytest.mark.parametrize("loss", LOSSES)
def test_output_sizes(loss, rng):
    for n_out in (1, 2, 7, 8, 9, NR - 1, NR, NR + 1, 2 * NR + 1):
        problem = make_problem(rng, (3, 5, n_out), loss=loss, n=MR + 3, batch_size=MR)
        # The softmax of one class is 1 and its gradient 0.
        check_training(problem, make_optimizer("Adam"), all_move=n_out > 1 or loss != "log_loss")


@each_loss
@pytest.mark.parametrize("n_out", [1, 3, NR, 2 * NR + 1])
def test_blocks_of_output_rows(loss, n_out, rng):
    # The output layer is computed NR rows at a time; a thread's last block may have fewer.
    for batch_size in (NR - 1, NR, NR + 1, NR + MR, 3 * NR - MR + 1):
        problem = make_problem(rng, (3, 5, n_out), loss=loss, n=batch_size, batch_size=batch_size, weighted=True)
        for threads in (1, 3):
            check_training(problem, make_optimizer("SGD"), threads, all_move=n_out > 1 or loss != "log_loss")


def soft_targets(rng, n, n_out):
    y = rng.uniform(0.1, 1.0, (n, n_out))
    return y / y.sum(axis=1, keepdims=True)


def two_classes(rng, n, n_out):
    y = np.eye(n_out)[rng.integers(n_out, size=n)]
    y[n // 2] = 1.0, *[0.0] * (n_out - 2), 1.0
    return y


def half_a_class(rng, n, n_out):
    y = np.eye(n_out)[rng.integers(n_out, size=n)]
    y[n // 2] *= 0.5
    return y


def no_class_and_two(rng, n, n_out):
    y = two_classes(rng, n, n_out)
    y[n // 3] = 0.0
    return y


@pytest.mark.parametrize("make_targets", [soft_targets, two_classes, half_a_class, no_class_and_two])
def test_targets_that_are_not_one_hot(make_targets, rng):
    # Targets of one class have a shorter way to their loss. It must not be taken for these.
    problem = make_problem(rng, (4, 6, NR + 3), n=3 * MR + 1, loss="log_loss", epochs=2, weighted=True)
    problem.y = make_targets(rng, len(problem.x), NR + 3)
    check_training(problem, make_optimizer("Adam"))


@pytest.mark.parametrize("size", [1, 2, MR - 1, MR, MR + 1, 2 * MR + 1, NR - 1, NR, NR + 1, PRIME, 2 * NR + 1])
def test_layer_sizes(size, rng):
    for sizes in [(size, 5, 2), (4, size, 2), (size, size, size), (3, size), (4, size, 3, size, 2)]:
        for activation in HIDDEN:
            problem = make_problem(rng, sizes, n=MR + 2, batch_size=MR + 2, activation=activation)
            check_training(problem, make_optimizer("Adam"), all_move=False)


@pytest.mark.parametrize("n_in", [127, 128, 129, 143, 144, 145, 168, 191, 192, 193, 389])
def test_blocks_of_the_sum(n_in, rng):
    for sizes in [(n_in, 5, 2), (3, n_in, 2), (3, 4, n_in)]:
        check_training(make_problem(rng, sizes, n=9), make_optimizer("momentum"))


@pytest.mark.parametrize("batch_size", [1, 2, MR - 1, MR, MR + 1, 2 * MR, 3 * MR - 1, PRIME, 1000])
def test_batch_sizes(batch_size, rng):
    for n in (1, MR, 2 * MR + 3, PRIME):
        problem = make_problem(rng, (3, NR + 1, 2), n=n, batch_size=batch_size, epochs=2, activation="logistic")
        check_training(problem, make_optimizer("Adam"))


@pytest.mark.parametrize("shuffled", [False, True])
def test_order_of_rows(shuffled, rng):
    problem = make_problem(rng, (3, 4, 2), n=50, batch_size=7, epochs=4, shuffled=shuffled)
    check_training(problem, make_optimizer("Nesterov"))


@pytest.mark.parametrize("depth", range(1, 6))
def test_depths(depth, rng):
    for activation in HIDDEN:
        sizes = (5, *[8 + i for i in range(depth - 1)], 3)
        problem = make_problem(rng, sizes, activation=activation, loss="log_loss", epochs=2, weighted=True)
        check_training(problem, make_optimizer("Adam"), all_move=activation != "relu")


def test_batch_beyond_a_row_chunk(rng):
    # Rows go through the network in chunks: many of them, and a last one that is not whole.
    problem = make_problem(rng, (5, 300, 300, 2), n=1003, batch_size=1003, loss="poisson", weighted=True)
    for threads in (1, 2):
        check_training(problem, make_optimizer("SGD"), threads)


@each_optimizer
@pytest.mark.parametrize("batch_size", [2049, 4096, 5003])
def test_minibatches_of_several_blocks(optimizer, batch_size, rng):
    # The gradient is carried from block to block: two with a short last one, two whole ones, three.
    n = batch_size + 2060
    problem = make_problem(
        rng, (5, 30, 2), n=n, batch_size=batch_size, loss="log_loss", weighted=True, weight_decay=3.0, epochs=2
    )
    for threads in (1, 2):
        check_training(problem, make_optimizer(optimizer), threads)


@each_optimizer
def test_minibatches_without_weight_are_passed_over(optimizer, rng):
    problem = make_problem(rng, (4, 6, 2), n=40, batch_size=8, weighted=True, shuffled=False, epochs=3)
    problem.sample_weight[8:24] = 0
    problem.sample_weight[36:] = 0
    comp = check_training(problem, make_optimizer(optimizer))
    if optimizer == "Adam":
        assert comp.optimizer.t == 3 * 3, "only minibatches with weight count as steps"


def test_first_minibatch_without_weight(rng):
    problem = make_problem(rng, (4, 6, 2), n=24, batch_size=8, weighted=True, shuffled=False)
    problem.sample_weight[:8] = 0
    check_training(problem, make_optimizer("Adam"))


def test_nothing_has_weight(rng):
    problem = make_problem(rng, (4, 6, 2), weighted=True)
    problem.sample_weight[:] = 0
    comp = train(problem, make_optimizer("Adam"))
    assert comp.losses == [0.0]
    assert comp.optimizer.t == 0
    for before, after in zip(problem.params, comp.params, strict=True):
        np.testing.assert_array_equal(after, before)


def test_equal_weights_are_no_weights_but_for_their_scale(rng):
    problem = make_problem(rng, (4, 6, 2), weight_decay=0.0, epochs=2)
    ref = train_reference(problem, make_optimizer("Nesterov"))
    comp = train(replace(problem, sample_weight=np.full(len(problem.x), 3.0)), make_optimizer("Nesterov"))
    for c, r in zip(comp.params, ref.params, strict=True):
        np.testing.assert_allclose(c, r, rtol=1e-12)


@each_optimizer
def test_deltas_come_from_the_weights_before_the_step(optimizer, rng):
    # Large steps through square layers: a delta computed from a weight that has moved would be far off.
    problem = make_problem(rng, (NR, NR, NR, NR, NR), n=MR, batch_size=MR, weight_decay=0.0)
    check_training(problem, make_optimizer(optimizer, learning_rate=0.5))


@each_optimizer
def test_biases_are_not_decayed(optimizer, rng):
    # Without an error in the output only the decay moves anything.
    problem = make_problem(rng, (4, 6, 2), activation="identity", weight_decay=0.5, n=8, batch_size=8)
    hidden = problem.x @ problem.weights[0] + problem.biases[0]
    problem.y = hidden @ problem.weights[1] + problem.biases[1]
    comp = check_training(problem, make_optimizer(optimizer), all_move=False)
    for before, after in zip(problem.biases, comp.params[2:], strict=True):
        tolerance = 1e-6 if optimizer == "Adam" else 1e-14
        np.testing.assert_allclose(after, before, rtol=0, atol=tolerance)
    assert not np.allclose(comp.params[0], problem.weights[0], atol=1e-4)


@pytest.mark.parametrize("layout", ["Fortran order", "every second row and column", "negative strides", "read-only"])
def test_layouts_of_x(layout, rng):
    problem = make_problem(rng, (NR + 3, 5, 2), epochs=2)
    problem.x = LAYOUTS[layout](problem.x)
    problem.y = LAYOUTS[layout](problem.y)
    check_training(problem, make_optimizer("Adam"))


def test_saturated_outputs_have_a_finite_loss(rng):
    for loss in ("log_loss", "binary_log_loss"):
        problem = make_problem(rng, (3, 4, 3), loss=loss)
        problem.weights[1] *= 1e4
        check_training(problem, make_optimizer("SGD"), all_move=False)
