"""C headers: compiled with all warnings as errors and run, they give the probabilities of `forward`."""

import os
import re
import shutil
import subprocess
import warnings

import numpy as np
import pytest
from click.testing import CliRunner

from fastmlp import NeuralNetwork, Scaling
from fastmlp.c_header import prefix_of, to_c
from fastmlp.cli import main
from fastmlp.engine.table_columns import TableColumn
from fastmlp.errors import InvalidValueError

STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Wconversion", "-Wshadow", "-Wundef"]
COMPILERS = {"cc": ["-std=c99", "-Wstrict-prototypes", "-Wdeclaration-after-statement"], "c++": ["-std=c++11"]}
EACH_COMPILER = pytest.mark.parametrize("compiler", COMPILERS)

# Reads rows of floats, and writes for each the class number and the probabilities.
PROGRAM = """
#include <stdio.h>
#include "{header}"
#include "{header}"
int main(void)
{{
    float inputs[{N}_INPUTS], probs[{N}_CLASSES];
    while (fread(inputs, sizeof inputs, 1, stdin) == 1) {{
        int number = {n}_forward(inputs, probs);
        fwrite(&number, sizeof number, 1, stdout);
        fwrite(probs, sizeof probs, 1, stdout);
    }}
    return 0;
}}
"""


def make_net(D=5, H=7, C=3, seed=0):
    net = NeuralNetwork(H, input_size=D, output_size=C, seed=seed)
    rng = np.random.default_rng(seed)
    net.b1, net.b2 = rng.normal(size=H), rng.normal(size=C)
    return net


