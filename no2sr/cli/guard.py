"""A guard around reading: what a malformed file breaks, it breaks in a child process.

The C libraries under NetCDF, HDF5 and GeoTIFF can crash on malformed files, and no Python code can
catch that. So the command line reads in a child: it does all that reading takes, hands back the
image, and is the only one that such a file can bring down. The child is forked, which costs some
hundredths of a second; where it would have to be started anew, which takes a second or two, the
guard is off unless ``--guard`` asks for it.
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

__all__ = ["guarded", "set_guard"]

Given = ParamSpec("Given")
Result = TypeVar("Result")

_GUARD = "no2sr.guard"
_FORKS = sys.platform == "linux"  # forked children of other systems may not use their libraries


def set_guard(ctx: click.Context, _option: click.Parameter, value: bool | None) -> None:
    """Note whether files are to be read in a child process."""
    ctx.meta[_GUARD] = _FORKS if value is None else value


def guarded(
    function: Callable[Concatenate[Any, Given], Result],
    source: Any,
    *args: Given.args,
    **settings: Given.kwargs,
) -> Result:
    """Call a function that reads files in a child process, unless ``--no-guard`` was given.

    Parameters
    ----------
    function : callable
        Called as ``function(source, **settings)``; what it returns is pickled. A setting
        `progress` is called here, not in the child.
    source : path or sequence of paths
        Named in the message, should the child crash.

    Raises
    ------
    FileUnreadableError
        If the child crashed, or was killed, or the function failed over something that no reader
        foresaw, or a source has a name that cannot be.
    No2srError
        What the function raised, with its traceback as a note.

    Warns
    -----
    Warning
        Whatever the function warned of.
    """
    ctx = click.get_current_context()
    _check_names(source)
    if not ctx.meta.get(_GUARD, False):
        try:
            return function(source, *args, **settings)
        except Exception as error:
            raise _expected(error, source) from error
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
            _repeat(content["warnings"])
            if kind == "failure":
                raise _expected(content["error"], source)
            result: Result = content["result"]
            return result
    except EOFError:
        _complain(child, source)
    finally:
        receiver.close()
        _end(child)


def _preload() -> None:
    """Import what the child and, afterwards, its parent need: once is enough."""
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
    # What the collector looks at in the child is copied for it, page by page.
    gc.freeze()
    with warnings.catch_warnings():
        # Python warns of threads that the child might wait for; they are idle ones of libraries
        # that reading does not use.
        warnings.simplefilter("ignore", DeprecationWarning)
        child.start()
    sender.close()
    return receiver, child


def _answer(
    sender: Connection, work: Callable[..., Any], source: Any, *, reports: bool, quiet: bool
) -> None:
    """Do the work of the child."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted, too, and ends us
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _crash_cleanly(quiet=quiet)
    if "dask" in sys.modules:  # the threads of a pool that the parent has are not here
        sys.modules["dask"].config.set(scheduler="synchronous")
    if reports:

        def report(*step: int) -> None:
            limit(allowed)  # one file may have taken its time; the next has its own
            sender.send(("step", step))

        work = partial(work, progress=report)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            if _FORKS:
                try_to_open(source)
            limit(allowed := reading_time(source))
            kind, content = "result", {"result": work()}
        except BaseException as error:  # noqa: BLE001 - it is raised again, in the parent
            kind, content = "failure", {"error": _portable(error)}
    content["warnings"] = [(str(w.message), w.category, w.filename, w.lineno) for w in caught]
    sender.send((kind, content))


def _portable(error: BaseException) -> BaseException:
    """Return an error that survives pickling, with its traceback as a note."""
    note = "".join(traceback.format_exception(error))
    error.__cause__ = error.__context__ = error.__traceback__ = None
    try:
        copied: BaseException = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    except Exception:  # noqa: BLE001 - constructors of other packages raise what they like
        copied = RuntimeError(f"{type(error).__name__}: {error}")
    copied.add_note(note)
    return copied


def _expected(error: Exception, source: Any) -> Exception:
    """Return an error that the command line reports in one line."""
    if isinstance(error, No2srError | KeyboardInterrupt):
        return error
    told = FileUnreadableError(
        f"{_name(source)} holds something that its reader did not foresee "
        f"({type(error).__name__}: {error}), expected a sound file; if it is sound, report this "
        "with what --debug shows"
    )
    for note in getattr(error, "__notes__", ()):
        told.add_note(note)
    return told


def _name(source: Any) -> str:
    """Name what was read."""
    return ", ".join(map(str, _paths(source)[:3]))


def _check_names(source: Any) -> None:
    for path in _paths(source):
        check_name(path, FileUnreadableError)


def _paths(source: Any) -> tuple[Path, ...]:
    """Return the paths of one source or several."""
    return tuple(source) if isinstance(source, tuple | list) else (source,)


def _crash_cleanly(*, quiet: bool) -> None:
    """Let a crash write no image of the memory to the disk, and libraries write no last words."""
    if _FORKS:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if quiet:
        faulthandler.disable()
        with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - a device
            os.dup2(nowhere.fileno(), 2)


def _repeat(caught: list[tuple[str, type[Warning], str, int]]) -> None:
    """Warn again, here, where the filters of the caller hold."""
    for text, category, filename, line in caught:
        warnings.warn_explicit(category(text), category, filename, line)


def _end(child: BaseProcess) -> None:
    """Let nothing be left of a child, nor of what it had unpacked."""
    child.kill()
    child.join()
    for left in Path(gettempdir()).glob(f"no2sr-{child.pid}-*"):
        rmtree(left, ignore_errors=True)


def _complain(child: BaseProcess, source: Any) -> NoReturn:
    """Say what became of a child that did not answer."""
    child.join()
    name = _name(source)
    code = child.exitcode or 0
    cause = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    if cause == "SIGXCPU":
        raise FileUnreadableError(
            f"{name} kept the library that reads it busy without end, expected a sound file; it is "
            "damaged or made to do harm: fetch it again, from its origin"
        )
    if cause == "SIGKILL":
        raise FileUnreadableError(
            f"reading {name} was stopped from outside ({cause}), probably for want of memory, "
            "expected room for its values; choose a smaller region"
        )
    raise FileUnreadableError(
        f"{name} crashed the library that reads it ({cause}), expected a sound file; it is damaged "
        "or made to do harm: fetch it again, from its origin"
    )
