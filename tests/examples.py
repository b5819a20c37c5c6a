"""How many examples a property is tried with: few in `make unit`, many in `make test`."""

from hypothesis import settings


def examples(quick: int, thorough: int) -> int:
    """Choose by the profile that Hypothesis was started with."""
    return thorough if settings.get_current_profile_name() == "thorough" else quick
