"""A net as a C header: plain C99, which C++ takes too, without allocation, and with the weights to the last bit."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from string import Template

import numpy as np
from numpy.typing import NDArray

from fastmlp import __version__
from fastmlp.engine.table_columns import names_of_inputs
from fastmlp.errors import InvalidValueError
from fastmlp.files.atomic import write_whole
from fastmlp.network import NeuralNetwork

__all__ = ["to_c"]

_A_LINE = 8  # numbers
_MOST_OF_NAME = 40  # characters of the file's name that go into those of its functions
_LONGEST_STRING = 4095  # that every C99 compiler takes

_HEAD = Template("""\
/* A neural network that fastmlp $version has trained: $D inputs, $H hidden units (ReLU), $C classes (softmax).

   Include this file where you need it, and link with -lm where the system has a library of mathematics:

       float inputs[${N}_INPUTS] = {0}, probs[${N}_CLASSES];
       int number = ${n}_forward(inputs, probs);

   Plain C99, which is C++ too. Nothing is allocated and nothing is kept, so that any number of threads may call it; it
   takes $stack bytes of the stack. A file that calls ${n}_forward holds $constants bytes of constants. */

#ifndef ${N}_INCLUDED
#define ${N}_INCLUDED

#include <float.h>
#include <math.h>
#include <stddef.h>

#if defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__
#error "this file tells numbers from NaN: compile it without -ffast-math and -ffinite-math-only"
#endif

#define ${N}_INPUTS $D
#define ${N}_CLASSES $C
""")

_FORWARD = Template("""
/* Writes the probability of each class to probs and returns the number of the most probable class, 0 to $last.
$takes
   Where an input is NaN or infinite, or the outputs overflow float, it returns -1, and all of probs is NaN. */
static inline int ${n}_forward(const float inputs[${N}_INPUTS], float probs[${N}_CLASSES])
{
$arrays
    float hidden[$H];
    double logits[${N}_CLASSES], largest = -HUGE_VAL, total = 0;
    int d, h, c, number = 0, usable = 1;

    for (h = 0; h < $H; h++)
        hidden[h] = b1[h];
    for (d = 0; d < ${N}_INPUTS; d++) {
        const float *w = &W1[(size_t)d * $H];
        float x = inputs[d];
        usable &= isfinite(x) ? 1 : 0;
$scale        if (x != 0)
            for (h = 0; h < $H; h++)
                hidden[h] += x * w[h];
    }
    for (c = 0; c < ${N}_CLASSES; c++)
        logits[c] = b2[c];
    for (h = 0; h < $H; h++)
        if (!(hidden[h] <= 0)) /* so that NaN stays NaN */
            for (c = 0; c < ${N}_CLASSES; c++)
                logits[c] += (double)hidden[h] * W2[(size_t)h * ${N}_CLASSES + (size_t)c];
    for (c = 0; c < ${N}_CLASSES; c++) {
        usable &= logits[c] <= FLT_MAX;
        if (logits[c] > largest)
            largest = logits[c];
    }
    usable &= largest >= -FLT_MAX;
    for (c = 0; c < ${N}_CLASSES; c++) {
        logits[c] = exp(logits[c] - largest);
        total += logits[c];
    }
    for (c = 0; c < ${N}_CLASSES; c++) {
        probs[c] = usable ? (float)(logits[c] / total) : NAN;
        if (probs[c] > probs[number])
            number = c;
    }
    return usable ? number : -1;
}
""")

_SCALE = Template("""\
        x = (x - centre[d]) / spread[d];
        x = x < -$limit ? -$limit : x > $limit ? $limit : x;
