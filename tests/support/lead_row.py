"""A row of a file as tests speak of it: a cell for every field, whatever columns its file has."""

from typing import NamedTuple

from leads.formats.reader import Chunk, LeadReader


class LeadRow(NamedTuple):
    """The cells of a row by name, in the order of FIELDS."""

    name: str = ""
    phone: str = ""
    email: str = ""
    source: str = ""
    lead_source: str = ""
    score: str = ""
    notes: str = ""


def numbered_leads(reader: LeadReader, chunk: Chunk) -> list[tuple[int, LeadRow]]:
    """The leads of a chunk with their rows' numbers; fields that the file does not have are ''."""
    return [
        (chunk.first_row + at, LeadRow(**dict(zip(reader.fields, cells, strict=True))))
        for at, cells in enumerate(chunk.leads)
        if cells is not None
    ]
