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

settings = DatabaseSettings.from_environment()
database = Database(settings, "migrate_database")
# Both roles log in the same way.
app_password = None if settings.password is None else read_environment(os.environ, "DATABASE_APP_PASSWORD")[0]


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, list[str]]:
    """Entry point of the Lambda. Raises DatabaseFault, ServiceFault: the invocation fails, the schema stays
    whole.
    """
    applied = migrate_database(database, app_password=app_password)
    logger.info("migrations applied", applied=applied)
    return {"applied": applied}
