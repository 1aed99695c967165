"""The no2sr program: find it, ask for its version, run it, stop it.

This module does not need QGIS; `feedback` is any object with the methods of
`QgsProcessingFeedback`.
"""

from __future__ import annotations

import contextlib
import os
import queue
import re
import shutil
import signal
import subprocess
import threading
from pathlib import Path

LEAST_VERSION = (0, 2, 0)  # the first that was released
INSTALL = (
    "install it from the folder with its source: pip install . (Python 3.11 to 3.13, an "
    "environment of its own is best), then restart QGIS, or name the program under Settings, "
    "Options, Processing, Providers, no2sr"
)
# QGIS sets these for its own Python, GDAL and PROJ; they break those of another program.
_NOT_FOR_OTHERS = (
    "PYTHONHOME",
    "PYTHONPATH",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "GDAL_DATA",
    "GDAL_DRIVER_PATH",
    "PROJ_DATA",
    "PROJ_LIB",
)
_PROGRESS = re.compile(r"Progress: (\d+)%")
_GRACE = 10  # seconds between asking a program to end and ending it
_PATIENCE = 120  # seconds for its version: the first start on a cold disk is slow


class ProgramError(Exception):
    """The program is missing, is too old, or failed."""


def find(chosen=""):
    """Find the program.

    Parameters
    ----------
    chosen : str
        What the user set; by default the PATH is searched.

    Returns
    -------
    str
        Its path.

    Raises
    ------
    ProgramError
        If there is no program, or it is too old.
    """
    path = shutil.which(chosen or "no2sr")
    if path is None:
        where = f"{chosen!r} (as set)" if chosen else "no2sr on the PATH"
        raise ProgramError(f"the program {where} was not found; {INSTALL}")
    version = _version(path)
    if version < LEAST_VERSION:
        found, least = (".".join(map(str, number)) for number in (version, LEAST_VERSION))
        raise ProgramError(
            f"{path} is version {found} of no2sr, and the plugin needs {least} or later; "
            "upgrade it from the folder with its newer source: pip install --upgrade ."
        )
    return path


def _version(path):
    """Ask a program for its version."""
    try:
        answer = subprocess.run(
            [path, "--version"],
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=_PATIENCE,
            check=False,
            **_without_window(),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ProgramError(f"{path} does not start ({error}); {INSTALL}") from error
    number = re.match(r"no2sr,? (?:version )?(\d+)\.(\d+)\.(\d+)", answer.stdout.strip())
    if answer.returncode != 0 or number is None:
        said = (answer.stderr or answer.stdout).strip().splitlines()
        raise ProgramError(
            f"{path} is not the no2sr program: its answer to --version was "
            f"{said[-1] if said else 'nothing'!r}; {INSTALL}"
        )
    return tuple(map(int, number.groups()))


def environment():
    """Make an environment for a program other than QGIS."""
    kept = {name: value for name, value in os.environ.items() if name not in _NOT_FOR_OTHERS}
    return {**kept, "PYTHONUTF8": "1", "COLUMNS": "100"}


def run(command, feedback, *, output=None):
    """Run a command to its end, and pass on its output line by line.

    Parameters
    ----------
    command : list of str
    feedback : QgsProcessingFeedback
        Receives progress, warnings and lines, and may cancel.
    output : str, optional
        File that the command writes; nothing of it is left after a cancellation.

    Returns
    -------
    str
        What the command wrote to stdout. After a cancellation the answer is incomplete.

    Raises
    ------
    ProgramError
        If the command failed; with its own message.
    """
    feedback.pushCommandInfo(subprocess.list2cmdline(command))
    process = subprocess.Popen(
        command,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        **_own_group(),
    )
    try:
        said = _listen(process, feedback)
    finally:
        _stop(process)
    if feedback.isCanceled():
        _remove_unfinished(output)
    if process.returncode and not feedback.isCanceled():
        raise ProgramError(_reason(said, process.returncode))
    return "".join(line for stream, line in said if stream == "stdout")


def _listen(process, feedback):
    """Pass on the output of the process until it ends or is to be stopped."""
    lines, said, silent = queue.Queue(), [], 0
    for name in ("stdout", "stderr"):
        stream = getattr(process, name)
        threading.Thread(target=_collect, args=(name, stream, lines), daemon=True).start()
    while silent < 2 and not feedback.isCanceled():
        try:
            name, line = lines.get(timeout=0.1)
        except queue.Empty:
            continue
        if line is None:
            silent += 1
            continue
        said.append((name, line))
        _tell(line.rstrip(), feedback)
    return said


def _collect(name, stream, lines):
    """Put the lines of one stream into the queue, and None at its end."""
    with stream:
        for line in stream:
            lines.put((name, line))
    lines.put((name, None))


def _tell(line, feedback):
    """Pass on one line as progress, warning or text."""
    progress = _PROGRESS.fullmatch(line)
    if progress:
        feedback.setProgress(int(progress[1]))
    elif line.startswith("Warning: "):
        feedback.pushWarning(line[len("Warning: ") :])
    elif line and not line.startswith("Error: "):  # an error is raised, and shown only once
        feedback.pushConsoleInfo(line)


def _stop(process):
    """End a process that is still running: terminate it first, so that it can clean up."""
    if process.poll() is None and _ended_by(process, "terminate"):
        return
    if process.poll() is None:
        _ended_by(process, "kill")


def _ended_by(process, how):
    """Terminate a process, or kill it and its children; tell whether it ended."""
    if how == "kill" and os.name == "posix":
        os.killpg(process.pid, signal.SIGKILL)
    else:  # it ends its own children
        getattr(process, how)()
    try:
        process.wait(_GRACE)
    except subprocess.TimeoutExpired:
        return False
    return True


def _remove_unfinished(output):
    """Remove temporary files and the work folder from which another run could resume.

    A grid is made in a folder beside the output, `.l3.<hex>.partial`, and its layers in files such
    as `.l3_count.<hex>.partial.tif`.
    """
    if output is None:
        return
    final = Path(output)
    temporary = re.compile(rf"\.{re.escape(final.stem)}(_[a-z_]+)?\.[0-9a-f]+\.partial")
    for path in list(final.parent.iterdir()):
        if path.name != f".{final.name}.no2sr-work" and not temporary.match(path.name):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):  # the run is cancelled in any case
                path.unlink()


def _reason(said, code):
    """Find the message of a failed command, which no2sr writes in one line."""
    lines = [line.strip() for stream, line in said if stream == "stderr" and line.strip()]
    for line in reversed(lines):
        if line.startswith("Error: "):
            return line[len("Error: ") :]
    return lines[-1] if lines else f"no2sr ended with code {code} and without a message"


def _own_group():
    """Put the program and its children into a group of their own, without a console window."""
    return {"start_new_session": True} if os.name == "posix" else _without_window()


def _without_window():
    return {} if os.name == "posix" else {"creationflags": subprocess.CREATE_NO_WINDOW}
