"""What the plugin declares, as JSON: ``python definitions.py [qt6]``.

With "qt6" the plugin is loaded with PyQt6 and a stand-in for `qgis.core` that knows the names of
QGIS 4 alone; otherwise in QGIS itself.
"""

from __future__ import annotations

import enum
import json
import os
import sys
import types

KINDS = (
    *("Boolean", "Definition", "Enum", "Extent", "File", "MultipleLayers", "Number", "RasterLayer"),
    *("String", "FileDestination", "RasterDestination"),
)


def main(binding: str = "") -> None:
    """Load the plugin, make every algorithm, and print its parameters and outputs."""
    sys.path.append(os.environ["QGIS_PLUGINPATH"])
    if binding == "qt6":
        stand_in()
    else:
        from qgis.core import QgsApplication

        application = QgsApplication([], False)
        application.initQgis()
        folder = os.path.join(QgsApplication.pkgDataPath(), "python", "plugins")  # noqa: PTH118
        sys.path.append(folder)
    from qgis.PyQt.QtCore import QT_VERSION_STR

    from no2sr_qgis.enums import ADVANCED
    from no2sr_qgis.provider import Downscale, Grid, Info, Provider

    told = {"qt": QT_VERSION_STR, "icon": type(Provider.icon(None)).__module__.split(".")[0]}
    for kind in (Downscale, Grid, Info):
        algorithm = kind()
        algorithm.initAlgorithm({})
        told[algorithm.name()] = {
            "title": algorithm.displayName(),
            "parameters": {
                one.name(): [bool(one.flags() & ADVANCED), one.defaultValue()]
                for one in algorithm.parameterDefinitions()
            },
            "outputs": sorted(one.name() for one in algorithm.outputDefinitions()),
        }
    sys.stdout.write(json.dumps(told))
    sys.stdout.flush()
    os._exit(0)


def stand_in() -> None:
    """Put PyQt6 and the names of QGIS 4 in the place of `qgis`.

    Members of an enumeration hang on the enumeration alone, so an old name is an AttributeError.
    """
    import PyQt6.QtCore
    import PyQt6.QtGui

    core = types.ModuleType("qgis.core")
    core.Qgis = type("Qgis", (), _enumerations())
    for name in ("Algorithm", "Context", "LayerPostProcessorInterface", "Provider"):
        setattr(core, f"QgsProcessing{name}", type(f"QgsProcessing{name}", (), {}))
    core.QgsProcessingAlgorithm = Algorithm
    core.QgsProcessingException = type("QgsProcessingException", (Exception,), {})
    for name in ("QgsApplication", "QgsCoordinateReferenceSystem", "QgsProcessing"):
        setattr(core, name, type(name, (), {}))
    for kind in KINDS:
        name = f"QgsProcessingParameter{kind}"
        is_output = {"DESTINATION": kind.endswith("Destination")}
        setattr(core, name, type(name, (Definition,), is_output))
    for kind in ("RasterLayer", "String"):
        name = f"QgsProcessingOutput{kind}"
        setattr(core, name, type(name, (Definition,), {}))
    config = types.ModuleType("processing.core.ProcessingConfig")
    config.ProcessingConfig = config.Setting = object
    sys.modules |= {
        "qgis": types.ModuleType("qgis"),
        "qgis.core": core,
        "qgis.PyQt": types.ModuleType("qgis.PyQt"),
        "qgis.PyQt.QtCore": PyQt6.QtCore,
        "qgis.PyQt.QtGui": PyQt6.QtGui,
        "processing": types.ModuleType("processing"),
        "processing.core": types.ModuleType("processing.core"),
        "processing.core.ProcessingConfig": config,
    }


def _enumerations() -> dict[str, type[enum.Enum]]:
    """Return the enumerations of `Qgis` that Processing uses, with the values of QGIS 4."""
    flags = {"Advanced": 2, "Hidden": 4, "Optional": 8}
    return {
        "ProcessingParameterFlag": enum.IntFlag("ProcessingParameterFlag", flags),
        "ProcessingNumberParameterType": enum.IntEnum(
            "ProcessingNumberParameterType", {"Integer": 0, "Double": 1}
        ),
        "ProcessingSourceType": enum.IntEnum("ProcessingSourceType", {"Raster": 3, "File": 4}),
    }


class Definition:
    """A parameter or an output, as far as it is declared."""

    DESTINATION = False

    def __init__(self, name, description="", *_, defaultValue=None, **__):
        self._name, self._default, self._flags = name, defaultValue, 0
        self.description = description

    def name(self):
        return self._name

    def defaultValue(self):
        return self._default

    def flags(self):
        return self._flags

    def setFlags(self, flags):
        self._flags = flags


class Algorithm:
    """An algorithm that keeps what it declares."""

    def __init__(self):
        self._parameters, self._outputs = [], []

    def addParameter(self, parameter):
        self._parameters.append(parameter)
        if parameter.DESTINATION:  # as QGIS does
            self._outputs.append(parameter)

    def addOutput(self, output):
        self._outputs.append(output)

    def parameterDefinitions(self):
        return self._parameters

    def outputDefinitions(self):
        return self._outputs


if __name__ == "__main__":
    main(*sys.argv[1:])
