"""The docs name only what exists: commands and their options, targets of make, files, headings."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from invoke.collection import Collection
from invoke.loader import FilesystemLoader

from tests.root import ROOT

DOCS = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
_CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)
_FAB = re.compile(r"\bfab (?:-H \S+ |--debug )?([a-z][\w-]*)((?: [^\n`#;|]*)?)")
_OPTION = re.compile(r"(?<!\S)--([a-z][\w-]*)")
# Tables whose first column quotes messages.
_MESSAGES = [ROOT / f"docs/{name}.md" for name in ("recovery", "certificates", "receipts")]
_PACKAGES = ("deploy", "butane", "certs", "container", "rehearsal")
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def code(document: Path) -> str:
    """Give what a document shows as code; prose uses the same words freely."""
    return "\n".join(_CODE.findall(document.read_text(encoding="utf-8")))


def options() -> dict[str, set[str]]:
    """List the options of each command."""
    module, _ = FilesystemLoader(start=str(ROOT)).load("fabfile")
    found = Collection.from_module(module)
    return {
        name: {flag for one in found[name].get_arguments() for flag in one.names}
        for name in found.task_names
    }


def anchor(heading: str) -> str:
    """Make the anchor of a heading as GitHub does."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def named(document: Path) -> list[tuple[str, str]]:
    return [(found[1], found[2]) for found in _FAB.finditer(code(document))]


@pytest.mark.parametrize("document", DOCS, ids=lambda path: path.stem)
def test_a_document_names_only_commands_and_options_that_exist(document: Path) -> None:
    known = options()

    for command, words in named(document):
        assert command in known, command
        for option in _OPTION.findall(words):
            assert {option, option.replace("-", "_")} & known[command], (command, option)


@pytest.mark.parametrize("document", DOCS, ids=lambda path: path.stem)
def test_a_document_names_only_make_targets_that_exist(document: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))

    named_here = re.findall(r"(?:^|`|\$ )make ([a-z][\w-]*)", code(document), re.MULTILINE)
    assert set(named_here) <= targets


@pytest.mark.parametrize("document", DOCS, ids=lambda path: path.stem)
def test_a_document_links_to_files_and_headings_that_exist(document: Path) -> None:
    for link in _LINK.findall(document.read_text(encoding="utf-8")):
        name, _, heading = link.partition("#")
        page = document.parent / name if name else document
        assert page.exists(), link
        if heading:
            headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
            assert heading in map(anchor, headings), link


@pytest.mark.parametrize("document", DOCS, ids=lambda path: path.stem)
def test_a_document_names_only_modules_and_scripts_that_exist(document: Path) -> None:
    folders = (*_PACKAGES, "bench", "tests")
    known = [f"/{path.relative_to(ROOT)}" for one in folders for path in (ROOT / one).rglob("*")]

    for name in re.findall(r"`((?:[\w-]+/)*[\w-]+\.(?:py|sh))`", document.read_text("utf-8")):
        assert name == "fabfile.py" or any(path.endswith(f"/{name}") for path in known), name


def test_the_architecture_shows_the_layers_that_the_contract_enforces() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    layers = next(one["layers"] for one in contracts if one.get("containers") == ["deploy"])

    architecture = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    assert "```\n" + "\n".join(layers) + "\n```" in architecture


def texts() -> Iterator[str]:
    """Give each text of the code, with … for what is filled in."""
    for path in (path for package in _PACKAGES for path in (ROOT / package).rglob("*")):
        if path.suffix == ".py":
            yield from map(_text, ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        elif path.suffix == ".sh":
            script = path.read_text(encoding="utf-8").replace("\\\n", "")
            yield re.sub(r"\$\{[^}]*\}|\$\w+|\\\(\S+\)", "…", script)


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(one) or "…" for one in node.values)
    return ""


def quotes(document: Path) -> Iterator[str]:
    """Give each message that a table quotes in its first column."""
    tables = re.findall(
        r"^\| (?:you see|message) \|(?:.*\n\|)+", document.read_text("utf-8"), re.MULTILINE
    )
    for cell in re.findall(r"^\| ([^|]*) \|", "\n".join(tables), re.MULTILINE):
        yield from re.findall(r"`([^`]+)`", cell)


@pytest.mark.parametrize("document", _MESSAGES, ids=lambda path: path.stem)
def test_the_messages_that_a_table_quotes_are_those_of_the_code(document: Path) -> None:
    written = "\n".join(filter(None, texts()))
    parts = {part.strip() for quote in quotes(document) for part in quote.split("…")}

    missing = [part for part in sorted(parts) if part not in written]
    assert [part for part in missing if not part.startswith("fab ")] == []
