"""Each rule of the lint: a unit that breaks it, and one that does not."""

from collections.abc import Mapping

import pytest

from deploy.spec.lint.finding import Facts, Finding, Home, Rhythm
from deploy.spec.lint.lint import lint

FED = "[Container]\nNotify=true\nEnvironment=WATCHDOG_USEC=60000000\n"
WATCHED = "[Service]\nRestart=on-failure\nWatchdogSec=60\n"


def rhythm(policy: str) -> Rhythm:
    """Stand for the supervisor: `INTERVAL START SHORTEST`, or its usual values."""
    if policy == "wrong":
        return Rhythm(10, 30, 71.25, ("SUPERVISE_SET: unknown key 'wrong'",))
    interval, start, shortest = map(float, (policy or "10 30 71.25").split())
    said = frozenset({"interval", "start"}) if policy else frozenset[str]()
    return Rhythm(interval, start, shortest, (), said)


def found(files: Mapping[str, str] | str, podman: str = "", *homes: Home) -> list[Finding]:
    given = {"app.container": files} if isinstance(files, str) else files
    return list(lint(given, Facts(rhythm, podman, homes)))


def lint_of(files: Mapping[str, str] | str, podman: str = "", *homes: Home) -> list[str]:
    return [f"{one.severity} {one.rule} {one.place}" for one in found(files, podman, *homes)]


def policy(text: str, watchdog: str = "60") -> str:
    usec = f"{watchdog}000000"
    return (
        f'[Container]\nNotify=true\nEnvironment=WATCHDOG_USEC={usec}\n'
        f'Environment="SUPERVISE_SET={text}"\n'
        f"[Service]\nRestart=on-failure\nWatchdogSec={watchdog}\n"
    )  # fmt: skip


@pytest.mark.parametrize("notify", ["", "Notify=false\n", "Notify=healthy\nHealthCmd=true\n"])
def test_a_watchdog_that_no_process_can_feed(notify: str) -> None:
    unit = f"[Container]\n{notify}[Service]\nRestart=on-failure\nWatchdogSec=60\n"

    (finding,) = found(unit)

    assert finding.rule == "watchdog-unfed"
    assert finding.severity == "error"
    assert "ends the healthy service every 60" in finding.why
    assert "Notify=true" in finding.remedy


@pytest.mark.parametrize(
    "unit",
    [
        FED + WATCHED,
        "[Container]\nNotify=false\n[Service]\nWatchdogSec=0\n",
        "[Container]\n[Service]\nWatchdogSec=infinity\n",
        "[Container]\n[Service]\nWatchdogSec=60\nWatchdogSec=\n",
    ],
)
def test_a_watchdog_that_is_fed_or_off(unit: str) -> None:
    assert lint_of(unit) == []


def test_a_drop_in_that_causes_an_error_is_named() -> None:
    files = {
        "app.container": "[Container]\nNotify=healthy\nHealthCmd=true\n",
        "app.container.d/mine.conf": "# mine\n[Service]\nRestart=always\nWatchdogSec=5\n",
    }

    assert lint_of(files) == ["error watchdog-unfed app.container.d/mine.conf:4"]


def test_a_lone_drop_in_is_checked_by_the_rules_for_single_lines() -> None:
    text = "[Service]\nWatchdogSec=5\nExecStartPre=/usr/bin/echo $(date)\nLoadCredential=x\n"

    assert lint_of({"etc/zincati.service.d/mine.conf": text}) == [
        "error no-shell etc/zincati.service.d/mine.conf:3",
        "error bare-credential etc/zincati.service.d/mine.conf:4",
    ]


def test_a_service_needs_a_type_that_notifies() -> None:
    plain = "[Service]\nRestart=always\nWatchdogSec=5\n"

    assert lint_of({"a.service": plain}) == ["error watchdog-unfed a.service:3"]
    assert lint_of({"a.service": plain + "Type=notify\n"}) == []
    assert lint_of({"a.service": plain + "NotifyAccess=all\n"}) == []


def test_a_watchdog_whose_interval_the_container_does_not_get() -> None:
    unit = "[Container]\nNotify=true\n" + WATCHED

    assert lint_of(unit) == ["error watchdog-interval app.container:5"]
    assert "Environment=WATCHDOG_USEC=60000000" in found(unit)[0].remedy


def test_a_watchdog_that_is_fed_too_late() -> None:
    assert lint_of(FED + "[Service]\nRestart=always\nWatchdogSec=50\n") == [
        "error watchdog-interval app.container:3"
    ]


