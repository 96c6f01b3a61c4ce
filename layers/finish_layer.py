"""The last step of `make build`: takes out of the built layer what no function reads, and compiles the rest.

    python3.13 layers/finish_layer.py .aws-sam/build/SharedLayer/python

Each cold start would pay for both. botocore comes with the descriptions of all of AWS, which it lists to find
one, and with the manual of each operation. And Lambda mounts a layer read-only, so that Python would compile
it anew. It runs on the functions' own Python, so nothing but the standard library may be imported here.
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
"""Of which clients are made: botocore knows no others in the deployed functions."""


def finish_layer(python: Path) -> None:
    """Slims and compiles the libraries of a folder. Raises FileNotFoundError when botocore is not there, and
    RuntimeError for what does not compile.
    """
    slim_descriptions(python / "botocore" / "data")
    # Not by time stamps: those of a layer's files are not kept.
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
    """Leaves of botocore's data what a client of one of SERVICES is made from."""
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
        # Emptied, for some must be there. A member of that name would be a dict.
        return {
            name: "" if name == "documentation" and isinstance(value, str) else _without_manual(value)
            for name, value in description.items()
        }
    return description


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, separators=(",", ":")))


if __name__ == "__main__":
    finish_layer(Path(sys.argv[1]))
