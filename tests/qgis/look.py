"""What QGIS sees in a raster, as JSON: ``/usr/bin/python3 look.py in.tif out.png [saved.qml]``.

It is run by the Python that QGIS was built for, without a screen. With a third argument, QGIS also
saves the style it uses, as it does for a user.
"""

from __future__ import annotations

import json
import os
import sys


def main(raster: str, png: str, style: str = "") -> dict:
    """Open a raster as a user does who drags it into QGIS, and draw it."""
    from qgis.core import QgsApplication, QgsRasterLayer

    application = QgsApplication([], False)
    application.initQgis()
    layer = QgsRasterLayer(raster, "layer", "gdal")
    told = {"valid": layer.isValid()}
    if layer.isValid():
        told |= _facts(layer)
        told |= _colours(layer)
        told["drawn"] = _draw(layer, png)
        if style:
            layer.saveNamedStyle(style)
    sys.stdout.write(json.dumps(told))
    sys.stdout.flush()
    os._exit(0)  # QGIS aborts when it ends with a layer still alive


def _facts(layer) -> dict:
    """Return where the raster lies and what its first band holds."""
    from qgis.core import QgsRasterBandStats

    extent = layer.extent()
    provider = layer.dataProvider()
    statistics = provider.bandStatistics(1, QgsRasterBandStats.All, extent, 0)
    return {
        "crs": layer.crs().authid(),
        "extent": [extent.xMinimum(), extent.yMinimum(), extent.xMaximum(), extent.yMaximum()],
        "size": [layer.width(), layer.height()],
        "bands": layer.bandCount(),
        "band": layer.bandName(1),
        "minimum": statistics.minimumValue,
        "maximum": statistics.maximumValue,
        "mean": statistics.mean,
        "count": statistics.elementCount,
        "metadata": layer.htmlMetadata(),
    }


def _colours(layer) -> dict:
    """Return how values become colours, and what the legend says."""
    renderer = layer.renderer()
    told = {"renderer": renderer.type(), "items": [], "legend": []}
    if renderer.type() == "singlebandpseudocolor":
        shader = renderer.shader().rasterShaderFunction()
        told["items"] = [
            [item.value, item.label, item.color.name()] for item in shader.colorRampItemList()
        ]
        told["limits"] = [renderer.classificationMin(), renderer.classificationMax()]
        settings = shader.legendSettings()
        told["legend"] = [settings.minimumLabel(), settings.maximumLabel()]
    return told


def _draw(layer, png: str) -> dict:
    """Draw the raster on white, and count the colours."""
    from qgis.core import QgsMapRendererParallelJob, QgsMapSettings
    from qgis.PyQt.QtCore import QSize
    from qgis.PyQt.QtGui import QColor

    settings = QgsMapSettings()
    settings.setLayers([layer])
    settings.setDestinationCrs(layer.crs())
    settings.setExtent(layer.extent())
    settings.setBackgroundColor(QColor(255, 255, 255))
    settings.setOutputSize(QSize(600, 600))
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    image = job.renderedImage()
    pixels = {image.pixel(x, y) for x in range(0, 600, 3) for y in range(0, 600, 3)}
    return {
        "saved": image.save(png, "PNG"),
        "errors": [error.message for error in job.errors()],
        "colours": len(pixels),
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
