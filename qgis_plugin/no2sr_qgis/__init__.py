"""The QGIS plugin of no2sr: a Processing provider that calls the installed no2sr program.

Nothing of QGIS is imported here, and nothing of no2sr anywhere: QGIS brings a Python and a numpy of
its own, which the networks' libraries must not meet.
"""


def classFactory(iface):  # noqa: ARG001 - the name that QGIS calls
    """Return the plugin; `iface` is None under qgis_process, which has no windows."""
    from no2sr_qgis.plugin import Plugin

    return Plugin()
