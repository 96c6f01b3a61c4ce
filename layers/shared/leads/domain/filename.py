"""The name of an imported file, as the history shows it."""

import re
from typing import Final

FILENAME_LENGTH: Final = 255
"""Characters of a file's name: what file systems allow (our API)."""

_UNNAMED: Final = "upload.csv"


def clean_filename(name: str) -> str:
    """The name without folders, characters that do not print, and what exceeds FILENAME_LENGTH."""
    base = re.split(r"[/\\]", name)[-1]
    printable = "".join(character for character in base if character.isprintable()).strip()
    return printable[:FILENAME_LENGTH] or _UNNAMED
