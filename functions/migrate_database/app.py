"""Applies the schema migrations that the database has not seen. Invoke it after each deploy, with any
event.
"""

import os
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from leads.observability import logger
from leads.postgres.connection import Database
from leads.settings import DatabaseSettings, read_environment
from leads.use_cases.migrate_database import migrate_database

database = Database(DatabaseSettings.from_environment(), "migrate_database")
(app_password,) = read_environment(os.environ, "DATABASE_APP_PASSWORD")


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, list[str]]:
    """Entry point of the Lambda. Raises DatabaseFault, ServiceFault: the invocation fails, the schema stays
    whole.
    """
    applied = migrate_database(database, app_password=app_password)
    logger.info("migrations applied", applied=applied)
    return {"applied": applied}
