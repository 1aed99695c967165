"""Enumerations, under the names that QGIS 3.36 gave them and under those from before.

QGIS 4 is built on Qt 6, whose Python bindings know the members of an enumeration only by its name.
"""

from __future__ import annotations

from qgis.core import (
    Qgis,
    QgsProcessing,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterNumber,
)

try:
    ADVANCED = Qgis.ProcessingParameterFlag.Advanced
    DECIMAL = Qgis.ProcessingNumberParameterType.Double
    FILES = Qgis.ProcessingSourceType.File
except AttributeError:  # QGIS before 3.36
    ADVANCED = QgsProcessingParameterDefinition.Flag.FlagAdvanced
    DECIMAL = QgsProcessingParameterNumber.Type.Double
    FILES = QgsProcessing.SourceType.TypeFile
