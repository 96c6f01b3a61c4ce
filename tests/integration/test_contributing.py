"""Execute the examples of tests that the documents show."""

import re

import pytest

from tests.support.service import ROOT, Caller, Service


@pytest.mark.parametrize("document", ["CONTRIBUTING.md", "tests/README.md"])
def test_worked_example_passes(service: Service, caller: Caller, document: str) -> None:
    (source,) = re.findall(r"```python\n(.*?)```", (ROOT / document).read_text(), re.DOTALL)
    module: dict[str, object] = {}
    exec(compile(source, document, "exec"), module)  # noqa: S102 (our own document)
    tests = [value for name, value in module.items() if name.startswith("test_") and callable(value)]
    assert len(tests) == 1
    for test in tests:
        test(service, caller)
