"""Apply the schema migrations that the database lacks.

CloudFormation invokes this as a custom resource of template.yaml, at each deployment that changes the code
or the schema. Any other event does the same by hand.
"""

from leads.cold_start import started

import os
from contextlib import nullcontext
from typing import Any, Final

from aws_lambda_powertools.utilities.typing import LambdaContext

from leads.custom_resource import CustomResourceRequest, answered
from leads.errors import SettingsError
from leads.observability import logger
from leads.postgres.connection import Database
from leads.settings import DatabaseSettings, read_environment
from leads.use_cases.migrate_database import migrate_database

settings_error: SettingsError | None = None
try:
    settings = DatabaseSettings.from_environment()
    database = Database(settings, "migrate_database")
    # Both roles log in the same way.
    app_password = (
        None if settings.password is None else read_environment(os.environ, "DATABASE_APP_PASSWORD")[0]
    )
except SettingsError as error:
    # A function that fails at its start sends no answer, and the stack would wait for two: one for the
    # deployment and one for its roll-back.
    settings_error = error

RESERVED_SECONDS: Final = 60.0
"""Reserved for the login and for the answer to CloudFormation. A run that is killed sends no answer."""


# The event must not be logged: with its ResponseURL anyone can answer.
@logger.inject_lambda_context(clear_state=True, log_event=False)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, list[str]]:
    """Return the names of the migrations that were applied. CloudFormation gets an answer in any case.

    An error fails the invocation and the deployment, which is rolled back. The schema stays whole.

    Raises:
        SettingsError: The environment lacks a variable, or a value cannot be used.
        DatabaseFault: Postgres failed.
        ServiceFault: A migration failed.
        NotAnswered: CloudFormation did not accept the answer.
    """
    request = CustomResourceRequest.of(event)
    with nullcontext() if request is None else answered(request):
        # Deleting a stack does not touch the leads. The cluster's DeletionPolicy decides about them.
        if request is not None and request.kind == "Delete":
            return {"applied": []}
        if settings_error is not None:
            raise settings_error
        seconds = context.get_remaining_time_in_millis() / 1000 - RESERVED_SECONDS
        applied = migrate_database(database, app_password=app_password, seconds=seconds)
    logger.info("migrations applied", applied=applied)
    return {"applied": applied}


started()
