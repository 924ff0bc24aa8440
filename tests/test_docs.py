"""The documents are held to the code."""

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer.main
from pydantic.fields import FieldInfo

import adapters
from bot import __main__ as command_line
from bot.app import add_commands
from bot.settings import FromEnvironment, parse_duration
from bot.telemetry import WAY

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SETTINGS = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
OPERATING = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
EMAIL = (ROOT / "docs" / "email.md").read_text(encoding="utf-8")
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

for name in (*adapters.CHANNELS, *adapters.CLASSIFIERS, *adapters.DESKS, *adapters.COMMANDS):
    import_module(name)


def fields() -> dict[str, FieldInfo]:
    classes = [kind for kind in FromEnvironment.__subclasses__() if kind.__module__.startswith(("bot.", "adapters."))]
    return {name.upper(): info for kind in classes for name, info in kind.model_fields.items()}


@pytest.mark.parametrize("name", fields())
def test_every_setting_is_documented_with_its_default_and_what_it_is(name: str) -> None:
    info = fields()[name]
    row = re.search(rf"^\| `{name}` \| (.*?) \| (.*?) \|$", SETTINGS, re.MULTILINE)
    assert row, f"docs/settings.md has no row for {name}"
    assert row[2] == info.description
    assert means(row[1].strip("`")) == default_of(info), name
    line = re.search(rf"^# (.*)\n#{name}=(.*)$", EXAMPLE, re.MULTILINE)
    assert line, f".env.example has no line for {name}"
    assert line[1] == info.description
    assert means(line[2]) == default_of(info), name


def means(written: str) -> str:
    return (
        "" if written == "-" else str(parse_duration(written)) if re.fullmatch(r"\d+(ms|[smhd])", written) else written
    )


def default_of(info: FieldInfo) -> str:
    return "" if info.default is None else str(info.default)


def test_no_setting_is_documented_that_does_not_exist() -> None:
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", SETTINGS, re.MULTILINE)) == set(fields())
    assert set(re.findall(r"^#([A-Z_]+)=", EXAMPLE, re.MULTILINE)) == set(fields())


def test_every_command_is_in_the_readme() -> None:
    add_commands(command_line.app)
    group = typer.main.get_group(command_line.app)
    for name in group.commands:
        assert re.search(rf"bot {name}\b|`{name}`", README), f"README.md does not say what `bot {name}` does"


def test_every_make_target_is_told_by_make_help() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (targets,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    for target in set(targets.split()) - {"help", "clean"}:
        assert f'"make {target} ' in makefile


def test_every_benchmark_that_make_bench_runs_is_in_the_figures() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (names,) = re.findall(r"^BENCHMARKS := (.*)$", makefile, re.MULTILINE)
    performance = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    for name in names.split():
        assert (ROOT / "benchmarks" / f"{name}.py").exists()
        assert f"`benchmarks/{name}.py`" in performance


def test_every_step_of_the_way_is_named_for_operators() -> None:
    for event in WAY:
        assert f"`{event}`" in OPERATING


def test_what_operators_are_told_to_look_for_in_the_log_of_mail_is_there() -> None:
    code = "".join(path.read_text("utf-8") for path in (ROOT / "adapters" / "mail").glob("*.py"))
    told = set(re.findall(r"`((?:mail|imap|smtp)\.[a-z_]+)`", EMAIL + OPERATING))
    assert len(told) > 10
    for event in told:
        assert f'"{event}"' in code, event


def test_every_command_of_mail_that_operators_are_told_of_is_one() -> None:
    add_commands(command_line.app)
    group = typer.main.get_group(command_line.app)
    mail: Any = group.commands["mail"]
    named = set(re.findall(r"bot mail (\w+)", EMAIL))
    assert named <= set(mail.commands)
    assert set(mail.commands) - {"reply"} <= named


def test_the_modules_of_the_reading_order_exist() -> None:
    text = (ROOT / "bot" / "__init__.py").read_text(encoding="utf-8")
    for name in re.findall(r"`(\w+)`", text):
        assert (ROOT / "bot" / f"{name}.py").exists(), name


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8")):
        assert (document.parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_files_that_are_named_exist(document: Path) -> None:
    named = re.findall(
        r"`((?:bot|adapters|storage|tests|docs|deploy|benchmarks)/[\w./-]+\w)`", document.read_text("utf-8")
    )
    for path in named:
        assert (ROOT / path).exists(), path


def test_the_lock_names_no_host_and_pins_every_package_with_a_hash() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert "://" not in text
        pins = re.findall(r"^[\w.-]+==\S+", text, re.MULTILINE)
        assert len(pins) > 40
        assert text.count("--hash=sha256:") >= len(pins)
