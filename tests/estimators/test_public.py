"""What `import fastbp` offers and what it costs."""

import subprocess
import sys
from importlib.metadata import version

import pytest
import sklearn.neural_network
from sklearn.utils import get_tags

import fastbp
from fastbp.interop.libraries import install_command


def _python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()


def test_import_is_cheap():
    heavy = _python(
        "import sys, fastbp; print(*[m for m in ('sklearn', 'numba', 'scipy', 'numpy') if m in sys.modules])"
    )
    assert heavy == []


def test_watch_needs_no_compiler():
    code = "import sys; from fastbp import EpochReport, watch; print('numba' in sys.modules)"
    assert _python(code) == ["False"]


def test_every_public_name_can_be_had():
    for name in set(fastbp.__all__) - {"MLP"}:
        assert getattr(fastbp, name) is not None
    assert set(fastbp.__all__) <= set(dir(fastbp))
    assert fastbp.__version__ == version("fastbp")
    misspelled = "MLPRegresor"
    with pytest.raises(AttributeError, match="no attribute 'MLPRegresor'"):
        getattr(fastbp, misspelled)


@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
def test_without_scikit_learn_the_error_says_what_to_install(name):
    code = f"""
import sys
sys.modules["sklearn"] = None
try:
    from fastbp import {name}
except ImportError as error:
    assert {install_command("sklearn")!r} in str(error), error
    print("ok")
"""
    assert _python(code) == ["ok"]


@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
def test_tags(name):
    """All tags are scikit-learn's, but for one that says less than its regressor can do."""
    tags = [get_tags(getattr(package, name)()) for package in (sklearn.neural_network, fastbp)]
    assert tags[1].target_tags.multi_output == (name == "MLPRegressor")
    tags[1].target_tags.multi_output = tags[0].target_tags.multi_output
    assert tags[1] == tags[0]
    assert tags[1].input_tags.sparse
