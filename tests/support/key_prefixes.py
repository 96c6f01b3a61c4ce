"""The folders of the bucket, as leads.s3.keys has them."""

import inspect
from typing import Final

from leads.s3 import keys

_SAMPLES: Final[dict[object, object]] = {int: 1, str: "x"}


def _made_keys() -> list[str]:
    makers = [
        maker
        for name, maker in vars(keys).items()
        if name.endswith("_key") and not name.startswith(("_", "parse_")) and inspect.isfunction(maker)
    ]
    return [
        maker(*(_SAMPLES[one.annotation] for one in inspect.signature(maker).parameters.values()))
        for maker in makers
    ]


def _folder(key: str) -> str:
    return key.partition("/")[0] + "/"


KEY_PREFIXES: Final = {*map(_folder, _made_keys()), keys.DROP}
"""Of what we put, and of what partners do."""
