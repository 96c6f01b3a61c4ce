"""Links and forms name the host of the bucket in its region, so that no redirect breaks them."""

from contextlib import closing
from urllib.parse import urlsplit

import pytest

from leads.s3.bucket import Bucket
from leads.settings import BucketSettings

KEY = "reports/acme/7/not_imported.csv"
ENDPOINT = "AWS_ENDPOINT_URL_S3"


@pytest.fixture(autouse=True)
def function_of_the_region(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables of a deployed function in a region that S3's global endpoint is not in."""
    for name in (ENDPOINT, "AWS_ENDPOINT_URL", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_REGION": "eu-west-3",
        "AWS_DEFAULT_REGION": "eu-west-3",
        "AWS_ACCESS_KEY_ID": "access",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "session",
        "BUCKET_NAME": "leads-io-123456789012-eu-west-3",
        "RESULT_DAYS": "7",
    }.items():
        monkeypatch.setenv(name, value)
    # boto3's session of this process may be another test's.
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)


def urls() -> list[tuple[str, str]]:
    """Host and path of a signed form and of a signed link."""
    bucket = Bucket.from_settings(BucketSettings.from_environment())
    with closing(bucket.client):
        form, _ = bucket.presigned_post(KEY)
        return [urlsplit(url)[1:3] for url in (form, bucket.presigned_download(KEY, "leads.csv"))]


def test_forms_and_links_name_the_region() -> None:
    host = "leads-io-123456789012-eu-west-3.s3.eu-west-3.amazonaws.com"
    assert urls() == [(host, "/"), (host, f"/{KEY}")]


def test_emulated_s3_has_buckets_in_its_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    """`laptop.localhost` is where `sam local` finds it, and no host is below that name."""
    for host in ("127.0.0.1:5000", "laptop.localhost:5000"):
        monkeypatch.setenv(ENDPOINT, f"http://{host}")
        path = "/leads-io-123456789012-eu-west-3"
        assert urls() == [(host, path), (host, f"{path}/{KEY}")]
