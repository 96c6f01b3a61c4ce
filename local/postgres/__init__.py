"""Stand in for Aurora with an embedded Postgres."""
