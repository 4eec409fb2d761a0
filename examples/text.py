"""Text in scikit-learn: words become sparse columns, which the net takes as they are.

Needs scikit-learn: pip install 'fastmlp[sklearn]'.
"""

import random

from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline

from fastmlp import FastMLPClassifier

WORDS = {
    "sea": ["wave", "tide", "ship", "harbour", "salt", "gull", "anchor", "storm", "sail", "deep"],
    "garden": ["rose", "soil", "seed", "rake", "bee", "leaf", "bloom", "hedge", "root", "shade"],
    "kitchen": ["salt", "oven", "pan", "spoon", "bread", "root", "leaf", "boil", "flour", "knife"],
}
COMMON = ["the", "a", "of", "and", "in", "is", "on", "with", "from", "by"]


def corpus(texts_per_topic: int) -> tuple[list[str], list[str]]:
    """Return made-up texts, some words of which belong to two topics, and their topics."""
    rng = random.Random(0)
    pairs = [
        (" ".join(rng.choices(COMMON, k=12) + rng.choices(WORDS[topic], k=6)), topic)
        for topic in WORDS
        for _ in range(texts_per_topic)
    ]
    return [text for text, _ in pairs], [topic for _, topic in pairs]


def main() -> None:
    """Train a net on the words of texts, counted in two ways."""
    train, test, topics, expected = train_test_split(*corpus(300), random_state=0)
    # Plain steps with alpha=0 take as long as a batch has words; others would move the weights of all 65,536 columns.
    settings = {
        "solver": "sgd",
        "momentum": 0,
        "alpha": 0,
        "learning_rate_init": 0.1,
        "max_iter": 300,
        "random_state": 0,
    }
    ways = {
        "TfidfVectorizer": TfidfVectorizer(sublinear_tf=True),
        "HashingVectorizer": HashingVectorizer(n_features=2**16, alternate_sign=False),
    }
    for name, words in ways.items():
        reader = Pipeline([("words", words), ("net", FastMLPClassifier((32,), **settings))])
        reader.fit(train, topics)
        columns = reader["net"].n_features_in_
        print(f"{name}: {columns:,} columns, test accuracy {reader.score(test, expected):.3f}")
    print(reader.predict(["a storm on the deep with gull and sail", "boil the flour in a pan with a spoon"]))


if __name__ == "__main__":
    main()
