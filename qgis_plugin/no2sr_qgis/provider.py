"""The Processing provider: its name, its icon, its algorithms and the setting of the program."""

from __future__ import annotations

from pathlib import Path

from qgis.core import QgsProcessingProvider
from qgis.PyQt.QtGui import QIcon

from no2sr_qgis.downscale import Downscale
from no2sr_qgis.grid import Grid
from no2sr_qgis.info import Info
from no2sr_qgis.settings import add_setting, remove_setting


class Provider(QgsProcessingProvider):
    """Algorithms whose ids begin with ``no2sr:``."""

    def id(self):
        """Return the prefix that users type; it must never change."""
        return "no2sr"

    def name(self):
        """Return the heading in the toolbox."""
        return "no2sr"

    def longName(self):
        """Return the long heading."""
        return "no2sr: finer NO2 maps"

    def icon(self):
        """Return the icon of the plugin."""
        return QIcon(str(Path(__file__).with_name("icon.svg")))

    def load(self):
        """Add the setting and the algorithms."""
        add_setting(self.name(), self.icon())
        self.refreshAlgorithms()
        return True

    def unload(self):
        """Remove the setting."""
        remove_setting()

    def loadAlgorithms(self):
        """Add one of each algorithm."""
        for algorithm in (Downscale, Grid, Info):
            self.addAlgorithm(algorithm())

    def supportedOutputRasterLayerExtensions(self):
        """Offer the format that comes with a style."""
        return ["tif"]

    def defaultRasterFileExtension(self, hasGeometry=True):  # noqa: FBT002
        """Return the suffix of temporary rasters."""
        return "tif"
