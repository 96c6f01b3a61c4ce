"""Read files into rows of leads, and write rows into files, streaming.

docs/decisions/ has the reasons of the rules. These bounds keep a hostile file, or one that is no CSV, from
taking all memory or all time:

    compression.EXPANDED_LIMIT          bytes that a compressed file expands to
    compression.OVERHEAD_LIMIT_BYTES    compressed bytes beyond the expanded ones
    lines.LINE_LIMIT                    characters of a line, and so of a cell
    reader.ROW_LIMIT                    characters of a row of several lines
    reader.CHUNK_CHARACTERS             characters read at once
    dialect.HEADER_LINES                blank lines before the header
    header.COLUMNS_LIMIT                columns
    header._NAME_LIMIT                  characters of a column name that may mean a field
"""
