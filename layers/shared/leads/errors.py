"""Every error that this project raises on purpose.

    LeadsError
    ├── SettingsError           the environment is not as template.yaml sets it
    │   ├── MissingSettings     a variable is missing or empty
    │   └── InvalidSettings     the value of a variable cannot be used
    ├── InvalidRequest          the caller's input cannot be used                  400
    ├── Unauthenticated         the request carries no verified token              401
    ├── Forbidden               the token does not allow it                        403
    ├── NotFound                this caller may see nothing of that name           404
    ├── KeyReused               the Idempotency-Key belongs to another request     409
    ├── FileTooLarge            the file exceeds what one request may carry        413
    ├── UnsupportedMediaType    the route does not accept a body of this type      415
    ├── InvalidFile             the file as a whole cannot be imported             400, the job FAILED
    ├── NotAnswered             CloudFormation's address did not accept the answer
    └── ServiceFault            an internal fault, not the caller's                500
        ├── DatabaseFault       Postgres refused, failed or was unreachable        500
        ├── MigrationFailed     the schema stays as it was                         500
        ├── JobLocked           another run, alive or dead, has the job's lock     500
        │   └── JobRunning      that run is alive: this one has nothing to do      500
        ├── OrganisationBusy    other imports held the organisation's lock: tried again, then FAILED
        ├── ImportTooLong       the run's time does not suffice: FAILED
        └── ExportTooLong       the run's time does not suffice: handed over, or FAILED

The numbers are the HTTP statuses of web/resolver.py. A message is written for the person who receives it. It
says what to do, and never holds SQL, a stack trace or the content of a cell that it is not about.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from leads.domain.failure_code import FailureCode


class LeadsError(Exception):
    """The root. `str(error)` is safe for the person who caused or meets the error."""


def safe_text(error: BaseException) -> str:
    """Return the part of an error that may be logged: its text, or only its type.

    Only texts of this project are known to hold no personal data. Those of other libraries may hold a row.
    """
    return str(error) if isinstance(error, LeadsError) else type(error).__name__


class SettingsError(LeadsError):
    """The environment cannot be read into settings, so the function cannot work."""


class MissingSettings(SettingsError):
    """Variables of the environment are missing or empty. The message names them all."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(f"missing from the environment: {', '.join(names)}")


class InvalidSettings(SettingsError):
    """A variable of the environment has a value that cannot be used. The message says what it must be."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"invalid in the environment: {problem}")


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field of a request and its fault."""

    field: str
    message: str


class InvalidRequest(LeadsError):
    """A request that cannot be carried out as it was sent."""

    def __init__(self, detail: str, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail)
        self.errors = tuple(errors)

    @classmethod
    def of(cls, errors: Sequence[FieldError]) -> "InvalidRequest":
        """Combine all faults of a request. The detail repeats them for clients that read nothing else."""
        *others, last = (error.message for error in errors)
        return cls("; ".join([*(message.removesuffix(".") for message in others), last]), errors)


class Unauthenticated(LeadsError):
    """The event carries no verified token. API Gateway refuses it, `sam local start-api` does not."""


class Forbidden(LeadsError):
    """The caller is known and must not do this."""


class NotFound(LeadsError):
    """Something that does not exist, or belongs to another organisation. The answer is the same for both."""


class KeyReused(LeadsError):
    """An Idempotency-Key that was used before with different parameters."""


class FileTooLarge(LeadsError):
    """A file larger than one request may carry."""


class UnsupportedMediaType(LeadsError):
    """A request body of a type that this route does not accept."""


class InvalidFile(LeadsError):
    """The file as a whole cannot be imported, so nothing of it is."""

    def __init__(self, code: FailureCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class NotAnswered(LeadsError):
    """CloudFormation's address did not accept an answer: the stack will time out and roll back."""


class ServiceFault(LeadsError):
    """An internal fault. Its cause is chained, and is logged where it is handled."""


class JobLocked(ServiceFault):
    """Another run holds the job's lock, or a dead run's connection still does."""


class JobRunning(JobLocked):
    """The run that holds the job's lock is working on the job."""


class DatabaseFault(ServiceFault):
    """An error of Postgres without its message, which may hold a row.

    `sqlstate` is None if Postgres did not answer.
    """

    # Classes of SQLSTATE (PostgreSQL, appendix A): data exceptions, integrity, syntax and access rights.
    _PERMANENT_CLASSES = ("22", "23", "42")

    def __init__(self, sqlstate: str | None, subject: str = "") -> None:
        about = f" on {subject}" if subject else ""
        super().__init__(
            f"database error {sqlstate}{about}" if sqlstate else "the database cannot be reached"
        )
        self.sqlstate = sqlstate

    @property
    def unreachable(self) -> bool:
        """True if Postgres did not answer, is shutting down or starting, or has no free connection."""
        return self.sqlstate is None or self.sqlstate.startswith("57P0") or self.sqlstate == "53300"

    @property
    def transient(self) -> bool:
        """True if the same statement may succeed later: always, unless the statement itself is at fault.

        The classes 25 (a writer that became a reader, a transaction that idled), 28 (an expired token), 54
        (a limit), 58 (the server's disk) and XX (an internal error) may pass, and so may unlisted classes.
        0A, an unsupported feature, does not pass and costs three attempts. Of the two mistakes about an
        unlisted class, failing a file for good is the worse one.
        """
        return self.sqlstate is None or not self.sqlstate.startswith(self._PERMANENT_CLASSES)


class MigrationFailed(ServiceFault):
    """A migration that did not succeed. Its changes were rolled back."""


class OrganisationBusy(ServiceFault):
    """Other imports held the organisation's lock until this run had no time remaining."""


class ImportTooLong(ServiceFault):
    """An import that cannot be finished within its run's time."""


class ExportTooLong(ServiceFault):
    """An export that cannot be finished within its run's time."""
