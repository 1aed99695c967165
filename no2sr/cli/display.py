"""Tables on stdout and progress on stderr; rich is imported only when one is drawn."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import xarray as xr

__all__ = ["describe_grid", "describe_values", "print_table", "progress_bar", "set_progress"]

_PROGRESS = "no2sr.progress"


def print_table(
    rows: Iterable[Sequence[str]], *, head: Sequence[str] = (), title: str = ""
) -> None:
    """Print rows of text as a table on stdout; without `head`, the first column names the rows."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(
        title=title or None,
        title_justify="left",
        box=box.SIMPLE_HEAD if head else box.SIMPLE,
        show_header=bool(head),
    )
    for name in head or ("", ""):
        table.add_column(name, overflow="fold")  # file names are never shortened
    for row in rows:
        table.add_row(*row)
    Console(file=sys.stdout, markup=False, highlight=False).print(table)


@contextmanager
def progress_bar(label: str, *, quiet: bool) -> Iterator[Callable[[int, int], None] | None]:
    """Draw a bar on stderr while the block runs, unless `quiet` is set or stderr is not a terminal.

    With ``--progress lines``, print a line for every percent instead, for other programs to read.

    Yields
    ------
    callable or None
        Call it with the number of steps done and the total; None if nothing is drawn.
    """
    ctx = click.get_current_context(silent=True)
    if not quiet and ctx is not None and ctx.meta.get(_PROGRESS) == "lines":
        yield _line_printer()
        return
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def set_progress(ctx: click.Context, _option: click.Parameter, value: str) -> None:
    """Note how to show progress."""
    ctx.meta[_PROGRESS] = value


def _line_printer() -> Callable[[int, int], None]:
    """Return a function that prints ``Progress: 42%`` on stderr whenever the percentage changes."""
    shown = -1

    def show(done: int, total: int) -> None:
        nonlocal shown
        percent = 100 * done // max(total, 1)
        if percent != shown:
            click.echo(f"Progress: {percent}%", err=True)
            shown = percent

    return show


def describe_grid(image: xr.DataArray) -> str:
    """Describe the size and the spacing of a grid, rows first."""
    from no2sr.core.grid import transform_of
    from no2sr.core.image import crs_of

    transform, crs = transform_of(image), crs_of(image)
    unit = "degree" if crs.is_geographic else crs.axis_info[0].unit_name
    size = " x ".join(map(str, image.shape))
    return f"{size} cells of {-transform.e:.6g} x {transform.a:.6g} {unit}"


def describe_values(spread: list[float] | None, unit: str | None, *, stored: str | None) -> str:
    """Describe the least, the median and the greatest value, in the unit of the file as well.

    Parameters
    ----------
    spread : (least, median, greatest) or None
        None gives an empty text.
    unit : str or None
        Unit of `spread`.
    stored : str or None
        Unit in the file.
    """
    from no2sr.core.units import canonical_unit, factor, is_column

    if not spread:
        return ""
    shown, own = str(unit), str(stored)
    lines = [_format_spread(spread, shown)]
    if is_column(own) and is_column(shown) and canonical_unit(own) != canonical_unit(shown):
        by = factor(shown, own)
        lines.append(f"{_format_spread([by * value for value in spread], own)} in the file")
    return "\n".join(lines)


def _format_spread(spread: list[float], unit: str) -> str:
    least, median, most = spread
    return f"{least:.3g} to {most:.3g}, median {median:.3g} {unit}"
