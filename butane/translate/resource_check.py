"""The rules of Ignition for downloads: resources, proxies, hashes."""

from butane.translate.data_url import unpack
from butane.translate.finding import Place
from butane.translate.record import Record
from butane.translate.url import Url, parse

_SHA256_SINCE = 1
_GS_SINCE = 2
_ARN_SINCE = 4
_ARN_SECTIONS = 6
_DIGITS = {"sha256": 64, "sha512": 128}

BAD_URL = "unable to parse url"
BAD_SCHEME = "invalid url scheme"
_BAD_ARN = "invalid S3 ARN format"
_BAD_OBJECT_VERSION = "invalid S3 object VersionId"
_SOURCE_REQUIRED = "source is required"


def check_resource(resource: Record, at: Place) -> None:
    """Check a resource, whether or not it has a source."""
    if resource.text("compression") not in ("", "gzip"):
        at.error("compression", message="invalid compression method")
    if resource.record("verification").has("hash") and not resource.has("source"):
        message = "source must be specified if verification is specified"
        at.error("verification", "hash", message=message)
    at.error("source", message=source_problem(resource.text("source"), at.spec))
    if resource.records("http_headers"):
        at.error("http_headers", message=_header_problem(resource.text("source")))


def check_config_reference(reference: Record, at: Place) -> None:
    """Check a reference of the first version to another config."""
    at.error("source", message=source_problem(reference.text("source"), at.spec))


def check_ca_reference(reference: Record, at: Place) -> None:
    """Check a reference of the first version to a certificate authority."""
    at.error("source", message=url_problem(reference.text("source"), at.spec))


def check_sources(name: str, record: Record, at: Place) -> None:
    """Check that every resource in a list has a source."""
    for index, resource in enumerate(record.records(name) if at.spec >= 1 else ()):
        source = resource.text("source")
        problem = url_problem(source, at.spec) if source else _SOURCE_REQUIRED
        at.error(name, index, message=problem)


def check_header(header: Record, at: Place) -> None:
    """Check an HTTP header."""
    if not header.text("name"):
        at.error("name", message="HTTP header name can't be empty")
    if header.optional("value") == "":
        at.error("value", message="unable to parse HTTP header")


def check_proxy(proxy: Record, at: Place) -> None:
    """Check the addresses of proxies."""
    for name in ("http_proxy", "https_proxy"):
        text = proxy.optional(name)
        if text is None:
            continue
        url = parse(text)
        if url is None:
            at.error(name, message=BAD_URL)
        elif url.scheme not in ("http", "https"):
            at.error(name, message="proxies must be http(s)")
        elif url.scheme == "http" and name == "https_proxy":
            message = "insecure plaintext HTTP proxy specified for HTTPS resources"
            at.warn(name, message=message)


def check_verification(verification: Record, at: Place) -> None:
    """Check the form of a hash."""
    text = verification.optional("hash")
    if text is None:
        return
    function, dash, digest = text.partition("-")
    if not dash:
        at.error("hash", message="malformed hash specifier")
    elif function not in _DIGITS or (function == "sha256" and at.spec < _SHA256_SINCE):
        at.error("hash", message="unrecognized hash function")
    elif len(digest.encode("utf-8", "surrogateescape")) != _DIGITS[function]:
        at.error("hash", message="incorrect size for hash sum")


def source_problem(text: str, spec: int) -> str:
    """Describe what is wrong with a source that may be empty."""
    return url_problem(text, spec) if text else ""


def url_problem(text: str, spec: int) -> str:
    """Describe what is wrong with a URL that Ignition downloads; empty when valid."""
    url = parse(text)
    if url is None:
        return BAD_URL
    if url.scheme in ("http", "https", "tftp") or (url.scheme == "gs" and spec >= _GS_SINCE):
        return ""
    if url.scheme == "data":
        return "" if unpack(text) is not None else "malformed data URL"
    if url.scheme == "arn" and spec >= _ARN_SINCE:
        return _arn_problem(url) or _object_problem(url)
    return _object_problem(url) if url.scheme == "s3" else BAD_SCHEME


def _object_problem(url: Url) -> str:
    return _BAD_OBJECT_VERSION if url.first("versionId") == "" else ""


def _arn_problem(url: Url) -> str:
    whole = f"{url.scheme}:{url.opaque}"
    sections = whole.split(":", _ARN_SECTIONS - 1)
    if len(sections) < _ARN_SECTIONS or sections[2] != "s3":
        return _BAD_ARN
    slashes = whole.count("/")
    wanted = 2 if sections[-1].startswith("accesspoint/") else 1
    return "" if slashes >= wanted else _BAD_ARN


def _header_problem(source: str) -> str:
    url = parse(source) if source else None
    if url is None:
        return BAD_URL
    if url.scheme in ("http", "https"):
        return ""
    return "cannot use HTTP headers with this source scheme"
