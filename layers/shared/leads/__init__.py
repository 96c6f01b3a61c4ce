"""Import and export CRM leads in bulk: the code that all functions share.

docs/architecture.md describes it, docs/decisions/ has the reasons.
"""
