"""Take the pictures of the QGIS guide, in the real QGIS desktop on a screen of its own.

    python docs/qgis_pictures.py

Needs qgis and Xvfb (Debian packages qgis and xvfb). This file runs twice: as a script it makes the
rasters and starts QGIS, and inside QGIS it is the startup script that takes the pictures.
"""
# ruff: noqa: C901, INP001, S603, S607, T201 - a script: in no package, it runs programs and prints

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

SCRIPT = Path(globals().get("__file__", "docs/qgis_pictures.py")).resolve()  # QGIS does not say
ROOT = SCRIPT.parents[1]
PICTURES = ROOT / "docs" / "images" / "qgis"
TITLE = "NO2 over northern India, 15 January 2024 (simulated)"
SCREEN = ":93"
REGION = ["--bbox", "76", "24", "84", "29"]


def main() -> None:
    """Make the rasters, start QGIS, and wait for it."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    sample = next((ROOT / "sample_data").glob("S5P_*.nc"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        program = Path(sys.executable).with_name("no2sr")
        runs = (["grid", sample, folder / "l3.tif"], ["downscale", sample, folder / "fine.tif"])
        for run in runs:
            subprocess.run([program, *run, *REGION, "--quiet"], check=True)
        qgis = shutil.which("qgis.bin") or "qgis"
        environment = _environment(folder, program)
        screen = subprocess.Popen(["Xvfb", SCREEN, "-screen", "0", "1400x900x24"])
        try:
            subprocess.run(
                [qgis, "--noversioncheck", "--nologo", "--code", SCRIPT],
                env=environment,
                check=True,
                timeout=100,
            )
            layout = ROOT / "docs" / "qgis_layout.py"
            subprocess.run(
                ["/usr/bin/python3", layout, folder / "fine.tif", PICTURES / "page.png", TITLE],
                env=environment | {"QT_QPA_PLATFORM": "offscreen"},
                check=True,
            )
            (PICTURES / "page.qgz").unlink()
        finally:
            screen.kill()
            screen.wait()
    print(*sorted(PICTURES.glob("*.png")), sep="\n")


def _environment(folder: Path, program: Path) -> dict[str, str]:
    """Return an environment with an empty profile and the plugin, for a QGIS of the system."""
    programs, profile = folder / "bin", folder / "profile"
    programs.mkdir()
    (programs / "no2sr").symlink_to(program)
    settings = profile / "profiles" / "default" / "QGIS" / "QGIS3.ini"
    settings.parent.mkdir(parents=True)
    settings.write_text("[PythonPlugins]\nno2sr_qgis=true\n")
    return {
        "DISPLAY": SCREEN,
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "NO2SR_FOLDER": str(folder),
        "NO2SR_PICTURES": str(PICTURES),
        "PATH": f"{programs}:/usr/bin:/bin",
        "QGIS_CUSTOM_CONFIG_PATH": str(profile),
        "QGIS_PLUGINPATH": str(ROOT / "qgis_plugin"),
        "XDG_RUNTIME_DIR": str(folder),
    }


def inside() -> None:
    """Take the pictures: the maps, the toolbox, and the dialog with a finished run."""
    import processing
    from qgis.PyQt.QtCore import QTimer
    from qgis.PyQt.QtWidgets import QApplication, QDockWidget
    from qgis.utils import iface

    folder, pictures = Path(os.environ["NO2SR_FOLDER"]), Path(os.environ["NO2SR_PICTURES"])
    window = iface.mainWindow()

    def show(name: str) -> None:
        layer = iface.addRasterLayer(str(folder / f"{name}.tif"), name)
        iface.mapCanvas().setExtent(layer.extent())
        iface.mapCanvas().waitWhileRendering()

    def grab(widget, name: str) -> None:
        QApplication.processEvents()
        widget.grab().save(str(pictures / f"{name}.png"))

    def maps() -> None:
        window.resize(1280, 760)
        for dock in window.findChildren(QDockWidget):
            dock.setVisible(dock.objectName() in ("Layers", "ProcessingToolbox"))
            if dock.objectName() == "ProcessingToolbox":
                dock.searchBox.setText("NO2")
        show("l3")
        QTimer.singleShot(2500, finer)

    def finer() -> None:
        show("fine")
        QTimer.singleShot(2500, dialog)

    def dialog() -> None:
        grab(window, "fine")
        box = processing.createAlgorithmDialog(
            "no2sr:downscale", {"INPUT": str(folder / "l3.tif"), "SCALE": 4}
        )
        box.resize(900, 600)
        box.show()
        QTimer.singleShot(1500, lambda: run(box))

    def run(box) -> None:
        grab(box, "dialog")
        box.runButton().click()
        QTimer.singleShot(30_000, lambda: end(box))

    def end(box) -> None:
        grab(box, "log")
        os._exit(0)

    QTimer.singleShot(3000, maps)


def _fail(*error) -> None:
    """Say what went wrong instead of showing it in a window that nobody sees."""
    traceback.print_exception(*error)
    os._exit(1)


if "qgis.utils" in sys.modules:
    sys.excepthook = _fail
    inside()
elif __name__ == "__main__":
    main()
