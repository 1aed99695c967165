"""The command line: one small file a command, shared options in `options`.

Heavy imports happen inside the command bodies, so that ``--help`` answers at once.
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
    downscale,
    enhance,
    evaluate,
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
from no2sr.cli.messages import foreign, one_line_messages, report, wants_debug
from no2sr.core.errors import No2srError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["main"]

INTERRUPTED, TERMINATED = 130, 143  # 128 and the number of the signal, as shells count


class Terminated(KeyboardInterrupt):
    """Somebody asked the process to end."""


class _Main(click.Group):
    """A group that turns the package's errors into one line and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        with one_line_messages(ctx), _stopping_when_asked():
            try:
                return super().invoke(ctx)
            except No2srError as error:
                report(error, debug=wants_debug(ctx))
                ctx.exit(1)
            except (click.ClickException, click.exceptions.Exit, click.Abort):
                raise
            except Exception as error:  # noqa: BLE001 - nobody should have to read a traceback
                report(foreign(error, str(ctx.invoked_subcommand)), debug=wants_debug(ctx))
                ctx.exit(1)
            except Terminated:
                click.echo("Terminated.", err=True)
                ctx.exit(TERMINATED)
            except KeyboardInterrupt:
                click.echo("Interrupted.", err=True)
                ctx.exit(INTERRUPTED)


@contextmanager
def _stopping_when_asked() -> Iterator[None]:
    """Let a request to end unwind as Ctrl-C does, so that no partial output is left behind."""
    if threading.current_thread() is not threading.main_thread():  # signals come to that one only
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

    A finer map is an estimate, not an observation: its block means are what was observed, the
    detail inside a block is inferred.
    """
    # Hundreds of thousands of objects are imported, none of them garbage.
    gc.set_threshold(50_000, 20, 20)
    # GDAL would keep what it has read in a twentieth of the machine's memory.
    os.environ.setdefault("GDAL_CACHEMAX", "256")


for module in (
    downscale,
    enhance,
    evaluate,
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
