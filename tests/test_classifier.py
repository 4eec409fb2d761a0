"""FastMLPClassifier: scikit-learn's checks, the same training as MLPClassifier's, and all that people hand in."""

import os
import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")

from joblib import Parallel, delayed
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler, scale
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastmlp import FastMLPClassifier, classifier, classifier_solver
from fastmlp.engine.settings import default_threads
from fastmlp.machine import available_processors

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

IRIS, KINDS = scale(load_iris().data), load_iris().target
CANCER, MALIGN = scale(load_breast_cancer().data), load_breast_cancer().target


def fitted(X=IRIS, y=KINDS, sample_weight=None, **settings):
    return FastMLPClassifier(**{"random_state": 0, "max_iter": 20} | settings).fit(X, y, sample_weight)


def bits(model):
    return b"".join(array.tobytes() for array in [*model.coefs_, *model.intercepts_])


BATCHES = "mini-batches: a repeated sample meets other samples in its batches than one with a weight does"


def expected_failures(estimator):
    kinds = "dense", "sparse"
    return {f"check_sample_weight_equivalence_on_{kind}_data": BATCHES for kind in kinds}


@parametrize_with_checks([FastMLPClassifier()], expected_failed_checks=expected_failures)
@pytest.mark.filterwarnings("ignore")
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.long
def test_tests_of_scikit_learns_own_net():
    script = Path(__file__).with_name("sklearn_mlp_tests.py")
    run = subprocess.run([sys.executable, script], text=True, capture_output=True, check=False, cwd=script.parents[1])
    assert run.returncode == 0, run.stdout + run.stderr
    passed, failed = run.stdout.splitlines()[-1].split(",")[:2]
    assert int(passed.split()[0]) >= 19 and failed == " 0 failed"


# --- The same training as MLPClassifier's -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"alpha": 1.0, "batch_size": 32},
        {"shuffle": False, "hidden_layer_sizes": 7},
        {"early_stopping": True, "learning_rate_init": 0.01},
        {"early_stopping": True, "validation_fraction": 0.3, "n_iter_no_change": 3},
        {"solver": "sgd", "momentum": 0},
        {"solver": "sgd", "nesterovs_momentum": False, "learning_rate_init": 0.05},
        {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.5, "power_t": 0.3},
        {"solver": "sgd", "learning_rate": "adaptive", "learning_rate_init": 0.2, "tol": 0.01, "n_iter_no_change": 2},
        {"n_iter_no_change": 2, "tol": 0.05},
    ],
    ids=str,
)
def test_a_training_is_that_of_mlpclassifier(settings):
    ours, theirs = (
        kind(**{"random_state": 3, "max_iter": 60} | settings).fit(IRIS, KINDS)
        for kind in (FastMLPClassifier, MLPClassifier)
    )
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-3)
    assert (ours.n_iter_, ours.t_, ours.n_layers_) == (theirs.n_iter_, theirs.t_, theirs.n_layers_)
    assert ours.validation_scores_ == theirs.validation_scores_
    assert ours.best_validation_score_ == theirs.best_validation_score_
    assert ours.out_activation_ == theirs.out_activation_ and ours.n_outputs_ == theirs.n_outputs_
    for name in ("coefs_", "intercepts_"):
        for our, their in zip(getattr(ours, name), getattr(theirs, name), strict=True):
            np.testing.assert_allclose(our, their, atol=2e-3)
    np.testing.assert_allclose(ours.predict_proba(IRIS), theirs.predict_proba(IRIS), atol=2e-3)


def test_weights_of_samples_are_those_of_mlpclassifier():
    if "sample_weight" not in MLPClassifier.fit.__code__.co_varnames:
        pytest.skip("MLPClassifier takes no sample_weight in this scikit-learn")
    weights = np.random.default_rng(0).uniform(0, 3, len(KINDS))
    ours, theirs = (
        kind(random_state=3, max_iter=30).fit(IRIS, KINDS, weights) for kind in (FastMLPClassifier, MLPClassifier)
    )
    np.testing.assert_allclose(ours.predict_proba(IRIS), theirs.predict_proba(IRIS), atol=1e-4)


@pytest.mark.parametrize("settings", [{}, {"solver": "sgd"}, {"alpha": 1.0}, {"early_stopping": True}], ids=str)
def test_two_classes_have_one_logistic_output_as_in_mlpclassifier(settings):
    ours, theirs = (
        kind(**{"random_state": 3, "max_iter": 30} | settings).fit(CANCER, MALIGN)
        for kind in (FastMLPClassifier, MLPClassifier)
    )
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-3)
    np.testing.assert_allclose(ours.predict_proba(CANCER), theirs.predict_proba(CANCER), atol=2e-3)
    assert ours.validation_scores_ == theirs.validation_scores_
    assert not ours.net_.W2[:, 0].any() and ours.net_.b2[0] == 0


