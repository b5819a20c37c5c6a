"""The schema table: what Ignition fetches, and how."""

from butane.translate.record import Field, Struct, integer, many, one, required, text, texts

VERIFICATION = Struct("Verification", text("hash"))
HTTP_HEADER = Struct("HTTPHeader", required("name"), text("value"), key="name")
RESOURCE = Struct(
    "Resource",
    text("compression"),
    many("http_headers", HTTP_HEADER, 1),
    text("source"),
    text("inline", sugar=True),
    text("local", 1, sugar=True),
    one("verification", VERIFICATION),
    key="source",
)
CONFIG_REFERENCE = Struct(
    "ConfigReference",
    Field("source", "text", always=True),
    one("verification", VERIFICATION),
    key="source",
)
CA_REFERENCE = Struct(
    "CaReference", required("source"), one("verification", VERIFICATION), key="source"
)


def _references(name: str, first: Struct, *, many: bool) -> tuple[Field, Field]:
    return (
        Field(name, first, many=many, plain=not many, until=0),
        Field(name, RESOURCE, many=many, plain=not many, since=1),
    )


IGNITION_CONFIG = Struct(
    "IgnitionConfig",
    *_references("merge", CONFIG_REFERENCE, many=True),
    *_references("replace", CONFIG_REFERENCE, many=False),
)
PROXY = Struct("Proxy", text("http_proxy"), text("https_proxy"), texts("no_proxy"))
TLS = Struct("TLS", *_references("certificate_authorities", CA_REFERENCE, many=True))
SECURITY = Struct("Security", one("tls", TLS))
TIMEOUTS = Struct("Timeouts", integer("http_response_headers"), integer("http_total"))
IGNITION = Struct(
    "Ignition",
    one("config", IGNITION_CONFIG),
    one("proxy", PROXY, 1),
    one("security", SECURITY),
    one("timeouts", TIMEOUTS),
)
