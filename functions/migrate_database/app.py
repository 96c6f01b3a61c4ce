"""Applies the schema migrations that the database has not seen. As a custom resource of template.yaml it is
invoked by each deployment that changes code or schema; any other event does the same by hand.
"""

from leads.cold_start import started

import os
from contextlib import nullcontext
from typing import Any, Final

from aws_lambda_powertools.utilities.typing import LambdaContext

from leads.custom_resource import CustomResourceRequest, answered
from leads.errors import MissingSettings
from leads.observability import logger
from leads.postgres.connection import Database
from leads.settings import DatabaseSettings, read_environment
from leads.use_cases.migrate_database import migrate_database

missing: MissingSettings | None = None
try:
    settings = DatabaseSettings.from_environment()
    database = Database(settings, "migrate_database")
    # Both roles log in the same way.
    app_password = (
        None if settings.password is None else read_environment(os.environ, "DATABASE_APP_PASSWORD")[0]
    )
except MissingSettings as error:
    # A function that does not start answers nobody, and a stack would wait for its answer, twice.
    missing = error

ANSWER_SECONDS: Final = 60.0
"""Kept for logging in, and for telling CloudFormation: a run that is killed tells nobody."""


# Not the event: its ResponseURL lets whoever has it answer.
@logger.inject_lambda_context(clear_state=True, log_event=False)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, list[str]]:
    """Entry point of the Lambda. Raises DatabaseFault, ServiceFault: the invocation fails, the deployment is
    rolled back, the schema stays whole. Raises MissingSettings, NotAnswered.
    """
    request = CustomResourceRequest.of(event)
    with nullcontext() if request is None else answered(request):
        # A stack that goes leaves the leads alone: what becomes of them is the cluster's DeletionPolicy.
        if request is not None and request.kind == "Delete":
            return {"applied": []}
        if missing is not None:
            raise missing
        seconds = context.get_remaining_time_in_millis() / 1000 - ANSWER_SECONDS
        applied = migrate_database(database, app_password=app_password, seconds=seconds)
    logger.info("migrations applied", applied=applied)
    return {"applied": applied}


started()
