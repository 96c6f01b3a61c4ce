"""Answer CloudFormation for a function that is a custom resource, by one PUT to a presigned address.

Source: CloudFormation user guide, "Custom resource request types" and "Custom resource response objects". A
stack without an answer waits for the ServiceTimeout of template.yaml.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Literal, Self

import urllib3

from leads.errors import NotAnswered, safe_text

ANSWER_TIMEOUT: Final = urllib3.Timeout(connect=3.0, read=5.0)
"""In seconds. The address is S3's, which answers in a tenth of a second."""

ANSWER_RETRIES: Final = urllib3.Retry(
    total=3, allowed_methods=None, status_forcelist=(500, 502, 503, 504), backoff_factor=0.5
)
"""The same answer may be sent several times: CloudFormation uses the first."""

# urllib3 warns of each retry with the signed address. A reader of the log could answer in our place.
logging.getLogger("urllib3").setLevel(logging.CRITICAL)

MAX_REASON_CHARACTERS: Final = 800
"""An answer may have 4,096 bytes, and a character up to four. The ids need the rest."""


@dataclass(frozen=True, slots=True)
class CustomResourceRequest:
    """A request of CloudFormation to create, update or delete the resource."""

    kind: Literal["Create", "Update", "Delete"]
    response_url: str
    ids: Mapping[str, str]
    """The ids that the answer must repeat."""

    @classmethod
    def of(cls, event: Mapping[str, object]) -> Self | None:
        """Return the request of an event, or None if the event is not CloudFormation's."""
        kind, url = event.get("RequestType"), event.get("ResponseURL")
        if kind not in ("Create", "Update", "Delete") or not isinstance(url, str):
            return None
        ids = {name: str(event[name]) for name in ("StackId", "RequestId", "LogicalResourceId")}
        # This id must never change, or CloudFormation would delete the resource that has the old id.
        ids["PhysicalResourceId"] = str(event.get("PhysicalResourceId") or ids["LogicalResourceId"])
        return cls(kind, url, ids)


@contextmanager
def answered(request: CustomResourceRequest) -> Iterator[None]:
    """Answer SUCCESS after the block, or FAILED if it raises. Its error is raised on.

    Raises NotAnswered if CloudFormation does not accept the answer.
    """
    try:
        yield
    except Exception as error:
        # Everybody who can see the stack can read the reason.
        _answer(request, "FAILED", safe_text(error))
        raise
    _answer(request, "SUCCESS", "")


def _answer(request: CustomResourceRequest, status: str, reason: str) -> None:
    answer = {**request.ids, "Status": status, "Reason": reason[:MAX_REASON_CHARACTERS]}
    try:
        # The address is signed for an empty content type.
        response = urllib3.request(
            "PUT",
            request.response_url,
            body=json.dumps(answer, ensure_ascii=False).encode(),
            headers={"content-type": ""},
            timeout=ANSWER_TIMEOUT,
            retries=ANSWER_RETRIES,
        )
    except urllib3.exceptions.HTTPError as error:
        # The error's text holds the signed address.
        raise NotAnswered(f"CloudFormation could not be answered: {type(error).__name__}") from None
    if response.status >= 300:
        raise NotAnswered(f"CloudFormation's address answered {response.status}")
