"""Home folders that make the first boot fail."""

from collections.abc import Iterator

from deploy.spec.lint.finding import Facts, Finding


def check(facts: Facts) -> Iterator[Finding]:
    """Find home folders under /home, which is a link on Fedora CoreOS."""
    for home in facts.homes:
        if home.folder == "/home" or home.folder.startswith("/home/"):
            yield Finding(
                "error", "home-under-home", home.file, home.line,
                f"home_dir of {home.user} is {home.folder}",
                "Fedora CoreOS keeps homes in /var/home; /home is a link, and labelling a home"
                " there fails the first boot of current releases",
                f"no home_dir, or /var{home.folder}",
            )  # fmt: skip
