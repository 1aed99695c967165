"""Downscale NO2 raster: one raster in, a finer one out."""

from __future__ import annotations

from qgis.core import (
    QgsProcessingException,
    QgsProcessingParameterBoolean,
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
        "Divides every cell of a raster of NO2 columns into finer cells. The area-weighted mean "
        "over each coarse cell remains what was observed; gaps remain gaps; bounds and CRS do not "
        "change.\n\n"
        "A finer map is an estimate, not an observation: the detail inside a coarse cell is what "
        "the network learned to expect there. Where no2sr can state the uncertainty of the "
        "estimate, it is written beside the result and loaded, too, but switched off in the "
        "legend.\n\n"
        "The raster is a GeoTIFF or NetCDF file. Put swaths (level 2) on a grid first with Grid "
        "swath files. The result is a cloud-optimised GeoTIFF with a style.\n\n"
        "The number of fine cells along a coarse one must be one that the network was trained "
        "for; no2sr models lists them."
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
                [self.tr("keep the full extent"), self.tr("cut the rim that padding affects")],
                defaultValue=0,
            )
        )
        self.add_advanced(
            QgsProcessingParameterEnum(
                "CONSERVE",
                self.tr("How means are conserved"),
                [self.tr("by a shift"), self.tr("by a factor, which keeps signs")],
                defaultValue=0,
            )
        )
        self.add_advanced(
            QgsProcessingParameterBoolean(
                "COARSEN_TO_NATIVE",
                self.tr("First average an oversampled grid (--coarsen-to-native)"),
                defaultValue=False,
            )
        )
        self.add_advanced(
            QgsProcessingParameterBoolean(
                "NO_UNCERTAINTY", self.tr("Leave the uncertainty out"), defaultValue=False
            )
        )
        self.add_advanced(
            text("VARIABLE", self.tr("Variable or band, if there are several"), optional=True)
        )
        self.add_advanced(
            text("UNIT_IN", self.tr("Unit of the values, if the file states none"), optional=True)
        )

    def source(self, parameters, context):
        """Return the source of the layer; no2sr reads some files that QGIS cannot draw."""
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

    def leaves_out(self, parameters, context):
        """Tell whether the uncertainty is not wanted."""
        return self.parameterAsBool(parameters, "NO_UNCERTAINTY", context)

    def averages(self, parameters, context):
        """Tell whether an oversampled grid is averaged to what it resolves."""
        return self.parameterAsBool(parameters, "COARSEN_TO_NATIVE", context)

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
            *(("--coarsen-to-native",) if self.averages(parameters, context) else ()),
            *(("--no-uncertainty",) if self.leaves_out(parameters, context) else ()),
            *self.unit(parameters, context),
            *self.box(parameters, context),
            *(("--variable", variable) if variable else ()),
            *(("--unit-in", unit_in) if unit_in else ()),
            *("--overwrite", "--progress", "lines", "--", path, self.output),
        ]

    def processAlgorithm(self, parameters, context, feedback):
        """Run the program."""
        return self.write_raster(context, feedback)
