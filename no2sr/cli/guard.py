"""Read files in a child process, so that a malformed file cannot crash the command.

The C libraries under NetCDF, HDF5 and GeoTIFF can crash on malformed files, and Python code cannot
catch that. The command line therefore reads in a child process, which returns the image; only the
child can crash. Forking the child takes a few hundredths of a second. Where it has to be started
from scratch, which takes a second or two, the guard is off unless ``--guard`` is given.
"""

from __future__ import annotations

import faulthandler
import gc
import os
import pickle
import signal
import sys
import traceback
import warnings
from functools import partial
from pathlib import Path
from shutil import rmtree
from tempfile import gettempdir
from typing import TYPE_CHECKING, Any, Concatenate, NoReturn, ParamSpec, TypeVar

import click

from no2sr.cli.limits import limit, reading_time, try_to_open
from no2sr.cli.messages import wants_debug
from no2sr.core.errors import FileUnreadableError, No2srError
from no2sr.core.names import check_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

__all__ = ["call_guarded", "set_guard"]

Given = ParamSpec("Given")
Result = TypeVar("Result")

_GUARD = "no2sr.guard"
_FORKS = sys.platform == "linux"  # on other systems, libraries do not work in forked children


def set_guard(ctx: click.Context, _option: click.Parameter, value: bool | None) -> None:
    """Note whether to read files in a child process."""
    ctx.meta[_GUARD] = _FORKS if value is None else value


def call_guarded(
    function: Callable[Concatenate[Any, Given], Result],
    source: Any,
    *args: Given.args,
    **settings: Given.kwargs,
) -> Result:
    """Call a function that reads files in a child process, unless ``--no-guard`` was given.

    Parameters
    ----------
    function : callable
        Called as ``function(source, **settings)``; its result is pickled. A setting `progress` is
        called in this process, not in the child.
    source : path or sequence of paths
        Named in the message if the child crashes.

    Raises
    ------
    FileUnreadableError
        If the child crashed or was killed, the function failed with an unexpected error, or a
        source has an impossible name.
    No2srError
        The error of the function, with its traceback as a note.

    Warns
    -----
    Warning
        The warnings of the function.
    """
    ctx = click.get_current_context()
    _check_names(source)
    if not ctx.meta.get(_GUARD, False):
        try:
            return function(source, *args, **settings)
        except Exception as error:
            raise _as_read_error(error, source) from error
    if _FORKS:
        _preload()
    progress: Any = settings.pop("progress", None)
    work = partial(function, source, *args, **settings)
    how = {"reports": progress is not None, "quiet": not wants_debug(ctx)}
    receiver, child = _start_child(work, source, **how)
    try:
        while True:
            kind, content = receiver.recv()
            if kind == "step":
                progress(*content)
                continue
            _repeat_warnings(content["warnings"])
            if kind == "failure":
                raise _as_read_error(content["error"], source)
            result: Result = content["result"]
            return result
    except EOFError:
        _explain_silence(child, source)
    finally:
        receiver.close()
        _end_child(child)


def _preload() -> None:
    """Import what both the child and its parent need, once."""
    import no2sr.readers.opening.grids  # noqa: F401


def _start_child(
    work: Callable[..., Any], source: Any, *, reports: bool, quiet: bool
) -> tuple[Connection, BaseProcess]:
    """Start the child and return it with the pipe through which it answers."""
    from multiprocessing import get_context

    context: Any = get_context("fork" if _FORKS else "spawn")
    receiver, sender = context.Pipe(duplex=False)
    how = {"reports": reports, "quiet": quiet}
    child = context.Process(target=_answer, args=(sender, work, source), kwargs=how)
    # Otherwise the garbage collector in the child would copy the pages that it visits.
    gc.freeze()
    with warnings.catch_warnings():
        # Python warns of threads that the child might wait for. They are idle threads of libraries
        # that reading does not use.
        warnings.simplefilter("ignore", DeprecationWarning)
        child.start()
    sender.close()
    return receiver, child


