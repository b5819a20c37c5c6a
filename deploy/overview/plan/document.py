"""An HTML document without scripts, in which every text is escaped, visible and free of secrets."""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from xml.etree import ElementTree as ET

from deploy.console.visible import visible
from deploy.notify.plan.text import without_secrets

_LONGEST_TEXT = 500
_DOCTYPE = "<!doctype html>\n"


class Document:
    """A document that is built; ElementTree escapes every text and attribute that it writes.

    Texts come from anywhere; names of elements and attributes are those of this package.
    """

    def __init__(self, title: str, style: str, secrets: Iterable[str]) -> None:
        self._secrets = tuple(secrets)
        self._root = ET.Element("html", lang="en")
        head = ET.SubElement(self._root, "head")
        ET.SubElement(head, "meta", charset="utf-8")
        policy = {"http-equiv": "Content-Security-Policy", "content": _policy(style)}
        ET.SubElement(head, "meta", policy)
        wide = {"name": "viewport", "content": "width=device-width, initial-scale=1"}
        ET.SubElement(head, "meta", wide)
        ET.SubElement(head, "meta", {"name": "color-scheme", "content": "light dark"})
        ET.SubElement(head, "meta", {"name": "referrer", "content": "no-referrer"})
        self.add(head, "title", title)
        ET.SubElement(head, "style").text = style
        self.body = ET.SubElement(self._root, "body")

    def add(self, parent: ET.Element, tag: str, text: str = "", **attributes: str) -> ET.Element:
        """Append an element; `class_` stands for class, and `_` in other names for a hyphen."""
        names = {
            name.removesuffix("_").replace("_", "-"): self._shown(value)
            for name, value in attributes.items()
        }
        made = ET.SubElement(parent, tag, names)
        if text:
            made.text = self._shown(text)
        return made

    def table(self, parent: ET.Element, caption: str, columns: Sequence[str]) -> "Table":
        """Append a table; on a narrow screen its rows become blocks, and stay rows to readers."""
        made = self.add(parent, "table", role="table")
        self.add(made, "caption", caption)
        row = self.add(self.add(made, "thead", role="rowgroup"), "tr", role="row")
        for column in columns:
            self.add(row, "th", column, scope="col", role="columnheader")
        return Table(self, self.add(made, "tbody", role="rowgroup"), tuple(columns))

    def html(self) -> str:
        """Write the document."""
        return _DOCTYPE + ET.tostring(self._root, encoding="unicode", method="html") + "\n"

    def _shown(self, text: str) -> str:
        seen = visible(without_secrets(text, self._secrets))
        return seen if len(seen) <= _LONGEST_TEXT else seen[: _LONGEST_TEXT - 1] + "…"


class Table:
    """The rows of a table of a document."""

    def __init__(self, document: Document, body: ET.Element, columns: tuple[str, ...]) -> None:
        self._document, self._body, self._columns = document, body, columns

    def row(self, *texts: str) -> list[ET.Element]:
        """Append a row; return its cells."""
        row = self._document.add(self._body, "tr", role="row")
        return [
            self._document.add(row, "td", text, role="cell", data_column=column)
            for column, text in zip(self._columns, texts, strict=True)
        ]


def _policy(style: str) -> str:
    """Allow this style and nothing else: no script, image, font, frame, form or connection."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
