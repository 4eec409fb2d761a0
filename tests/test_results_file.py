"""The file of a comparison's results: what is damaged is refused, and the message says where."""

import json
import re

import pytest

from fastmlp.comparison.results_file import read_results, write_results
from fastmlp.errors import ResultsFileError


def without(results, *keys):
    *path, last = keys
    for key in path:
        results = results[key]
    del results[last]


def put(results, value, *keys):
    *path, last = keys
    for key in path:
        results = results[key]
    results[last] = value


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda r: put(r, 99, "schema"), "has schema 99, and this fastmlp reads schema 2"),
        (lambda r: without(r, "schema"), "has schema None"),
        (lambda r: put(r, "training", "kind"), "does not hold results of `fastmlp compare`"),
        (lambda r: without(r, "environment", "peak_gflops"), "environment lacks 'peak_gflops'"),
        (lambda r: put(r, {}, "results"), "results is not a list"),
        (lambda r: put(r, 3, "results", 1), "results[1] is 3"),
        (lambda r: put(r, "fast", "results", 1, "train_seconds"), 'results[1].train_seconds is "fast"'),
        (lambda r: put(r, True, "results", 0, "test_accuracy"), "results[0].test_accuracy is true"),
        (lambda r: put(r, [1], "results", 0, "spread", "ratio"), "results[0].spread.ratio is [1]"),
        (lambda r: put(r, [None], "results", 0, "history", "seconds"), "results[0].history.seconds[0] is null"),
        (lambda r: without(r, "results", 7, "error"), "results[7] lacks 'version'"),
        (lambda r: put(r, [], "results", 2, "repeats"), "results[2].repeats is empty"),
        (lambda r: without(r, "results", 2, "repeats", 1, "history"), "results[2].repeats[1] lacks 'history'"),
        (
            lambda r: put(r, [0.9], "results", 2, "repeats", 1, "history", "val_accuracy"),
            "results[2].repeats[1].history has not one value per epoch",
        ),
    ],
)
def test_damaged_results_are_told_by_place(results, tmp_path, damage, message):
    damage(results)
    path = tmp_path / "results.json"
    path.write_text(json.dumps(results), encoding="utf-8")
    with pytest.raises(ResultsFileError, match=re.escape(message)):
        read_results(path)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"[1, 2]", b'{"kind": NaN}', b"[" * 100_000])
def test_what_is_no_json_is_told(tmp_path, content):
    path = tmp_path / "results.json"
    path.write_bytes(content)
    with pytest.raises(ResultsFileError, match="results"):
        read_results(path)


def test_cut_off_anywhere_is_told(saved_results):
    whole = saved_results.read_bytes()
    for length in range(0, len(whole) - 2, 997):
        saved_results.write_bytes(whole[:length])
        with pytest.raises(ResultsFileError, match="is damaged"):
            read_results(saved_results)


def test_results_without_an_optimizer_are_those_of_sgd(results, tmp_path):
    del results["parameters"]["optimizer"]
    write_results(results, tmp_path / "results.json")
    assert read_results(tmp_path / "results.json")["parameters"]["optimizer"] == "sgd"
