"""The few ways to write a field of the schema table."""

from butane.translate.record import FOREVER, Field, Record, Struct


def texts(name: str, since: int = 0, *, sugar: bool = False) -> Field:
    """Write a list of texts."""
    return Field(name, "text", many=True, since=since, sugar=sugar)


def text(name: str, since: int = 0, *, sugar: bool = False) -> Field:
    """Write an optional text."""
    return Field(name, "text", since=since, sugar=sugar)


def required(name: str, *, until: int = FOREVER) -> Field:
    """Write a text that Ignition always prints."""
    return Field(name, "text", plain=True, always=True, until=until)


def integer(name: str, since: int = 0) -> Field:
    """Write an optional number."""
    return Field(name, "integer", since=since)


def flag(name: str, since: int = 0, *, sugar: bool = False) -> Field:
    """Write an optional truth value."""
    return Field(name, "boolean", since=since, sugar=sugar)


def one(name: str, struct: Struct, since: int = 0, *, sugar: bool = False) -> Field:
    """Write a nested struct."""
    return Field(name, struct, plain=True, since=since, sugar=sugar)


def many(name: str, struct: Struct, since: int = 0, *, sugar: bool = False) -> Field:
    """Write a list of structs."""
    return Field(name, struct, many=True, since=since, sugar=sugar)


class Key:
    """Names a list item by one of its texts."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, item: Record) -> str:
        """Read the name of an item."""
        return item.text(self.name)
