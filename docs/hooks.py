"""What the site takes from the package itself: the commands, the functions, the examples."""
# ruff: noqa: INP001 - a script of mkdocs: in no package

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

import no2sr
from no2sr.cli import main
from no2sr.views import plotting

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
# In the order in which they are used.
FUNCTIONS = (
    "open_no2", "grid", "downscale", "downscale_file", "reconstruct", "write", "degrade",
    "coarsen_to_native", "evaluate", "extract", "render", "enhance", "train", "load_model",
    "save_model", "available_models", "available_readers", "write_geotiff", "write_netcdf",
    "write_zarr",
)  # fmt: skip

# What is used beside them, by its home.
FURTHER = (
    "no2sr.networks.card.Model", "no2sr.networks.card.ModelCard",
    "no2sr.downscaling.method.Method", "no2sr.downscaling.method.Block",
    "no2sr.downscaling.method.Estimate",
)  # fmt: skip

# What a browser fetches of its own accord; a link that is clicked may lead anywhere.
LOADING = (
    r"<(?:script|img|iframe|source|audio|video|embed)\b[^>]*\bsrc=",
    r"<link\b(?![^>]*\brel=[\"']?(?:canonical|prev|next)\b)[^>]*\bhref=",
)
ELSEWHERE = r"[\"']?((?:https?:)?//[^\"' >]+)"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Leave pages out of the menu that are not there, and add those that it forgot."""
    listed = set(re.findall(r"[\w/]+\.md", str(config.nav)))
    config.nav = [entry for entry in map(_there, config.nav or []) if entry]
    forgotten = sorted({path.name for path in (ROOT / "docs").glob("*.md")} - listed)
    config.nav += [{"More": forgotten}] if forgotten else []
    return config


def _there(entry: dict[str, Any]) -> dict[str, Any] | None:
    """Return an entry of the menu without missing pages, or nothing."""
    ((title, target),) = entry.items()
    if isinstance(target, list):
        kept = [part for part in map(_there, target) if part]
        return {title: kept} if kept else None
    made = target in GENERATED
    return entry if made or (ROOT / "docs" / target).exists() else None


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made of the package."""
    for path, make in GENERATED.items():
        files.append(File.generated(config, path, content=make()))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Point at pages of the site where a page points at a file of the repository."""
    up = re.escape("../" * (page.file.src_uri.count("/") + 1))
    return re.sub(rf"\[([^\]]*)\]\({up}([^)#]+)(?:#[^)]*)?\)", _inside, markdown)


def _inside(link: re.Match[str]) -> str:
    """Return a link to the page that shows a file of the repository, or only its words."""
    words, path = link.groups()
    example = re.fullmatch(r"examples/(\w+)\.py", path)
    pages = {"CHANGELOG.md": "changes.md", "examples": "examples.md"}
    page = f"examples.md#{example[1]}" if example else pages.get(path)
    return f"[{words}]({page})" if page else words


def on_post_page(output: str, page: Page, **_: Any) -> str:
    """Refuse a page that would load something from elsewhere: the site works without a network."""
    loaded = [url for pattern in LOADING for url in re.findall(pattern + ELSEWHERE, output)]
    if loaded:
        raise PluginError(f"{page.file.src_path} loads {loaded}; put it into the repository")
    return output


def _commands() -> str:
    """Return the page of the command line."""
    about = inspect.cleandoc(main.help or "")
    parts = ["# Command line", _prose(about)]
    for name in sorted(main.commands):
        parts += _command(name, main.commands[name])
    return "\n\n".join(parts) + "\n"


def _command(name: str, command: click.Command) -> list[str]:
    """Return the section of one command: what it does, examples, options."""
    context = click.Context(command, info_name=f"no2sr {name}")
    usage = " ".join(command.collect_usage_pieces(context))
    rows = [
        _row(*record)
        for option in command.params
        if isinstance(option, click.Option) and (record := option.get_help_record(context))
    ]
    return [
        f"## no2sr {name}",
        f"```text\nno2sr {name} {usage}\n```",
        _prose(inspect.cleandoc(command.help or "")),
        "\n".join(["| option | |", "|---|---|", *rows]),
    ]


def _row(option: str, text: str) -> str:
    escaped = text.replace("|", "\\|").replace("<", "&lt;")
    return f"| `{option.replace('|', chr(0x2223))}` | {escaped} |"


def _prose(text: str) -> str:
    """Turn help into Markdown: what click must not wrap becomes code."""
    blocks = []
    for block in re.split(r"\n\s*\n", text):
        if block.startswith("\b"):
            title, *lines = block.lstrip("\b\n").splitlines()
            code = inspect.cleandoc("\n".join(lines))
            blocks.append(f"{title}\n\n```sh\n{code}\n```")
        else:
            blocks.append(block.replace("<", "&lt;"))
    return "\n\n".join(blocks)


def _functions() -> str:
    """Return the page of the Python functions."""
    homes = no2sr._HOMES  # noqa: SLF001 - the one table of where public names live
    head = (
        "# Python\n\nEvery name is looked up when it is first used, so `import no2sr` costs "
        "nothing. Everything after the nouns is named in a call.\n"
    )
    names = [name for name in FUNCTIONS if name in homes]
    names += sorted(set(homes) - set(names))
    errors = "## Errors and warnings\n\n```text\n{}\n```\n".format(
        re.search(r"::\n\n(.*?)\n\nEach", inspect.getdoc(no2sr.core.errors) or "", re.DOTALL)[1]
    )
    drawing = [
        f"{function.__module__}.{function.__name__}"
        for function in (getattr(plotting, name) for name in plotting.__all__)
        if inspect.isfunction(function)
    ]
    paths = [*(f"{homes[name]}.{name}" for name in names), *FURTHER, *drawing]
    return "\n\n".join([head, *(f"::: {path}" for path in paths), errors])


def _examples() -> str:
    """Return the page of the example scripts, each with what it says of itself."""
    parts = ["# Examples", "Each is a script with `# %%` cells, and each is run by the tests."]
    for path in sorted((ROOT / "examples").glob("*.py")):
        source = path.read_text(encoding="utf-8")
        title = (ast.get_docstring(ast.parse(source)) or path.stem).splitlines()[0]
        parts.append(f'## {path.stem}\n\n{title}\n\n```python title="examples/{path.name}"')
        parts[-1] += f"\n{source.rstrip()}\n```"
    return "\n\n".join(parts) + "\n"


GENERATED = {
    "reference/commands.md": _commands,
    "reference/python.md": _functions,
    "examples.md": _examples,
}
