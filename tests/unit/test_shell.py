"""The reader of shell scripts finds every word that starts something."""

import pytest

from tests.shell import functions, options, programs


@pytest.mark.parametrize(
    ("script", "started"),
    [
        ("", ""),
        ("a b c\n# x y\nd # e", "a d"),
        ("a; b && c || d | e & f", "a b c d e f"),
        ("a \\\n  b\nc", "a c"),
        ("X=1 Y=$(a b) c\nZ=2\nZ+=3 d", "a c d"),
        ('a \'x; y\' "x; $(b "$(c d)") y" \\; z', "b c a"),
        ('a "${X:-$(b)}" ${Y#"$(c)"} ${Z//;/&}', "b c a"),
        ("a $((1 + (2 * 3))) b\nc", "a c"),
        ("a <(b c) >(d) 2>/dev/null <<<x >&2 &>f 9<>g\ne", "a b d e"),
        ("if a; then b; elif ! c; then d; else e; fi\nf", "a b c d e f"),
        ("while IFS= read -r x; do a; done < <(b | c)", "read a b c"),
        ('for x in a b "$(c)"; do d; done; until e; do f; done', "c d e f"),
        ("case $(a) in\n  x | y) b ;;\n  *) c; d ;;\nesac\ne", "a b c d e"),
        ("f() { a; }\ng() {\n  b\n}\n( c; d ) | { e; }", "a b c d e"),
        ("{ a; } 2>b", "a"),
        ('"$tool" x; ${other} y', "$tool ${other}"),
        (
            "exec a; exec 9<>x; sudo -n b c; timeout 5s env X=1 d; command -v e",
            "exec a exec sudo b timeout env d command",
        ),
        ("[ -e x ] && [[ $y == z ]] || a", "[ [[ a"),
        ("f() {\n  [[ $x == y ]]\n}\na; b", "[[ a b"),
        ('[[ $x =~ ^(a|b)$ && "$(c d)" < e\n && h ]] || ! [[ f ]]; g', "[[ c [[ g"),
        ('a=(b "$(c d)"\n  e) f\ng h=(i) j; k=() l', "c f g l"),
        ("coproc a b", "coproc a"),
    ],
)
def test_what_a_script_starts_is_found(script: str, started: str) -> None:
    assert sorted(programs(script)) == sorted(started.split())


def test_the_options_that_programs_are_given_are_found() -> None:
    script = """
        a -b --c-d e --f=g "$(h --i)" -- --j
        podman --k image ls --l | timeout --m=1s podman image exists --n x
        podman run $x --o
        podman exec --p $x q --r
    """

    assert sorted(options(script)) == [
        ("a", "--c-d"),
        ("a", "--f"),
        ("h", "--i"),
        ("podman", "--k"),
        ("podman", "--l"),
        ("podman exec", "--p"),
        ("podman exec", "podman exec"),
        ("podman image exists", "--n"),
        ("podman image exists", "podman image exists"),
        ("podman run", "--o"),
        ("podman run", "podman run"),
        ("timeout", "--m"),
    ]


def test_the_functions_of_a_script_are_found() -> None:
    assert functions("a() { b; }\n  c() {\n}\nd x") == {"a", "c"}


def test_what_is_not_understood_is_not_passed_over() -> None:
    with pytest.raises(NotImplementedError, match="here-documents"):
        list(programs("a <<END\nb\nEND\n"))
