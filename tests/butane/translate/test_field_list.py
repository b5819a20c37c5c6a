from butane.translate.field_list import field_table
from tests.root import ROOT

PAGE = ROOT / "docs" / "butane.md"


def test_the_documentation_lists_the_fields_of_the_table() -> None:
    assert PAGE.read_text().endswith(field_table()), "run scripts/butane-fields"


def test_fields_carry_the_versions_that_have_them() -> None:
    lines = field_table().splitlines()

    assert "| `storage.files[].contents.inline` * | text | all |" in lines
    assert "| `grub.users[].name` * | text | from 1.5.0 |" in lines
    assert "| `systemd.quadlets[].name` * | text | from 1.8.0-experimental |" in lines
    assert "| `storage.links[].target` | text | all |" in lines
