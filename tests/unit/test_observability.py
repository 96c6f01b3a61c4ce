"""The place of an error may be logged, its message must not."""

from leads.observability import stack_without_message


def fail() -> None:
    raise ValueError("0612345678")


def test_stack_without_message_has_only_places() -> None:
    try:
        fail()
    except ValueError as error:
        stack = stack_without_message(error)
    assert [line.split()[-1] for line in stack] == ["test_stack_without_message_has_only_places", "fail"]
    assert all("test_observability.py:" in line for line in stack)
    assert "0612345678" not in "".join(stack)


def test_stack_of_unraised_error_is_empty() -> None:
    assert stack_without_message(ValueError("0612345678")) == []
