"""What an ONNX graph may not do, whoever wrote it."""

from __future__ import annotations

from no2sr.core.errors import CardMismatchError

__all__ = ["check_closed"]

# How a graph names a file that holds its weights: the key "location" of an entry in protobuf. A
# runtime looks for that file in the working directory.
_LOCATION = b"\n\x08location"


def check_closed(graph: bytes, name: str) -> None:
    """Refuse a graph that keeps weights in another file: no card has a checksum of that file.

    Parameters
    ----------
    graph : bytes
    name : str
        Of the model, for the message.

    Raises
    ------
    CardMismatchError
        If it names another file.
    """
    if _LOCATION in graph:
        raise CardMismatchError(
            f"the ONNX form of model {name} keeps its weights in another file (external data); "
            "export it as one file, in PyTorch with torch.onnx.export(..., external_data=False)"
        )
