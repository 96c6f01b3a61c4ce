"""Slim the layer without removing what the functions need."""

import ast
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import parse_qs, urlsplit

import botocore
import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import UnknownServiceError
from botocore.loaders import Loader

from layers.finish_layer import SERVICES, slim_descriptions
from local.state import PROJECT

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DATA = Path(botocore.__file__).parent / "data"


@pytest.fixture(scope="module")
def slim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return botocore's data as in the deployed layer."""
    data = tmp_path_factory.mktemp("botocore") / "data"
    some = [DATA / name for name in ("s3", "sqs", "s3control")]
    for source in (*some, *DATA.glob("*.json")):
        copy = shutil.copytree if source.is_dir() else shutil.copy
        data.mkdir(exist_ok=True)
        copy(source, data / source.name)
    slim_descriptions(data)
    return data


def client(data: Path, region: str) -> "S3Client":
    session = botocore.session.Session()
    # An earlier test may have configured an emulator's URL for the whole process.
    session.set_config_variable("ignore_configured_endpoint_urls", True)
    loader = Loader(extra_search_paths=[str(data)], include_default_search_paths=False)
    session.register_component("data_loader", loader)
    made = session.create_client(
        "s3",
        region_name=region,
        aws_access_key_id="key",
        aws_secret_access_key="secret",  # noqa: S106
        config=Config(signature_version="s3v4", s3={"addressing_style": "virtual"}),
    )
    return cast("S3Client", made)


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-3", "cn-north-1", "us-gov-west-1", "eu-central-2"])
def test_slim_botocore_signs_the_same_links(slim: Path, region: str) -> None:
    links = [
        urlsplit(
            client(data, region).generate_presigned_url("get_object", Params={"Bucket": "leads", "Key": "k"})
        )
        for data in (DATA, slim)
    ]
    assert links[0].netloc.startswith("leads.s3.")
    assert links[0][:3] == links[1][:3]
    assert parse_qs(links[0].query).keys() == parse_qs(links[1].query).keys()


def without_documentation(description: object) -> object:
    if isinstance(description, list):
        return [without_documentation(item) for item in description]
    if isinstance(description, dict):
        return {
            name: without_documentation(value)
            for name, value in description.items()
            if not (name == "documentation" and isinstance(value, str))
        }
    return description


@pytest.mark.parametrize("kind", ["service-2", "endpoint-rule-set-1", "paginators-1", "waiters-2"])
def test_slim_description_of_s3_lacks_only_its_manual(slim: Path, kind: str) -> None:
    whole, slimmed = (
        Loader(extra_search_paths=[str(data)], include_default_search_paths=False).load_service_model(
            "s3", kind
        )
        for data in (DATA, slim)
    )
    assert without_documentation(slimmed) == without_documentation(whole)


def test_slim_botocore_makes_forms_and_paginators(slim: Path) -> None:
    s3 = client(slim, "eu-west-3")
    assert s3.can_paginate("list_object_versions")
    post = s3.generate_presigned_post("leads", "k", Conditions=[["content-length-range", 1, 9]])
    assert urlsplit(post["url"]).netloc.startswith("leads.s3.")
    assert post["fields"]["key"] == "k"


def test_slim_botocore_knows_s3_only(slim: Path) -> None:
    with pytest.raises(UnknownServiceError):
        Loader(extra_search_paths=[str(slim)], include_default_search_paths=False).load_service_model(
            "sqs", "service-2"
        )
    assert {path.name for path in slim.iterdir() if path.is_dir()} == SERVICES
    assert not list(slim.rglob("examples-*"))
    assert not re.search('"documentation":"[^"]', next(slim.glob("s3/*/service-2.json")).read_text())


def test_functions_create_clients_of_remaining_services_only() -> None:
    used = set()
    for folder in ("layers/shared/leads", "functions"):
        for path in (PROJECT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and node.func.attr in ("client", "create_client", "resource")
                    and node.args
                ):
                    used.add(ast.literal_eval(node.args[0]))
    assert used == SERVICES
