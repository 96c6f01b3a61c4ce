"""The two places that every use case reads and writes."""

from typing import NamedTuple

from leads.postgres.connection import Database
from leads.s3.bucket import Bucket


class Stores(NamedTuple):
    """The database and the bucket of one function."""

    database: Database
    bucket: Bucket
