"""Faults planted into refbp: every test that docs/textbook/README.md names for an item can fail.

A fault is a small change in the text of one function. It is compiled into the function itself, so that all users
of the function are affected. Then the tests of the item are run, in a separate pytest session.
"""

import inspect
import pkgutil
import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

TESTS = Path(__file__).parent
INDEX = TESTS.parents[1] / "docs" / "textbook" / "README.md"


class Fault(NamedTuple):
    """What is changed: in a function or property of refbp, one piece of text for another."""

    place: str
    right: str
    wrong: str


FAULTS = {
    1: [Fault("one_hidden_layer.forward", "J=L + s", "J=L")],
    2: [Fault("one_hidden_layer.backward", "+ prod(dJ_ds, ds_dw1)", "")],
    3: [
        Fault("prod", "dy_dx.factor)", "np.abs(dy_dx.factor))"),
        Fault("prod", "np.tensordot(dz_dy, dy_dx,", "np.tensordot(dz_dy, np.abs(dy_dx),"),
    ],
    4: [Fault("draw.place.picture", "(y, x) for x, y in middles", "(y, -x) for x, y in middles")],
    5: [
        Fault("one_hidden_layer.alternate", "walks[-1].backward", "walks[0].backward"),
        Fault("one_hidden_layer.alternate", "lam=lam))\n    re", "lam=lam)._replace(backward=walks[0][1]))\n    re"),
    ],
    6: [Fault("one_hidden_layer.backward", 'prod(dJ_dz, Factored(one, f"i{n},{n}->i"))', "dJ_dz")],
    7: [
        Fault("one_hidden_layer.forward", "o = plus_bias(w2 @ h, b2)", "o = w2 @ h"),
        Fault("graph.networks.one_hidden_layer", "W2 @ hidden + b2 if biases else W2 @ hidden", "W2 @ hidden"),
        Fault("walk_text.equations", '"{w1} {x}" + f" + {{b1}}{one_t}" * b1', '"{w1} {x}"'),
    ],
    8: [
        Fault("accounting.cost.Cost.training", "sum(layer.deltas for layer in layers)", "0"),
        Fault("accounting.cost.Cost.inference", "n_out + max(n_out, n_in)", "n_out"),
        Fault("graph.trace", "occupied -= size(owner(a), itemsize)", "pass"),
    ],
    9: [Fault("graph.hessian_vector_product", "gradients[x] * v", "gradients[x]")],
    10: [
        Fault(
            "accounting.partition.data_parallel",
            "add_up([gradients[p] for p in same], same[0].shape)",
            "gradients[same[0]]",
        ),
        Fault("accounting.placement.Partition.traffic", "size(v) * self.itemsize", "size(v)"),
        Fault("accounting.partition.within", "way.memory > limit", "way.memory > 2 * limit"),
    ],
    11: [
        Fault("graph.get_inputs", "list(v.inputs)", "list(v.inputs)[::-1]"),
        Fault("graph.Graph.insert", "dict.fromkeys(node.inputs)", "node.inputs"),
        Fault("graph.arithmetic.Subtract.f", "a - b", "b - a"),
    ],
    12: [
        Fault("graph.functions.Softmax.rule", "h * (G - reduce_sum(G * h, axis=-1, keepdims=True))", "h * (1 - h) * G"),
        Fault("prod", "np.tensordot(dz_dy, dy_dx,", "np.tensordot(dz_dy, np.abs(dy_dx),"),
    ],
    13: [Fault("graph.simplified_backprop", "grad_table[j] += ", "grad_table[j] = ")],
    14: [
        Fault("graph.fit_to_memory", "highest <= budget", "highest <= 2 * budget"),
        Fault("graph.schedule", "set(recompute)", "set()"),
    ],
    15: [
        Fault("graph.functions.Exp.rule", "self.output", "exp(inputs[0])"),
        Fault("graph.arithmetic.Power.rule", "(p - 1)", "p"),
    ],
    16: [
        Fault("graph.build_grad", "add_up(parts, V.shape)", "parts[-1]"),
        Fault("graph.build_grad", "if V in grad_table:", "if V is grad_table.z:"),
        Fault("graph.backpropagation.prune", "set(targets)", "set(graph)"),
        Fault("graph.get_inputs", "if v in graph", "if v not in graph"),
    ],
    17: [Fault("graph.arithmetic.MatMul.rule", "G @ B.T", "G @ B")],
    18: [
        Fault("graph.Operation.rule", "raise UndefinedDerivativeError", "return zeros(inputs[k].shape) or "),
        Fault("numdiff.is_smooth", "bool(", "bool(True or "),
    ],
    19: [
        Fault("partial_derivative", "unit[index] = 1", "unit[...] = 1"),
        Fault("jacobian", ".reshape(y_shape + x.shape)", ".reshape(y_shape + x.shape).T"),
    ],
    20: [
        Fault("penalties.deep_learning_summed_gradient", "2 * coefficient", "coefficient"),
        Fault("graph.arithmetic.Power.rule", "G * (p * ", "G * ("),
        Fault("graph.section_6_5_7", "relu(U1)", "functions.tanh(U1)"),
    ],
    21: [
        Fault("accounting.memory.fused_memory", "MOMENTS[cost.optimizer] * parameters", "0"),
        Fault("accounting.cost.Cost.weights", "layer.n_in * layer.n_out", "layer.parameters"),
        Fault("accounting.cost.Cost.layers", "product if layers else 0", "product"),
        Fault("graph.arithmetic.MatMul.multiply_adds", "math.prod(a + b[1:])", "math.prod(a)"),
        Fault("graph.trace", "occupied -= size(owner(a), itemsize)", "pass"),
    ],
    22: [
        Fault("one_hidden_layer.backward", "act.backward(np.ones_like(f.h), act.kept(f.z, f.h))", "np.ones_like(f.h)"),
        Fault("one_hidden_layer.alternate", "p.copy()", "p"),
        Fault("one_hidden_layer.backward", "ds_dw1 = lam * f.w1", "ds_dw1 = lam * f.w1; f.w1[...] -= 0.1 * ds_dw1"),
    ],
}
"""For each item the faults that make its tests fail, each some that those before it have not."""


