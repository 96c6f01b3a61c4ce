"""What the functions do, whatever calls them. The database and the bucket are given.

Each function has the module of its name; the others are parts of these: import_… of what becomes of a file of
leads, export_… of an export, and what several share.
"""
