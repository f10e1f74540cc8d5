"""The repository's public address, in one place; `python -m labutils address` writes it into every badge and setup cell."""

import re

from .profile import ROOT

REPOSITORY, BRANCH = "ORG/REPO", "main"

BADGE = re.compile(r"colab\.research\.google\.com/github/[\w.-]+/[\w.-]+/blob/[\w.-]+/notebooks")
SETTING = re.compile(r'REPOSITORY, BRANCH = (\\?)"[\w./-]+\\?", \\?"[\w.-]+\\?"')


def files():
    """This file, the README and the notebooks: every file that shows the address."""
    return [ROOT / "labutils" / "address.py", ROOT / "README.md", *sorted((ROOT / "notebooks").glob("*.ipynb"))]


def fill(repository: str = REPOSITORY, branch: str = BRANCH) -> list[str]:
    """Write the address into badges and setup cells; returns the names of the files that changed.

    Raises:
        ValueError: the repository is not of the form OWNER/NAME.
    """
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
        raise ValueError(f"{repository!r} is not of the form OWNER/NAME.")
    changed = []
    for path in files():
        old = path.read_text(encoding="utf-8")
        new = BADGE.sub(f"colab.research.google.com/github/{repository}/blob/{branch}/notebooks", old)
        new = SETTING.sub(lambda m: f'REPOSITORY, BRANCH = {m[1]}"{repository}{m[1]}", {m[1]}"{branch}{m[1]}"', new)
        if new != old:
            path.write_text(new, encoding="utf-8", newline="\n")
            changed.append(path.name)
    return changed
