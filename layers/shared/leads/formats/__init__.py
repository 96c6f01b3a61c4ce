"""Bytes to rows of leads and back, streaming. The whole CSV policy is here; docs/decisions.md says why it is
so.

What keeps a file that means harm, or is none, from taking all memory or all time:

    compression.EXPANDED_LIMIT, OVERHEAD_LIMIT_BYTES    a compressed file
    lines.LINE_LIMIT                                    a line, and a cell
    reader.ROW_LIMIT                                    a row of several lines
    reader.CHUNK_CHARACTERS                             what is read at once
    dialect.HEADER_LINES                                blank rows before the header
    header.COLUMNS_LIMIT, _NAME_LIMIT                   its columns, and their names
"""
