"""Planted faults in the fused code path: each must be caught by the very checks that the right code passes."""

from collections.abc import Callable

import numpy as np
import pytest

from fastbp.compiler.target import TARGET
from fastbp.kernels.passes.layout import BIAS_ROW, DZ, SLOPES, TILES, WT, H, W
from fastbp.network.optimizer_state import OptimizerState
from fastbp.network.spec import Network
from fastbp.training import engine, session
from support.bounds import check_reference
from support.networks import OPTIMIZERS, check_training, make_optimizer, make_problem

Session, Engine = session.Session, engine.Engine
original = {
    "settings": OptimizerState.settings,
    "run_slice": Engine._run_slice,
    "pack": Session._pack,
    "epoch": Session.epoch,
    "pack_parameters": session.pack_parameters,
    "unpack_parameters": session.unpack_parameters,
    "make_plan": engine.make_plan,
    "tile_bounds": engine.tile_bounds,
}


def check(optimizer="Nesterov", n_threads=1, activation="tanh"):
    """The check under test: three hidden layers, two of them square, several minibatches, decay and weights."""
    rng = np.random.default_rng(7)
    keywords = {"n": 30, "batch_size": 8, "weighted": True, "epochs": 2, "loss": "log_loss", "activation": activation}
    problem = make_problem(rng, (9, 11, 11, 11, 3), **keywords)
    check_training(problem, make_optimizer(optimizer), n_threads)


# ---- settings ----


def change_settings(change: Callable) -> Callable:
    """Let `change(numbers, settings)` write into the numbers that the kernel gets."""

    def settings(self):
        numbers = original["settings"](self)
        change(numbers, self.optimizer)
        return numbers

    return settings


def scale_setting(index: int, factor: float) -> Callable:
    def scale(numbers, settings):
        numbers[index] *= factor

    return change_settings(scale)


def swapped_betas(numbers, settings):
    numbers[1:3] = numbers[2:0:-1].copy()


def step_count_one_ahead(self):
    original["pack"](self)
    self.engine.step_count += 1


def learning_rate_corrected_twice(numbers, settings):
    numbers[0] *= np.sqrt(1 - settings.beta_2) / (1 - settings.beta_1)


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
slopes_of_the_neighbor = change_table(1, SLOPES, lambda plan: plan.table[0, SLOPES])
slopes_over_the_outputs = change_table(1, SLOPES, lambda plan: plan.table[2, H])


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
    return [b.copy() for b in (self.buffers.params, self.buffers.moment_1, self.buffers.moment_2)]


def restore(self, saved):
    for buffer, old in zip((self.buffers.params, self.buffers.moment_1, self.buffers.moment_2), saved, strict=True):
        buffer[:] = old


def step_by_step(change: Callable) -> Callable:
    """Let `change(self, run, step)` make each step, where ``run()`` makes the right one."""

    def run_slice(self, first, end):
        for step in range(first, end):
            change(self, lambda step=step: original["run_slice"](self, step, step + 1))

    return run_slice


def tile_done_twice(self, run):
    run()
    steps, losses = self.step_count, self.buffers.totals.copy()
    team, self._team = self._team, self._team._replace(bounds=np.array([3, 4]))
    run()
    self._team, self.step_count, self.buffers.totals[:] = team, steps, losses


def deltas_from_updated_weights(self, run):
    """Leave the transposed weights of after the step to the backward pass of the step."""
    saved, steps = snapshot(self), self.step_count
    losses, penalties = self.buffers.totals.copy(), self.buffers.penalties.copy()
    run()
    restore(self, saved)
    self.step_count, self.buffers.totals[:], self.buffers.penalties[:] = steps, losses, penalties
    run()


def transposed_weights_left_behind(self, run):
    transposed = self.buffers.transposed.copy()
    run()
    self.buffers.transposed[:] = transposed


def bias_places(plan):
    """Return the slices of a buffer that hold biases, of the first panel of each layer."""
    width = plan.panel_width
    return [slice(place, place + width) for place in (int(row[W] + row[BIAS_ROW] * width) for row in plan.table)]


def decayed_biases(self, run):
    for place in bias_places(self.plan):
        self.buffers.params[place] *= 1 - 0.02 * self._weight_decay / self._batch
    run()


def biases_decayed_as_weights(self, run):
    rate, *_, decay = self.settings
    for place in bias_places(self.plan):
        self.buffers.params[place] *= 1 - rate * decay
    run()


def decay_after_the_step(self, run):
    rate, *_, decay = self.settings
    keep = np.full(self.buffers.params.shape, 1 - rate * decay)
    for place in bias_places(self.plan):
        keep[place] = 1.0
    self.settings[4] = 0.0
    run()
    self.settings[4] = decay
    self.buffers.params[:] *= keep
    self.transpose()


