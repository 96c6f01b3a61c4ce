"""The tree of errors is the one that its module draws, and messages tell no more than they may."""

import inspect
import re

import pytest

from leads import errors
from leads.errors import (
    DatabaseFault,
    FieldError,
    InvalidRequest,
    InvalidSettings,
    LeadsError,
    MissingSettings,
)


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    drawn: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        if match := re.match(r"( {4,}|[ │]*[├└]── )([A-Z]\w+)", line):
            drawn.append((len(match[1]) // 4, match[2]))
    parents: dict[str, str] = {}
    path: dict[int, str] = {}
    for depth, name in drawn:
        path[depth] = name
        parents[name] = path.get(depth - 1, "Exception")
    classes = [
        kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, LeadsError)
    ]
    assert parents == {kind.__name__: kind.__bases__[0].__name__ for kind in classes}


@pytest.mark.parametrize(
    "sqlstate",
    ["08006", "40001", "40P01", "53300", "55P03", "57P01", "57014", None]
    # A failover, an idle transaction, a token, a limit, a disk, a server's own error, an unknown one.
    + ["25006", "25P03", "28000", "54000", "58030", "XX000", "99999"],
)
def test_a_fault_of_the_database_that_may_pass_is_transient(sqlstate: str | None) -> None:
    assert DatabaseFault(sqlstate).transient


@pytest.mark.parametrize("sqlstate", ["22001", "22P02", "23505", "23514", "42501", "42P01"])
def test_a_fault_of_the_database_that_would_come_again_is_not_transient(sqlstate: str) -> None:
    assert not DatabaseFault(sqlstate).transient


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (DatabaseFault("23505"), "database error 23505"),
        (DatabaseFault("23505", "dossier_pkey"), "database error 23505 on dossier_pkey"),
        (DatabaseFault(None, "dossier_pkey"), "the database cannot be reached"),
    ],
)
def test_a_fault_of_the_database_is_named_by_its_code(fault: DatabaseFault, message: str) -> None:
    assert str(fault) == message


def test_missing_settings_names_all_variables() -> None:
    assert str(MissingSettings(["A", "B"])) == "missing from the environment: A, B"


def test_invalid_settings_states_the_problem() -> None:
    assert str(InvalidSettings("A must be b")) == "invalid in the environment: A must be b"


def test_an_invalid_request_repeats_its_faults_in_its_detail() -> None:
    faults = [FieldError("limit", "Too many."), FieldError("status", "Unknown.")]
    error = InvalidRequest.of(faults)
    assert (str(error), error.errors) == ("Too many; Unknown.", tuple(faults))
    assert InvalidRequest("No file.").errors == ()
