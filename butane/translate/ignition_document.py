"""Ignition configs that a Butane file holds inline, read and checked."""

from butane.translate.place import Place


def check_document(text: str, at: Place) -> None:
    """Check an inline Ignition config."""
