"""Check that row-level security holds by itself, without the statements' own filters."""

import pytest

from leads.errors import DatabaseFault
from tests.support.service import Caller, Service

TABLES = ("dossier", "import_job", "export_job")
CSV = "name,phone,source\nA,0612345678,web\n"


@pytest.mark.parametrize("table", TABLES)
def test_role_with_an_organisation_sees_its_rows_only(service: Service, table: str) -> None:
    own, other = Caller(), Caller()
    for caller in (own, other):
        service.import_csv(caller, CSV)
        service.export_csv(caller)
    update = f"UPDATE {table} SET created_by = 'x' WHERE org_id = :org RETURNING id"  # noqa: S608
    with service.app() as connection:
        with connection.transaction(own.org):
            seen = connection.query(f"SELECT DISTINCT org_id FROM {table}")  # noqa: S608
            changed = connection.query(update, org=other.org)
        with connection.transaction():
            unnamed = connection.query_value(f"SELECT count(*) FROM {table}")  # noqa: S608
    assert [list(row) for row in seen] == [[own.org]]
    assert changed == []
    assert unnamed == 0


def test_role_cannot_write_for_another_organisation(service: Service, caller: Caller) -> None:
    with (
        service.app() as connection,
        connection.transaction(caller.org),
        pytest.raises(DatabaseFault) as fault,
    ):
        connection.query("INSERT INTO dossier (org_id, name) VALUES ('another', 'A')")
    assert fault.value.sqlstate == "42501"


def test_role_owns_nothing_and_cannot_delete(service: Service, caller: Caller) -> None:
    with service.app() as connection:
        owned = connection.query_value(
            "SELECT count(*) FROM pg_class WHERE pg_get_userbyid(relowner) = 'leads_app'"
        )
        assert owned == 0
        for table in TABLES:
            with pytest.raises(DatabaseFault) as fault:
                connection.query(f"DELETE FROM {table}")  # noqa: S608
            assert fault.value.sqlstate == "42501"


def test_role_has_the_limits_that_end_a_dead_session(service: Service) -> None:
    limits = {
        "tcp_keepalives_idle": "20",
        "tcp_keepalives_interval": "5",
        "tcp_keepalives_count": "3",
        "tcp_user_timeout": "35000",
        "client_connection_check_interval": "10s",
        "idle_in_transaction_session_timeout": "55s",
    }
    with service.app() as connection:
        assert {name: connection.query_value(f"SHOW {name}") for name in limits} == limits
