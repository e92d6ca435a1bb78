"""What is installed is what is here; and what may import what."""

from __future__ import annotations

import ast
import functools
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

_ROOT = Path(__file__).parent.parent
_FOLDERS = ("bridges", "daemon", "export", "models")
_PROJECT = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))
#: Where the pieces are put together; everything else keeps to the direction of imports.
_ROOTS = ("daemon/cli.py", "daemon/commands/", "daemon/brain/__main__.py")


def _modules(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (_ROOT / folder).rglob("*.py"))


def _name(path: Path) -> str:
    parts = path.relative_to(_ROOT).with_suffix("").parts
    return ".".join(("antiphon", *parts)).removesuffix(".__init__")


@functools.cache
def _imports(path: Path, *, at_once: bool = False) -> set[str]:
    """Give every module that a file imports, `from a import b` as both a and a.b; `at_once`: when imported."""
    found: set[str] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body if at_once else ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: imports are absolute"
            found |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def _is_root(path: Path) -> bool:
    return path.relative_to(_ROOT).as_posix().startswith(_ROOTS)


def _under(names: set[str], *packages: str) -> set[str]:
    return {name for name in names if any(f"{name}.".startswith(f"{package}.") for package in packages)}


def test_the_packages_are_every_folder_with_an_init() -> None:
    here = sorted(_name(path) for folder in _FOLDERS for path in (_ROOT / folder).rglob("__init__.py"))
    assert sorted(_PROJECT["tool"]["setuptools"]["packages"]) == here


def test_every_python_file_lies_in_a_package() -> None:
    assert [path for path in _modules(*_FOLDERS) if not (path.parent / "__init__.py").is_file()] == []


_IGNORE = shutil.ignore_patterns(
    ".git", ".venv", ".typing", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", "__pycache__",
    "build", "dist", "*.egg-info", "runs", "takes", ".data", "tests",
)  # fmt: skip


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from a copy, so that nothing is left here."""
    copy = tmp_path_factory.mktemp("source") / "antiphon"
    shutil.copytree(_ROOT, copy, ignore=_IGNORE, symlinks=True)
    out = tmp_path_factory.mktemp("wheel")
    build = f"from setuptools import build_meta; build_meta.build_wheel({str(out)!r})"
    subprocess.run([sys.executable, "-c", build], cwd=copy, check=True, capture_output=True, timeout=120)
    (built,) = out.glob("*.whl")
    return built


def test_the_wheel_holds_every_module_and_all_data(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    data = {
        path
        for pattern in ("*/py.typed", "models/pretrained/**/*", "models/recipes/*", "models/bundled/*.mid")
        for path in _ROOT.glob(pattern)
        if path.is_file() and "__pycache__" not in path.parts
    }
    expected = {f"antiphon/{path.relative_to(_ROOT).as_posix()}" for path in {*_modules(*_FOLDERS), *data}}
    assert names == expected
    assert "antiphon/models/bundled/performance.mid" in names
    assert "antiphon/models/pretrained/antiphon/model.json" in names
    assert {f"antiphon/{folder}/py.typed" for folder in _FOLDERS} <= names
    assert "antiphon/__init__.py" not in names


def test_the_installed_wheel_runs(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    code = (
        "import antiphon.daemon.cli as cli, sys; print(cli.__file__); "
        "sys.exit(cli.main(['version']) or cli.main(['models']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)},
        check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert lines[0] == str(tmp_path / "antiphon" / "daemon" / "cli.py")
    assert lines[1] == f"antiphon {_PROJECT['project']['version']}"
    assert lines[2].startswith("antiphon  ")


@pytest.mark.parametrize("path", _modules("models"), ids=_name)
def test_models_import_nothing_above_them(path: Path) -> None:
    assert _under(_imports(path), "antiphon.daemon", "antiphon.export", "antiphon.bridges") == set()


@pytest.mark.parametrize("path", _modules("export"), ids=_name)
def test_export_imports_only_models(path: Path) -> None:
    assert _under(_imports(path), "antiphon.daemon", "antiphon.bridges") == set()


@pytest.mark.parametrize("path", _modules("bridges"), ids=_name)
def test_bridges_import_nothing_of_the_insides(path: Path) -> None:
    assert _under(_imports(path), "antiphon.daemon", "antiphon.export", "antiphon.models") == set()


@functools.cache
def _with_torch() -> set[str]:
    return {_name(file) for file in _modules("models") if _under(_imports(file), "torch")}


@pytest.mark.parametrize("path", _modules("daemon"), ids=_name)
def test_the_daemon_imports_models_without_torch(path: Path) -> None:
    imported, with_torch = _imports(path), _with_torch()
    assert with_torch
    assert _under(imported, "torch", *with_torch) == set()
    if not _is_root(path):
        assert _under(imported, "antiphon.export", "antiphon.bridges", "antiphon.daemon.commands") == set() or (
            path.name == "reference.py"  # tells the flags that the commands make
        )


@pytest.mark.parametrize("path", _modules("daemon/player"), ids=_name)
def test_the_player_imports_nothing_heavy(path: Path) -> None:
    at_once = _imports(path, at_once=True)
    assert _under(at_once, "numpy", "onnxruntime", "mido", "pythonosc", "logging") == set()
    imported = _imports(path)
    assert _under(imported, "numpy", "onnxruntime") == set()
    assert _under(imported, "antiphon.daemon.brain", "antiphon.export", "antiphon.bridges") == set()
