"""File information: what a file holds, how it would be read, and which problems it has."""

from __future__ import annotations

import html
from pathlib import Path

from qgis.core import (
    QgsProcessingOutputString,
    QgsProcessingParameterFile,
    QgsProcessingParameterFileDestination,
)

from no2sr_qgis.base import Algorithm, file_of


class Info(Algorithm):
    """``no2sr info``."""

    NAME = "info"
    TITLE = "File information"
    HELP = (
        "Shows what a file holds, how no2sr would read it, what the result of downscaling would "
        "be, and which problems it has: grids that are finer than what they resolve, units that "
        "contradict the values, zeros that are probably gaps."
    )

    def initAlgorithm(self, configuration=None):
        """State the parameters."""
        self.addParameter(QgsProcessingParameterFile("INPUT", self.tr("File")))
        self.addParameter(
            QgsProcessingParameterFileDestination(
                "OUTPUT_HTML_FILE",
                self.tr("Report"),
                self.tr("HTML files (*.html)"),
                optional=True,
            )
        )
        self.addOutput(QgsProcessingOutputString("TEXT", self.tr("Information")))

    def arguments(self, parameters, context):
        """Return the arguments of the program."""
        self.source = file_of(self.parameterAsFile(parameters, "INPUT", context))[0]
        return ["info", "--", self.source]

    def processAlgorithm(self, parameters, context, feedback):
        """Run the program, and put its output on a page."""
        said = self.run_program(feedback).splitlines()
        text = "\n".join(line.rstrip() for line in said).strip("\n")
        results = {"TEXT": text}
        page = self.parameterAsFileOutput(parameters, "OUTPUT_HTML_FILE", context)
        if page:
            title = html.escape(Path(self.source).name)
            Path(page).write_text(
                f"<!DOCTYPE html>\n<html lang='en'><head><meta charset='utf-8'>"
                f"<title>{title}</title></head>"
                f"<body><h1>{title}</h1><pre>{html.escape(text)}</pre></body></html>\n",
                encoding="utf-8",
            )
            results["OUTPUT_HTML_FILE"] = page
        return results
