"""Connect to Postgres, run the statements of each table, and migrate the schema."""
