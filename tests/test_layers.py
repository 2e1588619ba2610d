"""Imports go one way, heavy packages stay where they belong, and `kgbuild --help` needs none of them."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

import kgbuild
from kgbuild.merge import INGEST_CODE
from kgbuild.stages import _ALL_CODE, PIPELINE

ROOT = Path(kgbuild.__file__).parent
REPOSITORY = ROOT.parent

CONTRACTS = {
    "tables",
    "config",
    "ports",
    "errors",
    "identity",
    "domains",
    "subsumption",
    "pictures",
    "vectors",
    "clip_names",
    "naming",
}
STAGES = {"ingest", "language", "hierarchy", "embeddings", "prototypes", "batches", "training", "retrieval"}
EDGES = {"graph", "release", "table_files", "spill", "runners", "stages", "shards", "merge", "build", "serve"}
TOP = {"actions", "learning", "tagging", "doctor", "cli", "console", "demo", "schemas", "__main__"}
LAYERS = [CONTRACTS, {"clip"}, STAGES, EDGES, TOP]
"""A module imports from its own layer or those before it; stages (all but the contracts they share) not from each other."""

HOMES = {
    "spacy": {"language"},
    "thinc": {"language"},
    "ahocorasick_rs": {"language"},
    "torch": {"clip", "embeddings", "prototypes", "training", "language"},
    "torchvision": {"clip", "embeddings", "prototypes", "training"},
    "open_clip": {"clip", "clip_names", "embeddings", "prototypes", "training"},
    "neo4j": {"graph"},
    "arcadedb_embedded": {"graph"},
    "jpype": {"graph"},
    "ray": {"runners"},
    "prefect": {"flows"},
    "rich": {"console"},
    "typer": {"cli"},
}
"""Which rooms may import a package; `doctor` may look at versions of all of them."""

EXTRAS_OF_MODULES = {"ingest": {"aiohttp", "requests"}}


class Import(NamedTuple):
    """One import: in which file, of what (dotted), and whether it happens when the file is imported."""

    file: Path
    name: str
    at_top: bool

    @property
    def room(self) -> str:
        """The part of kgbuild (or `flows`) that the file belongs to."""
        return _room(self.file)


def _room(file: Path) -> str:
    if not file.is_relative_to(ROOT):
        return "flows"
    return file.relative_to(ROOT).with_suffix("").parts[0]


def _imports(file: Path) -> Iterator[Import]:
    tree = ast.parse(file.read_text("utf-8"))
    type_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for inner in ast.walk(node)
    }
    inside = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in type_only:
            continue
        if isinstance(node, ast.Import):
            yield from (Import(file, alias.name, id(node) not in inside) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno} imports relatively: write the whole name"
            yield from (Import(file, f"{node.module}.{alias.name}", id(node) not in inside) for alias in node.names)


@cache
def _all_imports() -> tuple[Import, ...]:
    files = [*sorted(ROOT.rglob("*.py")), *sorted((REPOSITORY / "flows").rglob("*.py"))]
    return tuple(found for file in files for found in _imports(file))


def _layer(room: str) -> int:
    return next((level for level, rooms in enumerate(LAYERS) if room in rooms), len(LAYERS))


def _target(found: Import) -> str | None:
    """The room of kgbuild that an import reaches, if it reaches one."""
    parts = found.name.split(".")
    if parts[0] != "kgbuild" or len(parts) < 2:
        return None
    return parts[1] if (ROOT / parts[1]).is_dir() or (ROOT / f"{parts[1]}.py").exists() else "__init__"


def test_every_module_has_its_place() -> None:
    rooms = {_room(file) for file in ROOT.rglob("*.py")} - {"__init__", "models"}
    assert rooms <= set().union(*LAYERS), "name the layer of a new module here"


def test_imports_go_one_way() -> None:
    wrong = [
        f"{found.file.relative_to(REPOSITORY)} imports {found.name}"
        for found in _all_imports()
        if (target := _target(found)) and target != "__init__" and _layer(target) > _layer(found.room)
    ]
    assert wrong == []


def test_stages_meet_in_tables_only() -> None:
    wrong = [
        f"{found.file.relative_to(REPOSITORY)} imports {found.name}"
        for found in _all_imports()
        if found.room in STAGES and (target := _target(found)) in STAGES and target != found.room
    ]
    assert wrong == []


@pytest.mark.parametrize("package", HOMES)
def test_a_heavy_package_stays_at_home(package: str) -> None:
    rooms = {found.room for found in _all_imports() if found.name.split(".")[0] == package}
    assert rooms - HOMES[package] - {"doctor"} == set()
    if "doctor" in rooms:
        assert not any(f.at_top for f in _all_imports() if f.room == "doctor" and f.name.split(".")[0] == package)


def test_mining_needs_no_torch() -> None:
    """Torch is for learning: in `language` only the recipe's room may import it."""
    wrong = [
        str(found.file) for found in _all_imports() if found.room == "language" and found.name.split(".")[0] == "torch"
    ]
    assert [file for file in wrong if Path(file).parent.name != "learning"] == []
    done = _run("import sys, json, kgbuild.language; print(json.dumps(sorted(sys.modules)))")
    assert done.returncode == 0, done.stderr
    assert {"kgbuild.language.learning", "kgbuild.language.learning.fit"}.isdisjoint(json.loads(done.stdout))


