"""Errors: the tree is the one that the module draws, and messages hold nothing that they must not."""

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


def test_tree_in_docstring_is_tree_of_classes() -> None:
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
    [
        None,
        "08006",
        "40001",
        "40P01",
        "53300",
        "55P03",
        "57P01",
        "57014",
        "25006",  # a failover
        "25P03",  # a transaction that idled
        "28000",  # an expired token
        "54000",  # a limit
        "58030",  # the server's disk
        "XX000",  # an internal error of the server
        "99999",  # an unknown state
    ],
)
def test_database_fault_that_may_pass_is_transient(sqlstate: str | None) -> None:
    assert DatabaseFault(sqlstate).transient


@pytest.mark.parametrize("sqlstate", ["22001", "22P02", "23505", "23514", "42501", "42P01"])
def test_database_fault_of_the_statement_is_permanent(sqlstate: str) -> None:
    assert not DatabaseFault(sqlstate).transient


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (DatabaseFault("23505"), "database error 23505"),
        (DatabaseFault("23505", "dossier_pkey"), "database error 23505 on dossier_pkey"),
        (DatabaseFault(None, "dossier_pkey"), "the database cannot be reached"),
    ],
)
def test_database_fault_is_named_by_its_sqlstate(fault: DatabaseFault, message: str) -> None:
    assert str(fault) == message


def test_missing_settings_names_all_variables() -> None:
    assert str(MissingSettings(["A", "B"])) == "missing from the environment: A, B"


def test_invalid_settings_states_the_problem() -> None:
    assert str(InvalidSettings("A must be b")) == "invalid in the environment: A must be b"


def test_invalid_request_repeats_faults_in_detail() -> None:
    faults = [FieldError("limit", "Too many."), FieldError("status", "Unknown.")]
    error = InvalidRequest.of(faults)
    assert (str(error), error.errors) == ("Too many; Unknown.", tuple(faults))
    assert InvalidRequest("No file.").errors == ()
