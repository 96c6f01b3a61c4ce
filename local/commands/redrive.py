"""`make redrive`: the dead letters of the stack of LEADS_STATE_DIR go through again. In the cloud a letter is
sent to its function (docs/operations.md); here it goes to where the bucket's events wait for theirs.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local.aws.s3 import queues_at
from local.state import state_directory

_HIDDEN_SECONDS = 60
"""How long nobody else is given a letter that is being sent."""


def main() -> int:
    """Say how many went through; 2 with a message on stderr when no stack runs."""
    description = state_directory() / "stack.json"
    try:
        letters = redrive(json.loads(description.read_text()))
    except (FileNotFoundError, BotoCoreError):
        print(f"no stack runs in {state_directory()}: start it (make run)", file=sys.stderr)
        return 2
    except ClientError as error:
        print(f"the queues of {state_directory()} refuse: {error}", file=sys.stderr)
        return 1
    print(f"Dead letters sent through again: {letters}")
    return 0


def redrive(stack: dict[str, Any]) -> int:
    """Sends the letters of a stack, which its stack.json describes, and gives their number. Each is taken
    from its queue after it was sent: it may go through twice, but is not lost. Raises BotoCoreError,
    ClientError.
    """
    queues = queues_at(stack["s3"])
    sent = 0
    for queue in stack["deadLetters"]:
        while letters := queues.receive_message(
            QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=_HIDDEN_SECONDS
        ).get("Messages"):
            for letter in letters:
                queues.send_message(QueueUrl=stack["events"], MessageBody=letter["Body"])
                queues.delete_message(QueueUrl=queue, ReceiptHandle=letter["ReceiptHandle"])
                sent += 1
    return sent


if __name__ == "__main__":
    sys.exit(main())
