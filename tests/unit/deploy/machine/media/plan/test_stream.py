"""Finding an image in a stream's metadata."""

import json

import pytest

from deploy.errors import DeployError
from deploy.machine.media.plan.stream import find

METADATA = json.dumps(
    {
        "stream": "stable",
        "architectures": {
            "x86_64": {
                "artifacts": {
                    "metal": {
                        "release": "44.20261101.3.0",
                        "formats": {
                            "iso": {
                                "disk": {
                                    "location": "https://example.org/a/live.iso",
                                    "signature": "https://example.org/a/live.iso.sig",
                                    "sha256": "AB",
                                }
                            }
                        },
                    }
                }
            }
        },
    }
).encode()


def test_an_image_is_found_by_kind_and_architecture() -> None:
    image = find(METADATA, kind="iso", architecture="x86_64", where="stable.json")

    assert (image.name, image.release, image.sha256) == ("live.iso", "44.20261101.3.0", "ab")


@pytest.mark.parametrize(
    ("metadata", "kind", "architecture", "message"),
    [
        (METADATA, "iso", "riscv64", "stable.json has no riscv64"),
        (METADATA, "qemu", "x86_64", "stable.json has no qemu for x86_64"),
        (METADATA, "floppy", "x86_64", "unknown kind of image 'floppy'"),
        (b"<html>", "iso", "x86_64", "stable.json is not the stream metadata"),
        (b"[]", "iso", "x86_64", "stable.json is not the stream metadata"),
    ],
)
def test_a_missing_image_is_reported_with_the_available_ones(
    metadata: bytes, kind: str, architecture: str, message: str
) -> None:
    with pytest.raises(DeployError, match=message):
        find(metadata, kind=kind, architecture=architecture, where="stable.json")
