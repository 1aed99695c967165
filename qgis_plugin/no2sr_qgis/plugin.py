"""What QGIS loads: it puts the provider into the Processing registry, and takes it out again."""

from __future__ import annotations

from qgis.core import QgsApplication

from no2sr_qgis.provider import Provider


class Plugin:
    """The plugin as QGIS knows it."""

    def __init__(self):
        self.provider = None

    def initProcessing(self):
        """Add the provider; all that qgis_process asks for."""
        self.provider = Provider()
        QgsApplication.processingRegistry().addProvider(self.provider)

    def initGui(self):
        """Add the provider; there are no menus: the toolbox is the place to look."""
        self.initProcessing()

    def unload(self):
        """Take the provider out."""
        QgsApplication.processingRegistry().removeProvider(self.provider)
