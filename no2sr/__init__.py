"""Fine, georeferenced NO2 maps from coarse satellite columns.

>>> import no2sr
>>> sorted(name for name in no2sr.__all__ if name.startswith("write"))
['write', 'write_geotiff', 'write_netcdf', 'write_zarr']

The usual three lines are ``coarse = no2sr.open_no2(path)``,
``fine = no2sr.downscale(coarse, scale=4)`` and ``no2sr.write(fine, "fine.tif")``. Names are looked
up when first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from no2sr.degradation import degrade
    from no2sr.errors import (
        AmbiguousVariableError,
        CardMismatchError,
        ClusterError,
        DimensionError,
        FileUnreadableError,
        ImageError,
        IrregularGridError,
        ManyGapsWarning,
        MissingCRSError,
        MissingDependencyError,
        MissingVariableError,
        ModelError,
        No2srError,
        No2srWarning,
        NoValidPixelsError,
        OutputExistsError,
        OversampledWarning,
        ReadError,
        RefinedInputWarning,
        RepairWarning,
        SettingsError,
        TooSmallError,
        UnitsError,
        UnknownFormatError,
        UnknownModelError,
        UnverifiedUnitsWarning,
        WriteError,
    )
    from no2sr.evaluation import evaluate
    from no2sr.networks import available_models, load_model, save_model
    from no2sr.pipeline import downscale
    from no2sr.readers import available_readers, open_no2
    from no2sr.rendering import enhance, render
    from no2sr.sampling import coarsen_to_native
    from no2sr.training import TrainSettings, train
    from no2sr.writers import write, write_geotiff, write_netcdf, write_zarr

__version__ = "0.1.0"

__all__ = [
    "AmbiguousVariableError",
    "CardMismatchError",
    "ClusterError",
    "DimensionError",
    "FileUnreadableError",
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
    "OutputExistsError",
    "OversampledWarning",
    "ReadError",
    "RefinedInputWarning",
    "RepairWarning",
    "SettingsError",
    "TooSmallError",
    "TrainSettings",
    "UnitsError",
    "UnknownFormatError",
    "UnknownModelError",
    "UnverifiedUnitsWarning",
    "WriteError",
    "available_models",
    "available_readers",
    "coarsen_to_native",
    "degrade",
    "downscale",
    "enhance",
    "evaluate",
    "load_model",
    "open_no2",
    "render",
    "save_model",
    "train",
    "write",
    "write_geotiff",
    "write_netcdf",
    "write_zarr",
]

# Where each name lives; what is not listed here is an error class.
_HOMES = {
    "TrainSettings": "no2sr.training",
    "available_models": "no2sr.networks",
    "available_readers": "no2sr.readers",
    "coarsen_to_native": "no2sr.sampling",
    "degrade": "no2sr.degradation",
    "downscale": "no2sr.pipeline",
    "enhance": "no2sr.rendering",
    "evaluate": "no2sr.evaluation",
    "load_model": "no2sr.networks",
    "open_no2": "no2sr.readers",
    "render": "no2sr.rendering",
    "save_model": "no2sr.networks",
    "train": "no2sr.training",
    "write": "no2sr.writers",
    "write_geotiff": "no2sr.writers",
    "write_netcdf": "no2sr.writers",
    "write_zarr": "no2sr.writers",
}

if not TYPE_CHECKING:  # a type checker that saw this would accept any misspelt name

    def __getattr__(name: str) -> object:
        """Import the home of a public name on its first use (PEP 562)."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(_HOMES.get(name, "no2sr.errors")), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        """List the public names, looked up or not."""
        return list(__all__)
