"""Implement the make targets run, demo, token, invoke and redrive."""
