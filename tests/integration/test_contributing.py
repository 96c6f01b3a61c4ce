"""The example of a test in CONTRIBUTING.md is one that passes."""

import re

from tests.support.service import ROOT, Caller, Service


def test_worked_example_passes(service: Service, caller: Caller) -> None:
    (source,) = re.findall(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)
    module: dict[str, object] = {}
    exec(compile(source, "CONTRIBUTING.md", "exec"), module)  # noqa: S102 (our own document)
    tests = [value for name, value in module.items() if name.startswith("test_") and callable(value)]
    assert len(tests) == 1
    for test in tests:
        test(service, caller)
