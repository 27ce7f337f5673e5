"""The plugin runs tests written for scikit-learn on fastbp and reports that, or stops."""

import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest
import sklearn.utils.estimator_checks  # has tables whose keys are classes
from sklearn import neural_network

import fastbp
from fastbp.patching import patch_sklearn, sklearn_is_patched, unpatch_sklearn
from support.limits import HANG_SECONDS
from support.processes import environment

pytest_plugins = ["pytester"]

# A conftest.py and a test of somebody who knows nothing of fastbp.
CONFTEST = "from sklearn.neural_network import MLPClassifier as Network"
TEST = """
import sklearn.neural_network
from conftest import Network

def test_who_it_is():
    assert sklearn.neural_network.MLPClassifier.__module__.startswith("fastbp.")
    assert Network is sklearn.neural_network.MLPClassifier
"""
BY_CONFTEST = 'pytest_plugins = ["fastbp.pytest_plugin"]'
BY_OPTION = ("-p", "fastbp.pytest_plugin")


def held():
    """All that scikit-learn's modules hold at top level: objects by identity, tables by their keys."""
    return {
        (name, key, frozenset(map(id, value)) if isinstance(value, dict) else id(value))
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] == "sklearn"
        for key, value in vars(module).items()
    }


@pytest.fixture(autouse=True)
def _no_other_plugins(monkeypatch):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # they take a second


@pytest.fixture
def run(pytester):
    """Run pytest in a separate folder, and check that scikit-learn is restored afterwards."""
    before = held()
    yield lambda *options: pytester.runpytest_inprocess("-p", "no:cacheprovider", *options)
    assert not sklearn_is_patched()
    assert held() == before


def test_patched_before_any_conftest(run, pytester):
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(TEST)
    result = run(*BY_OPTION)
    result.assert_outcomes(passed=1)
    ours = "MLPClassifier is fastbp.estimators._classifier.MLPClassifier"
    result.stdout.fnmatch_lines([f"scikit-learn {sklearn.__version__}: {ours}"])


def test_named_by_a_conftest(run, pytester):
    pytester.makeconftest(f"{BY_CONFTEST}\ndef pytest_configure():\n    global Network\n    {CONFTEST}")
    pytester.makepyfile(TEST)
    run().assert_outcomes(passed=1)


def test_named_too_late(run, pytester):
    pytester.makeconftest(f"{BY_CONFTEST}\n{CONFTEST}")
    pytester.makepyfile(test_it=TEST)
    result = run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.assert_outcomes()
    result.stderr.fnmatch_lines(["ERROR: test_it imported scikit-learn's own Network before it was patched, *"])


def test_not_patched_any_more(run, pytester):
    pytester.makepyfile("import fastbp\nfastbp.unpatch_sklearn()\ndef test_it(): pass")
    result = run(*BY_OPTION)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.assert_outcomes()
    result.stderr.fnmatch_lines(["ERROR: scikit-learn is not patched any more: fastbp would not be tested"])


def test_who_had_patched_before_goes_on(pytester):
    patch_sklearn(verbose=False)
    try:
        pytester.makepyfile("def test_it(): pass")
        pytester.runpytest_inprocess(*BY_OPTION).assert_outcomes(passed=1)
        assert neural_network.MLPClassifier is fastbp.MLPClassifier
    finally:
        unpatch_sklearn()


@pytest.mark.skipif(sklearn.__version__ != "1.9.1", reason="these are the tests of scikit-learn 1.9.1")
def test_scikit_learns_own_tests(tmp_path):
    """All 59 tests that scikit-learn has for its MLPs, as they were installed."""
    pytest.importorskip("pandas", reason="two of the tests need it")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    report = tmp_path / "report.xml"
    options = [*BY_OPTION, "-p", "no:cacheprovider", f"--junitxml={report}", "-q", "--tb=short", "--disable-warnings"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "--pyargs", "sklearn.neural_network.tests.test_mlp"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (suite,) = ElementTree.parse(report).getroot().iter("testsuite")
    counts = {key: int(suite.attrib[key]) for key in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": 59, "failures": 0, "errors": 0, "skipped": 0}