@pytest.mark.parametrize("usec", ["0", "", "75s", "60000000.0"])
def test_a_watchdog_with_an_interval_of_zero_or_not_a_number(usec: str) -> None:
    unit = f"[Container]\nNotify=true\nEnvironment=WATCHDOG_USEC={usec}\n" + WATCHED

    assert lint_of(unit) == ["error watchdog-interval app.container:3"]


def test_a_watchdog_not_greater_than_the_probe_interval() -> None:
    assert lint_of(policy("60 5 70")) == ["error watchdog-too-short app.container:7"]
    assert lint_of(policy("59 5 59.5")) == []


def test_without_a_policy_in_the_unit_the_default_interval_is_a_warning() -> None:
    unit = (FED + WATCHED).replace("60000000", "5000000").replace("Sec=60", "Sec=5")

    (finding,) = found(unit)

    assert (finding.severity, finding.rule) == ("warning", "watchdog-too-short")


def test_a_watchdog_shorter_than_a_restart_is_a_warning() -> None:
    assert lint_of(policy("10 5 60")) == ["warning watchdog-short app.container:7"]


def test_a_policy_that_the_supervisor_refuses() -> None:
    assert lint_of(policy("wrong")) == ["error supervisor-policy app.container:4"]


def test_a_watchdog_without_restart_is_a_warning() -> None:
    unit = FED + "[Service]\nWatchdogSec=60\n"

    assert lint_of(unit) == ["warning watchdog-no-restart app.container:5"]


@pytest.mark.parametrize(
    "line",
    [
        "[Service]\nExecStartPre=/usr/bin/echo $(date)",
        "[Service]\nExecStop=-/usr/bin/echo `date`",
        "[Service]\nExecReload=/usr/bin/logger sh $(date)",
        "[Container]\nExec=--password $(cat /run/secrets/x)",
    ],
)
def test_substitution_without_a_shell(line: str) -> None:
    assert lint_of(line) == ["error no-shell app.container:2"]


@pytest.mark.parametrize(
    "line",
    [
        "[Service]\nExecStartPre=/bin/sh -c 'echo $(date)'",
        "[Service]\nExecStartPre=-+/usr/bin/bash -ec 'echo `date`'",
        "[Service]\nExecStartPre=/usr/bin/env bash -c 'echo $(date)'",
        "[Service]\nExecStartPre=/usr/bin/podman exec x sh -c 'echo $(date)'",
        "[Service]\nExecStartPre=/usr/bin/echo ${HOME}",
        "[Service]\nExecStartPre=/usr/bin/echo $(date)\nExecStartPre=",
        "[Container]\nExec=sh -c 'exec app --password $(cat /run/secrets/x)'",
        "[Container]\nEntrypoint=/bin/sh\nExec=-c 'exec app $(date)'",
    ],
)
def test_substitution_by_a_shell(line: str) -> None:
    assert lint_of(line) == []


def test_a_start_timeout_below_the_health_start_period() -> None:
    unit = "[Container]\nNotify={}\nHealthCmd=true\nHealthStartPeriod=2m\n[Service]\n{}\n"

    assert lint_of(unit.format("healthy", "TimeoutStartSec=90")) == [
        "error start-timeout app.container:6"
    ]
    assert lint_of(unit.format("healthy", "")) == ["error start-timeout app.container:4"]
    assert lint_of(unit.format("false", "TimeoutStartSec=90")) == [
        "warning start-timeout app.container:6"
    ]
    assert lint_of(unit.format("healthy", "TimeoutStartSec=3min")) == []
    assert lint_of(unit.format("healthy", "TimeoutStartSec=infinity")) == []
    assert lint_of(unit.format("healthy", "TimeoutStartSec=0")) == []


def test_a_start_timeout_below_a_workers_own() -> None:
    start = policy("1 90 50") + "TimeoutStartSec={}\n"

    assert lint_of(start.format(90)) == ["error start-timeout app.container:4"]
    assert lint_of(start.format(91)) == []


@pytest.mark.parametrize(
    ("stop", "place"),
    [
        ("[Container]\nStopTimeout=20\n[Service]\nTimeoutStopSec=20\n", "app.container:2"),
        ("[Container]\nStopTimeout=100\n", "app.container:2"),
        ("[Service]\nTimeoutStopSec=10\n", "app.container:2"),
        ("[Container]\nStopTimeout=20\n[Service]\nTimeoutSec=20\n", "app.container:2"),
    ],
)
def test_a_stop_that_systemd_cuts_off(stop: str, place: str) -> None:
    assert lint_of(stop) == [f"error stop-timeout {place}"]


