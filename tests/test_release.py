"""What is released agrees with itself: versions, addresses, links, requirements, Pythons."""

from __future__ import annotations

import re
import tomllib
from configparser import ConfigParser

import pytest
import yaml

import no2sr

HOST = "https://github.com/"
# Files that name the project's own address.
ADDRESSED = (
    "CITATION.cff",
    "packaging/Dockerfile",
    "qgis_plugin/no2sr_qgis/metadata.txt",
    "packaging/conda/recipe.yaml",
    ".github/SECURITY.md",
    ".github/ISSUE_TEMPLATE/bug.yml",
    ".github/ISSUE_TEMPLATE/config.yml",
    "docs/security.md",
)
# What a package is called in conda, where it differs.
IN_CONDA = {"dask": "dask-core", "netCDF4": "netcdf4", "opencv-python": "opencv"}


@pytest.fixture(scope="module")
def project(root):
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def citation(root):
    return yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def recipe(root):
    return yaml.safe_load((root / "packaging/conda/recipe.yaml").read_text(encoding="utf-8"))


def test_one_version(root, citation, recipe):
    about = ConfigParser()
    about.read(root / "qgis_plugin" / "no2sr_qgis" / "metadata.txt", encoding="utf-8")
    versions = {
        str(citation["version"]), recipe["context"]["version"], about["general"]["version"]
    }  # fmt: skip
    assert versions == {no2sr.__version__}


def test_the_changelog_dates_the_version_as_the_citation_does(root, citation):
    changes = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    found = re.findall(r"^## \[(\d[^\]]*)\]\((\S+)\) - (\S+)$", changes, re.MULTILINE)
    version, link, day = found[0]
    assert version == no2sr.__version__
    assert day == str(citation["date-released"])
    assert link.startswith(HOST)
    assert link.endswith(f"/v{version}")


def test_one_address(root, project):
    address = project["project"]["urls"]["Repository"]
    assert all(url.startswith(address) for url in project["project"]["urls"].values())
    readme = project["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]
    own = address.removeprefix(HOST)
    assert all(f"/{own}/" in rule["replacement"] for rule in readme["substitutions"])
    for name in ADDRESSED:
        text = (root / name).read_text(encoding="utf-8")
        found = re.findall(rf"{HOST}([\w.-]+/[\w.-]+)", text)
        assert found, name
        assert {f"{HOST}{place}" for place in found} == {address}, name


def test_a_package_index_shows_a_readme_without_relative_links(root, project):
    readme = (root / "README.md").read_text(encoding="utf-8")
    hook = project["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]
    shown = readme
    for rule in hook["substitutions"]:
        shown = re.sub(rule["pattern"], rule["replacement"], shown)
    targets = re.findall(r"\]\(([^)]*)\)", shown)
    assert len(targets) == len(re.findall(r"\]\(([^)]*)\)", readme)) > 10
    assert not [target for target in targets if not target.startswith("https://")]
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]*)\)", shown)
    assert all(target.startswith("https://raw.") for target in pictures)


def test_the_recipe_requires_what_the_package_declares(project, recipe):
    declared = {}
    for requirement in project["project"]["dependencies"]:
        name, least = requirement.split(">=")
        declared[IN_CONDA.get(name, name)] = ".".join(least.split(".")[:3])
    listed = dict(line.split(" >=") for line in recipe["requirements"]["run"])
    assert listed.pop("python") == project["project"]["requires-python"].removeprefix(">=")
    assert listed == declared
    build = [line.replace(" ", "") for line in recipe["requirements"]["host"]]
    assert set(project["build-system"]["requires"]) <= set(build)
    (command,) = recipe["build"]["python"]["entry_points"]
    assert command == f"no2sr = {project['project']['scripts']['no2sr']}"


def test_the_guide_names_every_extra(root, project):
    guide = (root / "docs" / "install.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `pip install '\.\[(\w+)\]'` \|", guide, re.MULTILINE))
    assert named == set(project["project"]["optional-dependencies"])


def test_every_declared_python_is_tried(root, project):
    prefix = "Programming Language :: Python :: 3."
    wanted = {
        line.rpartition(" ")[2]
        for line in project["project"]["classifiers"]
        if line.startswith(prefix)
    }
    workflow = yaml.safe_load((root / ".github/workflows/test.yml").read_text(encoding="utf-8"))
    matrix = workflow["jobs"]["fast"]["strategy"]["matrix"]
    assert set(matrix["python"]) == wanted
    assert {name.partition("-")[0] for name in matrix["os"]} == {"ubuntu", "macos", "windows"}


def test_every_target_of_make_that_a_workflow_calls_exists(root):
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    called = [
        target
        for path in (*(root / ".github" / "workflows").glob("*.yml"), root / ".ci" / "run")
        for line in re.findall(r"\bmake ([\w =-]+)", path.read_text(encoding="utf-8"))
        for target in line.split()
        if "=" not in target
    ]
    assert "dist" in called
    for target in called:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
