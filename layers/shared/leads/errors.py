"""Every error that this project raises on purpose.

    LeadsError
    ├── SettingsError           the environment is not as template.yaml sets it
    │   ├── MissingSettings     a variable is missing or empty
    │   └── InvalidSettings     the value of a variable cannot be used
    ├── InvalidRequest          the caller's input cannot be used          400
    ├── Unauthenticated         nobody is signed in                        401
    ├── Forbidden               the token does not allow it                403
    ├── NotFound                nothing there that this caller may see     404
    ├── KeyReused               an Idempotency-Key of another request      409
    ├── FileTooLarge            more than one request may carry            413
    ├── UnsupportedMediaType    a body of a type that is not taken         415
    ├── InvalidFile             the file as a whole is no usable CSV       400, the job FAILED
    ├── NotAnswered             CloudFormation's address took no answer
    └── ServiceFault            ours, not the caller's                     500
        ├── DatabaseFault       Postgres refused, failed or went away      500
        ├── MigrationFailed     the schema stays as it was                 500
        ├── JobLocked            a run has the same job, dead or alive       500
        │   └── JobRunning       and it is alive: nothing is left to do      500
        ├── OrganisationBusy    its turn did not come: tried again later, then FAILED
        ├── ImportTooLong       its run has no more time: FAILED
        └── ExportTooLong       its run has no more time: handed over, or FAILED

The numbers are the HTTP statuses of web/resolver.py. A message is written for the person who gets it: it says
what to do, and never holds SQL, a stack trace or the content of a cell that it is not about.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from leads.domain.failure_code import FailureCode


class LeadsError(Exception):
    """The root: `str(error)` is fit for the person who caused or met it."""


def safe_text(error: BaseException) -> str:
    """Return what may be logged of an error: our own text, or the type of an error of another library."""
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
    """One field of a request and what is wrong with it."""

    field: str
    message: str


class InvalidRequest(LeadsError):
    """A request that cannot be carried out as it was sent."""

    def __init__(self, detail: str, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail)
        self.errors = tuple(errors)

    @classmethod
    def of(cls, errors: Sequence[FieldError]) -> "InvalidRequest":
        """All the faults of a request at once; the detail repeats them for who reads only that."""
        *others, last = (error.message for error in errors)
        return cls("; ".join([*(message.removesuffix(".") for message in others), last]), errors)


class Unauthenticated(LeadsError):
    """The event carries no verified token: the gateway lets none through, `sam local start-api` does."""


class Forbidden(LeadsError):
    """The caller is known and may not do this."""


class NotFound(LeadsError):
    """Nothing there, or nothing that this caller's organisation may see: the two are not told apart."""


class KeyReused(LeadsError):
    """An Idempotency-Key that came before with something else."""


class FileTooLarge(LeadsError):
    """A file larger than one request may carry."""


class UnsupportedMediaType(LeadsError):
    """A request body of a type that this route does not take."""


class InvalidFile(LeadsError):
    """The file as a whole cannot be imported: nothing of it is."""

    def __init__(self, code: FailureCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class NotAnswered(LeadsError):
    """CloudFormation's address did not take an answer: its stack waits for a timeout, then rolls back."""


class ServiceFault(LeadsError):
    """Something of ours failed; the cause is chained and logged where it is handled."""


class JobLocked(ServiceFault):
    """Another run has the job's lock, or a dead one's connection has it still."""


class JobRunning(JobLocked):
    """The run that has the job has been seen at work."""


class DatabaseFault(ServiceFault):
    """What Postgres answered, without its message: that may hold a row. `sqlstate` is None when it did not
    answer.
    """

    # Classes of SQLSTATE (PostgreSQL, appendix A): data, integrity, syntax and rights.
    _PERMANENT = ("22", "23", "42")

    def __init__(self, sqlstate: str | None, subject: str = "") -> None:
        about = f" on {subject}" if subject else ""
        super().__init__(
            f"database error {sqlstate}{about}" if sqlstate else "the database cannot be reached"
        )
        self.sqlstate = sqlstate

    @property
    def unreachable(self) -> bool:
        """Whether there was no database to talk to: it went away, starts, or has no connection left."""
        return self.sqlstate is None or self.sqlstate.startswith("57P0") or self.sqlstate == "53300"

    @property
    def transient(self) -> bool:
        """Whether the same statement may succeed when it is tried again: always, unless it is about what the
        statement says or does itself.

        So 25 (a writer that has become a reader, a transaction that idled), 28 (a token that had run out),
        54 (a limit), 58 (the server's disk) and XX (an error within the server) may pass, and what nobody
        has thought of, too. 0A, a feature that is missing, will not, and costs three attempts: of two
        mistakes about a state that is not listed, to give up a file for good is the worse one.
        """
        return self.sqlstate is None or not self.sqlstate.startswith(self._PERMANENT)


class MigrationFailed(ServiceFault):
    """A migration did not succeed; what it did was rolled back."""


class OrganisationBusy(ServiceFault):
    """Other imports of the organisation were under way for so long that this one's run is over."""


class ImportTooLong(ServiceFault):
    """The import cannot be finished within the time that its run has."""


class ExportTooLong(ServiceFault):
    """The export cannot be finished within the time that its run has."""
