"""Postgres: connections and transactions, the tables' statements, and the migrations that make them."""
