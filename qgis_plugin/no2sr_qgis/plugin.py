"""What QGIS loads: it adds the provider to the Processing registry and removes it again."""

from __future__ import annotations

from qgis.core import QgsApplication

from no2sr_qgis.provider import Provider


class Plugin:
    """The plugin as QGIS knows it."""

    def __init__(self):
        self.provider = None

    def initProcessing(self):
        """Add the provider; qgis_process calls nothing else."""
        self.provider = Provider()
        QgsApplication.processingRegistry().addProvider(self.provider)

    def initGui(self):
        """Add the provider; the algorithms are in the toolbox, there are no menus."""
        self.initProcessing()

    def unload(self):
        """Remove the provider."""
        QgsApplication.processingRegistry().removeProvider(self.provider)
