"""An error's place may be logged, its message may not."""

from leads.observability import stack_without_message


def fail() -> None:
    raise ValueError("0612345678")


def test_the_place_of_an_error_is_told_without_its_message() -> None:
    try:
        fail()
    except ValueError as error:
        stack = stack_without_message(error)
    assert [line.split()[-1] for line in stack] == [
        "test_the_place_of_an_error_is_told_without_its_message",
        "fail",
    ]
    assert all("test_observability.py:" in line for line in stack)
    assert "0612345678" not in "".join(stack)


def test_an_error_that_was_never_raised_has_no_place() -> None:
    assert stack_without_message(ValueError("0612345678")) == []
