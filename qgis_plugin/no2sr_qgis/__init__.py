"""The QGIS plugin of no2sr: a Processing provider that calls the installed no2sr program.

This module imports nothing of QGIS, and the plugin imports nothing of no2sr: QGIS has its own
Python and numpy, which do not work with the libraries of the networks.
"""


def classFactory(iface):  # noqa: ARG001 - QGIS calls it so
    """Return the plugin; `iface` is None under qgis_process, which has no windows."""
    from no2sr_qgis.plugin import Plugin

    return Plugin()