@pytest.mark.parametrize(
    "stop",
    [
        "[Container]\nStopTimeout=20\n[Service]\nTimeoutStopSec=30\n",
        "[Container]\nStopTimeout=20\n",
        "[Container]\nStopTimeout=20\n[Service]\nTimeoutStopSec=infinity\n",
    ],
)
def test_a_stop_with_enough_time(stop: str) -> None:
    assert lint_of(stop) == []


@pytest.mark.parametrize("key", ["LoadCredential", "LoadCredentialEncrypted"])
def test_a_credential_by_its_bare_name(key: str) -> None:
    bare = "error bare-credential app.container:2"

    assert lint_of(f"[Service]\n{key}=cert_pass") == [bare]
    assert lint_of(f"[Service]\n{key}=cert_pass:shop.cert_pass") == [bare]
    assert lint_of(f"[Service]\n{key}=cert_pass:/etc/credstore.encrypted/shop.cert_pass") == []
    assert lint_of(f"[Service]\n{key}=cert_pass:%d/cert_pass") == []


@pytest.mark.parametrize(
    ("podman", "severity"),
    [("5.8.1", "error"), ("5.4.2", "error"), ("", "warning"), ("5.8.2", ""), ("6.0.0-dev", "")],
)
def test_double_quotes_in_a_health_command(podman: str, severity: str) -> None:
    unit = '[Container]\nHealthCmd=sh -c "curl -f http://localhost"\n'

    assert lint_of(unit, podman) == (
        [f"{severity} health-quotes app.container:2"] if severity else []
    )
    assert lint_of(unit.replace('"', "'"), podman) == []


def test_ready_by_health_needs_a_health_command() -> None:
    unit = "[Container]\nNotify=healthy\n"

    assert lint_of(unit) == ["warning healthy-unchecked app.container:2"]
    assert lint_of(unit + "HealthCmd=none\n") == ["warning healthy-unchecked app.container:2"]
    assert lint_of(unit + "HealthCmd=/usr/bin/check\n") == []


@pytest.mark.parametrize(
    ("mine", "other"),
    [
        ("Volume=/srv/data:/data:Z", "Volume=/srv/data:/data:z"),
        ("Volume=/srv/data:/data:ro,Z", "Volume=/srv/data/part:/data"),
        ("Volume=/srv/data/part:/data:Z", "Mount=type=bind,source=/srv/data,target=/data"),
        ("Volume=%t/data:/data:Z", "Volume=/run/data/:/data"),
        ("Volume=data.volume:/data:Z", "Volume=data.volume:/data"),
        ("Mount=type=bind,src=/srv,relabel=private,dst=/srv", ""),
        ("Volume=/etc:/host/etc:ro,Z", ""),
        ("Volume=/var/:/host:Z", ""),
    ],
)
def test_a_private_label_on_what_is_shared(mine: str, other: str) -> None:
    files = {"a.container": f"[Container]\n{mine}\n", "b.container": f"[Container]\n{other}\n"}

    assert lint_of({name: text.replace("\n\n", "\n") for name, text in files.items()}) == [
        "error shared-relabel a.container:2"
    ]


@pytest.mark.parametrize(
    ("mine", "other"),
    [
        ("Volume=/srv/data:/data:z", "Volume=/srv/data:/data:z"),
        ("Volume=/srv/data:/data:Z", "Volume=/srv/database:/data:Z"),
        ("Volume=/srv/data:/data:Z\nVolume=/srv/data/x:/x:Z", ""),
        ("Volume=/data", "Volume=/data"),
    ],
)
def test_a_private_label_on_what_is_private(mine: str, other: str) -> None:
    files = {"a.container": f"[Container]\n{mine}\n", "b.container": f"[Container]\n{other}\n"}

    assert lint_of({name: text.replace("\n\n", "\n") for name, text in files.items()}) == []


def test_a_pod_that_couples_restarts() -> None:
    files = {
        "a.container": "[Container]\nPod=shop.pod\n",
        "b.container": "[Container]\nPod=shop.pod\n",
        "shop.pod": "[Pod]\n",
    }
    lasting = files | {"shop.pod": "[Pod]\nExitPolicy=continue\n"}

    coupled = ["error pod-restarts a.container:2", "error pod-restarts b.container:2"]
    assert lint_of(files) == coupled
    assert lint_of(lasting) == []
    assert lint_of(lasting, "5.4.2") == coupled
    assert lint_of({"a.container": "[Container]\nNetwork=shop.network\n"}) == []


UPDATED = (
    "[Container]\nImage=registry.example.org/side:live\nAutoUpdate=registry\nNotify=healthy\n"
    'HealthCmd=["/check"]\n'
)


@pytest.mark.parametrize(
    ("was", "becomes", "findings"),
    [
        ("", "", []),
        ("AutoUpdate=registry", "Label=a=b io.containers.autoupdate=registry", []),
        ("AutoUpdate=registry", "AutoUpdate=local\nPod=a.pod", ["error pod-restarts a:4"]),
        ("Notify=healthy\n", "", ["error update-unproven a:3"]),
        ('["/check"]', "/check", ["warning update-shell a:5"]),
        (":live", "@sha256:0a", ["error update-name a:2"]),
        ("registry.example.org/", "", ["error update-name a:2"]),
        ("registry.example.org/side:live", "side.image", []),
        ("Notify", "Pod=a.pod\nNotify", ["error pod-restarts a:4", "error update-pod a:4"]),
        ("Notify", "Volume=/srv/a:/b:z\nNotify", ["warning update-data a:4"]),
        ("Notify", "Volume=/srv/a:/b:ro,z\nNotify", []),
    ],
)
def test_a_container_that_podman_updates(was: str, becomes: str, findings: list[str]) -> None:
    text = UPDATED.replace(was, becomes)

    said = lint_of({"a.container": text}, "5.8.2")

    cost = [] if "AutoUpdate=local" in text else ["warning update-cost a:3"]
    assert said == sorted(
        (one.replace(" a:", " a.container:") for one in (*findings, *cost)),
        key=lambda one: (one.rpartition(":")[2], one.split()[1]),
    )


def test_what_a_bad_image_of_podmans_updates_costs_is_said() -> None:
    limited = UPDATED + "[Service]\nTimeoutStartSec=40\n"

    assert "down for up to 40 s" in found(limited)[0].why
    assert lint_of(UPDATED + "# lint: allow update-cost\n", "5.8.2") == []


@pytest.mark.parametrize(
    ("folder", "fires"),
    [("/home/shop", True), ("/home", True), ("/var/home/shop", False), ("/homes/shop", False)],
)
def test_a_home_under_home(folder: str, *, fires: bool) -> None:
    home = Home("shop", folder, "overlays/users.bu", 7)

    assert lint_of({}, "", home) == (["error home-under-home overlays/users.bu:7"] if fires else [])


def test_a_line_that_quadlet_cannot_parse() -> None:
    assert lint_of("[Container]\nImage\n") == ["error stray-line app.container:2"]
    assert lint_of("[Container]\n# Image\n") == []


def test_all_findings_of_a_file_are_listed_in_order() -> None:
    unit = "[Container]\nNotify=healthy\nHealthCmd=none\n[Service]\nLoadCredential=x\nWatchdogSec=5"

    assert [one.rule for one in found(unit)] == [
        "healthy-unchecked", "bare-credential", "watchdog-unfed",
    ]  # fmt: skip


def test_a_comment_in_the_file_switches_a_rule_off() -> None:
    files = {
        "a.container": "# lint: allow pod-restarts\n[Container]\nPod=a.pod\nVolume=/etc:/e:Z\n",
        "b.container": "[Container]\nPod=a.pod\n",
        "b.container.d/x.conf": "; lint: allow pod-restarts\n[Container]\nNotify=true\n",
    }

    assert lint_of(files) == [
        "error shared-relabel a.container:4", "error pod-restarts b.container:2",
    ]  # fmt: skip


def test_each_capability_and_a_writable_root_are_warnings() -> None:
    unit = "[Container]\nAddCapability=NET_BIND_SERVICE CAP_SYS_ADMIN\nReadOnly=false\n"

    listed = found(unit)

    assert [f"{one.severity} {one.rule} {one.line}" for one in listed] == [
        "warning capability 2",
        "warning capability 2",
        "warning writable-root 3",
    ]
    assert "no isolation is left" in listed[0].why
    assert "may listen on ports below 1024" in listed[1].why


def test_what_a_drop_in_takes_back_is_no_finding() -> None:
    files = {
        "app.container": "[Container]\nAddCapability=CHOWN\nReadOnly=false\n",
        "app.container.d/mine.conf": "[Container]\nAddCapability=\nReadOnly=true\n",
    }

    assert lint_of(files) == []


def test_every_finding_says_what_to_do() -> None:
    unit = '[Container]\nNotify=healthy\nHealthCmd="x"\nPod=a.pod\nVolume=/etc:/e:Z\n' + WATCHED

    for finding in found(unit):
        assert finding.found
        assert finding.why
        assert finding.remedy
