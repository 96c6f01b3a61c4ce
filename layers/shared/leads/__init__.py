"""Bulk import and export of CRM leads: everything the functions share. docs/decisions/ says why it is
built so.
"""
