"""Check that a report holds the rows that were not imported, in file order, in batches of any size."""

import io
from collections.abc import Sequence
from itertools import cycle
from typing import IO, TYPE_CHECKING, NoReturn, cast

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from leads.errors import ServiceFault
from leads.formats.reader import LeadReader
from leads.formats.report import DUPLICATE_REASON, Outcome, ReportRow
from leads.import_engine.batches import Batch, FileLayout, ReadTask, read_batches
from leads.import_engine.report_writer import ReportWriter
from leads.s3 import multipart_writer
from leads.s3.bucket import Bucket
from tests.unit.fakes import NoConnection

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

KEY = "reports/acme/7/not_imported.csv"
NOT_STORED = "^S3 did not store an object$"
FILE = b"name,phone,source,notes\nAna,1,web,\nBo,,fax,\nCy,2,web,\n,,,\nDi,3,web,=x\nEd,3,web,y\n"
LEADS = {2: "Ana,1,web,", 4: "Cy,2,web,", 6: "Di,3,web,'=x", 7: "Ed,3,web,y"}
HEADER = "row,outcome,reason,name,phone,source,notes\r\n"


KEEPALIVE = NoConnection()


class BucketInMemory(Bucket):
    """Store objects in memory. No other call has a client."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def put(self, key: str, body: bytes | IO[bytes], content_type: str) -> str:
        assert key not in self.objects, "put twice"
        assert content_type == "text/csv; charset=utf-8"
        self.objects[key] = body if isinstance(body, bytes) else body.read()
        return "1"


class BucketThatRefuses(Bucket):
    """Refuse every object, whole or in parts."""

    def __init__(self) -> None:
        super().__init__(cast("S3Client", self), "bucket")

    def put_object(self, **_: object) -> NoReturn:
        raise ClientError({"Error": {"Code": "SlowDown"}}, "PutObject")

    def create_multipart_upload(self, **_: object) -> NoReturn:
        raise ClientError({"Error": {"Code": "SlowDown"}}, "CreateMultipartUpload")


def batches_of(file: bytes, chunk_rows: int = 2) -> tuple[FileLayout, list[Batch]]:
    layout, batches = read_batches(io.BytesIO(file), ReadTask(chunk_rows, may_skip=True))
    return layout, list(batches)


def duplicate(row: int) -> str:
    return f"{row},duplicate,{DUPLICATE_REASON},{LEADS[row]}\r\n"


ERROR = "3,error,Phone is required; Invalid source value: fax,Bo,,fax,\r\n"


def written(skipped: Sequence[int], file: bytes = FILE) -> str | None:
    """Return the report of a file of which these rows are skipped, all at once."""
    bucket = BucketInMemory()
    layout, batches = batches_of(file)
    with ReportWriter(bucket, KEY, layout.report_format, KEEPALIVE) as report:
        report.add(batches, skipped)
        assert bucket.objects == {}, "an object was stored before the end"
        stored = report.close()
        key = stored.key if stored else None
    assert list(bucket.objects) == ([key] if key else [])
    return bucket.objects[key].decode() if key else None


@pytest.mark.parametrize(
    "skipped", [[], [2], [4], [7], [2, 4], [6, 7], [2, 4, 6, 7]], ids=lambda rows: f"rows {rows}"
)
def test_report_lists_duplicates_and_faulty_rows_in_file_order(skipped: list[int]) -> None:
    lines = {row: duplicate(row) for row in skipped} | {3: ERROR}
    assert written(skipped) == HEADER + "".join(lines[row] for row in sorted(lines))


def test_file_without_rejected_rows_has_no_report() -> None:
    assert written([], b"name,phone,source\nAna,1,web\n") is None
    assert written([], b"name,phone,source\n") is None


def test_file_with_duplicates_alone_has_a_report() -> None:
    report = written([3], b"name,phone,source\nAna,1,web\nBo,1,web\n")
    assert report == f"row,outcome,reason,name,phone,source\r\n3,duplicate,{DUPLICATE_REASON},Bo,1,web\r\n"


def test_report_that_is_not_closed_is_not_stored() -> None:
    bucket = BucketInMemory()
    layout, batches = batches_of(FILE)

    def fail() -> None:
        with ReportWriter(bucket, KEY, layout.report_format, KEEPALIVE) as report:
            report.add(batches, [2])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert bucket.objects == {}


cells = st.sampled_from(["Ana", "06", "web", "", "=1", "a\nb", 'a"b'])
rows = st.sampled_from([["Ana", "06", "web"], ["=1", "06", "web"], ["", "06", "web"]]) | st.lists(
    cells, max_size=4
)
tables = st.lists(rows, max_size=30)
picks = st.lists(st.booleans(), min_size=1)


@given(tables, st.integers(1, 9), st.lists(st.integers(0, 5), min_size=1), picks)
def test_report_is_the_same_in_batches_and_merges_of_any_size(
    table: list[list[str]], chunk_rows: int, merges: list[int], picked: list[bool]
) -> None:
    quoted = ([f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in record] for record in table)
    text = "".join(",".join(record) + "\n" for record in quoted)
    file = f"name,phone,source\n{text}".encode()
    reader = LeadReader(io.BytesIO(file))
    reported: list[ReportRow] = []
    skipped: list[int] = []
    is_skipped = cycle(picked)
    for chunk in reader.chunks():
        for row, (record, lead) in enumerate(zip(chunk.records, chunk.leads, strict=True), start=2):
            if errors := [error.message for error in chunk.errors if error.row == row]:
                reported.append(ReportRow(row, Outcome.ERROR, "; ".join(errors), record))
            elif lead is not None and next(is_skipped):
                reported.append(ReportRow(row, Outcome.DUPLICATE, DUPLICATE_REASON, record))
                skipped.append(row)

    bucket = BucketInMemory()
    layout, waiting = batches_of(file, chunk_rows)
    with ReportWriter(bucket, KEY, layout.report_format, KEEPALIVE) as report:
        # The last merge has the remaining batches.
        for count in [*merges, len(waiting)]:
            merged, waiting = waiting[:count], waiting[count:]
            last = merged[-1].last_row if merged else 0
            report.add(merged, [row for row in skipped if row <= last])
            skipped = [row for row in skipped if row > last]
        stored = report.close()
        key = stored.key if stored else None
    form = reader.report_format
    expected = {KEY: b"".join([form.header(), *form.lines(reported)])} if reported else {}
    assert (key, bucket.objects) == (KEY if reported else None, expected)


def test_report_that_is_not_stored_raises_on_close() -> None:
    layout, batches = batches_of(FILE)
    with ReportWriter(BucketThatRefuses(), KEY, layout.report_format, KEEPALIVE) as report:
        report.add(batches, [2])
        report.add([], [])
        with pytest.raises(ServiceFault, match=NOT_STORED):
            report.close()


@pytest.mark.parametrize("call", ["add", "close"])
def test_fault_while_rows_are_written_is_raised_by_next_call(
    call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(multipart_writer, "PART_SIZE", 10)
    layout, batches = batches_of(FILE)
    with ReportWriter(BucketThatRefuses(), KEY, layout.report_format, KEEPALIVE) as report:
        report.add(batches, [])
        with pytest.raises(ServiceFault, match=r"^S3 did not take a part$"):
            report.close() if call == "close" else report.add([], [])


def test_fault_of_an_abandoned_report_hides_no_other_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(multipart_writer, "PART_SIZE", 10)
    layout, batches = batches_of(FILE)

    def fail() -> None:
        with ReportWriter(BucketThatRefuses(), KEY, layout.report_format, KEEPALIVE) as report:
            report.add(batches, [])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