def step_left_out(self, run):
    if self.step_count != 2:
        run()
    else:
        self.step_count += 1


def first_moment_forgotten(self, run):
    moment = self.buffers.moment_1.copy()
    run()
    self.buffers.moment_1[:] = moment


# ---- data ----


def order_one_off(self, order):
    return original["epoch"](self, np.roll(order, 1))


def weights_of_the_neighbor(self, order):
    self.engine._data.weights[:] = np.roll(self.engine._data.weights, 1)
    return original["epoch"](self, order)


def order_of_the_epoch_before(self, order):
    self._orders = [*getattr(self, "_orders", []), order]
    return original["epoch"](self, self._orders[max(0, len(self._orders) - 2)])


def loss_not_weighted_by_rows(self, order):
    return original["epoch"](self, order) * 32 / 30


FAULTS = {
    "learning rate": (OptimizerState, "settings", scale_setting(0, 1.001)),
    "momentum": (OptimizerState, "settings", scale_setting(1, 0.999)),
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
    "tile done twice": (Engine, "_run_slice", step_by_step(tile_done_twice)),
    "deltas from updated weights": (Engine, "_run_slice", step_by_step(deltas_from_updated_weights)),
    "transposed weights left behind": (Engine, "_run_slice", step_by_step(transposed_weights_left_behind)),
    "decayed biases": (Engine, "_run_slice", step_by_step(decayed_biases)),
    "a step left out": (Engine, "_run_slice", step_by_step(step_left_out)),
    "first moment forgotten": (Engine, "_run_slice", step_by_step(first_moment_forgotten)),
    "order of rows one off": (Session, "epoch", order_one_off),
    "order of the epoch before": (Session, "epoch", order_of_the_epoch_before),
    "sample weights of the neighbor": (Session, "epoch", weights_of_the_neighbor),
    "loss not weighted by rows": (Session, "epoch", loss_not_weighted_by_rows),
}
ADAM_FAULTS = {
    "step count": (Session, "_pack", step_count_one_ahead),
    "learning rate": (OptimizerState, "settings", scale_setting(0, 1.001)),
    "beta 1": (OptimizerState, "settings", scale_setting(1, 0.999)),
    "beta 2": (OptimizerState, "settings", scale_setting(2, 0.999)),
    "swapped betas": (OptimizerState, "settings", change_settings(swapped_betas)),
    "epsilon": (OptimizerState, "settings", scale_setting(3, 1.5)),
    "bias correction twice": (OptimizerState, "settings", change_settings(learning_rate_corrected_twice)),
}
ADAMW_FAULTS = {
    "share of the decay": (OptimizerState, "settings", scale_setting(4, 1.001)),
    "no decay": (OptimizerState, "settings", scale_setting(4, 0.0)),
    "decayed biases": (Engine, "_run_slice", step_by_step(biases_decayed_as_weights)),
    "decay after the step": (Engine, "_run_slice", step_by_step(decay_after_the_step)),
}
SLOPE_FAULTS = {
    "slopes of the neighbor": (engine, "make_plan", slopes_of_the_neighbor),
    "slopes over the outputs": (engine, "make_plan", slopes_over_the_outputs),
    "no room for slopes": (Network, "needs_slopes", False),
}


@pytest.mark.smoke
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("activation", ["tanh", "gelu"])
def test_no_fault(activation, optimizer):
    check(optimizer, activation=activation)


def test_no_fault_step_by_step(monkeypatch):
    monkeypatch.setattr(Engine, "_run_slice", step_by_step(lambda self, run: run()))
    check()


@pytest.mark.smoke
@pytest.mark.parametrize("name", FAULTS)
def test_fault(name, monkeypatch):
    monkeypatch.setattr(*FAULTS[name])
    with pytest.raises(AssertionError):
        check()


@pytest.mark.parametrize("name", ADAM_FAULTS)
@pytest.mark.parametrize("optimizer", ["Adam", "AdamW"])
def test_fault_with_adam(optimizer, name, monkeypatch):
    monkeypatch.setattr(*ADAM_FAULTS[name])
    with pytest.raises(AssertionError):
        check(optimizer)


@pytest.mark.parametrize("name", ADAMW_FAULTS)
def test_fault_with_adamw(name, monkeypatch):
    monkeypatch.setattr(*ADAMW_FAULTS[name])
    with pytest.raises(AssertionError):
        check("AdamW")


@pytest.mark.parametrize("name", SLOPE_FAULTS)
def test_fault_with_slopes(name, monkeypatch):
    monkeypatch.setattr(*SLOPE_FAULTS[name])
    with pytest.raises(AssertionError):
        check(activation="gelu")


def test_a_function_is_not_its_own_reference():
    with pytest.raises(AssertionError, match="no reference"):
        check_reference(session.Session.epoch)
