"""A table of categories in scikit-learn: one column for each value, sparse, with numbers beside them.

Needs scikit-learn and pandas: pip install 'fastmlp[sklearn]' pandas.
"""

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from fastmlp import FastMLPClassifier


def visits(n: int) -> tuple[pd.DataFrame, pd.Series]:
    """Return made-up visits to shops, and whether something was bought: that depends on the shop and the minutes."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "town": rng.choice(["Rome", "Oslo", "Lima", "Pune"], n),
            "shop": [f"no. {k}" for k in rng.integers(0, 300, n)],
            "minutes": rng.gamma(2, 10, n),
        }
    )
    liked = table["shop"].str.removeprefix("no. ").astype(int) % 3 == 0
    return table, (liked & (table["minutes"] > 10)) | (table["town"] == "Oslo")


def main() -> None:
    """Train a net on the table."""
    train, test, bought, expected = train_test_split(*visits(6000), random_state=0)
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["town", "shop"]),
        (StandardScaler(), ["minutes"]),
        sparse_threshold=1,  # the result stays sparse
    )
    net = FastMLPClassifier(
        (32,), solver="sgd", alpha=0, learning_rate_init=0.1, max_iter=300, tol=1e-3, random_state=0
    )
    buyers = Pipeline([("encode", encode), ("net", net)]).fit(train, bought)
    encoded = buyers["encode"].transform(test)
    print(f"{encoded.shape[1]} columns, {encoded.nnz / encoded.shape[0]:.1f} values in a row")
    print(f"test accuracy {buyers.score(test, expected):.3f}")


if __name__ == "__main__":
    main()
