"""The house checks itself: floors between the rooms and inside them, light doors, names."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import no2sr

PACKAGE = Path(no2sr.__file__).parent

# From the ground up. Rooms on one floor do not know each other.
FLOORS = (
    {"core"},
    {"steps"},
    {"simulation", "swaths", "writers"},
    {"networks", "readers"},
    {"downscaling"},
    {"evaluation"},
    {"views"},
    {"cli"},
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
NO_CODE = {"weights"}

# What costs more than it looks, and is therefore imported where it is used.
HEAVY = {"keras", "matplotlib", "onnx", "onnxruntime", "tensorflow", "tf2onnx"}
# A class of Keras cannot be derived from later; only the builders import it, when they build.
DERIVES_FROM_KERAS = {"networks/layers.py"}
FILE_FORMATS = {"h5netcdf", "h5py", "netCDF4", "rasterio", "zarr"}
KNOW_FILES = {"networks", "readers", "writers"}
# rasterio's arithmetic of transforms and CRSs opens no file.
NO_FILE_ACCESS = {"rasterio.crs", "rasterio.transform", "rasterio.warp"}
NOT_AT_THE_DOOR = HEAVY | FILE_FORMATS | {"numpy", "pandas", "rich", "rioxarray", "xarray"}

MODULES = sorted(PACKAGE.rglob("*.py"))
DOORS = {PACKAGE / "__init__.py", PACKAGE / "__main__.py"}
INSIDE = [path for path in MODULES if path not in DOORS]


def _name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def _module(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _room(path: Path) -> str:
    """Return the folder directly under the package that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0]


BY_MODULE = {_module(path): path for path in MODULES}


def _nodes(path: Path, *, everywhere: bool, types: bool) -> list[ast.Import | ast.ImportFrom]:
    """Return the import statements of a file; on request also those in functions and for types."""
    found = []
    todo: list[ast.AST] = [ast.parse(path.read_text())]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and not types:
            todo += node.orelse
            continue
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and not everywhere:
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.append(node)
        todo += ast.iter_child_nodes(node)
    return found


def _imports(path: Path, *, everywhere: bool = True, types: bool = False) -> set[str]:
    """Return the modules that a file imports; of our own, the very file."""
    found: set[str] = set()
    for node in _nodes(path, everywhere=everywhere, types=types):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
            continue
        assert node.level == 0, f"{_name(path)}: relative import"
        module = node.module or ""
        for alias in node.names:
            full = f"{module}.{alias.name}"
            found.add(full if full in BY_MODULE else module)
    return found


def _own(path: Path) -> set[Path]:
    """Return the files of the package that a file imports, for types as well."""
    used = {BY_MODULE[name] for name in _imports(path, types=True) if name in BY_MODULE}
    return used - {path}


@pytest.mark.parametrize("path", INSIDE, ids=_name)
def test_imports_between_rooms_go_down_only(path):
    room = _room(path)
    assert room in FLOOR, f"{room} has no floor: give it one, here and in CONTRIBUTING.md"
    others = {_room(used) for used in _own(path) if used not in DOORS} - {room}
    assert not {other for other in others if FLOOR[other] >= FLOOR[room]}


@pytest.mark.parametrize("path", [p for p in INSIDE if _room(p) != "cli"], ids=_name)
def test_only_the_command_line_enters_by_the_front_door(path):
    assert not _own(path) & DOORS


def test_imports_inside_rooms_go_down_only():
    # A package's face counts as a file of its own.
    graph = {_name(path): {_name(used) for used in _own(path)} for path in MODULES}
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"imports run in a circle: {error.args[1]}")


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_nothing_private_is_imported(path):
    names = [
        alias.name
        for node in _nodes(path, everywhere=True, types=True)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("no2sr")
        for alias in node.names
    ]
    assert not [name for name in names if name.startswith("_") and not name.endswith("__")]


def test_steps_do_not_import_each_other():
    steps = [path for path in INSIDE if _room(path) == "steps"]
    assert not {_name(path) for path in steps if _own(path) & set(steps)}


@pytest.mark.parametrize("path", [p for p in INSIDE if _room(p) not in KNOW_FILES], ids=_name)
def test_only_readers_writers_and_networks_know_file_formats(path):
    roots = {name.split(".")[0] for name in _imports(path) - NO_FILE_ACCESS}
    assert not roots & FILE_FORMATS


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_heavy_imports_happen_when_used(path):
    roots = {name.split(".")[0] for name in _imports(path, everywhere=False)}
    assert not roots & HEAVY - ({"keras"} if _name(path) in DERIVES_FROM_KERAS else set())
    assert "no2sr.networks.layers" not in _imports(path, everywhere=False)


@pytest.mark.parametrize("path", INSIDE, ids=_name)
def test_only_networks_know_keras_and_only_views_draw(path):
    roots = {name.split(".")[0] for name in _imports(path)}
    if _room(path) != "networks":
        assert not roots & {"keras", "onnxruntime", "tensorflow"}
    assert "matplotlib" not in roots or _room(path) in {"views", "cli"}


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


def test_no_room_is_named_like_a_public_function():
    # Importing such a submodule would put it where the lazy name should be.
    assert not {_room(path) for path in INSIDE} & set(no2sr.__all__)


def test_the_top_of_the_package_shows_the_rooms_and_nothing_else():
    shown = {path.name for path in PACKAGE.iterdir() if path.name != "__pycache__"}
    assert shown == {*FLOOR, *NO_CODE, "__init__.py", "__main__.py", "py.typed"}


def test_every_helper_has_a_home():
    assert not [
        _name(path) for path in MODULES if path.stem in {"utils", "helpers", "common", "misc"}
    ]


@pytest.mark.parametrize("path", INSIDE, ids=_name)
def test_a_module_fits_its_job(path):
    # 300 lines is the aim; a third more leaves room for docstrings that earn their place.
    assert len(path.read_text().splitlines()) <= 400
