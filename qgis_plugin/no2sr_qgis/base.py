"""What the algorithms share: identity, help, parameters and the call of the program."""

from __future__ import annotations

import re
from pathlib import Path

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsProcessingAlgorithm,
    QgsProcessingException,
    QgsProcessingLayerPostProcessorInterface,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
    QgsProcessingParameterExtent,
    QgsProcessingParameterRasterDestination,
)
from qgis.PyQt.QtCore import QCoreApplication

from no2sr_qgis import program
from no2sr_qgis.settings import program_setting

UNITS = ["umol", "mol", "Pmolec", "molec"]
_UNITS_IN_WORDS = ["µmol m⁻²", "mol m⁻²", "10¹⁵ molecules cm⁻²", "molecules cm⁻²"]
# How QGIS names one variable of a NetCDF file.
_SUBDATASET = re.compile(r'NETCDF:"?(?P<path>.+?)"?:(?://)?(?P<variable>[^:"]+)')


class Styler(QgsProcessingLayerPostProcessorInterface):
    """Gives a loaded result the style beside it: Processing loads results without theirs."""

    def postProcessLayer(self, layer, context, feedback):
        """Apply the style."""
        layer.loadDefaultStyle()
        layer.triggerRepaint()


STYLER = Styler()  # QGIS does not keep it alive


class Algorithm(QgsProcessingAlgorithm):
    """An algorithm of the provider; its class states the names and what the help says."""

    NAME = TITLE = HELP = ""
    output = None
    TAGS = ("NO2", "air quality", "Sentinel-5P", "TROPOMI", "TEMPO", "GEMS")

    def createInstance(self):
        """Return a new one, as Processing asks for every run."""
        return type(self)()

    def name(self):
        """Return the id within the provider; it must never change."""
        return self.NAME

    def displayName(self):
        """Return the title in the toolbox."""
        return self.tr(self.TITLE)

    def shortHelpString(self):
        """Return what stands beside the parameters."""
        return self.tr(self.HELP)

    def tags(self):
        """Return more words to be found by."""
        return list(self.TAGS)

    def icon(self):
        """Return the icon of the provider."""
        return self.provider().icon()

    def tr(self, text):
        """Translate a text, if somebody translated it."""
        return QCoreApplication.translate("no2sr", text)

    def add_advanced(self, parameter):
        """Add a parameter below the fold."""
        advanced = QgsProcessingParameterDefinition.FlagAdvanced
        parameter.setFlags(parameter.flags() | advanced)
        self.addParameter(parameter)

    def add_extent(self):
        """Add the region, which is optional."""
        label = self.tr("Region to read")
        self.addParameter(QgsProcessingParameterExtent("EXTENT", label, optional=True))

    def add_unit_and_output(self, label):
        """Add how the result is written and where."""
        self.addParameter(
            QgsProcessingParameterEnum(
                "UNIT", self.tr("Unit of the result"), _UNITS_IN_WORDS, defaultValue=0
            )
        )
        self.addParameter(QgsProcessingParameterRasterDestination("OUTPUT", label))

    def box(self, parameters, context):
        """Return the option that names the region, in degrees."""
        if parameters.get("EXTENT") in (None, ""):
            return []
        degrees = QgsCoordinateReferenceSystem("EPSG:4326")
        box = self.parameterAsExtent(parameters, "EXTENT", context, degrees)
        sides = (box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum())
        return [] if box.isNull() else ["--bbox", *(f"{side:.10g}" for side in sides)]

    def unit(self, parameters, context):
        """Return the option that names the unit."""
        return ["--unit", UNITS[self.parameterAsEnum(parameters, "UNIT", context)]]

    def prepareAlgorithm(self, parameters, context, feedback):
        """Find the program before anything else, and read the parameters in the main thread."""
        try:
            self.command = [program.find(program_setting()), *self.arguments(parameters, context)]
        except program.ProgramError as error:
            raise QgsProcessingException(str(error)) from error
        return True

    def arguments(self, parameters, context):
        """Return the arguments of the program."""
        raise NotImplementedError

    def run_program(self, feedback):
        """Run the program and return what it printed.

        The file that `arguments` put into ``self.output``, if any, is what it writes.
        """
        try:
            said = program.run(self.command, feedback, output=self.output)
        except program.ProgramError as error:
            raise QgsProcessingException(str(error)) from error
        if feedback.isCanceled():
            raise QgsProcessingException(self.tr("Cancelled; nothing was written."))
        return said

    def write_raster(self, context, feedback):
        """Run the program, and have the raster that it writes loaded in its style."""
        self.run_program(feedback)
        if context.willLoadLayerOnCompletion(self.output):
            context.layerToLoadOnCompletionDetails(self.output).setPostProcessor(STYLER)


def file_of(source):
    """Return the file behind a source, and the variable that it names.

    Raises
    ------
    QgsProcessingException
        If it is no file: a database, a service or a layer in memory.
    """
    match = _SUBDATASET.fullmatch(source)
    # After a bar, QGIS keeps options for opening.
    path = Path(match["path"] if match else source.partition("|")[0])
    if not path.is_file():
        raise QgsProcessingException(
            f"{source!r} is not a file on this computer, expected one; "
            "export a layer that is none as GeoTIFF, and take that"
        )
    return str(path), match["variable"] if match else ""