def test_two_classes_start_as_one_logistic_output_and_are_shown_as_one():
    ours = fitted(CANCER, MALIGN, solver="sgd", learning_rate_init=1e-9, max_iter=1)
    theirs = MLPClassifier(solver="sgd", learning_rate_init=1e-9, max_iter=1, random_state=0).fit(CANCER, MALIGN)
    np.testing.assert_allclose(ours.predict_proba(CANCER), theirs.predict_proba(CANCER), atol=1e-6)
    assert (ours.n_outputs_, ours.out_activation_) == (theirs.n_outputs_, theirs.out_activation_)
    assert [array.shape for array in ours.coefs_] == [array.shape for array in theirs.coefs_]
    ours = fitted(CANCER, MALIGN)
    (W1, w2), (b1, b2) = ours.coefs_, ours.intercepts_
    z = np.maximum(CANCER @ W1.astype(np.float64) + b1, 0) @ w2 + b2
    np.testing.assert_allclose(ours.predict_proba(CANCER)[:, 1], 1 / (1 + np.exp(-z[:, 0])), atol=1e-6)


def test_all_settings_of_mlpclassifier_are_taken():
    settings = MLPClassifier().get_params()
    assert set(FastMLPClassifier(**settings).get_params()) - set(settings) == {"class_weight", "n_threads"}
    assert settings.items() <= FastMLPClassifier().get_params().items()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"solver": "lbfgs"}, "has no solver 'lbfgs': use 'adam', 'sgd', or scikit-learn's MLPClassifier"),
        ({"activation": "tanh"}, "has no activation 'tanh': use 'relu', or scikit-learn's"),
        ({"hidden_layer_sizes": (50, 20)}, r"has one hidden layer, and hidden_layer_sizes is \(50, 20\): name one"),
        ({"hidden_layer_sizes": ()}, r"has one hidden layer, and hidden_layer_sizes is \(\)"),
        ({"hidden_layer_sizes": [0]}, "hidden_layer_sizes must be > 0, got"),
        ({"momentum": 1.0}, "The 'momentum' parameter of FastMLPClassifier must be a float in the range"),
        ({"solver": "newton"}, "The 'solver' parameter of FastMLPClassifier must be a str among"),
        ({"n_threads": 0}, "The 'n_threads' parameter of FastMLPClassifier must be an int in the range"),
        ({"class_weight": "equal"}, "The 'class_weight' parameter of FastMLPClassifier must be"),
        ({"class_weight": {0: -1}}, "Negative values in data passed to `class_weight`"),
        ({"class_weight": dict.fromkeys(range(3), 0)}, "Sample weights must contain at least one non-zero number"),
        ({"early_stopping": True, "validation_fraction": 0.005}, "The validation set is too small"),
    ],
    ids=str,
)
def test_settings_that_are_refused(settings, says):
    model = FastMLPClassifier(**settings)
    with pytest.raises(ValueError, match=says):
        model.fit(IRIS, KINDS)
    assert not hasattr(model, "coefs_")


# --- Going on ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.1}])
def test_partial_fits_are_the_epochs_of_a_fit(settings):
    whole = fitted(max_iter=5, shuffle=False, **settings)
    model = FastMLPClassifier(random_state=0, shuffle=False, **settings)
    for _ in range(3):
        model.partial_fit(IRIS, KINDS, classes=[0, 1, 2])
    model = pickle.loads(pickle.dumps(model))  # with what the optimiser remembers
    for _ in range(2):
        model.partial_fit(IRIS, KINDS)
    assert bits(model) == bits(whole)
    assert model.loss_curve_ == whole.loss_curve_ and model.t_ == whole.t_ and model.n_iter_ == 1


@pytest.mark.parametrize(
    ("y", "more", "says"),
    [
        ([0, 1], {}, "classes must be passed on the first call to partial_fit"),
        ([0, 2], {"classes": [0, 1]}, r"`y` has classes not in `self.classes_`. `self.classes_` has \[0 1\]"),
        ([0, 1], {"classes": [0, 1], "sample_weight": [0, 0]}, "at least one non-zero number"),
        ([0, 1], {"classes": [0, 1], "sample_weight": [1, -1]}, "Negative values in data passed to `sample_weight`"),
    ],
    ids=str,
)
def test_partial_fits_that_are_refused(y, more, says):
    with pytest.raises(ValueError, match=says):
        FastMLPClassifier().partial_fit([[1, 2], [3, 4]], y, **more)


