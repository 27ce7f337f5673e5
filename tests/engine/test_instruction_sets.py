"""The same checks, by the same bounds, in code for narrower vectors and without a fused multiply-add."""

import platform
import subprocess
import sys
from functools import cache

import llvmlite.binding as llvm
import pytest

from fastbp.compiler.target import TARGET
from support.limits import HANG_SECONDS
from support.processes import TESTS, environment, run_well

pytestmark = pytest.mark.skipif(
    platform.machine().lower() not in ("x86_64", "amd64"), reason="instruction sets of x86 processors"
)

_AVX2 = "+sse,+sse2,+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt,+avx,+avx2,+fma,+bmi,+bmi2"
_AVX512 = f"{_AVX2},+avx512f,+avx512cd,+avx512dq,+avx512bw,+avx512vl"
# Name of the processor, its features, name of the target and its `parts`.
TARGETS = {
    "generic": ("generic", "", "generic", 1),
    "avx2": ("haswell", _AVX2, "avx2", 1),
    "avx512": ("skylake-avx512", _AVX512, "avx512", 1),
    "avx512 in halves": ("znver4", _AVX512, "avx512", 2),
}
# All other tests run in code for this machine itself.
OTHERS = [target for target, facts in TARGETS.items() if facts[2:] != (TARGET.name, TARGET.parts)]
CHECKS = ["kernels/test_matmul.py", "kernels/test_linear_backward.py"] + [
    f"engine/test_{name}.py" for name in ("step", "rounding", "predict", "poison", "threads")
]


@cache
def host_features():
    return {name for name, has in llvm.get_host_cpu_features().items() if has}


def settings(target):
    name, features = TARGETS[target][:2]
    if not {feature[1:] for feature in features.split(",") if feature} <= host_features():
        pytest.skip(f"this processor has no {target}")
    return {"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": features}


@pytest.mark.parametrize("target", OTHERS)
def test_smoke_tests(target):
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-m", "smoke", "-p", "no:cacheprovider", *[str(TESTS / c) for c in CHECKS]],
        env=environment(**settings(target)),
        cwd=TESTS.parent,
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-6000:]


@pytest.mark.parametrize("target", OTHERS)
def test_guard_pages(target):
    run_well("guard_pages", "products", "backward", "training", "write back", "predict", **settings(target))


@pytest.mark.parametrize("target", TARGETS)
def test_target_is_what_was_asked_for(target):
    code = "from fastbp.compiler.target import TARGET; print(TARGET.name, TARGET.parts)"
    output = subprocess.run(
        [sys.executable, "-c", code], env=environment(**settings(target)), capture_output=True, text=True, check=True
    ).stdout
    assert output.split() == [str(fact) for fact in TARGETS[target][2:]]
