"""The command line: finds the command, and turns an error into one sentence and an exit code.

A `FastmlpError`, an `OSError` and a lack of memory become a sentence. Any other exception is a bug of ours and shows
its traceback.

The commands are in `fastmlp.commands`. Exit codes: 0 done, 1 failed while running, 2 wrong usage, 3 data not available,
130 interrupted; 141 where nobody reads what is printed, as the shell has it for other programs.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from importlib import import_module
from keyword import iskeyword
from typing import Any

import click

from fastmlp import __version__
from fastmlp.commands.signals import each_press_counted_once
from fastmlp.errors import DataError, FastmlpError, ModelFileError, ResultsFileError
from fastmlp.printable import printable

__all__ = ["main"]

COMMANDS = (
    "train",
    "sweep",
    "compare",
    "report",
    "evaluate",
    "predict",
    "export",
    "import",
    "demo",
    "data",
    "info",
    "warmup",
)
_EXIT_DATA = 3
_EXIT_INTERRUPTED = 130
_EXIT_NOBODY_READS = 141  # 128 + SIGPIPE
_DEFECT = (
    f"This is a bug in fastmlp {__version__}, not a mistake of yours: please report it to its developers, with the "
    "lines above and the output of `fastmlp info`."
)


class _DataUnavailable(click.ClickException):
    exit_code = _EXIT_DATA


class _Commands(click.Group):
    """The group of commands, each loaded from its own file when it is called."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = f"{name}_" if iskeyword(name) else name
        command: click.Command = getattr(import_module(f"fastmlp.commands.{module}"), module)
        return command

    def main(self, *args: Any, **options: Any) -> Any:
        """Run the command and end with its exit code; without arguments it is that of the program's command line."""
        run: Callable[..., Any] = super().main
        _print_any_character()
        is_program = not args and options.get("args") is None  # and ends with this
        try:
            # Nothing is left to interrupt then but the way out.
            with _warnings_as_lines(), each_press_counted_once(signal.SIG_IGN if is_program else None):
                code = _exit_code(partial(run, *args, **options | {"standalone_mode": False}))
        except KeyboardInterrupt:
            code = _EXIT_INTERRUPTED
        except BrokenPipeError:  # of an error that was to be shown
            code = _EXIT_NOBODY_READS
        _discard_what_cannot_be_printed()
        if is_program:
            with suppress(ValueError):  # in another thread than the main one
                signal.signal(signal.SIGINT, signal.SIG_IGN)  # which may have been interrupted
        sys.exit(code)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what it raises becomes a sentence, or, where it is a bug, asks to be reported."""
        try:
            result = super().invoke(ctx)
            if sys.stdout is not None:
                sys.stdout.flush()  # to see now whether that is possible
            return result
        except KeyboardInterrupt:
            ctx.exit(_EXIT_INTERRUPTED)
        except BrokenPipeError:
            ctx.exit(_EXIT_NOBODY_READS)
        except (FastmlpError, OSError, MemoryError) as error:
            raise _as_click_error(error) from error
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            error.add_note(_DEFECT)  # shown below the traceback
            raise


def _exit_code(run: Callable[[], Any]) -> int:
    """Run a command; show its error, if it has one, and return its exit code."""
    try:
        result = run()
    except click.ClickException as error:
        if not isinstance(error, click.exceptions.NoArgsIsHelpError):  # whose message is a page
            vars(error)["message"] = printable(error.message)
        error.show()
        return error.exit_code
    except click.Abort as error:
        if isinstance(error.__cause__, EOFError):  # click's word for the end of what somebody types: here it is a bug
            raise error.__cause__ from None
        return _EXIT_INTERRUPTED
    except SystemExit as error:
        if isinstance(error.__context__, BrokenPipeError):  # rich has seen it
            return _EXIT_NOBODY_READS
        raise
    return result if isinstance(result, int) else 0


def _as_click_error(error: FastmlpError | OSError | MemoryError) -> click.ClickException:
    message = str(error)
    if isinstance(error, OSError) and error.strerror:
        message = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, MemoryError):
        message = f"there is not enough memory. {message}"
    sentence = " ".join(message.split()) or type(error).__name__
    kind = (
        _DataUnavailable if isinstance(error, (DataError, ModelFileError, ResultsFileError)) else click.ClickException
    )
    return kind(sentence)


def _print_any_character() -> None:
    """Print as `\\xc4` what the terminal's encoding lacks, ASCII for example, rather than fail."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _discard_what_cannot_be_printed() -> None:
    """Let what waits to be printed where nobody reads, or no room is left, go nowhere: Python would try at the end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            with suppress(OSError):  # a stream that is no file
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@contextmanager
def _warnings_as_lines() -> Iterator[None]:
    """Show each warning as one line on stderr."""

    def show(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        if issubclass(category, (UserWarning, RuntimeWarning)):
            click.echo(f"warning: {printable(' '.join(str(message).split()))}", err=True)

    with warnings.catch_warnings():
        for category in (UserWarning, RuntimeWarning):
            warnings.simplefilter("always", category)
        warnings.showwarning = show
        yield


def _with_hyphens(token: str) -> str:
    """Accept --hidden_size, as the original script spelt it, for --hidden-size."""
    return token.replace("_", "-") if token.startswith("--") or "_" in token else token


@click.group(
    cls=_Commands,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "token_normalize_func": _with_hyphens,
        "show_default": True,
    },
)
@click.version_option(__version__, message="fastmlp %(version)s")
def main() -> None:
    """Train a small neural network on a CPU, fast."""
