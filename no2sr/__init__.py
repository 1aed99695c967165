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

from no2sr.core.version import __version__ as __version__

if TYPE_CHECKING:
    from no2sr.core.errors import (
        AmbiguousVariableError,
        CardMismatchError,
        ClusterError,
        ConvergenceError,
        DimensionError,
        FileUnreadableError,
        HistoryError,
        ImageError,
        IrregularGridError,
        ManyGapsWarning,
        MissingCRSError,
        MissingDependencyError,
        MissingVariableError,
        ModelError,
        No2srError,
        No2srWarning,
        NoiseError,
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
    from no2sr.downscaling.pipeline import downscale
    from no2sr.downscaling.reconstruction.entry import reconstruct
    from no2sr.downscaling.to_file import downscale_file
    from no2sr.evaluation.extraction import extract
    from no2sr.evaluation.tables import evaluate
    from no2sr.networks.saving import save_model
    from no2sr.networks.store import available_models, load_model
    from no2sr.networks.training.settings import TrainSettings
    from no2sr.networks.training.trainer import train
    from no2sr.readers.opening.opener import grid, open_no2
    from no2sr.readers.registry import available_readers
    from no2sr.simulation.degrading import degrade
    from no2sr.steps.sampling import coarsen_to_native
    from no2sr.views.rendering import enhance, render
    from no2sr.writers.dispatch import write
    from no2sr.writers.geotiff import write_geotiff
    from no2sr.writers.netcdf import write_netcdf
    from no2sr.writers.zarr import write_zarr


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
    "downscale_file",
    "enhance",
    "evaluate",
    "extract",
    "grid",
    "load_model",
    "open_no2",
    "reconstruct",
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
    "TrainSettings": "no2sr.networks.training.settings",
    "available_models": "no2sr.networks.store",
    "available_readers": "no2sr.readers.registry",
    "coarsen_to_native": "no2sr.steps.sampling",
    "degrade": "no2sr.simulation.degrading",
    "downscale": "no2sr.downscaling.pipeline",
    "downscale_file": "no2sr.downscaling.to_file",
    "enhance": "no2sr.views.rendering",
    "evaluate": "no2sr.evaluation.tables",
    "extract": "no2sr.evaluation.extraction",
    "grid": "no2sr.readers.opening.opener",
    "load_model": "no2sr.networks.store",
    "open_no2": "no2sr.readers.opening.opener",
    "reconstruct": "no2sr.downscaling.reconstruction.entry",
    "render": "no2sr.views.rendering",
    "save_model": "no2sr.networks.saving",
    "train": "no2sr.networks.training.trainer",
    "write": "no2sr.writers.dispatch",
    "write_geotiff": "no2sr.writers.geotiff",
    "write_netcdf": "no2sr.writers.netcdf",
    "write_zarr": "no2sr.writers.zarr",
}

if not TYPE_CHECKING:  # a type checker that saw this would accept any misspelt name

    def __getattr__(name: str) -> object:
        """Import the home of a public name on its first use (PEP 562)."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(_HOMES.get(name, "no2sr.core.errors")), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        """List the public names, looked up or not."""
        return list(__all__)
