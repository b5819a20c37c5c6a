"""Several Butane files become one; the later ones win."""

import re
import textwrap
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from butane.assemble import Fragment, assemble
from butane.errors import ButaneError

HEAD = "variant: fcos\nversion: 1.4.0\n"


def join(*texts: str) -> str:
    """Assemble texts as files a.bu, b.bu, … with the usual head before each."""
    names = ("a.bu", "b.bu", "c.bu")
    return assembled(
        {name: HEAD + textwrap.dedent(text) for name, text in zip(names, texts, strict=False)}
    )


def assembled(texts: Mapping[str, str]) -> str:
    return assemble(Fragment(name, text) for name, text in texts.items()).text


def tree(*texts: str) -> Any:
    return yaml.safe_load(join(*texts))


def refused(text: str) -> str:
    with pytest.raises(ButaneError) as caught:
        assembled({"node.bu": HEAD, "mine.bu": text})
    return caught.value.message


def test_one_file_stays_what_it_is_under_a_line_that_says_where_it_is_from() -> None:
    joined = join("storage: {files: [{path: /a, mode: 0644}]}\n")

    assert joined.startswith("# Assembled by corefab from a.bu; edits here are lost.\n")
    assert yaml.safe_load(joined)["storage"] == {"files": [{"path": "/a", "mode": 0o644}]}


def test_lists_are_joined_by_what_names_their_items() -> None:
    found = tree(
        """
        passwd: {users: [{name: core, groups: [adm], ssh_authorized_keys: [one]}]}
        storage:
          files: [{path: /a, mode: 0644}, {path: /b}]
          disks: [{device: /dev/vda, wipe_table: true}]
        systemd: {units: [{name: a.service, enabled: true}]}
        """,
        """
        passwd: {users: [{name: core, ssh_authorized_keys: [two]}, {name: ann}]}
        storage:
          files: [{path: /c}, {path: /a, overwrite: true}]
          disks: [{device: /dev/vda, partitions: []}]
        systemd: {units: [{name: b.service}, {name: a.service, enabled: false}]}
        """,
    )

    assert found["passwd"]["users"] == [
        {"name": "core", "groups": ["adm"], "ssh_authorized_keys": ["one", "two"]},
        {"name": "ann"},
    ]
    assert found["storage"]["files"] == [
        {"path": "/a", "mode": 0o644, "overwrite": True},
        {"path": "/b"},
        {"path": "/c"},
    ]
    assert found["storage"]["disks"] == [
        {"device": "/dev/vda", "wipe_table": True, "partitions": []}
    ]
    assert found["systemd"]["units"] == [
        {"name": "a.service", "enabled": False},
        {"name": "b.service"},
    ]


def test_the_last_of_several_files_wins() -> None:
    user = "passwd: {{users: [{{name: core, shell: /bin/{}}}]}}"

    found = tree(*(user.format(shell) for shell in ("bash", "dash", "zsh")))

    assert found["passwd"]["users"] == [{"name": "core", "shell": "/bin/zsh"}]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("contents: {local: a.conf}", "contents: {inline: mine}"),
        ("contents: {inline: a, compression: gzip}", "contents: {local: mine}"),
        ("contents: {local: a.conf}", "contents: {source: 'https://example.org/a'}"),
    ],
)
def test_a_later_files_content_replaces_the_former_wherever_it_comes_from(
    old: str, new: str
) -> None:
    found = tree(
        f"storage: {{files: [{{path: /a, mode: 0600, {old}}}]}}",
        f"storage: {{files: [{{path: /a, {new}}}]}}",
    )

    (file,) = found["storage"]["files"]
    assert file == {"path": "/a", "mode": 0o600, **yaml.safe_load(new)}


def test_a_later_units_text_replaces_the_former_wherever_it_comes_from() -> None:
    found = tree(
        "systemd: {units: [{name: a.service, contents_local: a}]}",
        "systemd: {units: [{name: a.service, contents: mine}]}",
    )

    assert found["systemd"]["units"] == [{"name": "a.service", "contents": "mine"}]


