"""scikit-learn's own tests of MLPClassifier, run on FastMLPClassifier.

The tests are those of the scikit-learn that is installed, its neural_network/tests/test_mlp.py, read where it lies,
with our class in the place of MLPClassifier. A test passes, fails, or is not applicable: it asked for what
FastMLPClassifier does not offer and says so (another solver or activation, a second layer, several labels for a sample,
sparse input), or for a regression. What a test asks for is seen when it runs, not listed here.

    python tests/sklearn_mlp_tests.py      prints each test with its outcome; exits with 1 where one failed
"""

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import sklearn.neural_network
from scipy.sparse import issparse
from sklearn.utils.metaestimators import available_if

from fastmlp.classifier import FastMLPClassifier, NotOfferedError

TESTS = Path(sklearn.neural_network.__file__).parent / "tests" / "test_mlp.py"


class NotApplicable(BaseException):
    """Not an Exception, so that no test takes it for the error that it expects."""


class OursInTheirPlace(FastMLPClassifier):
    """FastMLPClassifier, but what it does not offer ends a test as not applicable, whatever error the test expects."""

    def fit(self, X, y, sample_weight=None):
        return self._or_not_applicable(super().fit, X, y, sample_weight)

    @available_if(lambda self: hasattr(super(), "partial_fit"))
    def partial_fit(self, X, y, sample_weight=None, classes=None):
        return self._or_not_applicable(super().partial_fit, X, y, sample_weight, classes)

    @staticmethod
    def _or_not_applicable(method, X, y, *more):
        if issparse(X):
            raise NotApplicable("sparse input")
        if np.ndim(y) == 2 and np.shape(y)[1] > 1:
            raise NotApplicable("several labels for a sample")
        try:
            return method(X, y, *more)
        except NotOfferedError as error:
            raise NotApplicable(str(error)) from None


class NoRegressor:
    """In the place of MLPRegressor."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        raise NotApplicable("regression")


@dataclass
class Outcomes:
    """What pytest reports, by the name of a test."""

    passed: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    not_applicable: dict[str, str] = field(default_factory=dict)

    @pytest.hookimpl(wrapper=True)
    def pytest_pyfunc_call(self, pyfuncitem):
        try:
            result = yield
        except NotApplicable as reason:
            self.not_applicable[pyfuncitem.name] = str(reason)
            pytest.skip(str(reason))
        return result

    def pytest_runtest_logreport(self, report):
        name = report.nodeid.split("::")[-1]
        if report.failed:
            self.failed[name] = str(report.longrepr)
        elif report.when == "call" and report.passed:
            self.passed.append(name)
        elif report.skipped and name not in self.not_applicable:
            self.not_applicable[name] = f"skipped by scikit-learn: {report.longrepr[-1]}"


def run() -> Outcomes:
    """Run all tests of the file, quietly."""
    outcomes = Outcomes()
    ours = type("FastMLPClassifier", (OursInTheirPlace,), {})
    with (
        mock.patch.object(sklearn.neural_network, "MLPClassifier", ours),
        mock.patch.object(sklearn.neural_network, "MLPRegressor", NoRegressor),
    ):
        options = ["-p", "no:cacheprovider", "-p", "no:terminal", "-c", os.devnull, "--rootdir", str(TESTS.parent)]
        code = pytest.main([str(TESTS), *options], plugins=[outcomes])
    if code not in (0, 1) or not outcomes.passed:
        outcomes.failed["(the run itself)"] = f"pytest ended with {code!r}"
    return outcomes


def main() -> int:
    """Print what came out; return 1 where a test failed."""
    outcomes = run()
    counts = [len(each) for each in (outcomes.passed, outcomes.failed, outcomes.not_applicable)]
    lines = [
        f"scikit-learn {sklearn.__version__}: {TESTS}\n",
        *(f"passed          {name}" for name in outcomes.passed),
        *(f"not applicable  {name}: {reason}" for name, reason in outcomes.not_applicable.items()),
        *(f"FAILED          {name}\n{text}\n" for name, text in outcomes.failed.items()),
        "\n{} passed, {} failed, {} not applicable".format(*counts),
    ]
    print("\n".join(lines))  # noqa: T201  (a script)
    return 1 if outcomes.failed else 0


if __name__ == "__main__":
    sys.exit(main())
