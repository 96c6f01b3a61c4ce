"""The rules of leads and their imports: pure, with no AWS, no SQL and no Powertools."""
