"""One module per function, of the same name: what it does, whatever calls it. The database and the bucket are
given.
"""
