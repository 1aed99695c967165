"""Downscale NO2 raster: one raster in, a finer one out."""

from __future__ import annotations

from qgis.core import (
    QgsProcessingException,
    QgsProcessingParameterEnum,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
)

from no2sr_qgis.base import Algorithm, file_of

_EDGES = ["pad", "shave"]
_CONSERVE = ["additive", "multiplicative"]


class Downscale(Algorithm):
    """``no2sr downscale``."""

    NAME = "downscale"
    TITLE = "Downscale NO2 raster"
    HELP = (
        "Makes every cell of a raster of NO2 columns a number of finer ones. The area-weighted "
        "mean over each coarse cell stays what was observed; gaps stay gaps; bounds and CRS stay "
        "what they were.\n\n"
        "A finer map is an estimate, not an observation: the detail inside a coarse cell is what "
        "the network learned to expect there.\n\n"
        "The raster is a GeoTIFF or NetCDF file. Swaths (level 2) are put on a grid first: see "
        "Grid swath files. The result is a cloud-optimised GeoTIFF with a style.\n\n"
        "The number of fine cells along each side of a coarse one must be one that the network was "
        "trained for; no2sr models lists them."
    )

    def initAlgorithm(self, configuration=None):
        """State the parameters."""
        number, text = QgsProcessingParameterNumber, QgsProcessingParameterString
        self.addParameter(QgsProcessingParameterRasterLayer("INPUT", self.tr("NO2 raster")))
        self.addParameter(
            number("SCALE", self.tr("Fine cells along a coarse one"), defaultValue=4, minValue=2)
        )
        self.add_extent()
        self.add_unit_and_output(self.tr("Finer raster"))
        self.add_advanced(text("MODEL", self.tr("Network"), defaultValue="srcnn"))
        self.add_advanced(
            QgsProcessingParameterEnum(
                "EDGES",
                self.tr("Edges"),
                [self.tr("keep the full extent"), self.tr("cut the rim that saw padding")],
                defaultValue=0,
            )
        )
        self.add_advanced(
            QgsProcessingParameterEnum(
                "CONSERVE",
                self.tr("How means are kept"),
                [self.tr("by a shift"), self.tr("by a factor, which keeps signs")],
                defaultValue=0,
            )
        )
        self.add_advanced(
            text("VARIABLE", self.tr("Variable or band, if there are several"), optional=True)
        )
        self.add_advanced(
            text("UNIT_IN", self.tr("Unit of the values, if the file states none"), optional=True)
        )

    def source(self, parameters, context):
        """Return the source of the layer; what QGIS cannot draw may be a file that we can read."""
        layer = self.parameterAsRasterLayer(parameters, "INPUT", context)
        return layer.source() if layer else self.parameterAsString(parameters, "INPUT", context)

    def checkParameterValues(self, parameters, context):
        """Accept any file as INPUT, and leave the other parameters to QGIS."""
        try:
            file_of(self.source(parameters, context))
        except QgsProcessingException as error:
            return False, str(error)
        others = [d for d in self.parameterDefinitions() if d.name() != "INPUT"]
        values = [parameters.get(d.name(), d.defaultValue()) for d in others]
        if all(d.checkValueIsAcceptable(v, context) for d, v in zip(others, values)):
            return True, ""
        return super().checkParameterValues(parameters, context)

    def arguments(self, parameters, context):
        """Return the arguments of the program."""
        path, variable = file_of(self.source(parameters, context))
        variable = self.parameterAsString(parameters, "VARIABLE", context) or variable
        unit_in = self.parameterAsString(parameters, "UNIT_IN", context)
        self.output = self.parameterAsOutputLayer(parameters, "OUTPUT", context)
        return [
            "downscale",
            *("--scale", str(self.parameterAsInt(parameters, "SCALE", context))),
            *("--model", self.parameterAsString(parameters, "MODEL", context)),
            *("--edges", _EDGES[self.parameterAsEnum(parameters, "EDGES", context)]),
            *("--conserve", _CONSERVE[self.parameterAsEnum(parameters, "CONSERVE", context)]),
            *self.unit(parameters, context),
            *self.box(parameters, context),
            *(("--variable", variable) if variable else ()),
            *(("--unit-in", unit_in) if unit_in else ()),
            *("--overwrite", "--progress", "lines", "--", path, self.output),
        ]

    def processAlgorithm(self, parameters, context, feedback):
        """Run the program."""
        self.write_raster(context, feedback)
        return {"OUTPUT": self.output}
