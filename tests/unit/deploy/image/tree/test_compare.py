"""Whatever differs between the image built and the one on a node is told, and nothing else."""

import pytest

from deploy.image.tree.compare import compare
from deploy.image.tree.entries import Entry, nanoseconds
from deploy.image.tree.tree import Node, Tree

FILE = Entry("a", "f", 0o644, 1, 2, "1000000000.5", sha256="s" * 64)


def tree(*entries: Entry, inode: int | None = None) -> Tree:
    numbered = enumerate(entries)
    return {one.path: Node(one, 0, inode or number) for number, one in numbered}


def told(built: Tree, seen: Tree) -> list[str]:
    return list(compare(built, seen))


def test_of_equals_nothing_is_told_however_the_time_is_written() -> None:
    assert told(tree(FILE), tree(FILE._replace(mtime="1000000000.500000000"))) == []


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (FILE._replace(mode=0o4644), "/a: mode 4644, not 0644"),
        (FILE._replace(uid=0), "/a: owner 0:2, not 1:2"),
        (FILE._replace(gid=0), "/a: owner 1:0, not 1:2"),
        (FILE._replace(mtime="1000000000.500000001"), "/a: time 1000000000.500000001, not "
         "1000000000.5"),
        (FILE._replace(xattrs=(("user.x", "1"),)), "/a: attribute user.x '1', not absent"),
        (FILE._replace(kind="p", sha256=""), "/a: is a fifo, not a file"),
    ],
)  # fmt: skip
def test_each_difference_is_told(seen: Entry, said: str) -> None:
    assert told(tree(FILE), tree(seen)) == [said]


def test_what_is_older_than_1970_is_of_1970_there_but_for_symbolic_links() -> None:
    old, there = FILE._replace(mtime="-1.5"), FILE._replace(mtime="0.0")

    assert told(tree(old), tree(there)) == []
    assert told(tree(old._replace(kind="l")), tree(old._replace(kind="l"))) == []
    assert told(tree(old), tree(there._replace(mtime="1.0"))) == ["/a: time 1.0, not -1.5"]


def test_other_content_is_told() -> None:
    for sha256, shown in (("t" * 64, "t" * 12), ("", "unread")):
        assert told(tree(FILE), tree(FILE._replace(sha256=sha256))) == [
            f"/a: content {shown}, not {'s' * 12}"
        ]


def test_what_is_missing_and_what_is_too_much_is_told() -> None:
    more = FILE._replace(path="b\n", kind="d")

    assert told(tree(FILE), tree()) == ["/a: a file, is missing"]
    assert told(tree(FILE), tree(FILE, more)) == ["/b\\n: a folder, is not in the image"]


def test_the_label_that_the_node_itself_gives_is_no_difference() -> None:
    seen = FILE._replace(xattrs=(("security.selinux", "container_file_t"),))

    assert told(tree(FILE), tree(seen)) == []


def test_a_time_that_each_unpacking_makes_anew_is_no_difference() -> None:
    implied, root = Entry("d", "d", 0o755), Entry("", "d", 0o555, mtime="5")
    seen = (implied._replace(mtime="77"), root._replace(mtime="78"))

    assert told(tree(implied, root), tree(*seen)) == []
    assert told(tree(implied), tree(implied, root._replace(mode=0o700))) == [
        "/: mode 0700, not 0555"
    ]


def test_what_layers_say_of_the_root_is_no_difference() -> None:
    said = Entry("", "d", 0o700, uid=5, xattrs=(("user.colour", "red"),))

    assert told(tree(FILE, said), tree(FILE, Entry("", "d", 0o555))) == []


def test_hard_links_that_were_parted_or_joined_are_told() -> None:
    two = (FILE, FILE._replace(path="b"))

    assert told(tree(*two, inode=7), tree(*two)) == [
        "/a: without hard links, not one file with /a, /b",
        "/b: without hard links, not one file with /a, /b",
    ]
    assert len(told(tree(*two), tree(*two, inode=7))) == 2


@pytest.mark.parametrize(
    ("text", "count"),
    [("1", 10**9), ("1.5", 1_500_000_000), ("-1.5", -1_500_000_000), ("0.000000001", 1),
     ("1.1234567899", 1_123_456_789), ("", None)],
)  # fmt: skip
def test_times_are_read_to_the_nanosecond(text: str, count: int | None) -> None:
    assert nanoseconds(text) == count
