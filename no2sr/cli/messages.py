"""What the command line says on stderr: one line an error, one line a warning, logs on request."""

from __future__ import annotations

import logging
import re
import traceback
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from no2sr.core.errors import No2srError, No2srWarning

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "foreign",
    "keeping_warnings",
    "one_line_messages",
    "report",
    "set_debug",
    "spoken",
    "start_backend",
    "wants_debug",
]

_DEBUG = "no2sr.debug"
# How the arguments of the Python functions are spelt here.
_OPTIONS = {
    "bbox": "--bbox",
    "edges": "--edges",
    "limits": "--limit",
    "nodata": "--nodata",
    "qa_min": "--qa",
    "reader": "--reader",
    "resolution": "--resolution",
    "scale": "--scale",
    "smoothness": "--smoothness",
    "time": "--time",
    "unit": "--unit-in",
    "variable": "--variable",
}
# How libraries say it that raise something else than MemoryError, and the linker that loads them.
_NO_MEMORY = re.compile(
    r"bad[ _]alloc|can't start new thread|cannot allocate memory|(failed|unable) to allocate"
    r"|failed to map segment from shared object",
    re.IGNORECASE,
)
_ARGUMENT = re.compile(rf"(?<!\()\b({'|'.join(_OPTIONS)})=(?:'([^']*)'|(-?\d[\d.e-]*\b))?")


def set_debug(ctx: click.Context, _option: click.Parameter, value: bool) -> None:
    """Note the flag ``--debug`` and, with it, send the package's logs to stderr."""
    ctx.meta[_DEBUG] = value
    if value:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
        logger = logging.getLogger("no2sr")
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
        ctx.call_on_close(lambda: logger.removeHandler(handler))


def wants_debug(ctx: click.Context) -> bool:
    """Tell whether ``--debug`` was given."""
    return bool(ctx.meta.get(_DEBUG))


def report(error: Exception, *, debug: bool, about: str = "") -> None:
    """Print an error as one line, after its traceback if that was asked for.

    Parameters
    ----------
    error : Exception
    debug : bool
    about : str
        The file in question, should the message not name it.
    """
    if debug:
        traceback.print_exception(error)
    click.echo(f"Error: {_about(about, spoken(error))}", err=True)


def foreign(error: Exception, name: str) -> No2srError:
    """Return an error that no part of the package raised on purpose as one that can be told.

    Parameters
    ----------
    error : Exception
        Becomes the cause.
    name : str
        What was worked on.
    """
    if isinstance(error, MemoryError) or _NO_MEMORY.search(str(error)):
        text = (
            f"memory ran out while working on {name}, expected room for its values; choose a "
            "smaller region, or free memory"
        )
    else:
        text = (
            f"{type(error).__name__} while working on {name} ({error}), expected no such thing: a "
            "fault of no2sr; please report it with what --debug shows"
        )
    told = No2srError(text)
    told.__cause__ = error
    return told


@contextmanager
def keeping_warnings(about: str) -> Iterator[list[str]]:
    """Keep the warnings of the block besides showing them, also those shown before.

    Parameters
    ----------
    about : str
        The file in question, should a message not name it.

    Yields
    ------
    list of str
        What was warned of.
    """
    kept: list[str] = []
    show = warnings.showwarning

    def keep(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if issubclass(category, No2srWarning):
            kept.append(spoken(message))
            message = _about(about, kept[-1])
        show(message, category, *where, **more)

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = keep
        yield kept


def _about(name: str, text: str) -> str:
    return text if name in text else f"{name}: {text}"


def start_backend(*models: Any, engine: str = "") -> None:
    """Start Keras quietly if it is going to be started: its libraries print when they are imported.

    Files are to be read before: a child forked from its threads may wait for ever.

    Parameters
    ----------
    *models : Model or str or None
        Those that will be run. Only weights of other programs, which are single files, need Keras.
    engine : str
        What will run them.
    """
    foreign_weights = any(
        Path(model).is_file() if isinstance(model, str) else model is not None and not model.folder
        for model in models
    )
    if (foreign_weights or engine == "tensorflow") and not wants_debug(click.get_current_context()):
        from no2sr.networks.backend import start_quietly

        start_quietly()


@contextmanager
def one_line_messages(ctx: click.Context) -> Iterator[None]:
    """Show warnings of no2sr as one line each, and those of other packages only to who debugs."""

    def show(  # noqa: PLR0917 - the signature of warnings.showwarning
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,  # noqa: ARG001
        line: str | None = None,
    ) -> None:
        if issubclass(category, No2srWarning):
            click.echo(f"Warning: {spoken(message)}", err=True)
        elif wants_debug(ctx):
            text = warnings.formatwarning(message, category, filename, lineno, line)
            click.echo(text, err=True, nl=False)

    # Without a handler, Python prints what libraries log about a broken file beside our line.
    if not logging.getLogger().handlers:
        logging.getLogger().addHandler(logging.NullHandler())
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.showwarning = show
        yield


def spoken(message: object) -> str:
    """Put a message on one line, its advice in the words of the command line."""
    text = _ARGUMENT.sub(
        lambda match: " ".join(filter(None, (_OPTIONS[match[1]], match[2] or match[3]))),
        str(message),
    )
    return " ".join(text.split())
