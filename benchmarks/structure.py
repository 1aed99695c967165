"""Measure how the package is built: rooms, floors, circles, functions, parameters, modules.

    python benchmarks/structure.py [--write] [--worst]

Prints a table. With ``--write`` the table goes into CONTRIBUTING.md, between its two markers. With
``--worst`` the functions and modules that exceed a limit, and the longest functions, are listed.
"""

from __future__ import annotations

import argparse
import ast
import io
import tokenize
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "no2sr"
PAGE = ROOT / "CONTRIBUTING.md"
MARKERS = ("<!-- structure -->\n", "<!-- end of structure -->\n")

MOST_ENTRIES, MOST_FLOORS = 12, 8
P90_LINES, MOST_LINES, MOST_PARAMETERS, MODULE_LINES = 21, 45, 6, 300
# Public verbs ask one question per argument, which their docstrings answer.
VERBS = {
    "downscale",
    "downscale_file",
    "evaluate",
    "grid",
    "open_no2",
    "reconstruct",
    "train",
    "write",
}
# The docstring of a longer module gives its reason with these words.
REASON = "long because"
NOT_COUNTED = {"__init__.py", "__main__.py", "__pycache__", "py.typed"}
_NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """One function: where it is, how long it is, and what it takes."""

    name: str
    where: str
    lines: int
    parameters: int

    def __str__(self) -> str:
        return f"{self.where}:{self.name}"


@dataclass(kw_only=True)
class Structure:
    """What was measured."""

    entries: list[str]
    floors: int
    circles: int
    functions: list[Function] = field(default_factory=list)
    long_modules: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)

    @property
    def p90(self) -> int:
        """Code lines that nine functions in ten do not exceed."""
        lengths = sorted(function.lines for function in self.functions)
        return lengths[int(0.9 * (len(lengths) - 1))]

    @property
    def longest(self) -> Function:
        """The function with the most code lines."""
        return max(self.functions, key=lambda function: function.lines)

    @property
    def too_long(self) -> list[str]:
        """Functions with more code lines than allowed."""
        return [f"{f} ({f.lines})" for f in self.functions if f.lines > MOST_LINES]

    @property
    def too_many_parameters(self) -> list[str]:
        """Functions other than the public verbs that take more parameters than allowed."""
        return [
            f"{f} ({f.parameters})"
            for f in self.functions
            if f.parameters > MOST_PARAMETERS and f.name not in VERBS
        ]

    def table(self) -> str:
        """Return the measurements as Markdown."""
        verbs = sorted(
            {f.name for f in self.functions if f.parameters > MOST_PARAMETERS and f.name in VERBS}
        )
        named = ", ".join(f"`{name}`" for name in verbs)
        rows = [
            ("entries at the top of `no2sr/`", len(self.entries), f"at most {MOST_ENTRIES}"),
            ("floors", self.floors, f"at most {MOST_FLOORS}"),
            ("circles of imports", self.circles, "none"),
            ("code lines of nine functions in ten", self.p90, f"at most {P90_LINES}"),
            ("code lines of the longest function", self.longest.lines, f"at most {MOST_LINES}"),
            (
                f"functions with more than {MOST_PARAMETERS} parameters",
                len(verbs) + len(self.too_many_parameters),
                f"only public verbs: {named}",
            ),
            (
                f"modules of more than {MODULE_LINES} lines",
                len(self.long_modules),
                "each gives the reason in its docstring",
            ),
        ]
        lines = ["| measured | found | limit |", "|---|---|---|"]
        return "\n".join([*lines, *(f"| {a} | {b} | {c} |" for a, b, c in rows)]) + "\n"


