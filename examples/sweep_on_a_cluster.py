"""A search for the best settings on a Dask cluster: of two processes on this machine here, else of many machines.

Needs scikit-learn and Dask: pip install 'fastmlp[sklearn,dask]'. `fastmlp sweep --scheduler ADDRESS` does the same on
the command line.
"""

import joblib
from distributed import Client, LocalCluster
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

from fastmlp import FastMLPClassifier


def main() -> None:
    """Search on a cluster of two workers, each with one thread."""
    X, y = load_digits(return_X_y=True)
    net = FastMLPClassifier((30,), solver="sgd", max_iter=300, tol=1e-2, random_state=0, n_threads=1)
    search = GridSearchCV(net, {"learning_rate_init": [0.01, 0.1], "hidden_layer_sizes": [(10,), (30,)]}, cv=2)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster),
        joblib.parallel_config(backend="dask"),
    ):
        search.fit(X / 16, y)
    for settings, accuracy in zip(search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True):
        print(f"{settings}: {accuracy:.3f}")
    print(f"best: {search.best_params_}")


if __name__ == "__main__":  # the workers import this file
    main()
