"""Compare the formula guard of the export's SQL with its removal by the import's Python."""

from hypothesis import given, settings
from hypothesis import strategies as st

from leads.formats.formula_guard import guard, unguard
from tests.support.service import Service

cells = st.one_of(st.text(alphabet="'=+-@\t\r\n0123456789 .,()ab"), st.text()).filter(
    lambda text: "\0" not in text
)


@given(st.lists(cells, max_size=30))
@settings(max_examples=100, deadline=None)
def test_sql_guard_agrees_with_python(service: Service, texts: list[str]) -> None:
    with service.owner() as connection:
        for text in texts:
            guarded = connection.query_value("SELECT csv_guard(:text)", text=text)
            assert guarded == guard(text), f"SQL and Python differ for {text!r}"
            assert unguard(str(guarded)) == text