@pytest.mark.parametrize(
    "scalar",
    ["0644", "0o644", "420", '"0644"', "yes", "'yes'", "1.50", "~", "2020-01-01", '"@APP@"'],
)
def test_scalars_keep_the_text_their_author_wrote(scalar: str) -> None:
    joined = join(f"storage:\n  files:\n  - path: /a\n    mode: {scalar}\n", "storage: {files: []}")

    (line,) = re.findall(r"mode: (.*)", joined)
    assert line == scalar


def test_text_of_several_lines_and_of_any_language_survives() -> None:
    text = "a: 'b'\n\n  # no comment\n你好 \u2028 é\ttab\n" + "long " * 400

    found = tree(f"storage: {{files: [{{path: /a, contents: {{inline: {yaml.dump(text)} }} }}] }}")

    assert found["storage"]["files"][0]["contents"]["inline"] == text


def test_the_highest_version_is_taken_as_numbers() -> None:
    joined = assembled(
        {
            "a.bu": "variant: fcos\nversion: 1.9.0\n",
            "b.bu": 'variant: fcos\nversion: "1.10.0"\n',
            "c.bu": "variant: fcos\nversion: 1.4.0\n",
        }
    )

    assert "version: 1.10.0" in joined.replace("'", "").replace('"', "")


def test_anchors_of_a_file_hold_in_the_whole() -> None:
    found = tree(
        """
        storage:
          files:
            - {path: /a, user: &me {name: ann}}
            - {path: /b, user: *me}
        """,
        "storage: {files: [{path: /a, user: {name: bob}}]}",
    )

    assert found["storage"]["files"] == [
        {"path": "/a", "user": {"name": "bob"}},
        {"path": "/b", "user": {"name": "ann"}},
    ]


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("", "mine.bu:1: not a Butane file of variant fcos"),
        ("- a\n", "mine.bu:1: not a Butane file of variant fcos"),
        ("version: 1.4.0\n", "mine.bu:1: not a Butane file of variant fcos"),
        ("variant: flatcar\nversion: 1.0.0\n", "mine.bu:1: not a Butane file of variant fcos"),
        ("variant: [fcos]\n", "mine.bu:1: not a Butane file of variant fcos"),
        ("variant: fcos\n", "mine.bu:1: no version such as 1.4.0"),
        ("variant: fcos\nversion: 1.4\n", "mine.bu:1: no version such as 1.4.0"),
        (f"{HEAD}storage:\n  files: [\n", "mine.bu:5: "),
        (f"{HEAD}a: *nowhere\n", "mine.bu:3: unknown anchor 'nowhere' referenced"),
        (f"{HEAD}\t- x\n", "mine.bu:3: "),
        (f"{HEAD}---\n{HEAD}", "mine.bu:3: "),
        (f"{HEAD}a: \x07\n", "mine.bu"),
        (f"{HEAD}storage: {{}}\npasswd: {{}}\nstorage: {{}}\n", "mine.bu:5: duplicate key storage"),
        (f"{HEAD}storage:\n  links: []\n  links: []\n", "mine.bu:5: duplicate key links"),
        (f"{HEAD}? [a, b]\n: c\n", "mine.bu:3: a key must be a plain scalar"),
    ],
)
def test_a_text_that_is_not_butane_is_refused_with_file_and_line(text: str, start: str) -> None:
    assert refused(text).startswith(start)


def test_the_nodes_of_the_whole_name_their_own_file_and_line() -> None:
    whole = assemble(
        [
            Fragment("a.bu", f"{HEAD}storage:\n  files:\n    - path: /a\n"),
            Fragment("b.bu", f"{HEAD}storage:\n  files:\n    - path: /b\n", (1, 2, 7, 8, 9)),
        ]
    ).root

    storage = whole.child("storage")
    files = storage.child("files") if storage else None
    assert files
    assert [(one.file, one.line) for one in files.items] == [("a.bu", 5), ("b.bu", 9)]