def measure(package: Path = PACKAGE) -> Structure:
    """Measure a package."""
    entries = sorted(path.name for path in package.iterdir() if path.name not in NOT_COUNTED)
    modules = sorted(package.rglob("*.py"))
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in modules}
    imports = {path: _find_imports(path, trees, package) for path in modules}
    found = Structure(
        entries=entries, floors=_count_floors(imports, package), circles=_count_circles(imports)
    )
    for path, tree in trees.items():
        where = path.relative_to(package).as_posix()
        text = path.read_text(encoding="utf-8")
        found.functions += _measure_functions(tree, text, where)
        if len(text.splitlines()) > MODULE_LINES:
            found.long_modules.append(where)
            if REASON not in " ".join((ast.get_docstring(tree) or "").split()):
                found.unexplained.append(f"{where} ({len(text.splitlines())})")
    return found


def _find_imports(path: Path, trees: dict[Path, ast.Module], package: Path) -> set[Path]:
    """Return the modules of the package that a module imports, also in functions and for types."""
    homes = {_module_name(module, package): module for module in trees}
    found = set()
    for node in ast.walk(trees[path]):
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {homes.get(name, homes.get(str(node.module), path)) for name in names}
        elif isinstance(node, ast.Import):
            found |= {homes.get(alias.name, path) for alias in node.names}
    return found - {path}


def _module_name(path: Path, package: Path) -> str:
    parts = path.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _count_floors(imports: dict[Path, set[Path]], package: Path) -> int:
    """Return the number of rooms in the longest chain of imports between rooms."""
    rooms: dict[str, set[str]] = {}
    for path, used in imports.items():
        own, *rest = path.relative_to(package).parts
        if rest:
            others = {other.relative_to(package).parts for other in used}
            below = {parts[0] for parts in others if len(parts) > 1} - {own}
            rooms.setdefault(own, set()).update(below)
    heights: dict[str, int] = {}
    for room in TopologicalSorter(rooms).static_order():
        heights[room] = 1 + max((heights[below] for below in rooms.get(room, ())), default=0)
    return max(heights.values())


def _count_circles(imports: dict[Path, set[Path]]) -> int:
    """Return how many modules must stop importing another before no circle is left."""
    graph = {path: set(used) for path, used in imports.items()}
    count = 0
    while True:
        try:
            tuple(TopologicalSorter(graph).static_order())
        except CycleError as error:
            first, second, *_ = error.args[1]
            graph[second].discard(first)
            count += 1
        else:
            return count


def _measure_functions(tree: ast.Module, text: str, where: str) -> list[Function]:
    coded = _find_code(text)
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = set(range(node.lineno, (node.end_lineno or node.lineno) + 1)) & coded
            first = node.body[0]
            if ast.get_docstring(node) is not None:
                lines -= set(range(first.lineno, (first.end_lineno or first.lineno) + 1))
            taken = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            count = len([arg for arg in taken if arg.arg not in {"self", "cls"}])
            found.append(Function(name=node.name, where=where, lines=len(lines), parameters=count))
    return found


def _find_code(text: str) -> set[int]:
    """Return the numbers of the lines that hold code, not only comments or nothing."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in _NO_CODE:
            lines |= set(range(token.start[0], token.end[0] + 1))
    return lines


def read_table(page: Path = PAGE) -> str:
    """Return the table that stands in the page."""
    _, _, rest = page.read_text(encoding="utf-8").partition(MARKERS[0])
    return rest.partition(MARKERS[1])[0]


def write_table(table: str, page: Path = PAGE) -> None:
    """Put the table into the page, between the markers."""
    before, _, rest = page.read_text(encoding="utf-8").partition(MARKERS[0])
    after = rest.partition(MARKERS[1])[2]
    page.write_text(before + MARKERS[0] + table + MARKERS[1] + after, encoding="utf-8")


def main() -> None:
    """Measure, print, and write if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--worst", action="store_true")
    asked = parser.parse_args()
    found = measure()
    print(found.table())
    if asked.worst:
        for bad in (found.too_long, found.too_many_parameters, found.unexplained):
            print(*bad, sep="\n", end="\n\n")
        for function in sorted(found.functions, key=lambda function: -function.lines)[:30]:
            print(function.lines, function)
    if asked.write:
        write_table(found.table())


if __name__ == "__main__":
    main()
