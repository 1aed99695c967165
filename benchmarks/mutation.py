"""Change the code a little, again and again, and count how often the tests notice.

    python benchmarks/mutation.py [--modules grid,tiles] [--sample 150] [--seed 1]

The changes are those of cosmic-ray: another operator, comparison or number, a condition turned
round, a decorator or a loop left out. One that alters annotations alone is no change. Where a
module has more than the sample, as many are drawn by the seed. What the tests of the module itself
let pass meets a second set of tests. Everything that is imported from elsewhere is imported once;
every change runs in a forked child, which reads the changed source from memory. The compiled
kernels run as plain Python (``NUMBA_DISABLE_JIT``).

The result is ``benchmarks/records/mutation.json``, with every change that survived; there
``docs/reliability.md`` has its figures from.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import difflib
import gc
import importlib
import importlib.abc
import importlib.util
import itertools
import multiprocessing
import multiprocessing.connection
import os
import random
import sys
import time
from pathlib import Path
from typing import NamedTuple

import records

ROOT = Path(__file__).parents[1]
ELSEWHERE = (
    "hypothesis numpy pandas pyproj pytest rasterio rioxarray scipy.ndimage scipy.interpolate "
    "shapely xarray numba netCDF4 affine"
)
# As plain Python these take seconds each; two of them judge what the others let pass.
_SLOW = (
    "shapely or nothing_is_lost or order_of_swaths or means_stay or real_subsets or globe_closes "
    "or harp"
)
# What runs first, and what runs where that noticed nothing.
SUITES = {
    "steps/conserve": (["steps/test_conserve.py"], []),
    "steps/gaps": (["steps/test_gaps.py"], []),
    "core/grid": (["core/test_grid.py"], ["core/test_georeference.py"]),
    "swaths": (
        ["swaths/test_swath.py", "-k", f"not ({_SLOW})"],
        ["swaths/test_swath.py", "-k", "nothing_is_lost or overlaps_are_those"],
    ),
    "steps/tiles": (["steps/test_tiles.py"], []),
    "core/units": (["core/test_units.py"], []),
}


class Mutant(NamedTuple):
    """One change to one file."""

    module: str
    text: str
    change: str


class _Changed(importlib.abc.MetaPathFinder, importlib.abc.SourceLoader):
    """Gives one module another source than that on the disk."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant

    def find_spec(self, name, *_where):
        """Answer for the changed module only."""
        if name != self.mutant.module:
            return None
        file = _file(name)
        inside = [str(file.parent)] if file.name == "__init__.py" else None
        return importlib.util.spec_from_file_location(
            name, file, loader=self, submodule_search_locations=inside
        )

    def get_filename(self, fullname):
        """Name the file, for tracebacks."""
        return str(_file(fullname))

    def get_data(self, _path):
        """Return the changed source."""
        return self.mutant.text.encode()

    def path_stats(self, _path):
        """Refuse, so that nothing is cached."""
        raise OSError


