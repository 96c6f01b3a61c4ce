"""Check the output of `sam build`, and `make invoke`."""

from layers.finish_layer import SERVICES
from tests.support.sam_local import Sam
from tests.support.service import ROOT

LAYER = ROOT / ".aws-sam/build/SharedLayer"

LAYER_BYTES = 60_000_000
"""Each cold start fetches and unpacks the layer. Lambda allows 250 MB with the function."""


def test_layer_of_the_build_is_small(built: None) -> None:
    sizes = [path.stat().st_size for path in LAYER.rglob("*") if path.is_file()]
    assert (LAYER / "python/leads/settings.py").is_file()
    assert sum(sizes) < LAYER_BYTES


def test_layer_of_the_build_is_compiled(built: None) -> None:
    compiled = {
        path.parent.parent / path.name.replace(".cpython-313.pyc", ".py") for path in LAYER.rglob("*.pyc")
    }
    assert set(LAYER.rglob("*.py")) == compiled


def test_layer_of_the_build_describes_used_aws_services_only(built: None) -> None:
    described = {path.name for path in (LAYER / "python/botocore/data").iterdir() if path.is_dir()}
    assert described == SERVICES


def test_make_invoke_builds_and_invokes(sam: Sam) -> None:
    invoked = sam.run(
        ["make", "-s", "invoke", "FUNCTION=ImportHistoryFunction", "EVENT=events/import_history_item.json"]
    )

    assert (invoked.answer["statusCode"], invoked.body["id"]) == (200, 1)
