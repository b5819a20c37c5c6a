"""PULL names a registry, a repository and a tag, and nothing that could be another thing."""

import pytest
from pydantic import ValidationError

from deploy.errors import DeployError
from deploy.registry.plan.reference import Reference
from tests.unit.deploy.examples import settings


@pytest.mark.parametrize(
    ("text", "registry", "repository", "tag"),
    [
        ("registry.example.org/shop/www:live", "registry.example.org", "shop/www", "live"),
        ("registry.example.org:5000/www", "registry.example.org:5000", "www", "latest"),
        ("localhost/a__b/c-d.e:V1.2", "localhost", "a__b/c-d.e", "V1.2"),
        ("127.0.0.1:5000/www:live", "127.0.0.1:5000", "www", "live"),
        ("registry:5000/www:live", "registry:5000", "www", "live"),
    ],
)
def test_a_reference_is_split(text: str, registry: str, repository: str, tag: str) -> None:
    found = Reference.parse(settings(PULL=text).pull)

    assert found == Reference(registry, repository, tag)
    assert str(found) == f"{registry}/{repository}:{tag}"


@pytest.mark.parametrize(
    "text",
    [
        *("shop/www:live", "registry.example.org", "registry.example.org/:live"),
        *("https://registry.example.org/www", "registry.example.org/Shop:live"),
        *("registry.example.org/a//b", "registry.example.org/a/../b", "registry.example.org/a:"),
        *("user@registry.example.org/a", "registry.example.org/a@sha256:" + "0" * 64),
        *("registry.example.org/a:sha256-" + "0" * 64, "registry.example.org/a?b:c"),
        *("registry.example.org:port/a", "registry.example.org/a:b\nc"),
    ],
)
def test_what_is_no_tag_of_a_registry_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        settings(PULL=text)


@pytest.mark.parametrize("tag", ["", "a b", "-a", ".a", "ü", "sha256-" + "0" * 64, "a" * 129])
def test_what_cannot_be_a_tag_is_refused(tag: str) -> None:
    with pytest.raises(DeployError, match="cannot be a tag"):
        Reference("registry.example.org", "a", "live").with_tag(tag)