def _file(module: str) -> Path:
    path = ROOT / Path(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def files_of(part: str) -> list[Path]:
    """Return the source files of a module or folder of the package."""
    folder = ROOT / "no2sr" / part
    return sorted(folder.glob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]


def tests_of(part: str) -> list[Path]:
    """Return the files of tests that judge a part of the package."""
    words = {word for suite in SUITES[part] for word in suite if word.endswith(".py")}
    return sorted(ROOT / "tests" / word for word in words)


def places_of(path: Path) -> list[tuple[Path, str, int]]:
    """Return where a file could be changed: the operator, and which of its places."""
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.plugins import get_operator, operator_names

    nodes, found = list(ast_nodes(get_ast(path.read_text(encoding="utf-8")))), []
    for name in sorted(operator_names()):
        try:
            operator = get_operator(name)()
        except TypeError:  # wants arguments: it is for code of a special kind
            continue
        count = sum(1 for node in nodes for _ in operator.mutation_positions(node))
        found += [(path, name, occurrence) for occurrence in range(count)]
    return found


def changed(path: Path, name: str, occurrence: int) -> Mutant | None:
    """Change a file at one place; None if that alters nothing that is ever run."""
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    source = path.read_text(encoding="utf-8")
    text = mutate_code(source, get_operator(name)(), occurrence)
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    with contextlib.suppress(SyntaxError):  # what is no Python is no change either
        if text is not None and _bare(text) != _bare(source):
            return Mutant(module, text, _change(source, text))
    return None


def drawn_from(files: list[Path], *, sample: int, seed: int) -> tuple[list[Mutant], int]:
    """Return a random sample of changes, and how many places there are to draw from."""
    places = [place for file in files for place in places_of(file)]
    random.Random(seed).shuffle(places)  # noqa: S311 - no secret
    changes = (mutant for place in places if (mutant := changed(*place)) is not None)
    return list(itertools.islice(changes, sample)), len(places)


def _bare(source: str) -> str:
    """Return the code without annotations, which are never evaluated here."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        elif isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(None)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.test, node.body = ast.Constant(None), [ast.Pass()]
    return ast.dump(tree)


def _change(before: str, after: str) -> str:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return "\n".join(line for line in lines if line[:3] not in ("---", "+++"))


def _tests(args: list[str], mutant: Mutant | None) -> None:
    """Run tests in a child; its exit code is that of pytest."""
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - a device
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    if mutant is not None:
        sys.meta_path.insert(0, _Changed(mutant))
    import pytest

    quiet = ["-x", "-q", "-p", "no:cacheprovider", "--tb=no"]
    code = 1
    with contextlib.suppress(BaseException):
        code = int(pytest.main([*quiet, *args]))
    os._exit(code)


def survivors(
    suite: list[str], mutants: list[Mutant | None], *, limit: float, workers: int
) -> list[Mutant | None]:
    """Return the changes under which all tests of a suite pass within the time.

    Parameters
    ----------
    suite : list of str
        Files; none notice nothing.
    mutants : list
        None stands for the code as it is.
    limit : float
        Seconds, after which a change that made something endless counts as noticed.
    workers : int
    """
    if not suite:
        return mutants
    args = [str(ROOT / "tests" / word) if word.endswith(".py") else word for word in suite]
    waiting, running, alive = list(mutants), {}, []
    while waiting or running:
        while waiting and len(running) < workers:
            # Forked by the one thread there is: a child of several may wait for a lost lock.
            mutant = waiting.pop()
            child = multiprocessing.get_context("fork").Process(target=_tests, args=(args, mutant))
            child.start()
            running[child] = mutant, time.monotonic() + limit
        multiprocessing.connection.wait([child.sentinel for child in running], timeout=1)
        for child in list(running):
            if child.is_alive() and time.monotonic() < running[child][1]:
                continue
            if child.is_alive():
                child.kill()
            child.join()
            mutant, _ = running.pop(child)
            if child.exitcode == 0:
                alive.append(mutant)
    return alive


def judge(part: str, *, sample: int, seed: int, workers: int) -> dict:
    """Return how many changes to a part of the package were noticed, and those that were not."""
    suites, files = SUITES[part], files_of(part)
    began = time.perf_counter()
    for suite in suites:
        if not survivors(suite, [None], limit=600, workers=1):
            raise SystemExit(f"the tests of {part} fail without any change; mend them first")
    limit = 10 + 4 * (time.perf_counter() - began)
    drawn, places = drawn_from(files, sample=sample, seed=seed)
    alive = drawn
    for suite in suites:
        alive = survivors(suite, alive, limit=limit, workers=workers)
    return {
        "places": places,
        "tried": len(drawn),
        "killed": len(drawn) - len(alive),
        "seed": seed,
        "sources": records.digest([*files, *tests_of(part)]),
        "survivors": sorted(f"{m.module}\n{m.change}" for m in alive),
    }


def main() -> None:
    """Judge the parts asked for, and renew their part of the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--modules", default=",".join(SUITES))
    parser.add_argument("--sample", type=int, default=150)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    asked = parser.parse_args()
    os.environ |= {
        "NUMBA_DISABLE_JIT": "1",
        "OMP_NUM_THREADS": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    sys.dont_write_bytecode = True
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    for name in ELSEWHERE.split():
        importlib.import_module(name)
    gc.freeze()  # what is there needs no looking through in every child
    for part in asked.modules.split(","):
        found = judge(part, sample=asked.sample, seed=asked.seed, workers=asked.workers)
        records.renew("mutation", {part: found})
        print(f"{part}: {found['killed']} of {found['tried']} noticed of {found['places']} places")


if __name__ == "__main__":
    main()
