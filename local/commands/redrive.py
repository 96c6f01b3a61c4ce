"""Implement `make redrive`: send the dead letters of the running stack through again.

In the cloud a letter is sent to its function (docs/operations.md). Here it goes back to the queue of the
bucket's events.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local.aws.s3 import queues_at
from local.state import state_directory

_VISIBILITY_SECONDS = 60
"""The time to send ten letters. A slower redrive would send them twice."""


def main() -> int:
    """Redrive and print the number of letters. Return 2 with a message on stderr if no stack runs."""
    description = state_directory() / "stack.json"
    try:
        letters = redrive(json.loads(description.read_text()))
    except (FileNotFoundError, BotoCoreError):
        print(f"no stack runs in {state_directory()}: start it (make run)", file=sys.stderr)
        return 2
    except ClientError as error:
        print(f"the queues of {state_directory()} failed: {error}", file=sys.stderr)
        return 1
    print(f"Dead letters sent through again: {letters}")
    return 0


def redrive(stack: dict[str, Any]) -> int:
    """Send the letters of a stack, described by its stack.json, and return their number.

    Each letter is deleted after it was sent. So it may go through twice, but is never lost.

    Raises:
        BotoCoreError: The stack does not answer.
        ClientError: Its queues refuse.
    """
    queues = queues_at(stack["s3"])
    sent = 0
    for queue in stack["deadLetters"]:
        while letters := queues.receive_message(
            QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=_VISIBILITY_SECONDS
        ).get("Messages"):
            for letter in letters:
                queues.send_message(QueueUrl=stack["events"], MessageBody=letter["Body"])
                queues.delete_message(QueueUrl=queue, ReceiptHandle=letter["ReceiptHandle"])
                sent += 1
    return sent


if __name__ == "__main__":
    sys.exit(main())
