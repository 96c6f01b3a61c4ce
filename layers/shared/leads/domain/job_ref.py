"""Identify a job, whichever table it is in."""

from typing import Final, NamedTuple

IMPORT_TABLE: Final = "import_job"
EXPORT_TABLE: Final = "export_job"


class JobRef(NamedTuple):
    """One row of a table of jobs. Ids count per table, so the table belongs to the identity."""

    table: str
    org_id: str
    id: int

    def __str__(self) -> str:
        return f"{self.table} {self.id}"


def import_ref(org_id: str, id: int) -> JobRef:
    """Return the identity of an import."""
    return JobRef(IMPORT_TABLE, org_id, id)


def export_ref(org_id: str, id: int) -> JobRef:
    """Return the identity of an export."""
    return JobRef(EXPORT_TABLE, org_id, id)
