"""Planted faults in the fused code path: each must be caught by the very checks that the right code passes."""

from collections.abc import Callable

import numpy as np
import pytest

from fastbp.compiler.target import TARGET
from fastbp.kernels.functions.optimizers import Adam
from fastbp.kernels.passes.layout import BIAS_ROW, DZ, TILES, WT, H, W
from fastbp.training import engine, session
from support.bounds import check_reference
from support.networks import check_training, make_optimizer, make_problem

Session = session.Session
original = {
    "read_settings": Session._read_settings,
    "run_slice": Session._run_slice,
    "pack": Session._pack,
    "epoch": Session.epoch,
    "pack_parameters": session.pack_parameters,
    "unpack_parameters": session.unpack_parameters,
    "make_plan": engine.make_plan,
    "tile_bounds": engine.tile_bounds,
}


def check(optimizer="Nesterov", n_threads=1):
    """The check under test: three hidden layers, two of them square, several minibatches, decay and weights."""
    rng = np.random.default_rng(7)
    problem = make_problem(rng, (9, 11, 11, 11, 3), n=30, batch_size=8, weighted=True, epochs=2, loss="log_loss")
    check_training(problem, make_optimizer(optimizer), n_threads)


# ---- settings ----


def scale_setting(index: int, factor: float) -> Callable:
    def read_settings(self):
        original["read_settings"](self)
        self._hyper[index] *= factor

    return read_settings


def swapped_betas(self):
    original["read_settings"](self)
    self._hyper[2:4] = self._hyper[3:1:-1].copy()


def step_count_one_ahead(self):
    original["pack"](self)
    self._step_count += 1


def learning_rate_corrected_twice(self):
    original["read_settings"](self)
    if isinstance(self._optimizer, Adam):
        self._hyper[0] *= np.sqrt(1 - self._hyper[3]) / (1 - self._hyper[2])


# ---- parameters and their places ----


def transposed_square_weights(table, arrays, buffer, width):
    arrays = [a.T if a.ndim == 2 and a.shape[0] == a.shape[1] else a for a in arrays]
    original["pack_parameters"](table, arrays, buffer, width)


def packed_one_row_off(table, arrays, buffer, width):
    table = table.copy()
    table[:-1, W] += width
    original["pack_parameters"](table, arrays, buffer, width)


def biases_of_the_neighbor(table, arrays, buffer, width):
    arrays = list(arrays)
    depth = len(arrays) // 2
    arrays[depth], arrays[depth + 1] = arrays[depth + 1], arrays[depth]
    original["pack_parameters"](table, arrays, buffer, width)


def unpacked_without_the_last_bias(table, buffer, arrays, width):
    kept = arrays[-1].copy()
    original["unpack_parameters"](table, buffer, arrays, width)
    arrays[-1][...] = kept


def change_table(layer: int, column: int, change: Callable) -> Callable:
    def make_plan(*arguments, **options):
        plan = original["make_plan"](*arguments, **options)
        plan.table[layer, column] = change(plan)
        return plan

    return make_plan


bias_among_the_weights = change_table(1, BIAS_ROW, lambda plan: plan.table[1, BIAS_ROW] - TARGET.mr)
overlapping_activations = change_table(2, H, lambda plan: plan.table[1, H])
overlapping_deltas = change_table(1, DZ, lambda plan: plan.table[2, DZ])
overlapping_transposes = change_table(2, WT, lambda plan: plan.table[1, WT])
biases_never_updated = change_table(1, TILES, lambda plan: plan.table[1, TILES] - 1)


# ---- tiles and steps ----


def first_tile_dropped(plan, n_threads):
    bounds = original["tile_bounds"](plan, n_threads)
    bounds[0] += 1
    return bounds


def last_tile_dropped(plan, n_threads):
    bounds = original["tile_bounds"](plan, n_threads)
    bounds[-1] -= 1
    return bounds


def all_tiles_dropped(plan, n_threads):
    bounds = original["tile_bounds"](plan, n_threads)
    bounds[1:] = bounds[0]
    return bounds


def snapshot(self):
    return [b.copy() for b in (self._buffers.params, self._buffers.moment_1, self._buffers.moment_2)]


def restore(self, saved):
    for buffer, old in zip((self._buffers.params, self._buffers.moment_1, self._buffers.moment_2), saved, strict=True):
        buffer[:] = old


def step_by_step(change: Callable) -> Callable:
    """Let `change(self, run, step)` make each step, where ``run()`` makes the right one."""

    def run_slice(self, first, end):
        for step in range(first, end):
            change(self, lambda step=step: original["run_slice"](self, step, step + 1))

    return run_slice


def tile_done_twice(self, run):
    run()
    steps, losses = self._step_count, self._buffers.totals.copy()
    team, self._team = self._team, self._team._replace(bounds=np.array([3, 4]))
    run()
    self._team, self._step_count, self._buffers.totals[:] = team, steps, losses


