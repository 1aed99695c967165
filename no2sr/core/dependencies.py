"""Packages that only some commands need: check that they are installed before any work is done."""

from __future__ import annotations

from importlib.util import find_spec

from no2sr.core.errors import MissingDependencyError

__all__ = ["require"]


def require(*packages: str, purpose: str, extra: str = "") -> None:
    """Check that packages are installed, and name all that are not.

    Parameters
    ----------
    *packages : str
        Names by which they are imported.
    purpose : str
        What needs them: the subject of the message.
    extra : str
        The extra of no2sr that brings them; empty if a plain install does.

    Raises
    ------
    MissingDependencyError
        If one is missing; the message lists them all.
    """
    missing = [name for name in dict.fromkeys(packages) if find_spec(name) is None]
    if not missing:
        return
    listed = " and ".join(filter(None, (", ".join(missing[:-1]), missing[-1])))
    are, them = ("are", "them") if len(missing) > 1 else ("is", "it")
    source = f"'no2sr[{extra}]'" if extra else "no2sr"
    raise MissingDependencyError(
        f"{purpose} needs {listed}, which {are} not installed; "
        f"install {them} with: pip install {source}"
    )
