"""Bulk import and export of CRM leads: everything the functions share. docs/decisions.md says why it is built
so.
"""
