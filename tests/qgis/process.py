"""One run of an algorithm in QGIS: ``/usr/bin/python3 process.py ALGORITHM PARAMETERS [cancel]``.

PARAMETERS are JSON. With "cancel" the run is cancelled at its first progress. What came of it is
printed as JSON, with the layers that QGIS loaded and how it draws them.
"""

from __future__ import annotations

import json
import os
import sys


def main(algorithm: str, parameters: str, cancel: str = "") -> None:
    """Start QGIS and its Processing, load the plugin, run, and tell."""
    from qgis.core import QgsApplication, QgsProcessingContext, QgsProcessingFeedback, QgsProject

    application = QgsApplication([], False)
    application.initQgis()
    _load_plugin()
    import processing

    context, feedback = QgsProcessingContext(), QgsProcessingFeedback()
    context.setProject(QgsProject.instance())
    progress = []
    feedback.progressChanged.connect(progress.append)
    if cancel:
        feedback.progressChanged.connect(lambda share: share > 0 and feedback.cancel())
    told = {"error": "", "results": {}}
    try:
        told["results"] = processing.runAndLoadResults(
            algorithm, json.loads(parameters), feedback=feedback, context=context
        )
    except Exception as error:  # noqa: BLE001 - it is what the test asks for
        told["error"] = f"{type(error).__name__}: {error}"
    told["log"] = feedback.textLog()
    told["progress"] = progress
    told["layers"] = [
        {
            "source": layer.source(),
            "renderer": layer.renderer().type(),
            "shown": _is_shown(layer),
        }
        for layer in QgsProject.instance().mapLayers().values()
    ]
    sys.stdout.write(json.dumps(told))
    sys.stdout.flush()
    os._exit(0)


def _is_shown(layer) -> bool:
    """Tell whether the layer is switched on in the legend, or in none."""
    from qgis.core import QgsProject

    node = QgsProject.instance().layerTreeRoot().findLayer(layer.id())
    return node is None or node.itemVisibilityChecked()


def _load_plugin() -> None:
    from qgis.core import QgsApplication

    sys.path.append(os.path.join(QgsApplication.pkgDataPath(), "python", "plugins"))  # noqa: PTH118
    sys.path.append(os.environ["QGIS_PLUGINPATH"])
    from processing.core.Processing import Processing

    Processing.initialize()
    import no2sr_qgis

    _load_plugin.plugin = no2sr_qgis.classFactory(None)
    _load_plugin.plugin.initProcessing()


if __name__ == "__main__":
    main(*sys.argv[1:])
