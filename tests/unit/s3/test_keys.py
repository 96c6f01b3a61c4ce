"""Keys that are built are parsed again, and no other key is accepted."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from leads.domain.filename import FILENAME_LENGTH, clean_filename
from leads.domain.merge_strategy import MergeStrategy
from leads.domain.principal import is_org_id
from leads.s3.keys import (
    DROP,
    EXPORT_REQUESTS,
    IMPORTS,
    DropKey,
    JobKey,
    drop_result_key,
    export_key,
    export_request_key,
    import_key,
    parse_drop_key,
    parse_export_request_key,
    parse_upload_key,
    report_key,
)

LARGEST_ID = 2**63 - 1
org_ids = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", fullmatch=True)
WRONG_SUFFIX = "Only .csv and .csv.gz files are imported. Save this file as CSV and send it again."
WRONG_FOLDER = (
    "Files are imported from drop/acme/ and from its folders SKIP, OVERWRITE, CREATE_NEW. "
    "Choose one of these and send it again."
)


@given(org_ids, st.integers(1, LARGEST_ID))
def test_upload_key_is_parsed(org_id: str, job_id: int) -> None:
    assert parse_upload_key(import_key(org_id, job_id)) == JobKey(org_id, job_id)


@given(org_ids, st.integers(1, LARGEST_ID))
def test_export_request_key_is_parsed_and_no_other_key(org_id: str, export_id: int) -> None:
    key = export_request_key(org_id, export_id)
    assert parse_export_request_key(key) == JobKey(org_id, export_id)
    assert (parse_upload_key(key), parse_drop_key(key)) == (None, None)


def test_keys_contain_the_organisation() -> None:
    assert import_key("acme", 7) == "imports/acme/7/upload.csv"
    assert export_request_key("acme", 9) == "export-requests/acme/9.json"
    assert export_key("acme", 9, "leads.csv") == "exports/acme/9/leads.csv"
    assert report_key("acme", 7) == "reports/acme/7/not_imported.csv"
    assert drop_result_key("acme", "leads.csv.gz", 7) == "drop-results/acme/leads.csv.gz.7.json"


@given(org_ids, st.text(st.characters(exclude_categories=["Cs"])), st.integers(1, LARGEST_ID))
@example("a" * 64, "\U0001f600" * FILENAME_LENGTH, LARGEST_ID)
@example("acme", "../../../other/leads.csv", 1)
def test_drop_result_key_is_one_that_s3_accepts(org_id: str, name: str, job_id: int) -> None:
    key = drop_result_key(org_id, clean_filename(name), job_id)
    folder, organisation, filename = key.split("/")
    assert (folder, organisation) == ("drop-results", org_id)
    assert filename.endswith(f".{job_id}.json")
    # S3 user guide, object keys.
    assert len(key.encode()) <= 1024


@given(org_ids, st.integers(1, LARGEST_ID), st.sampled_from(["leads.csv", "a.csv.gz"]))
def test_keys_that_the_service_writes_are_never_imported(org_id: str, job_id: int, name: str) -> None:
    for key in (
        report_key(org_id, job_id),
        drop_result_key(org_id, name, job_id),
        export_key(org_id, job_id, name),
    ):
        assert parse_upload_key(key) is None
        assert parse_drop_key(key) is None
        assert parse_export_request_key(key) is None
        # The bucket's events are bound to these prefixes.
        assert not key.startswith((IMPORTS, DROP, EXPORT_REQUESTS))


@pytest.mark.parametrize(
    "key",
    [
        "",
        "imports/",
        "imports/acme/7",
        "imports/acme/7/",
        "imports/acme/7/other.csv",
        "imports/acme/7/upload.csv\n",
        "imports/acme/7/upload.csv/x",
        "imports/acme/7/../upload.csv",
        "imports/acme/0/upload.csv",
        "imports/acme/07/upload.csv",
        "imports/acme/-7/upload.csv",
        "imports/acme/x/upload.csv",
        "imports/acme/\u0667/upload.csv",
        f"imports/acme/{LARGEST_ID + 1}/upload.csv",
        "imports/../other/7/upload.csv",
        "imports/../7/upload.csv",
        "imports/-acme/7/upload.csv",
        "imports//7/upload.csv",
        "imports/ac me/7/upload.csv",
        "x/imports/acme/7/upload.csv",
        "drop/acme/7/upload.csv",
    ],
)
def test_foreign_upload_key_is_refused(key: str) -> None:
    assert parse_upload_key(key) is None


@pytest.mark.parametrize(
    "key",
    [
        "",
        "export-requests/",
        "export-requests/7.json",
        "export-requests/acme/",
        "export-requests/acme/7",
        "export-requests/acme/7.json\n",
        "export-requests/acme/7.json/x",
        "export-requests/acme/7.JSON",
        "export-requests/acme/7xjson",
        "export-requests/acme/0.json",
        "export-requests/acme/07.json",
        "export-requests/acme/-7.json",
        "export-requests/acme/\u0667.json",
        f"export-requests/acme/{LARGEST_ID + 1}.json",
        "export-requests/acme/SKIP/7.json",
        "export-requests/../7.json",
        "export-requests/-acme/7.json",
        "export-requests//7.json",
        "export-requests/ac me/7.json",
        "x/export-requests/acme/7.json",
        "exports/acme/7.json",
    ],
)
def test_foreign_export_request_key_is_refused(key: str) -> None:
    assert parse_export_request_key(key) is None


def test_dropped_file_skips_duplicates() -> None:
    assert parse_drop_key("drop/acme/Mes leads é.CSV") == DropKey(
        "acme", "Mes leads é.CSV", MergeStrategy.SKIP, None
    )


@pytest.mark.parametrize("filename", ["leads.csv.gz", "LEADS.CSV.GZ", ".csv.gz"])
def test_dropped_file_may_be_compressed(filename: str) -> None:
    assert parse_drop_key(f"drop/acme/CREATE_NEW/{filename}") == DropKey(
        "acme", filename, MergeStrategy.CREATE_NEW, None
    )


@pytest.mark.parametrize("strategy", MergeStrategy)
def test_folder_named_as_a_strategy_chooses_it(strategy: MergeStrategy) -> None:
    assert parse_drop_key(f"drop/acme/{strategy}/a.csv") == DropKey("acme", "a.csv", strategy, None)


@pytest.mark.parametrize(
    ("key", "filename"),
    [
        ("drop/acme/skip/a.csv", "a.csv"),
        ("drop/acme/2024/a.csv", "a.csv"),
        ("drop/acme/SKIP/2024/a.csv", "a.csv"),
        ("drop/acme/SKIP/OVERWRITE/a.csv", "a.csv"),
        ("drop/acme//a.csv", "a.csv"),
        ("drop/acme/SKIP//a.csv", "a.csv"),
        ("drop/acme/../other/a.csv", "a.csv"),
        ("drop/acme/../a.xlsx", "a.xlsx"),
    ],
)
def test_file_in_another_folder_is_a_job_with_a_problem(key: str, filename: str) -> None:
    assert parse_drop_key(key) == DropKey("acme", filename, MergeStrategy.SKIP, WRONG_FOLDER)


@pytest.mark.parametrize(
    "filename",
    [
        "leads.xlsx",
        "leads",
        "leads.csv.bak",
        "csv",
        "leads.csv ",
        "leads.gz",
        "leads.csv.gz.gz",
        "leads.csv.zip",
        "leads.csvgz",
    ],
)
def test_file_with_another_suffix_is_a_job_with_a_problem(filename: str) -> None:
    assert parse_drop_key(f"drop/acme/OVERWRITE/{filename}") == DropKey(
        "acme", filename.strip(), MergeStrategy.OVERWRITE, WRONG_SUFFIX
    )


@pytest.mark.parametrize(
    "key",
    [
        "drop/",
        "drop/a.csv",
        "drop/acme",
        "drop/acme/",
        "drop/acme/SKIP/",
        "drop//a.csv",
        "drop/-acme/a.csv",
        "drop/ac me/a.csv",
        "drop/acmé/a.csv",
        "drop/../other/a.csv",
        "drop/../a.csv",
        f"drop/{'a' * 65}/a.csv",
        "acme/a.csv",
        "imports/acme/a.csv",
    ],
)
def test_key_without_organisation_or_file_is_refused(key: str) -> None:
    assert parse_drop_key(key) is None


@given(st.text(st.sampled_from("drop/imts.acme7SKI")), st.sampled_from(["", DROP, IMPORTS, EXPORT_REQUESTS]))
def test_parsed_organisation_is_well_formed_and_in_the_key(rest: str, prefix: str) -> None:
    key = prefix + rest
    for parsed in (parse_upload_key(key), parse_export_request_key(key), parse_drop_key(key)):
        if parsed is not None:
            assert is_org_id(parsed.org_id)
            assert key.split("/")[1] == parsed.org_id
