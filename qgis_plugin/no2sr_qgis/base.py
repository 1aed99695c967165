"""What the algorithms share: identity, help, parameters and the call of the program."""

from __future__ import annotations

import re
from pathlib import Path

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingLayerPostProcessorInterface,
    QgsProcessingOutputRasterLayer,
    QgsProcessingParameterEnum,
    QgsProcessingParameterExtent,
    QgsProcessingParameterRasterDestination,
)
from qgis.PyQt.QtCore import QCoreApplication

from no2sr_qgis import program
from no2sr_qgis.enums import ADVANCED
from no2sr_qgis.settings import program_setting

UNITS = ["umol", "mol", "Pmolec", "molec"]
_UNITS_IN_WORDS = ["µmol m⁻²", "mol m⁻²", "10¹⁵ molecules cm⁻²", "molecules cm⁻²"]
# How QGIS names one variable of a NetCDF file.
_SUBDATASET = re.compile(r'NETCDF:"?(?P<path>.+?)"?:(?://)?(?P<variable>[^:"]+)')


class Styler(QgsProcessingLayerPostProcessorInterface):
    """Applies the style beside a result: Processing loads results without it."""

    def postProcessLayer(self, layer, context, feedback):
        """Apply the style."""
        layer.loadDefaultStyle()
        layer.triggerRepaint()


class HiddenStyler(Styler):
    """Applies the style and switches the layer off in the legend."""

    def postProcessLayer(self, layer, context, feedback):
        """Apply the style, and leave the layer for the user to switch on."""
        super().postProcessLayer(layer, context, feedback)
        project = context.project()
        node = project.layerTreeRoot().findLayer(layer.id()) if project else None
        if node is not None:
            node.setItemVisibilityChecked(False)


STYLER, HIDDEN = Styler(), HiddenStyler()  # QGIS does not keep them alive


class Algorithm(QgsProcessingAlgorithm):
    """An algorithm of the provider; its class states its names and its help."""

    NAME = TITLE = HELP = ""
    output = None
    TAGS = ("NO2", "air quality", "Sentinel-5P", "TROPOMI", "TEMPO", "GEMS")

    def createInstance(self):
        """Make a new instance, as Processing asks for every run."""
        return type(self)()

    def name(self):
        """Return the id within the provider; it must never change."""
        return self.NAME

    def displayName(self):
        """Return the title in the toolbox."""
        return self.tr(self.TITLE)

    def shortHelpString(self):
        """Return the help beside the parameters."""
        return self.tr(self.HELP)

    def tags(self):
        """Return more words to search for."""
        return list(self.TAGS)

    def icon(self):
        """Return the icon of the provider."""
        return self.provider().icon()

    def tr(self, text):
        """Translate a text, if there is a translation."""
        return QCoreApplication.translate("no2sr", text)

    def add_advanced(self, parameter):
        """Add a parameter to the advanced ones."""
        parameter.setFlags(parameter.flags() | ADVANCED)
        self.addParameter(parameter)

    def add_extent(self):
        """Add the region, which is optional."""
        label = self.tr("Region to read")
        self.addParameter(QgsProcessingParameterExtent("EXTENT", label, optional=True))

    def add_unit_and_output(self, label):
        """Add the unit of the result, its file, and the uncertainty that may come with it."""
        self.addParameter(
            QgsProcessingParameterEnum(
                "UNIT", self.tr("Unit of the result"), _UNITS_IN_WORDS, defaultValue=0
            )
        )
        self.addParameter(QgsProcessingParameterRasterDestination("OUTPUT", label))
        uncertainty = self.tr("Uncertainty, if it is known")
        self.addOutput(QgsProcessingOutputRasterLayer("UNCERTAINTY", uncertainty))

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
        """Find the program first, and read the parameters in the main thread."""
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

        If `arguments` set ``self.output``, that is the file that the program writes.
        """
        try:
            said = program.run(self.command, feedback, output=self.output)
        except program.ProgramError as error:
            raise QgsProcessingException(str(error)) from error
        if feedback.isCanceled():
            raise QgsProcessingException(self.tr("Cancelled; nothing was written."))
        return said

    def write_raster(self, context, feedback):
        """Run the program, and load what it writes in its style.

        The uncertainty, if there is one, is switched off in the legend.
        """
        self.run_program(feedback)
        uncertainty = beside(self.output, "uncertainty")
        results = {"OUTPUT": self.output}
        if Path(uncertainty).exists():
            results["UNCERTAINTY"] = uncertainty
        if context.willLoadLayerOnCompletion(self.output):
            details = context.layerToLoadOnCompletionDetails(self.output)
            details.setPostProcessor(STYLER)
            if "UNCERTAINTY" in results:
                name = self.tr("Uncertainty of: {}").format(details.name)
                hidden = QgsProcessingContext.LayerDetails(name, details.project, "UNCERTAINTY")
                hidden.setPostProcessor(HIDDEN)
                context.addLayerToLoadOnCompletion(uncertainty, hidden)
        return results


def beside(path, layer):
    """Name the file of a layer beside a raster, such as ``a_uncertainty.tif`` for ``a.tif``."""
    path = Path(path)
    return str(path.with_name(f"{path.stem}_{layer}{path.suffix}"))


def file_of(source):
    """Find the file behind a source, and the variable that it names.

    Raises
    ------
    QgsProcessingException
        If the source is not a file but a database, a service or a layer in memory.
    """
    match = _SUBDATASET.fullmatch(source)
    # QGIS puts options for opening after a bar.
    path = Path(match["path"] if match else source.partition("|")[0])
    if not path.is_file():
        raise QgsProcessingException(
            f"{source!r} is not a file on this computer; "
            "export the layer as a GeoTIFF and use that file"
        )
    return str(path), match["variable"] if match else ""
