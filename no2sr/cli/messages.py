"""Messages on stderr: one line per error, one line per warning, and logs on request."""

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
    "convert_foreign",
    "keep_warnings",
    "report",
    "reword",
    "set_debug",
    "shorten_messages",
    "start_backend",
    "wants_debug",
]

_DEBUG = "no2sr.debug"
# The options that correspond to arguments of the Python functions.
_OPTIONS = {
    "bbox": "--bbox",
    "edges": "--edges",
    "limits": "--limit",
    "nodata": "--nodata",
    "points": "--points",
    "polygons": "--polygons",
    "qa_min": "--qa",
    "reader": "--reader",
    "resolution": "--resolution",
    "scale": "--scale",
    "smoothness": "--smoothness",
    "time": "--time",
    "unit": "--unit-in",
    "variable": "--variable",
}
# Messages of libraries, and of the linker, that do not raise MemoryError when memory runs out.
_NO_MEMORY = re.compile(
    r"bad[ _]alloc|can't start new thread|cannot allocate memory|(failed|unable) to allocate"
    r"|failed to map segment from shared object",
    re.IGNORECASE,
)
_ARGUMENT = re.compile(rf"(?<!\()\b({'|'.join(_OPTIONS)})=(?:'([^']*)'|(-?\d[\d.e-]*\b))?")


def set_debug(ctx: click.Context, _option: click.Parameter, value: bool) -> None:
    """Note the flag ``--debug``; if it is set, send the logs of the package to stderr."""
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
    """Print an error as one line, after its traceback if `debug` is set.

    Parameters
    ----------
    error : Exception
    debug : bool
    about : str
        The file, to be named if the message does not name it.
    """
    if debug:
        traceback.print_exception(error)
    click.echo(f"Error: {_add_name(about, reword(error))}", err=True)


def convert_foreign(error: Exception, name: str) -> No2srError:
    """Convert an error that the package did not raise on purpose to one that can be reported.

    Parameters
    ----------
    error : Exception
        Becomes the cause.
    name : str
        The file or command that was being processed.
    """
    if isinstance(error, MemoryError) or _NO_MEMORY.search(str(error)):
        text = f"memory ran out while processing {name}; choose a smaller region, or free memory"
    else:
        text = (
            f"{type(error).__name__} while processing {name} ({error}). This is a bug in no2sr; "
            "please report it with the output of --debug"
        )
    converted = No2srError(text)
    converted.__cause__ = error
    return converted


@contextmanager
def keep_warnings(about: str) -> Iterator[list[str]]:
    """Show the warnings of the block and keep them, also those that were shown before.

    Parameters
    ----------
    about : str
        The file in question, should a message not name it.

    Yields
    ------
    list of str
        The messages.
    """
    kept: list[str] = []
    show = warnings.showwarning

    def keep(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if issubclass(category, No2srWarning):
            kept.append(reword(message))
            message = _add_name(about, kept[-1])
        show(message, category, *where, **more)

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = keep
        yield kept


def _add_name(name: str, text: str) -> str:
    return text if name in text else f"{name}: {text}"


def start_backend(*models: Any, engine: str = "") -> None:
    """Start Keras quietly if it will be needed; its libraries print when they are imported.

    Read files first: a child that is forked after Keras has started its threads may hang.

    Parameters
    ----------
    *models : Model or str or None
        The models to run. Only weights of other programs, which are single files, need Keras.
    engine : str
        Library that will run them.
    """
    foreign_weights = any(
        Path(model).is_file() if isinstance(model, str) else model is not None and not model.folder
        for model in models
    )
    if (foreign_weights or engine == "tensorflow") and not wants_debug(click.get_current_context()):
        from no2sr.networks.backend import start_quietly

        start_quietly()


@contextmanager
def shorten_messages(ctx: click.Context) -> Iterator[None]:
    """Show each warning of no2sr on one line, and those of other packages only with ``--debug``."""

    def show(  # noqa: PLR0917 - the signature of warnings.showwarning
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,  # noqa: ARG001
        line: str | None = None,
    ) -> None:
        if issubclass(category, No2srWarning):
            click.echo(f"Warning: {reword(message)}", err=True)
        elif wants_debug(ctx):
            text = warnings.formatwarning(message, category, filename, lineno, line)
            click.echo(text, err=True, nl=False)

    # Without a handler, Python prints what libraries log about a broken file.
    if not logging.getLogger().handlers:
        logging.getLogger().addHandler(logging.NullHandler())
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.showwarning = show
        yield


def reword(message: object) -> str:
    """Put a message on one line, and replace Python arguments by command-line options."""
    text = _ARGUMENT.sub(
        lambda match: " ".join(filter(None, (_OPTIONS[match[1]], match[2] or match[3]))),
        str(message),
    )
    return " ".join(text.split())