def _answer(
    sender: Connection, work: Callable[..., Any], source: Any, *, reports: bool, quiet: bool
) -> None:
    """Do the work of the child."""
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # the parent is interrupted too, and ends the child
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _silence_crashes(quiet=quiet)
    if "dask" in sys.modules:  # the threads of the parent's pool do not exist here
        sys.modules["dask"].config.set(scheduler="synchronous")
    if reports:

        def report(*step: int) -> None:
            limit(allowed)  # every file has its own limit
            sender.send(("step", step))

        work = partial(work, progress=report)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            if _FORKS:
                try_to_open(source)
            limit(allowed := reading_time(source))
            kind, content = "result", {"result": work()}
        except BaseException as error:  # noqa: BLE001 - it is raised again in the parent
            kind, content = "failure", {"error": _make_portable(error)}
    content["warnings"] = [(str(w.message), w.category, w.filename, w.lineno) for w in caught]
    sender.send((kind, content))


def _make_portable(error: BaseException) -> BaseException:
    """Make an error that survives pickling, with its traceback as a note."""
    note = "".join(traceback.format_exception(error))
    error.__cause__ = error.__context__ = error.__traceback__ = None
    try:
        copied: BaseException = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    except Exception:  # noqa: BLE001 - constructors may raise anything
        copied = RuntimeError(f"{type(error).__name__}: {error}")
    copied.add_note(note)
    return copied


def _as_read_error(error: Exception, source: Any) -> Exception:
    """Convert an error to one that the command line reports in one line."""
    if isinstance(error, No2srError | KeyboardInterrupt):
        return error
    converted = FileUnreadableError(
        f"{_name(source)} caused an unexpected error in its reader ({type(error).__name__}: "
        f"{error}); if the file is sound, please report this with the output of --debug"
    )
    for note in getattr(error, "__notes__", ()):
        converted.add_note(note)
    return converted


def _name(source: Any) -> str:
    """Return the names of the sources for a message."""
    return ", ".join(map(str, _paths(source)[:3]))


def _check_names(source: Any) -> None:
    for path in _paths(source):
        check_name(path, FileUnreadableError)


def _paths(source: Any) -> tuple[Path, ...]:
    """Return the paths of one source or several."""
    return tuple(source) if isinstance(source, tuple | list) else (source,)


def _silence_crashes(*, quiet: bool) -> None:
    """Make a crash write no core file, and libraries no messages."""
    if _FORKS:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if quiet:
        faulthandler.disable()
        with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - a device
            os.dup2(nowhere.fileno(), 2)


def _repeat_warnings(caught: list[tuple[str, type[Warning], str, int]]) -> None:
    """Repeat the warnings in this process, where the filters of the caller apply."""
    for text, category, filename, line in caught:
        warnings.warn_explicit(category(text), category, filename, line)


def _end_child(child: BaseProcess) -> None:
    """End a child and remove the files that it unpacked."""
    child.kill()
    child.join()
    for left in Path(gettempdir()).glob(f"no2sr-{child.pid}-*"):
        rmtree(left, ignore_errors=True)


def _explain_silence(child: BaseProcess, source: Any) -> NoReturn:
    """Explain why a child did not answer."""
    child.join()
    name = _name(source)
    code = child.exitcode or 0
    cause = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    if cause == "SIGXCPU":
        raise FileUnreadableError(
            f"{name} kept the library that reads it busy without end: the file is damaged or "
            "malicious; download it again from its source"
        )
    if cause == "SIGKILL":
        raise FileUnreadableError(
            f"reading {name} was stopped by the system ({cause}), probably because it ran out of "
            "memory; choose a smaller region"
        )
    raise FileUnreadableError(
        f"{name} crashed the library that reads it ({cause}): the file is damaged or malicious; "
        "download it again from its source"
    )
