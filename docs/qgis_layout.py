"""Put a map on a page and write it as PDF or PNG, without a window.

    QT_QPA_PLATFORM=offscreen /usr/bin/python3 docs/qgis_layout.py fine.tif page.pdf "A title"

It is run by the Python that QGIS was built for. The project with the layout is saved beside the
page, so that both can be changed in QGIS afterwards.
"""
# ruff: noqa: INP001 - a script, in no package

from __future__ import annotations

import sys
from pathlib import Path

from qgis.core import (
    QgsApplication,
    QgsLayoutExporter,
    QgsLayoutItemLabel,
    QgsLayoutItemLegend,
    QgsLayoutItemMap,
    QgsLayoutItemScaleBar,
    QgsLayoutPoint,
    QgsLayoutSize,
    QgsMapLayerLegendUtils,
    QgsPrintLayout,
    QgsProject,
    QgsRasterLayer,
)
from qgis.PyQt.QtGui import QFont

NOTE = "An estimate, not an observation: detail inside a coarse cell is inferred. Made with no2sr."


def main(raster: str, page: str, title: str = "Tropospheric NO2") -> None:
    """Load the raster with its style, lay out an A4 page, and write it."""
    application = QgsApplication([], GUIenabled=False)
    application.initQgis()
    project = QgsProject.instance()
    layer = QgsRasterLayer(str(Path(raster).resolve()), "NO2 column")
    if not layer.isValid():
        sys.exit(f"QGIS cannot open {raster}")
    project.addMapLayer(layer)
    project.setCrs(layer.crs())
    layout = QgsPrintLayout(project)
    layout.initializeDefaults()  # one A4 page, landscape: 297 x 210 mm
    layout.setName("NO2")
    project.layoutManager().addLayout(layout)
    picture = add_map(layout, layer)
    add_text(layout, title, 18, (15, 8, 260, 12))
    add_text(layout, NOTE, 8, (15, 196, 260, 6))
    add_legend(layout, picture, layer)
    project.write(str(Path(page).with_suffix(".qgz").resolve()))
    write(QgsLayoutExporter(layout), page)


def write(exporter, page):
    """Write the page in the format of its suffix."""
    if page.endswith(".png"):
        settings = QgsLayoutExporter.ImageExportSettings()
        settings.dpi = 90
        done = exporter.exportToImage(page, settings)
    else:
        done = exporter.exportToPdf(page, QgsLayoutExporter.PdfExportSettings())
    if done != QgsLayoutExporter.ExportResult.Success:
        sys.exit(f"QGIS could not write {page}")


def place(layout, item, box):
    """Put an item on the page: x, y, width and height in millimetres."""
    x, y, width, height = box
    item.attemptMove(QgsLayoutPoint(x, y))
    item.attemptResize(QgsLayoutSize(width, height))
    layout.addLayoutItem(item)
    return item


def add_map(layout, layer):
    """Add the map, with a frame, on the left of the page."""
    picture = QgsLayoutItemMap(layout)
    picture.setRect(0, 0, 215, 170)  # without a size, an extent is lost
    place(layout, picture, (15, 22, 215, 170))
    picture.setLayers([layer])
    picture.zoomToExtent(layer.extent())
    picture.setFrameEnabled(True)
    return picture


def add_text(layout, text, size, box):
    """Add a line of text."""
    label = QgsLayoutItemLabel(layout)
    label.setText(text)
    label.setFont(QFont("sans", size))
    place(layout, label, box)


def add_legend(layout, picture, layer):
    """Add the legend of the layer and a scale bar, on the right of the page."""
    legend = QgsLayoutItemLegend(layout)
    legend.setLinkedMap(picture)
    legend.setAutoUpdateModel(False)
    node = legend.model().rootGroup().findLayer(layer.id())
    QgsMapLayerLegendUtils.setLegendNodeOrder(node, [1])  # the ramp, without the band's long name
    legend.model().refreshLayerLegend(node)
    place(layout, legend, (235, 22, 55, 80))
    bar = QgsLayoutItemScaleBar(layout)
    bar.setLinkedMap(picture)
    bar.applyDefaultSize()
    bar.setMapUnitsPerScaleBarUnit(1000)
    bar.setUnitLabel("km")
    place(layout, bar, (235, 175, 55, 15))


main(*sys.argv[1:])
