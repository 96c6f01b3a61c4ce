"""Hold the two places that use cases read and write together."""

from typing import NamedTuple

from leads.postgres.connection import Database
from leads.s3.bucket import Bucket


class Stores(NamedTuple):
    """The database and the bucket of one function."""

    database: Database
    bucket: Bucket
