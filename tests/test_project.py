"""The project as a whole: its tools find nothing, its documents build, and it points at no place of ours."""

import dataclasses
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import deltawave
from deltawave.machines import Machine, families
from deltawave.options import field_types

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
TOOLS = {
    "ruff check": ["-m", "ruff", "check"],
    "ruff format": ["-m", "ruff", "format", "--check"],
    "mypy": ["-m", "mypy"],
    "import-linter": ["-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
    "codespell": ["-m", "codespell_lib"],
}
MADE = {"build", "dist", "_build", "out", "__pycache__"}
HOSTS = {"arxiv.org", "ui.perfetto.dev", "www.apache.org"}
# written so that this file does not hold what it looks for
OUR_PLACES = re.compile("/(?:" + "|".join(("work", "tmp", "root", "farm", "home", "opt")) + ")/")
WEB_ADDRESS = re.compile(r"https?:" + r"//([\w.-]+)")


def texts() -> Iterator[tuple[Path, str]]:
    """The project's own text files."""
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        hidden = any(part.startswith(".") and part != ".ci" for part in parts[:-1])
        if not path.is_file() or hidden or MADE & set(parts) or path.suffix == ".svg":
            continue
        try:
            yield path, path.read_text()
        except UnicodeDecodeError:
            continue


@pytest.mark.parametrize("tool", TOOLS)
def test_tool_finds_nothing(tool: str) -> None:
    ran = subprocess.run([sys.executable, *TOOLS[tool]], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_manual_builds_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-d", tmp_path / "doctrees"]
    ran = subprocess.run([*command, "docs", tmp_path / "html"], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stderr == ""


def test_every_page_of_the_manual_is_in_the_index() -> None:
    index = (ROOT / "docs/index.md").read_text()
    listed = {
        line for block in re.findall(r"```{toctree}\n(.*?)```", index, re.DOTALL) for line in block.split()
    }
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")} - {"index"}
    assert pages - listed == set()


def test_no_file_names_a_place_on_our_machines() -> None:
    found = [f"{path}: {match}" for path, text in texts() for match in OUR_PLACES.findall(text)]
    assert found == []


def test_web_addresses_are_those_a_reader_needs() -> None:
    found = {
        f"{path.name}: {host}"
        for path, text in texts()
        for host in WEB_ADDRESS.findall(text)
        if host not in HOSTS
    }
    assert found == set()


def test_links_between_files_lead_somewhere() -> None:
    pages = [(path, text) for path, text in texts() if path.suffix == ".md"]
    links = {(path, link) for path, text in pages for link in re.findall(r"\]\(([^():#]+)\)", text)}
    assert {(path, link) for path, link in links if not (path.parent / link).exists()} == set()


def test_every_dependency_says_what_for() -> None:
    project = PROJECT["project"]
    wanted = [
        *project["dependencies"],
        *(d for extra in project["optional-dependencies"].values() for d in extra),
    ]
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    explained = {match[1] for line in lines if (match := re.match(r'\s+"([^"]+)",\s+# \S', line))}
    assert set(wanted) - explained == set()


def test_the_installed_package_is_tested() -> None:
    assert importlib.metadata.version("deltawave") == PROJECT["project"]["version"]


def test_the_version_is_in_the_changelog() -> None:
    assert f"\n## {PROJECT['project']['version']} " in (ROOT / "CHANGELOG.md").read_text()


def test_entry_points_load() -> None:
    (script,) = importlib.metadata.entry_points(group="console_scripts", name="deltawave")
    assert callable(script.load())
    loaded = [entry.load() for entry in importlib.metadata.entry_points(group="deltawave.machines")]
    assert loaded
    for family in loaded:
        assert all(isinstance(machine, Machine) for machine in family.MACHINES)


@pytest.mark.parametrize("name", deltawave.__all__)
def test_every_public_name_is_there_and_says_what_it_is(name: str) -> None:
    assert getattr(deltawave, name).__doc__


MACHINES = [pytest.param(m, id=m.name) for family in families().values() for m in family.MACHINES]


@pytest.mark.parametrize("machine", MACHINES)
def test_every_parameter_says_what_it_means(machine: Machine) -> None:
    assert [f.name for f in dataclasses.fields(machine) if not f.metadata["doc"]] == []


@pytest.mark.parametrize("machine", MACHINES)
def test_every_number_of_a_machine_has_a_source(machine: Machine) -> None:
    types = field_types(type(machine))
    numbers = [f for f in dataclasses.fields(machine) if types[f.name] in (int, float)]
    # what is zero is switched off until a user sets it: thresholds, pruning
    unsourced = [f.name for f in numbers if getattr(machine, f.name) and not f.metadata["source"]]
    assert unsourced == []
