"""Bytes to rows of leads and back, streaming. The whole CSV policy is here; docs/decisions.md says why it is
so.
"""
