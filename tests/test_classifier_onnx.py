"""Pipelines with a FastMLPClassifier in ONNX: the runtime's probabilities and labels are the estimator's."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("onnxruntime")
pytest.importorskip("skl2onnx")

import onnxruntime
import skl2onnx
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastmlp import FastMLPClassifier
from fastmlp.classifier_onnx import register_onnx_converter
from fastmlp.errors import InvalidValueError

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning", "ignore::DeprecationWarning")


def fitted(load, kinds):
    X, y = load(return_X_y=True)
    X = X.astype(np.float32)
    return make_pipeline(StandardScaler(), FastMLPClassifier(max_iter=30, random_state=0)).fit(X, kinds(y)), X


def onnx_of(model, X):
    register_onnx_converter()
    made = skl2onnx.to_onnx(model, X[:1], options={FastMLPClassifier: {"zipmap": False}})
    return onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("load", [load_iris, load_wine, load_breast_cancer])
@pytest.mark.parametrize(
    "kinds",
    [lambda y: y, lambda y: y * 2**40 - 7, lambda y: np.array(["rzeżucha", "b", "c"])[y], lambda y: y == 1],
    ids=["0 1 2", "large", "texts", "bool"],
)
def test_probabilities_and_labels_are_the_same(load, kinds):
    model, X = fitted(load, kinds)
    labels, probabilities = onnx_of(model, X).run(None, {"X": X})
    np.testing.assert_allclose(probabilities, model.predict_proba(X), atol=1e-5)
    np.testing.assert_array_equal(np.asarray(labels), model.predict(X).astype(labels.dtype))


def test_any_number_of_rows_and_float64():
    model, X = fitted(load_iris, lambda y: y)
    session = onnx_of(model, X.astype(np.float64))
    for n in (1, 2, 150):
        _, probabilities = session.run(None, {"X": X[:n].astype(np.float64)})
        np.testing.assert_allclose(probabilities, model.predict_proba(X[:n]), atol=1e-5)


def test_labels_that_onnx_has_not_are_refused():
    model, X = fitted(load_iris, lambda y: y * 1.0)
    with pytest.raises(InvalidValueError, match=r"and these are \[0.0, 1.0, 2.0\]"):
        onnx_of(model, X)


def test_without_skl2onnx_a_sentence_says_what_to_install():
    code = (
        "import sys; sys.modules['skl2onnx'] = None\n"
        "from fastmlp.classifier_onnx import register_onnx_converter\n"
        "from fastmlp.errors import MissingLibraryError\n"
        "try: register_onnx_converter()\n"
        "except MissingLibraryError as error: print(error)"
    )
    said = subprocess.check_output([sys.executable, "-c", code], text=True, cwd=Path(__file__).parents[1])
    assert said == "writing a pipeline as ONNX needs skl2onnx: pip install skl2onnx\n"
