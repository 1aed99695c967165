"""Grid swath files: level 2 files in, one raster and what belongs to it out."""

from __future__ import annotations

from pathlib import Path

from qgis.core import (
    QgsProcessing,
    QgsProcessingOutputRasterLayer,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterNumber,
)

from no2sr_qgis.base import Algorithm, file_of

_BESIDE = {
    "COVERAGE": "Share of each cell that was observed",
    "COUNT": "Number of pixels in each cell",
    "PRECISION": "Standard error, if errors are fully correlated",
    "PRECISION_INDEPENDENT": "Standard error, if errors are independent",
}


class Grid(Algorithm):
    """``no2sr grid``."""

    NAME = "grid"
    TITLE = "Grid swath files"
    HELP = (
        "Puts the pixels of Sentinel-5P, TEMPO or GEMS level 2 files on one regular grid, each "
        "weighted by the area that it shares with a cell. Pixels are screened as their product "
        "advises.\n\n"
        "Beside the column, the share of each cell that was observed, the number of pixels and the "
        "standard errors are written, each to a GeoTIFF of its own with a style."
    )

    def initAlgorithm(self, configuration=None):
        """State the parameters."""
        number = QgsProcessingParameterNumber
        self.addParameter(
            QgsProcessingParameterMultipleLayers(
                "INPUTS", self.tr("Swath files (level 2)"), QgsProcessing.TypeFile
            )
        )
        self.add_extent()
        self.addParameter(
            number(
                "RESOLUTION",
                self.tr("Cell size in degrees"),
                number.Double,
                defaultValue=0.05,
                minValue=0.0001,
            )
        )
        self.addParameter(
            number(
                "QA",
                self.tr("Quality that a pixel must exceed, where there is a quality value"),
                number.Double,
                defaultValue=0.75,
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
            *("--qa", str(self.parameterAsDouble(parameters, "QA", context))),
            *self.unit(parameters, context),
            *self.box(parameters, context),
            *("--overwrite", "--progress", "lines", "--"),
            *(file_of(source)[0] for source in inputs),
            self.output,
        ]

    def processAlgorithm(self, parameters, context, feedback):
        """Run the program."""
        self.write_raster(context, feedback)
        column = Path(self.output)
        beside = {
            name: column.with_name(f"{column.stem}_{name.lower()}{column.suffix}")
            for name in _BESIDE
        }
        made = {name: str(path) for name, path in beside.items() if path.exists()}
        return {"OUTPUT": self.output, **made}