def test_a_partial_fit_with_a_class_that_is_new_or_with_balanced_weights_is_refused():
    model = FastMLPClassifier().partial_fit(IRIS, KINDS, classes=[0, 1, 2, 5])
    assert model.predict_proba(IRIS).shape == (150, 4)
    with pytest.raises(ValueError, match="`y` has classes not in"):
        model.partial_fit(IRIS, KINDS + 3)
    with pytest.raises(ValueError, match="is not the same as on last call to partial_fit"):
        model.partial_fit(IRIS, KINDS, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="class_weight 'balanced' is not supported for partial_fit"):
        model.set_params(class_weight="balanced").partial_fit(IRIS, KINDS)


def test_a_warm_start_goes_on():
    model = fitted(warm_start=True, max_iter=5)
    first = bits(model)
    model.fit(IRIS, KINDS)
    assert len(model.loss_curve_) == 10 and model.n_iter_ == 5 and bits(model) != first
    assert model.loss_curve_[5] < model.loss_curve_[0]
    with pytest.raises(ValueError, match="warm_start can only be used where `y` has the same classes"):
        model.fit(IRIS, KINDS // 2)
    with pytest.raises(ValueError, match="hidden_layer_sizes has changed from 100 to 50"):
        model.set_params(hidden_layer_sizes=50).fit(IRIS, KINDS)


# --- What people hand in ----------------------------------------------------------------------------------------------


def test_the_weights_of_classes_are_weights_of_their_samples():
    y, weights = np.array(["a", "b", "c"])[KINDS], np.random.default_rng(0).uniform(1, 2, 150)
    by_class = {"a": 1, "b": 5, "c": 0.5}
    both = fitted(IRIS, y, weights, class_weight=by_class)
    assert bits(both) == bits(
        fitted(IRIS, y, weights.astype(np.float32) * compute_sample_weight(by_class, y).astype("f"))
    )
    few = np.r_[0:50, 50:60, 100:105]
    balanced = fitted(IRIS[few], y[few], class_weight="balanced")
    assert bits(balanced) == bits(fitted(IRIS[few], y[few], compute_sample_weight("balanced", y[few])))


@pytest.mark.parametrize(
    ("weights", "says"),
    [
        (np.zeros(150), "weight.*zero|zero.*weight"),
        (np.r_[-1, np.ones(149)], "Negative values in data passed to `sample_weight`"),
        (np.r_[np.nan, np.ones(149)], "Input sample_weight contains NaN"),
        (np.ones(149), r"sample_weight.shape == \(149,\), expected \(150,\)"),
    ],
    ids=["zero", "negative", "NaN", "few"],
)
def test_sample_weights_that_are_refused(weights, says):
    with pytest.raises(ValueError, match=says):
        fitted(sample_weight=weights)


@pytest.mark.parametrize("part", ["training", "validation"])
def test_a_part_without_any_weight_is_refused(part):
    held_back = np.flatnonzero(fitted_rows(early_stopping=True))
    weights = np.isin(np.arange(150), held_back) == (part == "training")
    with pytest.raises(ValueError, match=f"The sample weights for {part} set are all zero"):
        fitted(sample_weight=weights, early_stopping=True)


def fitted_rows(**settings):
    """Which rows are held back: found by their own numbers."""
    X, rows = np.tile(np.arange(150.0)[:, None], 4), {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classifier, "train", lambda *given: rows.update(held_back=given[5].X[:, 0]))
        FastMLPClassifier(random_state=0, **settings).fit(X, KINDS)
    return np.isin(np.arange(150), rows["held_back"])


@pytest.mark.parametrize("settings", [{}, {"early_stopping": True}, {"solver": "sgd"}], ids=str)
def test_sparse_input_gives_the_bits_of_the_dense_array(settings):
    X = np.where(IRIS > 2, IRIS, 0)
    dense, sparse = (
        FastMLPClassifier(max_iter=20, random_state=0, **settings).fit(x, KINDS) for x in (X, csr_array(X))
    )
    assert bits(dense) == bits(sparse)
    assert (dense.predict_proba(X) == sparse.predict_proba(csr_array(X))).all()
    assert dense.score(X, KINDS) == sparse.score(csr_array(X), KINDS)


def test_text_is_classified_without_a_dense_array():
    texts, kinds = ["red apple", "green apple", "red car", "fast car", "slow car", "sweet apple"], [0, 0, 1, 1, 1, 0]
    net = FastMLPClassifier((30,), max_iter=100, learning_rate_init=0.01, random_state=0)
    model = make_pipeline(TfidfVectorizer(), net).fit(texts, kinds)
    assert model.predict(["a sweet red apple", "the fast green car"]).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("X", "y", "error", "says"),
    [
        (np.where(IRIS > 2, np.nan, IRIS), KINDS, ValueError, "Input X contains NaN"),
        (IRIS * 1e300, KINDS, ValueError, "Input X contains infinity or a value too large for dtype"),
        (IRIS.astype(str) + "x", KINDS, ValueError, "could not convert string to float"),
        (IRIS, IRIS[:, 0], ValueError, "Unknown label type"),
        (IRIS, np.eye(3)[KINDS], ValueError, "y should be a 1d array"),
        (IRIS, KINDS[:9], ValueError, "inconsistent numbers of samples"),
        (IRIS[0], KINDS, ValueError, "Expected 2D array, got 1D array instead"),
    ],
    ids=["NaN", "huge", "text", "regression", "one-hot", "short", "1-d"],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_data_that_is_refused(X, y, error, says):
    with pytest.raises(error, match=says):
        fitted(X, y)


def test_other_features_and_no_fit_are_refused():
    with pytest.raises(ValueError, match="X has 3 features, but FastMLPClassifier is expecting 4 features as input"):
        fitted().predict(IRIS[:, :3])
    with pytest.raises(NotFittedError, match="This FastMLPClassifier instance is not fitted yet"):
        FastMLPClassifier().predict(IRIS)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_with_names(library):
    frames = pytest.importorskip(library)
    names = ["a", "b", "c", "d"]
    frame, kinds = frames.DataFrame(dict(zip(names, IRIS.T, strict=True))), frames.Series(np.array(list("xyz"))[KINDS])
    model = fitted(frame, kinds)
    assert model.feature_names_in_.tolist() == names
    assert set(model.predict(frame)) == {"x", "y", "z"}
    assert bits(model) == bits(fitted())
    with pytest.raises(ValueError, match="The feature names should match those that were passed during fit"):
        model.predict(frame[["b", "a", "c", "d"]])
    steps = make_pipeline(StandardScaler(), FastMLPClassifier(max_iter=2)).set_output(transform=library)
    assert steps.fit(frame, kinds)[-1].feature_names_in_.tolist() == names


def test_float32_is_taken_as_it_is(monkeypatch):
    taken, X = [], IRIS.astype(np.float32)
    monkeypatch.setattr(classifier, "train", lambda *given: taken.append(given[4].X))
    fitted(X)
    assert np.shares_memory(taken[0], X)


def test_a_metadata_router_hands_the_weights_on():
    from sklearn import config_context

    weights = np.arange(150.0)
    with config_context(enable_metadata_routing=True):
        net = FastMLPClassifier(max_iter=3, random_state=0).set_fit_request(sample_weight=True)
        routed = Pipeline([("net", net)]).fit(IRIS, KINDS, sample_weight=weights)[-1]
    assert bits(routed) == bits(fitted(sample_weight=weights, max_iter=3))


# --- What comes out ---------------------------------------------------------------------------------------------------


def test_random_states():
    assert bits(fitted(random_state=1)) == bits(fitted(random_state=np.random.RandomState(1)))
    assert bits(fitted(random_state=1)) != bits(fitted(random_state=2))
    state = np.random.RandomState(1)
    assert bits(fitted(random_state=state)) != bits(fitted(random_state=state))
    np.random.seed(5)  # noqa: NPY002  (what random_state=None means)
    drawn = [bits(fitted(random_state=None)) for _ in range(2)]
    np.random.seed(5)  # noqa: NPY002
    assert bits(fitted(random_state=None)) == drawn[0] != drawn[1]


def test_the_number_of_threads_changes_no_bit():
    X = np.random.default_rng(0).normal(size=(2000, 30))
    y = (X[:, :3] > 0) @ [1, 2, 4]
    one, two = (fitted(X, y, max_iter=3, n_threads=n) for n in (1, 2))
    assert bits(one) == bits(two)
    assert one.predict_proba(X).tobytes() == two.predict_proba(X).tobytes()


def test_early_stopping_ends_with_the_best_weights():
    model = fitted(early_stopping=True, learning_rate_init=0.05, max_iter=100)
    held_back = fitted_rows(early_stopping=True)
    assert len(model.validation_scores_) == len(model.validation_loss_curve_) == model.n_iter_ < 100
    assert (
        model.score(IRIS[held_back], KINDS[held_back]) == model.best_validation_score_ == max(model.validation_scores_)
    )
    assert model.best_loss_ is None
    plain = fitted()
    assert plain.validation_scores_ is plain.validation_loss_curve_ is plain.best_validation_score_ is None


def test_a_copy_is_the_same():
    model = fitted(CANCER, MALIGN, class_weight={0: 2}, n_threads=1)
    again = pickle.loads(pickle.dumps(model))
    assert bits(again) == bits(model) and again.predict_proba(CANCER).tobytes() == model.predict_proba(CANCER).tobytes()
    assert bits(clone(model).fit(CANCER, MALIGN)) == bits(model)
    assert "FastMLPClassifier" in model._repr_html_()


def test_the_net_can_be_saved(tmp_path):
    from fastmlp import NeuralNetwork

    model = fitted()
    model.net_.save(tmp_path / "net.npz")
    rows = IRIS.astype(np.float32)
    assert NeuralNetwork.load(tmp_path / "net.npz").forward(rows).tobytes() == model.predict_proba(IRIS).tobytes()


def test_log_probabilities_and_labels():
    model = fitted(IRIS, KINDS == 1)
    np.testing.assert_array_equal(model.predict_log_proba(IRIS), np.log(model.predict_proba(IRIS)))
    assert model.predict(IRIS).dtype == bool and model.classes_.tolist() == [False, True]
    assert fitted(IRIS, np.full(150, "x")).predict(IRIS[:2]).tolist() == ["x", "x"]


def test_columns_of_any_size_are_learnt_and_weights_that_overflow_are_told():
    X = load_breast_cancer().data  # whose first loss is far beyond that of guessing
    assert fitted(X, MALIGN, max_iter=100).score(X, MALIGN) > 0.85
    with pytest.raises(ValueError, match=r"Solver produced non-finite parameter weights. The input data may contain"):
        fitted(X * 1e15, MALIGN, solver="sgd", learning_rate_init=1e10)


def test_warnings():
    with pytest.warns(ConvergenceWarning, match=r"Stochastic Optimizer: Maximum iterations \(2\) reached"):
        fitted(max_iter=2)
    with pytest.warns(UserWarning, match="Got `batch_size` less than 1 or larger than sample size. It is going to be"):
        fitted(batch_size=151, max_iter=2)
    with warnings.catch_warnings(action="error"):
        fitted(tol=1.0, max_iter=50)


def test_after_ctrl_c_the_last_full_epoch_is_kept(monkeypatch):
    add = classifier_solver.Progress.add

    def interrupted(progress, *given):
        if len(progress.loss_curve) == 3:
            raise KeyboardInterrupt
        return add(progress, *given)

    monkeypatch.setattr(classifier_solver.Progress, "add", interrupted)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        model = fitted()
    assert model.predict(IRIS).shape == (150,) and len(model.loss_curve_) == 3


def test_verbose(capsys):
    fitted(verbose=True, early_stopping=True, tol=1, n_iter_no_change=1)
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("Iteration 1, loss = 0.9") and said[1].startswith("Validation score: 0.")
    assert said[-1] == "Validation score did not improve more than tol=1.000000 for 1 consecutive epochs. Stopping."


def test_a_grid_search_over_a_pipeline():
    steps = Pipeline([("scale", StandardScaler()), ("net", FastMLPClassifier(max_iter=30, random_state=0))])
    search = GridSearchCV(steps, {"net__hidden_layer_sizes": [(5,), (50,)], "net__learning_rate_init": [0.01]}, cv=3)
    assert search.fit(load_iris().data, KINDS).best_score_ > 0.9
    linear = LogisticRegression().fit(IRIS, KINDS).score(IRIS, KINDS)
    assert search.score(load_iris().data, KINDS) > linear - 0.05


@pytest.mark.alone
def test_workers_of_joblib_share_the_processors():
    threads = Parallel(n_jobs=2)(delayed(default_threads)() for _ in range(4))
    assert sum(threads[:2]) <= max(2, available_processors())


def test_without_scikit_learn_a_sentence_says_what_to_install():
    code = (
        "import sys; sys.modules['sklearn'] = None\n"
        "from fastmlp import *\n"
        "import fastmlp\n"
        "assert 'FastMLPClassifier' in dir(fastmlp)\n"
        "try: fastmlp.FastMLPClassifier\n"
        "except fastmlp.errors.MissingLibraryError as error: print(error)"
    )
    said = subprocess.check_output(
        [sys.executable, "-c", code], text=True, cwd=Path(__file__).parents[1], env=os.environ
    )
    assert said == "FastMLPClassifier needs scikit-learn 1.6 or newer: pip install 'fastmlp[sklearn]'\n"