def test_the_rule_is_seen_when_it_is_broken(tmp_path: Path) -> None:
    file = tmp_path / "x.py"
    file.write_text(
        "from typing import TYPE_CHECKING\nimport torch.nn\nfrom kgbuild.hierarchy.dag import closure\n"
        "if TYPE_CHECKING:\n    import spacy\ndef f():\n    from kgbuild import language\n"
    )
    found = {(item.name, item.at_top) for item in _imports(file)}
    assert found == {
        ("typing.TYPE_CHECKING", True),
        ("torch.nn", True),
        ("kgbuild.hierarchy.dag.closure", True),
        ("kgbuild.language", False),
    }
    assert {_target(item) for item in _imports(file)} == {None, "hierarchy", "language"}


def test_no_module_of_a_catch_all_name() -> None:
    names = {file.stem for file in ROOT.rglob("*.py")}
    assert names.isdisjoint({"utils", "helpers", "common", "base", "misc"})


def _run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=REPOSITORY)


@pytest.mark.parametrize("module", ["kgbuild", "kgbuild.cli", "kgbuild.config"])
def test_importing_loads_nothing_heavy(module: str) -> None:
    done = _run(f"import sys, json, {module}; print(json.dumps(sorted(m.split('.')[0] for m in sys.modules)))")
    assert done.returncode == 0, done.stderr
    heavy = {
        "torch",
        "torchvision",
        "spacy",
        "thinc",
        "open_clip",
        "pyarrow",
        "pandas",
        "numpy",
        "neo4j",
        "prefect",
        "networkx",
        "PIL",
    }
    assert heavy.isdisjoint(json.loads(done.stdout))


def test_the_spine_needs_neither_torch_nor_spacy() -> None:
    done = _run("import sys, json, kgbuild.build, kgbuild.actions; print(json.dumps(sorted(sys.modules)))")
    assert done.returncode == 0, done.stderr
    assert {"torch", "spacy", "open_clip", "neo4j", "prefect"}.isdisjoint(json.loads(done.stdout))


def test_help_names_every_command() -> None:
    done = subprocess.run([sys.executable, "-m", "kgbuild.cli", "--help"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    commands = [
        "init",
        "build",
        "expand",
        "run",
        "status",
        "load",
        "query",
        "show",
        "tree",
        "synonyms",
        "concepts",
        "link",
        "embed",
        "export",
        "page",
        "train",
        "eval",
        "doctor",
        "use",
    ]
    assert [name for name in commands if f" {name} " not in done.stdout] == []


def _source(name: str) -> list[Path]:
    return [ROOT / name] if name.endswith(".py") else sorted((ROOT / name).glob("*.py"))


def _reached(files: list[Path]) -> set[Path]:
    """The files of kgbuild that `files` import, directly or not."""
    seen: set[Path] = set()
    todo = list(files)
    while todo:
        file = todo.pop()
        if file in seen:
            continue
        seen.add(file)
        for found in _imports(file):
            parts = found.name.split(".")
            for place in (ROOT.joinpath(*parts[1:]), ROOT.joinpath(*parts[1:-1])):
                if parts[0] == "kgbuild" and place != ROOT:
                    todo += [p for p in (place.with_suffix(".py"), place / "__init__.py") if p.is_file()]
    return seen


# A change in these alters no row: messages, signatures, and settings, whose values have fingerprints of their own.
SHAPE_NOTHING = {ROOT / name for name in ("errors.py", "ports.py", "config.py")}


@pytest.mark.parametrize(
    ("name", "code"),
    [("ingest", INGEST_CODE), *((stage.name, (*_ALL_CODE, *stage.code)) for stage in PIPELINE)],
)
def test_a_stage_names_all_code_that_its_rows_depend_on(name: str, code: tuple[str, ...]) -> None:
    named = {file for module in code for file in _source(module)}
    assert all(_source(module) for module in code), f"{code} names what does not exist"
    lacking = sorted(str(file.relative_to(ROOT)) for file in _reached(sorted(named)) - named - SHAPE_NOTHING)
    assert lacking == [], f"a change in them would not run {name} again: add them to its `code` in stages.py"
