import json

from butane.translate.translation import translate

HEAD = "variant: fcos\nversion: 1.7.0\n"


def test_a_file_becomes_ignition_with_its_contents_as_a_data_url() -> None:
    file = "{path: /etc/motd, mode: 0644, contents: {inline: hi}}"
    text = f"{HEAD}storage:\n  files:\n    - {file}\n"

    result = translate(text)

    assert result.reports == ()
    assert json.loads(result.ignition or "") == {
        "ignition": {"version": "3.6.0"},
        "storage": {
            "files": [
                {
                    "path": "/etc/motd",
                    "contents": {"compression": "", "source": "data:,hi"},
                    "mode": 0o644,
                }
            ]
        },
    }


def test_an_error_withholds_the_result_and_says_where() -> None:
    result = translate(HEAD + "storage:\n  files:\n    - path: etc/motd\n", name="node.bu")

    assert result.ignition is None
    (report,) = result.reports
    assert (report.kind, report.path, report.line, report.column) == (
        "error",
        "$.storage.files.0.path",
        5,
        13,
    )
    assert "--> node.bu:5:13" in report.excerpt


def test_a_warning_withholds_the_result_only_when_strict() -> None:
    text = HEAD + "storage:\n  file: []\n"

    assert translate(text).ignition is not None
    assert translate(text, strict=True).ignition is None
    assert [each.message for each in translate(text).reports] == ["unused key file"]
