"""Cut an organisation's jobs into pages, newest first."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol, TypeVar

from leads.domain.job_status import JobStatus


class _Job(Protocol):
    @property
    def id(self) -> int: ...


_ABOVE_ALL_IDS: Final = 2**63 - 1
"""The largest bigint: the first page has no bound."""

_AnyJob = TypeVar("_AnyJob", bound=_Job)


@dataclass(frozen=True, slots=True)
class JobPage:
    """At most `limit` jobs with ids below `before`, of one status if `status` is given."""

    limit: int
    before: int | None = None
    status: JobStatus | None = None

    @property
    def id_bound(self) -> int:
        """Return the id below which the page's jobs are, on the first page one above all ids."""
        return _ABOVE_ALL_IDS if self.before is None else self.before

    def with_one_more(self) -> "JobPage":
        """Return the page with one more job, which tells whether another page follows."""
        return replace(self, limit=self.limit + 1)

    def cut(self, jobs: Sequence[_AnyJob]) -> tuple[list[_AnyJob], int | None]:
        """Cut the jobs of `with_one_more` to this page, and return the `before` of the next page, if any."""
        page = list(jobs[: self.limit])
        return page, page[-1].id if len(jobs) > self.limit else None
