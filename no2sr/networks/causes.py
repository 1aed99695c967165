"""What went wrong in Keras, TensorFlow or ONNX Runtime, in one line."""

from __future__ import annotations

import re

__all__ = ["state_cause"]

_LONGEST = 200  # characters
# What these libraries put around the facts: colours, their own codes, places in their sources.
_DECORATION = re.compile(r"\x1b\[[0-9;]*m|\[ONNXRuntimeError\] : \d+ : \w+ : |/\S+\.(?:cc|h):\d+ ")
_RAISED = re.compile(r"^\s*\w*(?:Error|Exception): (?!Exception encountered)(.+)$", re.MULTILINE)


def state_cause(error: BaseException) -> str:
    """Return the cause of an error of another library in one line.

    Parameters
    ----------
    error : BaseException
        Its text may hold a whole traceback, with colours.

    Returns
    -------
    str
        At most 200 characters.
    """
    text = _DECORATION.sub("", str(error))
    raised = _RAISED.findall(text)
    line = raised[-1] if raised else text
    words = " ".join(line.split()).rstrip(".") or type(error).__name__
    return words if len(words) <= _LONGEST else words[: _LONGEST - 3] + "..."
