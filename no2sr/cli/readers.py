"""``no2sr readers``: the products that no2sr reads."""

from __future__ import annotations

import click

from no2sr.cli import options
from no2sr.cli.display import print_table

__all__ = ["command"]


@click.command("readers")
@options.debug
def command() -> None:
    """List the readers in the order in which they are tried, with the product that each reads.

    The structure of a file decides which reader is used, never its name.

    \b
    Example:
      no2sr readers
    """
    from no2sr.readers.registry import available_readers

    print_table([(name, _product(name)) for name in available_readers()], head=("reader", "reads"))


def _product(name: str) -> str:
    """Return the product of a reader, or the reason why a plug-in cannot be loaded."""
    from no2sr.readers.registry import load_reader

    try:
        return load_reader(name).product
    except (ImportError, AttributeError) as error:
        return f"cannot be loaded ({error}); repair or remove the package that provides it"
