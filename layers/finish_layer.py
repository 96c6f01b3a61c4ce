"""Finish the built layer: remove the files that no function reads, and compile the others.

    python3.13 layers/finish_layer.py .aws-sam/build/SharedLayer/python

It is the last step of `make build`, and it shortens each cold start. botocore has descriptions of all AWS
services, which it lists to find one, and a manual of each operation. Lambda mounts a layer read-only, so
Python could not store the compiled modules and would compile them at each start.

The script runs on the functions' Python version, so it imports only the standard library.
"""

import compileall
import gzip
import json
import shutil
import sys
from pathlib import Path
from py_compile import PycInvalidationMode
from typing import Final

SERVICES: Final = frozenset({"s3"})
"""Services that the functions create clients of. In the deployed layer botocore knows no others."""


def finish_layer(python: Path) -> None:
    """Slim and compile the libraries in a folder.

    Raises:
        FileNotFoundError: The folder has no botocore.
        RuntimeError: A module does not compile.
    """
    slim_descriptions(python / "botocore" / "data")
    # A layer's files lose their time stamps, so Python must not compare them.
    compiled = compileall.compile_dir(
        python,
        quiet=1,
        force=True,
        invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
        stripdir=python,
    )
    if not compiled:
        raise RuntimeError("the layer does not compile")


def slim_descriptions(data: Path) -> None:
    """Remove the data that a client of one of SERVICES does not need from botocore's."""
    for folder in [path for path in data.iterdir() if path.is_dir() and path.name not in SERVICES]:
        shutil.rmtree(folder)
    endpoints = data / "endpoints.json"
    regions = json.loads(endpoints.read_text())
    for partition in regions["partitions"]:
        partition["services"] = {
            name: service for name, service in partition["services"].items() if name in SERVICES
        }
    _write(endpoints, regions)
    for service in SERVICES:
        for packed in (data / service).glob("*/*.json.gz"):
            _write(packed.with_suffix(""), _without_manual(json.loads(gzip.decompress(packed.read_bytes()))))
            packed.unlink()
        for examples in (data / service).glob("*/examples-*.json"):
            examples.unlink()


def _without_manual(description: object) -> object:
    if isinstance(description, list):
        return [_without_manual(item) for item in description]
    if isinstance(description, dict):
        # Emptied, not removed: some are required. A member named documentation would be a dict, and stays.
        return {
            name: "" if name == "documentation" and isinstance(value, str) else _without_manual(value)
            for name, value in description.items()
        }
    return description


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, separators=(",", ":")))


if __name__ == "__main__":
    finish_layer(Path(sys.argv[1]))
