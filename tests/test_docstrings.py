"""The docstrings of the reference: numpydoc's form, and each parameter of a signature described, in its order."""

import importlib
import inspect
import re

import pytest

import fastmlp
from fastmlp.engine.fit_options import FitSettings

SECTIONS = ["Parameters", "Attributes", "Returns", "Raises", "Warns", "See Also", "Notes", "References", "Examples"]
MODULES = {  # what the reference has beside the names of `fastmlp` itself, and the library that a module needs
    "classifier": ("sklearn", ["FastMLPClassifier"]),
    "dask": ("distributed", ["fit"]),
    "evaluation": (None, ["Confusion", "Evaluation", "Mistake", "confusion_matrix", "evaluate"]),
    "export": (None, ["to_c", "to_keras", "to_onnx"]),
    "keras_import": (None, ["from_keras"]),
    "plots": (None, ["plot_confusion", "plot_history", "plot_units"]),
    "runtime": (None, ["Model", "load"]),
}


def sections(text):
    """The parts of a docstring by their headings; what comes before the first is under ""."""
    parts = re.split(r"^(\w[\w ]*)\n-+\n", inspect.cleandoc(text), flags=re.MULTILINE)
    return {"": parts[0]} | dict(zip(parts[1::2], parts[2::2], strict=True))


def described(text):
    """The names that a section describes: they begin its lines, several of one kind with commas between them."""
    lines = [line.partition(" : ")[0] for line in text.splitlines() if line and not line.startswith(" ")]
    return [name.strip("* ") for line in lines for name in line.split(",")]


def parameters(thing):
    """The names in a signature."""
    return [name for name in inspect.signature(thing).parameters if name not in ("self", "cls")]


def returns_something(thing):
    return inspect.isfunction(thing) and inspect.signature(thing).return_annotation not in ("None", None)


def faults(thing):
    """What is wrong with a docstring."""
    found = sections(thing.__doc__ or "")
    names = [name for name in found if name]
    wrong = [f"the section {name} is unknown" for name in names if name not in SECTIONS]
    if sorted(names, key=(SECTIONS + names).index) != names:
        wrong.append("its sections are in another order than numpydoc's")
    given = described(found.get("Parameters", ""))
    if inspect.isclass(thing) and not given:  # what a person is given rather than makes
        given = described(found.get("Attributes", ""))
    there = parameters(thing)
    if "settings" not in given:  # by name, where it is `fit` that takes them
        there = [each for name in there for each in (FitSettings.__annotations__ if name == "settings" else [name])]
    if given != there:
        wrong.append(f"it describes {given}, and there are {there}")
    if returns_something(thing) and "Returns" not in names:
        wrong.append("it does not describe what it returns")
    if ">>>" in found[""] or re.search(r"\bRaises [A-Z]\w*Error", found[""]):
        wrong.append("it has examples or errors outside their sections")
    return wrong


def with_methods(name, thing):
    """A public thing and, of a class of ours, the public methods that we wrote."""
    yield name, thing
    if inspect.isclass(thing):
        ours = [base for base in thing.__mro__ if base.__module__.startswith("fastmlp")]
        for key in dict.fromkeys(key for base in ours for key in vars(base)):
            method = inspect.unwrap(getattr(thing, key)) if callable(getattr(thing, key, None)) else None
            if not key.startswith("_") and inspect.isroutine(method):
                yield f"{name}.{key}", getattr(method, "__func__", method)


def public(module=None):
    if module is None:
        names, home = fastmlp.__all__, fastmlp
    else:
        library, names = MODULES[module]
        if library:
            pytest.importorskip(library)
        home = importlib.import_module(f"fastmlp.{module}")
    for name in names:
        thing = getattr(home, name)
        if not isinstance(thing, str) and not (inspect.isclass(thing) and issubclass(thing, Exception)):
            yield from with_methods(name, thing)


@pytest.mark.parametrize("module", [None, *MODULES])
def test_docstrings_describe_what_there_is(module):
    things = dict(public(module))
    assert things
    assert {name: wrong for name, thing in things.items() if (wrong := faults(thing))} == {}


GOOD = """Add two numbers.

Parameters
----------
a, b
    The numbers.

Returns
-------
int
    Their sum.

Examples
--------
>>> add(1, 2)
3
"""


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("", "", None),
        ("a, b", "b, a", "it describes ['b', 'a'], and there are ['a', 'b']"),
        ("a, b", "a", "it describes ['a'], and there are ['a', 'b']"),
        ("a, b\n", "a\n    One.\nb : array of shape (n,), int\n", None),
        ("a, b\n", "a, b, c\n", "it describes ['a', 'b', 'c'], and there are ['a', 'b']"),
        ("Returns\n-------", "Return\n------", "the section Return is unknown"),
        ("Returns\n-------\nint\n    Their sum.\n", "", "it does not describe what it returns"),
        (
            "Returns\n-------\n",
            "Examples\n--------\n>>> add(0, 0)\n\nReturns\n-------\n",
            "its sections are in another",
        ),
        ("numbers.\n\nP", "numbers. Raises ValueError.\n\nP", "it has examples or errors outside"),
        ("numbers.\n\nP", "numbers.\n\n>>> add(0, 0)\n\nP", "it has examples or errors outside"),
    ],
)
def test_faults_are_noticed(old, new, says):
    def add(a: int, b: int) -> "int":
        return a + b

    add.__doc__ = GOOD.replace(old, new, 1) if old else GOOD
    found = faults(add)
    assert (not found) if says is None else any(says in fault for fault in found), found


def test_all_of_the_reference_is_looked_at():
    names = dict(public())
    assert {"NeuralNetwork", "NeuralNetwork.fit", "NeuralNetwork.load", "Adam", "Scaling.of", "load_files"} <= set(
        names
    )
    assert not [name for name in names if "._" in name]
    assert {"Model.forward", "load"} <= set(dict(public("runtime")))
