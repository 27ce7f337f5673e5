"""A pytest plugin that runs unmodified tests written for scikit-learn on fastbp.

.. code-block:: sh

    pytest -p fastbp.pytest_plugin --pyargs sklearn.neural_network.tests.test_mlp

scikit-learn is patched before any test is imported, and restored at the end. If test modules got hold of scikit-learn's
own classes anyway, the run stops with an error before the first test.
"""

import sys

import pytest
import sklearn.neural_network

from fastbp.estimators._parameters import InvalidParameterError
from fastbp.patching import get_patch_names, original, patch_sklearn, sklearn_is_patched, unpatch_sklearn

__all__: list[str] = []


def _patch(config: pytest.Config) -> None:
    if not sklearn_is_patched():
        config.add_cleanup(unpatch_sklearn)
        patch_sklearn(verbose=False)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Patch before a ``conftest.py`` can import the classes, if the plugin was loaded with ``-p``."""
    _patch(early_config)


def pytest_configure(config: pytest.Config) -> None:
    """Patch if the plugin was loaded through ``pytest_plugins`` in a ``conftest.py``."""
    _patch(config)


def pytest_report_header() -> list[str]:
    """Report what is under test."""
    classes = {name: getattr(sklearn.neural_network, name) for name in get_patch_names()}
    return [
        f"scikit-learn {sklearn.__version__}: {name} is {kind.__module__}.{kind.__qualname__}"
        for name, kind in classes.items()
    ]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Stop if tests would run against scikit-learn's own classes."""
    if not sklearn_is_patched():
        raise pytest.UsageError("scikit-learn is not patched any more: fastbp would not be tested")
    _accept_errors_of_parameters(session.config)
    own = [original(name) for name in get_patch_names()]
    for module in {item.module for item in session.items if isinstance(item, pytest.Function)}:
        for name, value in vars(module).items():
            if any(value is each for each in own):
                raise pytest.UsageError(
                    f"{module.__name__} imported scikit-learn's own {name} before it was patched, so that fastbp would "
                    "not be tested; name the plugin on the command line: -p fastbp.pytest_plugin"
                )


def _accept_errors_of_parameters(config: pytest.Config) -> None:
    """Let scikit-learn's check of parameters accept our error class as well as its own, which is private."""
    checks = sys.modules.get("sklearn.utils.estimator_checks")
    if checks is not None:
        replace = pytest.MonkeyPatch()
        replace.setattr(checks, "InvalidParameterError", (vars(checks)["InvalidParameterError"], InvalidParameterError))
        config.add_cleanup(replace.undo)
