"""What a cell of a text table holds."""

import pytest

from fastmlp.datasets.cells import Kind, kind_of, number


@pytest.mark.parametrize(
    ("cell", "decimal", "value"),
    [
        ("7", ".", 7),
        ("-1.5e3", ".", -1500),
        ("+.5", ".", 0.5),
        ("1,5", ",", 1.5),
        (",5e1", ",", 5),
        ("1,5", ".", None),
        ("1.5", ",", None),
        ("1_000", ".", None),
        ("\u0663", ".", None),
        ("0x10", ".", None),
        ("", ".", None),
    ],
)
def test_numbers(cell, decimal, value):
    assert number(cell, decimal) == value


@pytest.mark.parametrize(
    ("kind", "cells"),
    [
        (Kind.NUMBER, ["7", "-1.5e3", "+.5", "3."]),
        (Kind.TRUTH, ["True", "FALSE"]),
        (Kind.MISSING, ["", "NA", "n/a", "nan", "NaN", "NULL", "?", "-", "#N/A"]),
        (Kind.TOO_LARGE, ["inf", "-Infinity", "1e99"]),
        (Kind.DECIMAL_COMMA, ["1,5", "0,123", "-,5", "12,", "1234,567", "1,5e-3"]),
        (Kind.UNCLEAR_COMMA, ["1,234", "-123,456"]),
        (Kind.GROUPED, ["1_000", "1_0", "1'000", "1 000", "1\u00a0000", "1,234,567", "1,234.5", "1.234,5"]),
        (Kind.DATE, ["2024-01-05", "2024-01", "5.1.2024", "1/5/24", "2024-01-05T12:30:00Z", "12:30", "5 Jan 2024"]),
        (Kind.MONEY, ["$5", "€ 1.000,50", "-$5.00", "5 EUR", "USD 7"]),
        (Kind.PERCENT, ["5%", "12.5 %", "1,5%"]),
        (Kind.TEXT, ["rose", "0x10", "1.2.3", "x1", "\u0663", "7a"]),
    ],
    ids=lambda value: value.name if isinstance(value, Kind) else "",
)
def test_kinds(kind, cells):
    assert [kind_of(cell).name for cell in cells] == [kind.name] * len(cells)


def test_where_the_decimals_have_a_comma():
    assert kind_of("1,5", ",") is kind_of("1,234", ",") is Kind.NUMBER
    assert kind_of("1.5", ",") is Kind.DECIMAL_POINT
    assert kind_of("1.234", ",") is Kind.GROUPED
