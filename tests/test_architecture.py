"""The house checks itself: floors, light doors, names."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import no2sr

PACKAGE = Path(no2sr.__file__).parent

FLOORS = [
    "errors names units",
    "colours image plumes provenance resample",
    "grid",
    (
        "bootstrap conserve degradation detail door gaps metrics noise normalise orbit pairs "
        "sampling spectra swath synthetic tally tiles"
    ),
    "baselines inference luminance networks readers writers",
    "cluster comparison evaluation lazy measures pipeline strips training windowed workfolder",
    "__main__ cli figures plotting rendering report",
]
# The only imports within a floor.
SAME_FLOOR = {
    "__main__": {"cli"},
    "cli": {"figures", "plotting", "rendering", "report"},
    "cluster": {"strips"},
    "comparison": {"pipeline"},
    "evaluation": {"comparison", "measures"},
    "inference": {"networks"},
    "lazy": {"strips"},
    "luminance": {"inference", "networks"},
    "measures": {"comparison"},
    "networks": {"writers"},
    "pipeline": {"lazy", "strips"},
    "plotting": {"figures"},
    "units": {"errors"},
    "windowed": {"pipeline", "strips", "workfolder"},
}
FLOOR = {part: floor for floor, parts in enumerate(FLOORS) for part in parts.split()}

# What costs more than it looks, and is therefore imported where it is used.
HEAVY = {"keras", "matplotlib", "onnx", "onnxruntime", "tensorflow", "tf2onnx"}
# A class of Keras cannot be derived from later; only the builders import it, when they build.
DERIVES_FROM_KERAS = {"networks/layers.py"}
FILE_FORMATS = {"h5netcdf", "h5py", "netCDF4", "rasterio", "zarr"}
# rasterio's arithmetic of transforms and CRSs opens no file.
NO_FILE_ACCESS = {"rasterio.crs", "rasterio.transform", "rasterio.warp"}
NOT_AT_THE_DOOR = HEAVY | FILE_FORMATS | {"numpy", "pandas", "rich", "rioxarray", "xarray"}

MODULES = sorted(PACKAGE.rglob("*.py"))
INSIDE = [path for path in MODULES if path != PACKAGE / "__init__.py"]


def _name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def _part(path: Path) -> str:
    """Return the module or folder directly under the package that a file belongs to."""
    return Path(_name(path)).parts[0].removesuffix(".py")


def _imports(path: Path, *, everywhere: bool = True) -> set[str]:
    """Return the modules a file imports: all, or only those that importing it imports."""
    found: set[str] = set()
    todo: list[ast.AST] = [ast.parse(path.read_text())]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            todo += node.orelse
            continue
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and not everywhere:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{_name(path)}: relative import"
            module = node.module or ""
            found |= {f"{module}.{a.name}" if module == "no2sr" else module for a in node.names}
        todo += ast.iter_child_nodes(node)
    return found


def _parts_used(path: Path) -> set[str]:
    """Return the parts of the package, other than its own, that a file imports."""
    own = {name.split(".")[1] for name in _imports(path) if name.startswith("no2sr.")}
    return own - {_part(path), "__version__"}


@pytest.mark.parametrize("path", INSIDE, ids=_name)
def test_imports_go_down_only(path):
    part = _part(path)
    assert part in FLOOR, f"{part} has no floor: give it one, here and in CONTRIBUTING.md"
    used = _parts_used(path) - SAME_FLOOR.get(part, set())
    assert not {other for other in used if FLOOR[other] >= FLOOR[part]}


@pytest.mark.parametrize("path", [p for p in INSIDE if FLOOR.get(_part(p), 9) <= 3], ids=_name)
def test_lower_floors_know_no_file_and_no_network(path):
    roots = {name.split(".")[0] for name in _imports(path) - NO_FILE_ACCESS}
    assert not roots & (HEAVY | FILE_FORMATS)


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_heavy_imports_happen_when_used(path):
    roots = {name.split(".")[0] for name in _imports(path, everywhere=False)}
    assert not roots & HEAVY - ({"keras"} if _name(path) in DERIVES_FROM_KERAS else set())
    assert "no2sr.networks.layers" not in _imports(path, everywhere=False)


@pytest.mark.parametrize("path", INSIDE, ids=_name)
def test_only_the_network_side_knows_keras(path):
    roots = {name.split(".")[0] for name in _imports(path)}
    if _part(path) not in {"networks", "inference", "training"}:
        assert not roots & {"keras", "onnxruntime", "tensorflow"}
    assert "matplotlib" not in roots or FLOOR[_part(path)] == 6


COMMAND = "from no2sr.cli import main\nwith contextlib.suppress(SystemExit): main({})"


def _loaded_by(code: str) -> set[str]:
    script = f"import sys, contextlib\n{code}\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "code",
    [
        "import no2sr",
        "import no2sr; dir(no2sr); no2sr.__version__; no2sr.No2srError",
        COMMAND.format(["--help"]),
        COMMAND.format(["--version"]),
        COMMAND.format(["downscale", "--help"]),
    ],
)
def test_doors_are_light(code):
    assert not _loaded_by(code) & NOT_AT_THE_DOOR


def test_no_module_is_named_like_a_public_function():
    # Importing such a submodule would put it where the lazy name should be.
    assert not {_part(path) for path in MODULES} & set(no2sr.__all__)


def test_every_helper_has_a_home():
    assert not [
        _name(path) for path in MODULES if path.stem in {"utils", "helpers", "common", "misc"}
    ]


@pytest.mark.parametrize("path", INSIDE, ids=_name)
def test_a_module_fits_its_job(path):
    # 300 lines is the aim; a third more leaves room for docstrings that earn their place.
    assert len(path.read_text().splitlines()) <= 400
