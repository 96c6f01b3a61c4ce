"""Starts a function as Lambda does, once for each environment, and tells what it found there.

    python -P tests/support/started_function.py app.handler < environments.json

It runs in the function's folder and its first environment, on the layer's path, and prints JSON: whether the
handler can be called, the routes of its resolver, and which variables our own code and Powertools read.
"""

import importlib
import json
import os
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

POWERTOOLS = "aws_lambda_powertools"
OURS = tuple(os.environ["PYTHONPATH"].split(os.pathsep))

read: dict[str, set[str]] = {"ours": set(), "powertools": set()}
_get = os._Environ.__getitem__


def _noting(environ: Any, name: Any) -> Any:
    reader = _reader(sys._getframe(1))
    if reader is not None:
        read[reader].add(name)
    return _get(environ, name)


def _reader(frame: FrameType | None) -> str | None:
    """Who asks: the first frame beyond `os` and the mapping that it is, which are frozen modules."""
    while frame is not None and frame.f_code.co_filename.startswith("<frozen"):
        frame = frame.f_back
    file = frame.f_code.co_filename if frame is not None else ""
    if f"/{POWERTOOLS}/" in file:
        return "powertools"
    return "ours" if file.startswith(OURS) else None


def _routes(module: Any) -> Iterator[tuple[str, str]]:
    for value in vars(module).values():
        if type(value).__module__.startswith(POWERTOOLS) and hasattr(value, "_static_routes"):
            for route in [*value._static_routes, *value._dynamic_routes]:
                yield route.method, route.openapi_path


def main() -> None:
    """Start the handler of the command line in each environment of stdin."""
    module_name, _, function = sys.argv[1].rpartition(".")
    os._Environ.__getitem__ = _noting  # type: ignore[method-assign]
    for environment in json.load(sys.stdin):
        os.environ.clear()
        os.environ.update(environment)
        sys.modules.pop(module_name, None)
        module = importlib.import_module(module_name)
    found = {
        "callable": callable(getattr(module, function, None)),
        "routes": sorted(_routes(module)),
        **{reader: sorted(names) for reader, names in read.items()},
    }
    print(json.dumps(found))  # noqa: T201


if __name__ == "__main__":
    main()
