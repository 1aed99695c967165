"""Every exception and warning that no2sr raises, in one tree.

::

    No2srError
      ReadError
        FileUnreadableError(OSError)         missing, truncated or not readable
        UnknownFormatError(ValueError)       no reader recognises the file
        MissingVariableError(LookupError)    no such variable; the message lists those that exist
        AmbiguousVariableError(LookupError)  several candidates, and none was named
        NoValidPixelsError(ValueError)       every pixel is a gap
      ImageError(ValueError)
        MissingCRSError    IrregularGridError    DimensionError    UnitsError    TooSmallError
        NoiseError         HistoryError
      ModelError
        UnknownModelError(LookupError)       no such network, or no weights for the scale
        CardMismatchError(ValueError)        model file and card disagree, or it is no no2sr model
      SettingsError(ValueError)              an argument out of range
      WriteError(OSError)
        OutputExistsError(FileExistsError)
      MissingDependencyError(ImportError)
      ClusterError(ConnectionError)          a scheduler or its workers cannot be reached, or died
      ConvergenceError(ArithmeticError)      equations could not be solved well enough
    No2srWarning(UserWarning)
      UnverifiedUnitsWarning    OversampledWarning    ManyGapsWarning    RepairWarning
      RefinedInputWarning

Each message says, in one line, what was found and what to do about it.
"""

from __future__ import annotations

__all__ = [
    "AmbiguousVariableError",
    "CardMismatchError",
    "ClusterError",
    "ConvergenceError",
    "DimensionError",
    "FileUnreadableError",
    "HistoryError",
    "ImageError",
    "IrregularGridError",
    "ManyGapsWarning",
    "MissingCRSError",
    "MissingDependencyError",
    "MissingVariableError",
    "ModelError",
    "No2srError",
    "No2srWarning",
    "NoValidPixelsError",
    "NoiseError",
    "OutputExistsError",
    "OversampledWarning",
    "ReadError",
    "RefinedInputWarning",
    "RepairWarning",
    "SettingsError",
    "TooSmallError",
    "UnitsError",
    "UnknownFormatError",
    "UnknownModelError",
    "UnverifiedUnitsWarning",
    "WriteError",
]


class No2srError(Exception):
    """Base of every error that no2sr raises on purpose."""


class ReadError(No2srError):
    """A file cannot be turned into an image."""


class FileUnreadableError(ReadError, OSError):
    """The file is missing, truncated or cannot be opened."""


class UnknownFormatError(ReadError, ValueError):
    """No reader recognises the file."""


class MissingVariableError(ReadError, LookupError):
    """The file does not hold the variable asked for, or any NO2 variable."""


class AmbiguousVariableError(ReadError, LookupError):
    """There are several candidates, and none was named."""


class NoValidPixelsError(ReadError, ValueError):
    """Every pixel is a gap."""


class ImageError(No2srError, ValueError):
    """A dataset does not satisfy the image contract."""


class MissingCRSError(ImageError):
    """The image carries no coordinate reference system."""


class IrregularGridError(ImageError):
    """The axes are not regular, or the raster is rotated."""


class DimensionError(ImageError):
    """Dimensions or coordinates are missing or of the wrong kind."""


class UnitsError(ImageError):
    """The unit is missing, unknown or contradicts the request."""


class TooSmallError(ImageError):
    """The grid has fewer cells than the method needs."""


class NoiseError(ImageError):
    """A layer of noise or uncertainty does not fit its column."""


class HistoryError(ImageError):
    """The history of a place cannot be used for this scene."""


class ModelError(No2srError):
    """A network cannot be used."""


class UnknownModelError(ModelError, LookupError):
    """No such network, or no weights for the scale asked for."""


class CardMismatchError(ModelError, ValueError):
    """A model file and its card disagree, or the file is not a no2sr model."""


class SettingsError(No2srError, ValueError):
    """An argument is out of its range."""


class WriteError(No2srError, OSError):
    """An output cannot be written."""


class OutputExistsError(WriteError, FileExistsError):
    """The output already exists and may not be replaced."""


class MissingDependencyError(No2srError, ImportError):
    """An optional package is not installed."""


class ClusterError(No2srError, ConnectionError):
    """A scheduler or its workers cannot be reached, or died."""


class ConvergenceError(No2srError, ArithmeticError):
    """Equations could not be solved to the accuracy that was asked for."""


class No2srWarning(UserWarning):
    """Base of every warning of no2sr."""


class UnverifiedUnitsWarning(No2srWarning):
    """The unit was inferred, or contradicts the size of the values."""


class OversampledWarning(No2srWarning):
    """The grid is finer than what the data resolve."""


class ManyGapsWarning(No2srWarning):
    """Most of the image is missing."""


class RepairWarning(No2srWarning):
    """Pixels were set to missing, or coordinates were repaired, while a file was read."""


class RefinedInputWarning(No2srWarning):
    """The input was made finer by no2sr: its detail is already an estimate."""
