"""The command line: one small file per command, with shared options in `options`.

Heavy packages are imported inside the commands, so that ``--help`` answers at once.
"""

from __future__ import annotations

import gc
import os
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

import no2sr
from no2sr.cli import (
    animate,
    downscale,
    enhance,
    evaluate,
    extract,
    grid,
    info,
    models,
    plot,
    readers,
    reconstruct,
    render,
    train,
)
from no2sr.cli import report as report_page
from no2sr.cli.messages import convert_foreign, report, shorten_messages, wants_debug
from no2sr.core.errors import No2srError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["main"]

INTERRUPTED, TERMINATED = 130, 143  # 128 and the number of the signal, as shells count


class Terminated(KeyboardInterrupt):
    """The process was asked to end."""


class _Main(click.Group):
    """A group that turns the package's errors into one line and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        with shorten_messages(ctx), _handle_termination():
            try:
                return super().invoke(ctx)
            except No2srError as error:
                report(error, debug=wants_debug(ctx))
                ctx.exit(1)
            except (click.ClickException, click.exceptions.Exit, click.Abort):
                raise
            except Exception as error:  # noqa: BLE001 - nobody should have to read a traceback
                report(convert_foreign(error, str(ctx.invoked_subcommand)), debug=wants_debug(ctx))
                ctx.exit(1)
            except Terminated:
                click.echo("Terminated.", err=True)
                ctx.exit(TERMINATED)
            except KeyboardInterrupt:
                click.echo("Interrupted.", err=True)
                ctx.exit(INTERRUPTED)


@contextmanager
def _handle_termination() -> Iterator[None]:
    """Handle a request to end like Ctrl-C, so that no partial output is left behind."""
    if threading.current_thread() is not threading.main_thread():  # only that one receives signals
        yield
        return

    def stop(*_signal: object) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@click.group(
    cls=_Main, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(no2sr.__version__, message="%(prog)s %(version)s")
def main() -> None:
    """Make fine, georeferenced NO2 maps from coarse satellite columns.

    \b
    Examples:
      no2sr downscale S5P_OFFL_L2__NO2_20231027.nc fine.tif --bbox 76 27.5 78.5 29.5
      no2sr downscale tempo.tif fine.nc --scale 2
      no2sr info S5P_OFFL_L2__NO2_20231027.nc
      no2sr grid granules/*.nc month.nc --resolution 0.04 --bbox 76 27.5 78.5 29.5
      no2sr models

    A finer map is an estimate, not an observation: its block means were observed, and the detail
    inside a block is inferred.
    """
    # Imports create hundreds of thousands of objects, none of which is garbage.
    gc.set_threshold(50_000, 20, 20)
    # By default GDAL uses a twentieth of the memory of the machine as a cache.
    os.environ.setdefault("GDAL_CACHEMAX", "256")


for module in (
    animate,
    downscale,
    enhance,
    evaluate,
    extract,
    grid,
    info,
    models,
    plot,
    readers,
    reconstruct,
    render,
    report_page,
    train,
):
    main.add_command(module.command)