""")

_NAME = Template("""
/* Returns the name of $what in UTF-8, number being 0 to $last; NULL for any other. */
static inline const char *${n}_$function(int number)
{
    static const char *const names[$count] = {
$names
    };
    return number >= 0 && number < $count ? names[number] : NULL;
}
""")


def to_c(net: NeuralNetwork, path: str | os.PathLike[str]) -> None:
    """Write a net as a C header, with the names of classes and inputs and the scaling of the inputs.

    Parameters
    ----------
    net
        A trained net.
    path
        The file, digits.h, say, whose functions are then called digits_forward and so on; one that exists is replaced.

    Raises
    ------
    InvalidValueError
        For a name that is too long for C.
    OSError
        Where the file cannot be written.
    """
    path = Path(path)
    lines = "".join(_parts(net, prefix_of(path.stem))).encode("ascii")
    write_whole(path, lambda file: file.write(lines))


def prefix_of(stem: str) -> str:
    """Return what the functions of a file are called by, an identifier of C.

    >>> prefix_of("My digits-2"), prefix_of("300 units"), prefix_of("_ü")
    ('my_digits_2', 'net_300_units', 'net')
    """
    words = re.findall(r"[0-9a-z]+", stem.lower())
    name = "_".join(words)[:_MOST_OF_NAME].strip("_")
    return name if re.match(r"[a-z]", name) else f"net_{name}".strip("_")


def _parts(net: NeuralNetwork, prefix: str) -> Iterator[str]:
    D, H, C = net.input_size, net.hidden_size, net.output_size
    arrays = {"W1": net.W1, "b1": net.b1, "W2": net.W2, "b2": net.b2}
    takes, scale = [f"Takes what `forward` of the net takes: {D} numbers."], ""
    if net.scaling is not None:
        arrays |= {"centre": net.scaling.centre, "spread": net.scaling.spread}
        scale = _SCALE.substitute(limit=_number(np.float32(net.scaling.limit)))
        takes.append("They are scaled here, as in training.")
    if net.input_scale != 1:
        takes.append(f"The original values must be multiplied by {prefix.upper()}_INPUT_SCALE.")
    common = {"n": prefix, "N": prefix.upper(), "D": D, "H": H, "C": C}
    constants = 4 * sum(array.size for array in arrays.values())
    yield _HEAD.substitute(common, version=__version__, stack=4 * H + 8 * C, constants=constants)
    if net.input_scale != 1:
        yield f"#define {prefix.upper()}_INPUT_SCALE {_number(np.float32(net.input_scale))}\n"
    written = "\n".join(_array(name, array) for name, array in arrays.items())
    yield _FORWARD.substitute(common, last=C - 1, takes=f"   {' '.join(takes)}", arrays=written, scale=scale)
    if net.class_names is not None:
        yield _names(common, "class_name", "a class", net.class_names)
    inputs = names_of_inputs(net.table_columns) if net.table_columns else net.feature_names
    if inputs is not None:
        yield _names(common, "input_name", "an input", inputs)
    yield "\n#endif\n"


def _array(name: str, array: NDArray[np.float32]) -> str:
    return f"    static const float {name}[{array.size}] = {{\n{_lines(map(_number, array.flat))}\n    }};"


def _lines(texts: Iterable[str]) -> str:
    listed = list(texts)
    return "\n".join(
        f"        {', '.join(listed[start : start + _A_LINE])}," for start in range(0, len(listed), _A_LINE)
    )


def _number(value: np.float32) -> str:
    """Return the shortest constant of C that is this float."""
    return f"{value!s}f"


def _names(common: dict[str, object], function: str, what: str, names: Sequence[str]) -> str:
    written = "\n".join(f"        {_string(name)}," for name in names)
    return _NAME.substitute(common, function=function, what=what, names=written, count=len(names), last=len(names) - 1)


def _string(text: str) -> str:
    r"""Return a string of C, in which other characters than a few are written as numbers.

    >>> print(_string('a "b"?\n'))
    "a \042b\042\077\012"
    """
    content = text.encode(errors="surrogatepass")
    if len(content) > _LONGEST_STRING:
        raise InvalidValueError(f"the name {text[:20]}... is longer than a string of C may be: shorten it")
    plain = re.compile(r"[\w .,:;=+\-/()<>#%&*]", re.ASCII)
    return '"' + "".join(chr(byte) if plain.match(chr(byte)) else f"\\{byte:03o}" for byte in content) + '"'
