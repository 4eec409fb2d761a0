"""What `--dataset` and its companions name, and what a model file remembers of it."""

import json

import pytest

from fastmlp.datasets import DatasetChoice, load_dataset
from fastmlp.errors import DataError


def test_names_lead_to_their_loaders(monkeypatch):
    monkeypatch.setattr("fastmlp.datasets.mnist.load_mnist", lambda data_dir: ("mnist", data_dir))
    monkeypatch.setattr("fastmlp.datasets.synthetic.digits.load_synthetic", lambda: "synthetic")
    assert load_dataset() == ("mnist", None)
    assert load_dataset("mnist", "folder") == ("mnist", "folder")
    assert load_dataset("synthetic") == "synthetic"


def test_a_path_leads_to_load_files_with_its_options(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("a,kind,b\n" + "1,x,2\n3,y,4\n" * 10, encoding="utf-8")
    data = load_dataset(path, test_fraction=0.4, label_column="kind", seed=3)
    assert data.name == "own.csv"
    assert len(data.y_test) == 8
    assert data.class_names == ("x", "y")


@pytest.mark.parametrize(
    "options", [{"test_fraction": 0.2}, {"label_column": "y"}, {"test": "own.csv"}, {"header": False}]
)
@pytest.mark.parametrize("name", ["auto", "mnist", "synthetic"])
def test_options_for_files_do_not_apply_to_named_data(name, options):
    with pytest.raises(ValueError, match=f"the dataset {name} has its own test set"):
        load_dataset(name, **options)


def test_a_misspelt_name_is_told():
    with pytest.raises(DataError, match=r"minst does not exist; .* or one of auto, mnist and synth"):
        load_dataset("minst")


@pytest.mark.parametrize(
    "choice",
    [
        DatasetChoice("mnist"),
        DatasetChoice("synthetic"),
        DatasetChoice("/data/own.csv", None, 0.25, "kind"),
        DatasetChoice("/data/own.csv", None, None, -1),
        DatasetChoice("/data/own.csv", None, None, None, "/data/test.csv", False),
    ],
    ids=str,
)
def test_a_record_leads_back_to_the_choice(choice):
    record = json.loads(json.dumps({"dataset": choice.record("own.csv")}))
    assert DatasetChoice.from_training(record) == choice


def test_a_record_says_where_the_data_was(tmp_path, monkeypatch):
    assert DatasetChoice().record("synthetic")["source"] == "synthetic"  # what auto has become
    monkeypatch.chdir(tmp_path)
    assert DatasetChoice("own.csv").record("own.csv")["source"] == str(tmp_path / "own.csv")


@pytest.mark.parametrize(
    "record",
    [
        None,
        "mnist",
        {"name": "mnist"},
        {"source": 5},
        {"source": "own.csv", "test_fraction": "half"},
        {"source": "own.csv", "label_column": [1]},
        {"source": "own.csv", "test": 5},
        {"source": "own.csv", "header": "yes"},
        {"source": "-"},  # standard input, which is gone
    ],
)
def test_what_is_no_record(record):
    assert DatasetChoice.from_training({"dataset": record}) is None
    assert DatasetChoice.from_training(record) is None


def test_a_record_of_before_there_were_test_files():
    record = {"name": "own.csv", "source": "/data/own.csv", "test_fraction": 0.2, "label_column": None}
    assert DatasetChoice.from_training({"dataset": record}) == DatasetChoice("/data/own.csv", None, 0.2)


def test_all_rows_of_a_file_are_for_testing(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("a,label\n" + "1,x\n3,y\n" * 10, encoding="utf-8")
    lengths = {
        choice: len(choice.load_for_testing().y_test)
        for choice in (
            DatasetChoice(str(path)),
            DatasetChoice(str(path), test_fraction=0.5),
            DatasetChoice(str(path), test=str(path)),
        )
    }
    assert list(lengths.values()) == [20, 10, 20]
