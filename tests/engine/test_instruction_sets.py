"""The same checks, by the same bounds, in code for narrower vectors and without a fused multiply-add."""

import platform
import subprocess
import sys

import pytest

from support.processes import TESTS, environment, run_well

pytestmark = pytest.mark.skipif(
    platform.machine().lower() not in ("x86_64", "amd64"), reason="instruction sets of x86 processors"
)

TARGETS = {
    "avx2": ("haswell", "+sse,+sse2,+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt,+avx,+avx2,+fma,+bmi,+bmi2"),
    "generic": ("generic", ""),
}
CHECKS = ["kernels/test_matmul.py", "kernels/test_linear_backward.py"] + [
    f"engine/test_{name}.py" for name in ("step", "rounding", "predict", "poison", "threads")
]


def settings(target):
    name, features = TARGETS[target]
    return {"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": features}


@pytest.mark.parametrize("target", TARGETS)
def test_smoke_tests(target):
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-m", "smoke", "-p", "no:cacheprovider", *[str(TESTS / c) for c in CHECKS]],
        env=environment(**settings(target)),
        cwd=TESTS.parent,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-6000:]


@pytest.mark.parametrize("target", TARGETS)
def test_guard_pages(target):
    run_well("guard_pages", "products", "backward", "training", "write back", "predict", **settings(target))


@pytest.mark.parametrize("target", TARGETS)
def test_target_is_what_was_asked_for(target):
    code = "from fastbp.target import TARGET; print(TARGET.name)"
    output = subprocess.run(
        [sys.executable, "-c", code], env=environment(**settings(target)), capture_output=True, text=True, check=True
    ).stdout
    assert output == f"{target}\n"
