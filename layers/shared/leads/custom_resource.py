"""How a function that is a custom resource answers CloudFormation: by one PUT to a presigned address.

Source: CloudFormation user guide, "Custom resource request types" and "Custom resource response objects". A
stack that gets no answer waits for as long as ServiceTimeout of template.yaml says.
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
"""Seconds: S3 answers in a tenth of one."""

ANSWER_RETRIES: Final = urllib3.Retry(
    total=3, allowed_methods=None, status_forcelist=(500, 502, 503, 504), backoff_factor=0.5
)
"""A PUT of the same answer may be sent again: CloudFormation takes the first."""

# It warns of each retry with the address, and that is signed: who reads the log could answer instead of us.
logging.getLogger("urllib3").setLevel(logging.CRITICAL)

REASON_CHARACTERS: Final = 800
"""An answer has at most 4,096 bytes, and a character up to four; the rest is ids."""


@dataclass(frozen=True, slots=True)
class CustomResourceRequest:
    """What CloudFormation asks for."""

    kind: Literal["Create", "Update", "Delete"]
    response_url: str
    about: Mapping[str, str]
    """What an answer repeats of its request."""

    @classmethod
    def of(cls, event: Mapping[str, object]) -> Self | None:
        """The request that an event is, or None when it is none of CloudFormation's."""
        kind, url = event.get("RequestType"), event.get("ResponseURL")
        if kind not in ("Create", "Update", "Delete") or not isinstance(url, str):
            return None
        about = {name: str(event[name]) for name in ("StackId", "RequestId", "LogicalResourceId")}
        # It never changes: another one would make CloudFormation delete what the old one stands for.
        about["PhysicalResourceId"] = str(event.get("PhysicalResourceId") or about["LogicalResourceId"])
        return cls(kind, url, about)


@contextmanager
def answered(request: CustomResourceRequest) -> Iterator[None]:
    """Answers SUCCESS after the block, or FAILED when it raises, which it goes on to do.

    Raises NotAnswered.
    """
    try:
        yield
    except Exception as error:
        # Only a text of ours is fit to be shown to everybody who sees the stack.
        fault = safe_text(error)
        _answer(request, "FAILED", fault)
        raise
    _answer(request, "SUCCESS", "")


def _answer(request: CustomResourceRequest, status: str, reason: str) -> None:
    answer = {**request.about, "Status": status, "Reason": reason[:REASON_CHARACTERS]}
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
        # Its text holds the address, and that is signed.
        raise NotAnswered(f"CloudFormation could not be answered: {type(error).__name__}") from None
    if response.status >= 300:
        raise NotAnswered(f"CloudFormation's address answered {response.status}")
