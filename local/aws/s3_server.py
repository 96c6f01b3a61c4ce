"""Serve S3 and SQS by moto, as a program of its own that `local.aws.s3` starts.

It prints its port. It ends with its stdin, so it never outlives the process that started it.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import Any
from urllib.parse import quote_plus

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.s3 import notifications
from werkzeug.serving import make_server


class _Handler(MotoRequestHandler):
    disable_nagle_algorithm = True
    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: Any) -> None:
        if type == "error":
            super().log(type, message, *args)


_moto_event = notifications._get_s3_event


def _documented_event(event_name: str, bucket: Any, key: Any, notification_id: str) -> dict[str, Any]:
    """Add to moto's event the version, and leave the slashes of its key unescaped, as S3 does.

    Only here is the version certain: a later look at the object may find a newer one.
    """
    event: dict[str, Any] = _moto_event(event_name, bucket, key, notification_id)
    for record in event["Records"]:
        stored = record["s3"]["object"]
        stored["key"] = quote_plus(key.name, safe="/")
        if bucket.is_versioned:
            stored["versionId"] = key.version_id
    return event


def main() -> None:
    """Serve on a free loopback port until stdin ends."""
    notifications._get_s3_event = _documented_event
    application = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=_Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.buffer.read()
    os._exit(0)  # Running requests need no answer, because their callers are stopping.


if __name__ == "__main__":
    main()
