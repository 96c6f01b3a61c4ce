"""Load the named statements of sql/*.sql.

Each statement stands below a line `-- name: its_name`, which is aiosql's convention.
"""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

_NAME: Final = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


def statement(name: str) -> str:
    """Return the text of a named statement, comments included. Raises KeyError for an unknown name."""
    return _statements()[name]


@cache
def _statements() -> Mapping[str, str]:
    """Read every file once: they are small, and one cold start uses several of them."""
    named: dict[str, str] = {}
    for file in files(__package__).joinpath("sql").iterdir():
        if not file.name.endswith(".sql"):
            continue
        head, *parts = _NAME.split(file.read_text(encoding="utf-8"))
        if head:
            raise ValueError(f"{file.name} does not begin with a line -- name:")
        for name, text in zip(parts[::2], parts[1::2], strict=True):
            if name in named:
                raise ValueError(f"two statements have the name {name}")
            named[name] = text.strip()
    return named