def compiled(source, folder, compiler="cc", options=()):
    """Compile a program in `folder`, which holds the headers; return where it is."""
    if shutil.which(compiler) is None:
        pytest.skip(f"there is no {compiler} here")
    path = folder / ("main.c" if compiler == "cc" else "main.cpp")
    path.write_text(source, encoding="utf-8")
    program = folder / "program"
    command = [compiler, *COMPILERS[compiler], *STRICT, *options, "-o", program, path, "-lm"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return program


def run(program, stdin=b""):
    return subprocess.run([program], input=stdin, capture_output=True, check=True).stdout


def run_forward(net, folder, X, name="net.h", compiler="cc", options=()):
    """Return the class numbers (n,) and the probabilities (n, C) that the header of `net` gives for X."""
    to_c(net, folder / name)
    n = prefix_of(name.removesuffix(".h"))
    program = compiled(PROGRAM.format(header=name, n=n, N=n.upper()), folder, compiler, options)
    X = np.ascontiguousarray(X, np.float32)
    dtype = np.dtype([("number", np.int32), ("probs", np.float32, (net.output_size,))])
    answers = np.frombuffer(run(program, X.tobytes()), dtype)
    assert len(answers) == len(X)
    return answers["number"], answers["probs"]


def assert_same(net, folder, X, **how):
    numbers, probs = run_forward(net, folder, X, **how)
    np.testing.assert_allclose(probs, net.forward(X), rtol=0, atol=1e-6)
    np.testing.assert_array_equal(numbers, net.forward(X).argmax(1))


@EACH_COMPILER
@pytest.mark.parametrize(
    ("D", "H", "C"), [(1, 1, 1), (1, 17, 2), (7, 2, 17), (17, 300, 3), (300, 7, 2), (2, 1, 300)], ids=str
)
def test_odd_shapes(D, H, C, compiler, tmp_path):
    X = np.random.default_rng(1).normal(size=(17, D))
    X[3] = 0
    assert_same(make_net(D, H, C), tmp_path, X, compiler=compiler)


@pytest.mark.parametrize("options", [["-O0"], ["-O3"]], ids=str)
def test_mnist(options, mnist, tmp_path):
    net = NeuralNetwork(30, seed=0)
    net.fit(mnist.x_train[:20_000], mnist.y_train[:20_000], 128, 2)
    assert_same(net, tmp_path, mnist.x_test[:2000], options=options)


@EACH_COMPILER
def test_scaled_inputs(compiler, tmp_path):
    rng = np.random.default_rng(2)
    X = rng.normal(size=(40, 5)) * [1e-3, 1, 1e6, 1, 1] + [0, 100, 0, 3, 0]
    X[:, 4] = 7
    net = make_net()
    net.scaling = Scaling.of(X)
    X[0], X[1] = 3e38, -3e38  # are cut off
    assert_same(net, tmp_path, X, compiler=compiler)


@EACH_COMPILER
@pytest.mark.parametrize("scaled", [False, True])
def test_inputs_that_are_no_numbers(scaled, compiler, tmp_path):
    net = make_net(D=2)
    if scaled:
        net.scaling = Scaling(np.zeros(2), np.ones(2))
    X = np.array([[1, 2], [np.nan, 2], [1, np.inf], [-np.inf, np.nan], [0, 0]])
    numbers, probs = run_forward(net, tmp_path, X, compiler=compiler)
    usable = np.isfinite(X).all(1)
    assert ((numbers >= 0) == usable).all()
    assert set(numbers[~usable]) == {-1}
    assert np.isnan(probs[~usable]).all()
    np.testing.assert_allclose(probs[usable], net.forward(X[usable]), rtol=0, atol=1e-6)


@pytest.mark.parametrize("W2", [[[1, 0], [0, 1]], [[-1, 0], [0, 1]], [[-1, -1], [-1, -1]], [[0, 0], [0, 0]]], ids=str)
def test_outputs_that_overflow(W2, tmp_path):
    net = make_net(D=2, H=2, C=2)
    net.W1, net.W2 = np.full((2, 2), 1e30), 1e30 * np.array(W2)
    X = np.array([[0, 0], [1, 0], [1e10, 0], [1e-25, 1e-35]], np.float32)
    numbers, probs = run_forward(net, tmp_path, X)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        expected = net.forward(X)
    np.testing.assert_allclose(probs, expected, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(numbers, np.where(np.isnan(expected[:, 0]), -1, expected.argmax(1)))


@EACH_COMPILER
def test_weights_are_kept_to_the_bit(compiler, tmp_path):
    rng = np.random.default_rng(3)
    special = [0.0, -0.0, 1e-45, -1e-45, 1.1754944e-38, 1.1754942e-38, 3.4028235e38, 0.1, 1 / 3, 16777217, 1e10, 5]
    bits = rng.integers(0, 2**32, 5000, np.uint32).view(np.float32)
    W1 = np.array([*special, *bits[np.isfinite(bits)][:4988]], np.float32)[None, :]
    net = NeuralNetwork(W1.shape[1], input_size=1, output_size=1)
    net.W1 = W1
    to_c(net, tmp_path / "net.h")
    (array,) = re.findall(
        r"static const float W1\[\d+\] = \{.*?\};", (tmp_path / "net.h").read_text(encoding="ascii"), re.DOTALL
    )
    source = f"#include <stdio.h>\n{array}\nint main(void) {{ fwrite(W1, sizeof W1, 1, stdout); return 0; }}\n"
    assert run(compiled(source, tmp_path, compiler)) == W1.tobytes()


NAMES = (
    'a "quoted" one',
    "back\\slash",
    "*/ end",
    "/* begin",
    "??/ trigraph",
    "ä1",
    "two\nlines",
    "日本語",
    "",
    "%d{0}$N",
)


@EACH_COMPILER
def test_names_of_classes_and_inputs(compiler, tmp_path):
    net = make_net(D=len(NAMES), C=len(NAMES))
    net.class_names, net.feature_names = NAMES, NAMES[::-1]
    to_c(net, tmp_path / "net.h")
    source = """
        #include <stdio.h>
        #include "net.h"
        int main(void)
        {
            int k;
            for (k = 0; k < NET_CLASSES; k++)
                printf("%s|%s|", net_class_name(k), net_input_name(k));
            return net_class_name(-1) || net_class_name(NET_CLASSES) || net_input_name(NET_INPUTS);
        }
    """
    out = run(compiled(source, tmp_path, compiler)).decode().split("|")
    assert (tuple(out[:-1:2]), tuple(out[1::2])) == (NAMES, NAMES[::-1])


def test_names_that_a_net_has_not_or_makes_of_columns(tmp_path):
    net = make_net(D=3)
    to_c(net, tmp_path / "net.h")
    text = (tmp_path / "net.h").read_text(encoding="ascii")
    assert "_name(" not in text
    assert "INPUT_SCALE" not in text
    net.table_columns = [TableColumn("age", 37.0), TableColumn("colour", None, ("", "red"))]
    net.input_scale = 1 / 255
    to_c(net, tmp_path / "net.h")
    text = (tmp_path / "net.h").read_text(encoding="ascii")
    assert all(f'"{name}"' in text for name in ("age", "colour=missing", "colour=red"))
    assert "#define NET_INPUT_SCALE 0.003921569f\n" in text


def test_a_name_that_is_too_long_for_c_is_refused(tmp_path):
    net = make_net()
    net.class_names = ("a", "b", "c" * 5000)
    with pytest.raises(InvalidValueError, match="shorten it"):
        to_c(net, tmp_path / "net.h")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("stem", "prefix"),
    [
        ("digits", "digits"),
        ("My Digits-v2.1", "my_digits_v2_1"),
        ("300 units", "net_300_units"),
        ("int", "int"),
        ("__ü__", "net"),
        ("_private", "private"),
        ("x" * 200, "x" * 40),
    ],
)
def test_files_whose_names_are_no_identifiers(stem, prefix, tmp_path):
    assert prefix_of(stem) == prefix
    if os.name == "posix" and len(stem) < 50:
        assert_same(make_net(), tmp_path, np.eye(5), name=f"{stem}.h")


def test_two_nets_in_one_program(tmp_path):
    for name, C in (("first", 2), ("second", 3)):
        to_c(make_net(D=1, C=C), tmp_path / f"{name}.h")
    source = """
        #include "first.h"
        #include "second.h"
        int main(void)
        {
            float x[1] = {0}, p[FIRST_CLASSES], q[SECOND_CLASSES];
            return first_forward(x, p) < 0 || second_forward(x, q) < 0;
        }
    """
    run(compiled(source, tmp_path))


def test_a_header_that_is_not_used_is_no_warning(tmp_path):
    net = make_net()
    net.class_names = ("a", "b", "c")
    to_c(net, tmp_path / "net.h")
    run(compiled('#include "net.h"\nint main(void) { return 0; }\n', tmp_path))


def test_fast_math_is_refused(tmp_path):
    to_c(make_net(), tmp_path / "net.h")
    with pytest.raises(AssertionError, match="compile it without -ffast-math"):
        compiled('#include "net.h"\nint main(void) { return 0; }\n', tmp_path, options=["-ffast-math"])


def test_command(tmp_path):
    make_net().save(tmp_path / "net.npz")
    arguments = ["export", str(tmp_path / "net.npz"), "--to", "c", "--output", str(tmp_path / "net.h")]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.h", "net.npz"]
    assert CliRunner().invoke(main, arguments).exit_code == 2  # it exists
    assert CliRunner().invoke(main, [*arguments, "--force"]).exit_code == 0
    result = CliRunner().invoke(main, [*arguments[:-1], str(tmp_path / "net.c")])
    assert result.exit_code == 2
    assert "must end in .h" in result.stderr