def look_up(name: str) -> Callable[..., Any]:
    """Find a function, or that of a property."""
    thing = pkgutil.resolve_name(f"refbp.{name}")
    return thing.fget if isinstance(thing, property) else thing


def plant(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    function = look_up(fault.place)
    text = textwrap.dedent(inspect.getsource(function))
    assert text.count(fault.right) == 1, f"{fault.place} has {fault.right!r} {text.count(fault.right)} times"
    namespace: dict[str, Any] = {}
    exec(compile(text.replace(fault.right, fault.wrong), fault.place, "exec"), function.__globals__, namespace)
    faulty = namespace[function.__name__]
    monkeypatch.setattr(function, "__code__", (faulty.fget if isinstance(faulty, property) else faulty).__code__)


class Recorder:
    """A plugin of pytest that notes which tests fail, and runs no more cases of those that have."""

    def __init__(self) -> None:
        self.failed: dict[str, str] = {}

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        if name_of(item) in self.failed:
            pytest.skip("another case has failed")

    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo) -> None:
        if call.excinfo is not None and not call.excinfo.errisinstance(pytest.skip.Exception):
            self.failed[name_of(item)] = call.excinfo.exconly()


def name_of(item: pytest.Item) -> str:
    return f"{item.path.relative_to(TESTS).as_posix()}::{item.originalname}"


def failing(tests: list[str]) -> dict[str, str]:
    """Run tests in a separate session; returns those that fail, and their messages."""
    recorder = Recorder()
    quiet = ["-p", "no:cacheprovider", "-p", "no:faulthandler", "--capture=no", "--tb=no", "--no-summary"]
    status = pytest.main([*quiet, *(str(TESTS / name) for name in tests)], plugins=[recorder])
    assert status == (pytest.ExitCode.TESTS_FAILED if recorder.failed else pytest.ExitCode.OK)
    return recorder.failed


def named_for(item: int) -> list[str]:
    """List the tests that the index names for an item."""
    (row,) = re.findall(rf"^\| {item} \|.*", INDEX.read_text(encoding="utf-8"), re.MULTILINE)
    return re.findall(r"\[`([\w/]+\.py::\w+)`\]", row)


@pytest.mark.parametrize("item", FAULTS)
def test_every_test_of_an_item_can_fail(item):
    left = named_for(item)
    for fault in FAULTS[item]:
        assert left, f"{fault} is not needed"
        with pytest.MonkeyPatch.context() as monkeypatch:
            plant(fault, monkeypatch)
            failed = failing(left)
        assert failed, f"nobody sees {fault}"
        for test, said in failed.items():
            # A ValueError tells of shapes that do not fit. Anything else would be a fault that cannot be computed.
            assert said.startswith(("AssertionError", "Failed", "ValueError", "refbp.gradcheck_report")), (
                f"{test}: {said}"
            )
        left = [test for test in left if test not in failed]
    assert left == [], "these tests see no fault"


def test_every_item_has_a_fault():
    assert list(FAULTS) == list(range(1, 23))


def test_without_a_fault_nothing_fails():
    assert failing(named_for(1)) == {}
