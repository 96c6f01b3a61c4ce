"""Make the name of an imported file safe to store and to display."""

import re
from typing import Final

FILENAME_LENGTH: Final = 255
"""Characters of a file name: as many as file systems allow (our API)."""

_UNNAMED: Final = "upload.csv"


def clean_filename(name: str) -> str:
    """Remove folders and characters that do not print, and cut the name at FILENAME_LENGTH."""
    base = re.split(r"[/\\]", name)[-1]
    printable = "".join(character for character in base if character.isprintable()).strip()
    return printable[:FILENAME_LENGTH] or _UNNAMED
