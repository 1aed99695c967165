"""Grid swath files: level 2 files in, one raster and its companions out."""

from __future__ import annotations

from pathlib import Path

from qgis.core import (
    QgsProcessingOutputRasterLayer,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterNumber,
)

from no2sr_qgis.base import Algorithm, beside, file_of
from no2sr_qgis.enums import DECIMAL, FILES

_QA = 0.75
_BESIDE = {
    "COVERAGE": "Share of each cell that was observed",
    "COUNT": "Number of pixels in each cell",
    "UNCERTAINTY_RANDOM": "Random uncertainty (error that is independent between pixels)",
    "UNCERTAINTY_SYSTEMATIC": "Systematic uncertainty (error that pixels share)",
}


class Grid(Algorithm):
    """``no2sr grid``."""

    NAME = "grid"
    TITLE = "Grid swath files"
    HELP = (
        "Puts the pixels of Sentinel-5P, TEMPO or GEMS level 2 files on one regular grid, each "
        "weighted by the area that it shares with a cell. Pixels are screened as their product "
        "advises.\n\n"
        "The share of each cell that was observed, the number of pixels and, where it is known, "
        "the uncertainty are written beside the column, each to a GeoTIFF of its own with a style."
    )

    def initAlgorithm(self, configuration=None):
        """State the parameters."""
        number = QgsProcessingParameterNumber
        self.addParameter(
            QgsProcessingParameterMultipleLayers("INPUTS", self.tr("Swath files (level 2)"), FILES)
        )
        self.add_extent()
        self.addParameter(
            number(
                "RESOLUTION",
                self.tr("Cell size in degrees"),
                DECIMAL,
                defaultValue=0.05,
                minValue=0.0001,
            )
        )
        self.addParameter(
            number(
                "QA",
                self.tr("Quality that a pixel must exceed, where there is a quality value"),
                DECIMAL,
                defaultValue=_QA,
                minValue=0,
                maxValue=1,
            )
        )
        self.add_unit_and_output(self.tr("Gridded column"))
        for name, text in _BESIDE.items():
            self.addOutput(QgsProcessingOutputRasterLayer(name, self.tr(text)))

    def arguments(self, parameters, context):
        """Return the arguments of the program."""
        self.output = self.parameterAsOutputLayer(parameters, "OUTPUT", context)
        inputs = self.parameterAsFileList(parameters, "INPUTS", context)
        return [
            "grid",
            *("--resolution", str(self.parameterAsDouble(parameters, "RESOLUTION", context))),
            *self.quality(parameters, context),
            *self.unit(parameters, context),
            *self.box(parameters, context),
            *("--overwrite", "--progress", "lines", "--"),
            *(file_of(source)[0] for source in inputs),
            self.output,
        ]

    def quality(self, parameters, context):
        """Return the option of quality if it was changed: products without one refuse it."""
        chosen = self.parameterAsDouble(parameters, "QA", context)
        return () if chosen == _QA else ("--qa", str(chosen))

    def processAlgorithm(self, parameters, context, feedback):
        """Run the program."""
        results = self.write_raster(context, feedback)
        places = {name: beside(self.output, name.lower()) for name in _BESIDE}
        return results | {name: path for name, path in places.items() if Path(path).exists()}
