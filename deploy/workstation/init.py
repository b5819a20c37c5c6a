"""Make an operator's folder: the settings and files of one project, apart from the checkout."""

import os
import re
import shlex
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from deploy.console import output, prompt
from deploy.errors import DeployError
from deploy.settings.model import allowed
from deploy.settings.types import Label
from deploy.workstation.files import write_atomically

_CHECKOUT = Path(__file__).parents[2]
_PAGE = _CHECKOUT / "container/sample/files/index.html"
_FOLDERS = ("butane/overlays", "hooks", "certs")
# Pinned host keys (certs/known_hosts) and people's public keys (certs/access) are no secrets.
_IGNORED = "/.env\n/.env.*\n/build/\n/state/\n/certs/material/\n__pycache__/\n"
# In place of the example's values for the sample app: what fits an image not made for corefab.
_ORDINARY = {
    "PROJECT_FILES": "files",
    "HEALTH_PATH": "/",
    "NOTIFY": "false",
    "WATCHDOG_SECONDS": "0",
    "RELOAD_SIGNAL": "",
    "SMTP_HOST": "",
}
_FABFILE = '''"""corefab's commands for this folder, made by `fab init`."""

import runpy
import sys
from pathlib import Path

# The checkout of corefab; when it has moved, write its new place here.
COREFAB = Path({checkout!r})

if not (COREFAB / "fabfile.py").is_file():
    sys.exit(f"{{COREFAB}} is no checkout of corefab: set COREFAB in {{__file__}}")
sys.path.insert(0, str(COREFAB))
ns = runpy.run_path(str(COREFAB / "fabfile.py"))["collect"](Path(__file__).parent)
'''


def init(folder: Path, *, project: str = "") -> None:
    """Make the folder's files; PROJECT is asked for if it is not given.

    Raises:
        DeployError: for a PROJECT that cannot be, or a file that is there; nothing is written then.
    """
    files = _files(_chosen(project))
    _refuse_existing(folder, files)
    for name, content in files.items():
        write_atomically(folder / name, content, 0o600 if name == ".env" else 0o644)
    for name in _FOLDERS:
        (folder / name).mkdir(parents=True, exist_ok=True)
    output.good(f"{folder} is ready")
    output.say(f"next: cd {shlex.quote(str(folder))}, edit .env, then fab prepare")


def _chosen(project: str) -> str:
    if not project and not prompt.has_terminal():
        raise DeployError("no PROJECT is given", "give one with --project, such as shop")
    project = project or prompt.ask(f"PROJECT ({allowed('PROJECT')})")
    try:
        return str(TypeAdapter(Label).validate_python(project))
    except ValidationError as error:
        raise DeployError(
            f'PROJECT is "{project}"; allowed: {allowed("PROJECT")}', "choose another --project"
        ) from error


def _files(project: str) -> dict[str, bytes]:
    return {
        ".env": _settings(project).encode(),
        ".gitignore": _IGNORED.encode(),
        "files/index.html": _PAGE.read_bytes(),
        "fabfile.py": _FABFILE.format(checkout=str(_CHECKOUT)).encode(),
    }


def _settings(project: str) -> str:
    text = (_CHECKOUT / ".env.example").read_text(encoding="utf-8")
    for key, value in {"PROJECT": project, **_ORDINARY}.items():
        text = re.sub(rf"^{key}=.*$", f"{key}={value}", text, flags=re.MULTILINE)
    # The sample app's variables are an example here.
    return re.sub(r"^(?=ENV_)", "# ", text, flags=re.MULTILINE)


def _refuse_existing(folder: Path, files: dict[str, bytes]) -> None:
    if os.path.lexists(folder) and not folder.is_dir():
        raise DeployError(f"{folder} is not a folder", "choose another folder")
    found = [folder / name for name in files if os.path.lexists(folder / name)]
    found += [
        path for path in map(folder.joinpath, _FOLDERS) if path.exists() and not path.is_dir()
    ]
    if found:
        raise DeployError(
            f"already there: {', '.join(map(str, found))}; nothing was written",
            "choose another folder, or move these away",
        )
