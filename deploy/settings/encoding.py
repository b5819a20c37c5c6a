"""Say why a file is not UTF-8 text, and what to type."""

_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def not_utf8(file: str, data: bytes) -> tuple[str, str]:
    """Return what is wrong with the bytes of a file that are not UTF-8 text, and a hint."""
    # Without a mark, every other byte of ASCII text is a zero.
    if data.startswith(_UTF16) or b"\0" in data[:2]:
        return (
            "UTF-16 text, as PowerShell and Notepad may write it, not UTF-8",
            f"iconv -f UTF-16 -t UTF-8 {file} >{file}.new && mv {file}.new {file}",
        )
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return f"not UTF-8 text (byte {error.start})", "save it as UTF-8"
    return "", ""
