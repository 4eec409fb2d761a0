"""`fastmlp demo`: a page on which one draws a digit and sees what a net makes of it."""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fastmlp.commands.compile_notice import compile_notice
from fastmlp.commands.options import MODEL
from fastmlp.commands.signals import ended_tidily
from fastmlp.errors import MissingLibraryError, ModelFileError
from fastmlp.printable import printable

if TYPE_CHECKING:
    from fastmlp.demo.net_view import NetView
    from fastmlp.network import History

__all__ = ["demo"]


@click.command()
@click.argument("model", type=MODEL, required=False)
@click.option("--host", default="127.0.0.1", help="Address to listen on; 0.0.0.0 lets other machines in.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, help="Port to listen on; 0 takes a free one.")
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, readable=False),  # load_mnist says what is wrong, with exit code 3
    envvar="FASTMLP_DATA_DIR",
    show_envvar=True,
    help="Folder that holds the four MNIST files; it is only read.",
)
def demo(model: Path | None, host: str, port: int, data_dir: Path | None) -> None:
    """Serve a page on which to draw digits for MODEL, or for a net that is trained before your eyes."""
    try:
        from fastmlp.demo.server import listen, serve, url_of
        from fastmlp.demo.workbench import Workbench
    except ImportError as error:
        if error.name is None or error.name.partition(".")[0] not in ("starlette", "uvicorn"):
            raise
        raise MissingLibraryError("the demo needs starlette and uvicorn: pip install 'fastmlp[demo]'") from None
    with ended_tidily(), listen(host, port) as listener:
        bench = Workbench(*(_read(model) if model else ()), data_dir=data_dir)
        click.echo(f"Draw a digit on {url_of(listener)} (Ctrl-C ends it)")
        if not _is_only_here(listener.getsockname()[0]):
            click.echo("warning: whoever reaches this machine over the network can use the page", err=True)
        serve(listener, host, bench)


def _read(model: Path) -> tuple[NetView, str, History | None]:
    """Return what a model's net sees, what it is called, and how it was trained, where the file says so."""
    from fastmlp.demo.net_view import NetView
    from fastmlp.files.model import read_model
    from fastmlp.network import NeuralNetwork
    from fastmlp.training_record import TrainingRecord

    content = read_model(model)
    view = NetView(NeuralNetwork.from_file(model, content), printable(model))
    with compile_notice():
        view.warm_up()
    history = None
    with suppress(ModelFileError):
        history = TrainingRecord.from_file(model, content).history
    return view, printable(model.name), history


def _is_only_here(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback
