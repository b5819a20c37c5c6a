"""The main job, on a node that booted from our Ignition file."""

import json

import pytest

from butane.files import carried_files
from deploy.app.health import wait_until_healthy
from deploy.node.endpoint import Endpoint
from rehearsal import lifecycle
from tests.system.conftest import API_TOKEN, CERT_PASSWORD, NAME, SMTP_PASSWORD, authority
from tests.system.page import get
from tests.system.project import Project, logins

pytestmark = pytest.mark.node


@pytest.mark.core
def test_the_first_deploy_serves_a_page_over_verified_https(serving: Project) -> None:
    status, page = get(serving.node.address, 443, NAME, authority(serving))

    assert status == 200
    assert "Fresh bread" in page


def test_the_app_answers_over_ipv6_as_well(serving: Project) -> None:
    found = lifecycle.find(serving.settings["PROJECT"])

    assert found is not None
    assert get(found.address6, 443, NAME, authority(serving))[0] == 200


@pytest.mark.core
def test_a_deploy_with_nothing_changed_logs_in_once_and_says_so(serving: Project) -> None:
    before = logins(serving)

    said = serving.must("deploy")

    assert "nothing to do" in said
    # One login for the deploy, one for counting.
    assert logins(serving) == before + 2


@pytest.mark.core
def test_only_changed_files_travel_and_deletions_are_shown(serving: Project) -> None:
    files = serving.folder / "container/sample/files"
    (files / "extra page.txt").write_text("extra")
    (files / "index.html").write_text("<p>Cake today</p>")

    said = serving.must("deploy")

    assert "file added: extra page.txt" in said
    assert "file changed: index.html" in said
    assert "Cake today" in get(serving.node.address, 443, NAME, authority(serving))[1]

    (files / "extra page.txt").unlink()
    (files / "index.html").write_text("<h2>Fresh bread every morning</h2>\n")
    said = serving.must("deploy")

    assert "file deleted: extra page.txt" in said
    app = serving.settings["PROJECT"] + "-www"
    held = serving.ssh(f"ls /var/lib/{app}/current/files")
    assert held.split() == ["index.html"]


def test_project_files_of_any_name_arrive_with_plain_modes(serving: Project) -> None:
    files = serving.folder / "container/sample/files"
    names = ("#index", ";index", "-e", "a\nb", "program")
    for name in names:
        (files / name).write_text(name)
        (files / name).chmod(0o6755 if name == "program" else 0o6654)

    serving.must("deploy")

    app = serving.settings["PROJECT"] + "-www"
    look = f"cd /var/lib/{app}/current/files; find . -type f -printf '%m %P\\0'"
    found = serving.ssh(look).removesuffix("\0").split("\0")
    for name in names:
        (files / name).unlink()
    serving.must("deploy")
    assert sorted(found) == sorted(
        ["644 index.html", "755 program", *(f"644 {name}" for name in names[:-1])]
    )


def test_a_kept_release_whose_files_changed_on_the_node_is_not_started(serving: Project) -> None:
    app = serving.settings["PROJECT"] + "-www"
    serving.must("deploy", ENV_GREETING="for the rollback")
    serving.must("deploy")
    slot = serving.container()
    page = f"$(ls -d /var/lib/{app}/releases/* | tail -n 2 | head -n 1)/files/index.html"
    serving.ssh(f"cp -p {page} /run/kept; rm {page}; echo changed >{page}")

    said = serving.fab("rollback")

    serving.ssh(f"rm {page}; mv /run/kept {page}")
    assert said.code == 1
    assert "on this node are not those that were listed: 1, such as" in said.out
    assert "index.html" in said.out
    assert serving.container() == slot


def test_first_is_refused_where_a_release_is(serving: Project) -> None:
    said = serving.fab("deploy", "--first")

    assert said.code == 1
    assert "is on this node already" in said.out
    assert "without --first" in said.out


def test_deploying_to_a_fresh_node_needs_first(staging: Project) -> None:
    settings = (staging.folder / ".env.staging").read_text()
    other = staging.folder / ".env.other"
    other.touch(mode=0o600)
    other.write_text(settings.replace("staging", "other").replace("8444", "8445"))
    staging.must("cert-issue", "--name", "other")

    said = staging.fab("deploy", "--name", "other")

    other.unlink()
    assert said.code == 1
    assert "fab deploy --first" in said.out


@pytest.mark.core
def test_two_instances_share_a_node_and_neither_touches_the_other(
    staging: Project, serving: Project
) -> None:
    app = serving.settings["PROJECT"]
    look = (
        f"stat -c '%n %i %y' /etc/containers/systemd/{app}-www* /var/lib/{app}-www/current/*; "
        f"systemctl show -P InvocationID '{app}-www-*'; podman image ls --no-trunc "
        f"--format '{{{{.Repository}}}}:{{{{.Tag}}}} {{{{.Id}}}}' | grep {app}-www | sort"
    )
    before = serving.ssh(look)

    said = staging.must("deploy", "--name", "staging", ENV_GREETING="changed")

    assert f"{app}-staging" in said
    assert serving.ssh(look) == before
    page = get(serving.node.address, 8444, "staging.example.org", authority(serving))[1]
    assert f"{app}-staging" in page
    staging.must("deploy", "--name", "staging")


def test_values_reach_the_container_as_they_were_written(serving: Project) -> None:
    app = serving.container()
    environment = json.loads(
        serving.ssh(f"podman inspect {app} --format '{{{{json .Config.Env}}}}'")
    )

    assert 'ODD=100% $HOME "quoted" back\\slash' in environment
    token = serving.ssh(
        f"podman exec {app} /usr/bin/python3 -c "
        """'print(open("/run/secrets/api_token").read(), end="")'"""
    )
    assert token == API_TOKEN


@pytest.mark.core
def test_secrets_are_nowhere_but_in_memory(serving: Project) -> None:
    # Written without a line end, so that the search itself is not found.
    patterns = [
        secret[:-1] + f"[{secret[-1]}]" for secret in (CERT_PASSWORD, SMTP_PASSWORD, API_TOKEN)
    ]
    for file in (serving.folder / "build").rglob("*"):
        if file.is_file():
            text = file.read_text()
            assert CERT_PASSWORD not in text
            assert SMTP_PASSWORD not in text
            assert API_TOKEN not in text
    for pattern in patterns:
        found = serving.ssh(
            "set +e\n"
            f"grep -rlaE --exclude-dir=proc '{pattern}' /etc /var /usr/local 2>/dev/null\n"
            f"grep -laE '{pattern}' /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null\n"
            f"journalctl -q --no-pager | grep -E '{pattern}'\n"
            "true"
        )
        assert found == ""


def test_the_container_is_hardened(serving: Project) -> None:
    app = serving.container()
    probe = serving.ssh(
        "grep -E '^(Uid|CapEff|CapBnd|NoNewPrivs)' "
        f"/proc/$(podman inspect {app} --format '{{{{.State.Pid}}}}')/status; "
        f"podman inspect {app} --format '{{{{.HostConfig.ReadonlyRootfs}}}}'"
    )
    facts = dict(line.split(":", 1) for line in probe.splitlines() if ":" in line)

    assert facts["CapEff"].strip() == facts["CapBnd"].strip() == "0" * 16
    assert facts["NoNewPrivs"].strip() == "1"
    assert int(facts["Uid"].split()[0]) >= 20000
    assert probe.endswith("true\n")


def test_a_node_made_today_equals_a_node_rolled_out_today(staging: Project) -> None:
    """Staging came by a deploy; the spec made now must carry the very same files."""
    app = staging.settings["PROJECT"] + "-staging"
    staging.must("prepare", "--yes", "--name", "staging")
    ignition = (staging.folder / f"build/{app}.ign").read_text()
    carried = {
        file.path: (file.content, f"{file.mode:o} root:root")
        for file in carried_files(ignition)
        if app in file.path
    }

    for path, (content, mark) in carried.items():
        assert staging.ssh(f"cat '{path}'").encode() == content
        assert staging.ssh(f"stat -c '%a %U:%G' '{path}'").strip() == mark
    assert len(carried) == 12
    passwd = staging.ssh(f"getent passwd {app}").strip().split(":")
    users = {user["name"]: user for user in json.loads(ignition)["passwd"]["users"]}
    assert int(passwd[2]) == users[app]["uid"]
    assert passwd[5] == users[app]["homeDir"]


def test_status_and_cert_status_agree_in_json(serving: Project) -> None:
    status = json.loads(serving.must("status", "--json"))
    places = json.loads(serving.must("cert-status", "--json"))["places"]

    assert status["health"] == "healthy"
    assert {place["where"] for place in places} >= {"workstation", "node", "container"}
    assert len({place["sha256"] for place in places}) == 1


@pytest.mark.core
def test_the_app_serves_again_after_the_node_restarts(serving: Project) -> None:
    serving.must("rehearsal-reboot")

    fingerprint = json.loads(serving.must("cert-status", "--json"))["places"][0]["sha256"]
    wait_until_healthy(
        (Endpoint(serving.node.address, 443, NAME),), "/health", fingerprint, timeout_seconds=30
    )


def test_a_port_that_no_setting_names_stays_closed(serving: Project) -> None:
    app = serving.container().replace("-www-", "-www:")
    serving.ssh(
        "podman run -d --rm --name leak -p 9999:8443 --entrypoint /usr/bin/python3 "
        f"localhost/{app} -m http.server 8443"
    )

    with pytest.raises(OSError, match=r"timed out|refused|unreachable"):
        get(serving.node.address, 9999, NAME, authority(serving), seconds=5)

    serving.ssh("podman stop -t 0 leak")
