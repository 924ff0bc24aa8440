"""The three floors, and who may import what."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = {"adapters", "bot", "storage"}
WHAT_ADAPTERS_SEE = {"bot.model", "bot.errors", "bot.ports", "bot.settings", "adapters.asgi"}
VENDORS = {
    "slack_bolt",
    "slack_sdk",
    "telegram",
    "google",
    "requests",
    "httpx",
    "httpx2",
    "fastapi",
    "starlette",
    "uvicorn",
}


def sources(floor: str) -> list[Path]:
    return sorted(path for path in (ROOT / floor).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Name every module that a file imports, wherever in the file; `from a import b` gives a and a.b."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def ours(path: Path) -> set[str]:
    return {name for name in imports(path) if name.partition(".")[0] in FLOORS}


@pytest.mark.parametrize("path", sources("storage"), ids=str)
def test_storage_imports_nothing_of_ours(path: Path) -> None:
    assert all(name.startswith("storage") for name in ours(path))


@pytest.mark.parametrize("path", sources("bot"), ids=str)
def test_the_core_imports_no_adapter_no_vendor_and_no_web_framework(path: Path) -> None:
    assert not {name for name in imports(path) if name.partition(".")[0] in VENDORS}
    if path.name != "app.py":
        assert not {name for name in ours(path) if name.startswith("adapters")}


@pytest.mark.parametrize("path", sources("adapters"), ids=str)
def test_an_adapter_sees_only_its_own_folder_and_the_ports(path: Path) -> None:
    package = ".".join(path.relative_to(ROOT).parts[:2]).removesuffix(".py")
    for name in ours(path):
        module = ".".join(name.split(".")[:2])
        assert module in WHAT_ADAPTERS_SEE or module in {package, "adapters"} or name == "bot", f"{path} imports {name}"


def test_no_package_re_exports_anything() -> None:
    for floor in FLOORS:
        for path in (ROOT / floor).rglob("__init__.py"):
            assert not list(imports(path)), path


def test_the_core_has_no_cycle() -> None:
    graph = {f"bot.{path.stem}": {name for name in ours(path) if name.startswith("bot.")} for path in sources("bot")}
    graph = {name: {other for other in seen if other in graph} for name, seen in graph.items()}
    while graph:
        leaves = [name for name, seen in graph.items() if not seen & graph.keys()]
        assert leaves, f"a cycle among {sorted(graph)}"
        for leaf in leaves:
            del graph[leaf]
