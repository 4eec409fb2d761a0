"""What the compiler made of the two kernels that an epoch spends its time in: `python bench/machine_code.py 300`.

A row for each innermost loop with multiply-adds: how many there are, how wide, and what should not be there, values
kept on the stack (spills) and gathers. `--print` shows the loops. x86-64 only.
"""

import argparse
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import loops
import numba
import numpy as np

from fastmlp.kernels.compiled import KERNEL_OPTIONS
from fastmlp.kernels.hidden import FORMS, BatchColumns, columns_scratch, in_form
from fastmlp.kernels.layout import aligned_zeros, choose_lanes, room_for
from fastmlp.kernels.linking import EntryCompiler

B, D = 128, 784

SPILL = r"\(%rsp"
"""What an instruction with a value on the stack looks like."""


class Loop(NamedTuple):
    """An innermost loop: its instructions, one a line."""

    lines: list[str]

    def count(self, pattern: str) -> int:
        """Instructions that match a regular expression."""
        return sum(re.search(pattern, line) is not None for line in self.lines)


def innermost_loops(assembly: str) -> Iterator[Loop]:
    """Blocks that jump back to their own beginning and multiply-add vectors."""
    for label, block in re.findall(r"^(\.LBB\w+):(.*?)(?=^\.LBB\w+:|\Z)", assembly, re.MULTILINE | re.DOTALL):
        lines = [line.split("#")[0].strip() for line in block.splitlines()]
        lines = [line for line in lines if line and not line.startswith((".", "#"))]
        back = next((k for k, line in enumerate(lines) if re.match(rf"j\w+\s+{re.escape(label)}$", line)), None)
        if back is not None:
            loop = Loop(lines[: back + 1])
            if loop.count(r"\bvfn?m(add|sub)\w*ps\b|\bv?mulps\b"):
                yield loop


def hot_kernels(hidden_size: int, form: type) -> dict[str, str]:
    """The assembly of the forward pass through W1 and of its update, for a net of this size and a form of input."""
    lanes, n = choose_lanes(hidden_size), 2
    X = aligned_zeros((n, D))
    X[:, 0] = 1
    rows = in_form(form, X, np.ones(n, np.int64), lanes, B, 1)
    ends, entries, room = columns_scratch(rows, D, B, 1)
    columns, batch = BatchColumns(ends[0], entries[0], room), np.arange(n)
    W1, b1 = aligned_zeros((1, D, lanes.units)), aligned_zeros((1, lanes.units))
    hidden = aligned_zeros((1, room_for(B), lanes.units))
    arguments = {
        "hidden_forward": (1, hidden, W1, b1, rows, batch, lanes),
        "update_W1": (1, W1, hidden, rows, batch, columns, lanes),
    }
    return {name: _assembly(getattr(loops, name).py_func, given) for name, given in arguments.items()}


def _assembly(function: Callable[..., Any], arguments: tuple[Any, ...]) -> str:
    """The assembly of a function for these arguments; what comes from the disk cache has none."""
    compiled = numba.njit(**{**KERNEL_OPTIONS, "pipeline_class": EntryCompiler})(function)
    signature = tuple(numba.typeof(each) for each in arguments)
    compiled.compile(signature)
    return str(compiled.inspect_asm(signature))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("hidden_size", type=int, nargs="?", default=300)
    parser.add_argument("--form", choices=[form.__name__ for form in FORMS], default=FORMS[0].__name__)
    parser.add_argument("--print", action="store_true", help="show the instructions too")
    arguments = parser.parse_args()
    form = next(form for form in FORMS if form.__name__ == arguments.form)
    print(f"{'kernel':16}{'instructions':>13}{'multiply-adds':>14}{'registers':>10}{'spills':>8}{'gathers':>8}")
    for name, assembly in hot_kernels(arguments.hidden_size, form).items():
        for loop in innermost_loops(assembly):
            width = next(register for register in ("zmm", "ymm", "xmm") if loop.count(register))
            adds, spills, gathers = (loop.count(p) for p in (r"\bvfn?m(add|sub)|mulps", SPILL, "gather"))
            print(f"{name:16}{len(loop.lines):13}{adds:14}{width:>10}{spills:8}{gathers:8}")
            if arguments.print:
                print("\n".join(f"    {line}" for line in loop.lines))


if __name__ == "__main__":
    main()
