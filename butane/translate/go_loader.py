"""A YAML reader for the few spots where libyaml and go-yaml differ, all of them in brackets."""

import itertools

import yaml
from yaml.tokens import ScalarToken

_BLANK = "\0 \t\r\n\x85\u2028\u2029"


class GoLoader(yaml.BaseLoader):
    """Reads plain scalars by go-yaml's rule: a colon ends one only before a blank."""

    def scan_plain(self) -> ScalarToken:
        """Read a plain scalar."""
        words: list[str] = []
        spaces: list[str] = []
        start = end = self.get_mark()
        indent = self.indent + 1
        while self.peek() != "#":
            length = next(count for count in itertools.count() if self._ends(count))
            if not length:
                break
            self.allow_simple_key = False
            words += [*spaces, self.prefix(length)]
            self.forward(length)
            end = self.get_mark()
            spaces = self.scan_plain_spaces(indent, start) or []
            if not spaces or (not self.flow_level and self.column < indent):
                break
        return ScalarToken("".join(words), True, start, end)  # noqa: FBT003

    def _ends(self, length: int) -> bool:
        here = self.peek(length)
        colon = here == ":" and self.peek(length + 1) in _BLANK
        return here in _BLANK or colon or bool(self.flow_level and here in ",?[]{}")
