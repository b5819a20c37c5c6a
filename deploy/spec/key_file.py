"""Read files of SSH public keys, and say what is wrong with a line that is no key."""

from pathlib import Path

from deploy.errors import DeployError
from deploy.settings.encoding import not_utf8
from deploy.spec.access_key import AUTHORITY, EXPIRY_OPTION, AccessKey, is_ignored, read_key
from deploy.spec.key_blob import KINDS, SIGNATURES

# How files begin that hold no key as ssh-keygen writes it: what they are, and what to do.
_FORMATS = {
    "---- BEGIN SSH2 PUBLIC KEY": (
        "a public key in the format of RFC 4716", "convert it: `ssh-keygen -i -f FILE >NEW.pub`"
    ),
    "-----BEGIN PUBLIC KEY": (
        "a public key in PEM", "convert it: `ssh-keygen -i -m PKCS8 -f FILE >NEW.pub`"
    ),
    "-----BEGIN RSA PUBLIC KEY": (
        "a public key in PEM", "convert it: `ssh-keygen -i -m PEM -f FILE >NEW.pub`"
    ),
    "-----BEGIN": ("a private key or a certificate", "name the .pub file of the key"),
    "PuTTY-User-Key-File": (
        "a private key of PuTTY", "export its public key: `ssh-keygen -y -f KEY >KEY.pub`"
    ),
}  # fmt: skip
_MAKE_ONE = "make a key with `ssh-keygen -t ed25519`, and give its .pub file"


def read_key_file(path: Path, *, any_kind: bool = False) -> tuple[AccessKey, ...]:
    """Read every key of a public key file; with `any_kind` also those that no node lets in.

    Raises:
        DeployError: when the file cannot be read, or naming the line that is not a public key.
    """
    found, problems = read_good_keys(path, any_kind=any_kind)
    if problems:
        raise problems[0]
    return found


def read_good_keys(
    path: Path, *, any_kind: bool = False
) -> tuple[tuple[AccessKey, ...], tuple[DeployError, ...]]:
    """Read the keys of a public key file, and what is wrong with its other lines."""
    if path.is_fifo() or path.is_char_device() or path.is_block_device():
        # Its reader could wait for ever, or read without end.
        return (), (DeployError(f"{path} is not a file", "name the .pub file of a key"),)
    try:
        data = path.read_bytes()
    except OSError as error:
        problem = DeployError(
            f"{path} cannot be read: {error.strerror}", "check the path and its permissions"
        )
        problem.__cause__ = error
        return (), (problem,)
    what, hint = not_utf8(str(path), data)
    if what:
        return (), (DeployError(f"{path} cannot be read: {what}", hint),)
    lines = data.decode("utf-8-sig").split("\n")
    found: list[AccessKey] = []
    problems: list[DeployError] = []
    for number, line in enumerate(lines, 1):
        if is_ignored(line):
            continue
        if read := _file_format(line):
            what, hint = read
            return tuple(found), (*problems, DeployError(f"{path}:{number}: {what}", hint))
        key = read_key(line)
        what, hint = _problem(line, key, any_kind=any_kind)
        if key and not what:
            found.append(key)
        else:
            problems.append(DeployError(f"{path}:{number}: {what}", hint))
    return tuple(found), tuple(problems)


def _file_format(line: str) -> tuple[str, str] | None:
    return next((found for start, found in _FORMATS.items() if line.startswith(start)), None)


def _problem(line: str, key: AccessKey | None, *, any_kind: bool) -> tuple[str, str]:
    """Say why a line of a key file is refused, and what to do; empty when it is not."""
    if key is None:
        kind = next((word for word in line.split() if _is_kind(word)), "")
        if kind:
            return f"not a whole {kind} key: it is damaged or cut short", "copy the file again"
        return "not an SSH public key", _MAKE_ONE
    if key.options not in {"", AUTHORITY, key.until(key.expires).options}:
        names = [name for name in key.option_names if name != EXPIRY_OPTION]
        if not names:
            return (
                "a key with an expiry-time in another form than YYYYMMDDHHMMZ",
                'write it as in expiry-time="203012312359Z"',
            )
        return (
            f"a key with options other than expiry-time: {', '.join(names)}",
            "remove them; a file of your own in authorized_keys.d, by an overlay, may have any",
        )
    if any_kind or not key.problem:
        return "", ""
    hint = "name the .pub file beside it" if "certificate" in key.problem else _MAKE_ONE
    return key.problem, hint


def _is_kind(word: str) -> bool:
    return word in KINDS or any(word in names for names in SIGNATURES.values())
