"""Tables on stdout and the progress bar on stderr; rich is imported only when one is drawn."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import xarray as xr

__all__ = ["grid_in_words", "print_table", "progress_bar"]


def print_table(
    rows: Iterable[Sequence[str]], *, head: Sequence[str] = (), title: str = ""
) -> None:
    """Print rows of text as a table on stdout; without `head` the first column names the rows."""
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
        table.add_column(name, overflow="fold")  # a file name cut short helps nobody
    for row in rows:
        table.add_row(*row)
    Console(file=sys.stdout, markup=False, highlight=False).print(table)


@contextmanager
def progress_bar(label: str, *, quiet: bool) -> Iterator[Callable[[int, int], None] | None]:
    """Draw a bar on stderr while the block runs, unless `quiet` or stderr is no terminal.

    Yields
    ------
    callable or None
        To be called with the number of steps done and the number there are; None where nothing
        is drawn.
    """
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


def grid_in_words(image: xr.DataArray) -> str:
    """Say the size and spacing of a grid, rows first."""
    from no2sr.grid import transform_of
    from no2sr.image import crs_of

    transform, crs = transform_of(image), crs_of(image)
    unit = "degree" if crs.is_geographic else crs.axis_info[0].unit_name
    size = " x ".join(map(str, image.shape))
    return f"{size} cells of {-transform.e:.6g} x {transform.a:.6g} {unit}"