def deltas_from_updated_weights(self, run):
    """Leave the transposed weights of after the step to the backward pass of the step."""
    saved, steps = snapshot(self), self._step_count
    losses, penalties = self._buffers.totals.copy(), self._buffers.penalties.copy()
    run()
    restore(self, saved)
    self._step_count, self._buffers.totals[:], self._buffers.penalties[:] = steps, losses, penalties
    run()


def transposed_weights_left_behind(self, run):
    transposed = self._buffers.transposed.copy()
    run()
    self._buffers.transposed[:] = transposed


def decayed_biases(self, run):
    width = self._plan.panel_width
    for row in self._plan.table:
        place = int(row[W] + row[BIAS_ROW] * width)
        self._buffers.params[place : place + width] *= 1 - 0.02 * self._weight_decay / self._batch
    run()


def step_left_out(self, run):
    if self._step_count != 2:
        run()
    else:
        self._step_count += 1


def first_moment_forgotten(self, run):
    moment = self._buffers.moment_1.copy()
    run()
    self._buffers.moment_1[:] = moment


# ---- data ----


def order_one_off(self, order):
    return original["epoch"](self, np.roll(order, 1))


def weights_of_the_neighbor(self, order):
    self._data.weights[:] = np.roll(self._data.weights, 1)
    return original["epoch"](self, order)


def order_of_the_epoch_before(self, order):
    self._orders = [*getattr(self, "_orders", []), order]
    return original["epoch"](self, self._orders[max(0, len(self._orders) - 2)])


def loss_not_weighted_by_rows(self, order):
    return original["epoch"](self, order) * 32 / 30


FAULTS = {
    "learning rate": (Session, "_read_settings", scale_setting(0, 1.001)),
    "momentum": (Session, "_read_settings", scale_setting(1, 0.999)),
    "transposed square weights": (session, "pack_parameters", transposed_square_weights),
    "packed one row off": (session, "pack_parameters", packed_one_row_off),
    "biases of the neighbor": (session, "pack_parameters", biases_of_the_neighbor),
    "a bias not written back": (session, "unpack_parameters", unpacked_without_the_last_bias),
    "bias among the weights": (engine, "make_plan", bias_among_the_weights),
    "overlapping activations": (engine, "make_plan", overlapping_activations),
    "overlapping deltas": (engine, "make_plan", overlapping_deltas),
    "overlapping transposes": (engine, "make_plan", overlapping_transposes),
    "biases never updated": (engine, "make_plan", biases_never_updated),
    "first tile dropped": (engine, "tile_bounds", first_tile_dropped),
    "last tile dropped": (engine, "tile_bounds", last_tile_dropped),
    "all tiles dropped": (engine, "tile_bounds", all_tiles_dropped),
    "tile done twice": (Session, "_run_slice", step_by_step(tile_done_twice)),
    "deltas from updated weights": (Session, "_run_slice", step_by_step(deltas_from_updated_weights)),
    "transposed weights left behind": (Session, "_run_slice", step_by_step(transposed_weights_left_behind)),
    "decayed biases": (Session, "_run_slice", step_by_step(decayed_biases)),
    "a step left out": (Session, "_run_slice", step_by_step(step_left_out)),
    "first moment forgotten": (Session, "_run_slice", step_by_step(first_moment_forgotten)),
    "order of rows one off": (Session, "epoch", order_one_off),
    "order of the epoch before": (Session, "epoch", order_of_the_epoch_before),
    "sample weights of the neighbor": (Session, "epoch", weights_of_the_neighbor),
    "loss not weighted by rows": (Session, "epoch", loss_not_weighted_by_rows),
}
ADAM_FAULTS = {
    "step count": (Session, "_pack", step_count_one_ahead),
    "learning rate": (Session, "_read_settings", scale_setting(0, 1.001)),
    "beta 1": (Session, "_read_settings", scale_setting(2, 0.999)),
    "beta 2": (Session, "_read_settings", scale_setting(3, 0.999)),
    "swapped betas": (Session, "_read_settings", swapped_betas),
    "epsilon": (Session, "_read_settings", scale_setting(4, 1.5)),
    "bias correction twice": (Session, "_read_settings", learning_rate_corrected_twice),
}


@pytest.mark.smoke
@pytest.mark.parametrize("optimizer", ["SGD", "momentum", "Nesterov", "Adam"])
def test_no_fault(optimizer):
    check(optimizer)


def test_no_fault_step_by_step(monkeypatch):
    monkeypatch.setattr(Session, "_run_slice", step_by_step(lambda self, run: run()))
    check()


@pytest.mark.smoke
@pytest.mark.parametrize("name", FAULTS)
def test_fault(name, monkeypatch):
    monkeypatch.setattr(*FAULTS[name])
    with pytest.raises(AssertionError):
        check()


@pytest.mark.parametrize("name", ADAM_FAULTS)
def test_fault_with_adam(name, monkeypatch):
    monkeypatch.setattr(*ADAM_FAULTS[name])
    with pytest.raises(AssertionError):
        check("Adam")


def test_a_function_is_not_its_own_reference():
    with pytest.raises(AssertionError, match="no reference"):
        check_reference(session.Session.epoch)
