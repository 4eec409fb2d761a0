"""Whether the first row of a table of text is a header."""

import pytest

from fastmlp.datasets.header import has_header
from fastmlp.errors import DataError


def rows(text):
    return [line.split(",") for line in text.split()]


HEADERS = [
    "a,b,label 1,2,x 3,4,y",
    "a,b 1,2",
    "a,b,c 1,NA,x",
    "label,0,1 1,5,2 0,3,4",
    "0,1,label 5.1,3.3,0 6.0,2.2,1",  # a frame with numbered columns
    "0,1,label 5,3,rose 6,2,lily",
    "0,1,species 5,3,rose 6,2,lily",
    "0,1,kind 5.1,3.3,rose 6.0,2.2,lily",
    "0,1,2 5.1,3.3,rose 6.0,2.2,lily",
    "0,1,2 5.1,3.3,0 6.0,2.2,1",
    "0,1,2,3 9,3,7,1 6,2,2,5",
    "1,2,3,4,5 9,3,7,1,0 6,2,2,5,1",
    "0,1,2,3,kind 9,3,7,1,rose 6,2,2,5,lily",
    ",0,1 0,7,3 1,9,5",  # beside the numbers of the rows
    ",a,b 0,7,3 1,9,5",
    "Id,0,1 1,7,3 2,9,5",
    "400.5,401.5,label 0.1,0.2,1 0.3,0.4,0",
    "400.5,401.5,quality" + " 0.1,0.2,1 0.3,0.4,0" * 5,
    "2019,2020,2021,2022,region 5,3,7,2,north 6,2,1,1,south",
    "2019,2020,2021,2022 5,3,7,2 6,2,1,1",
    "2019,2020,2021,2022,7 5,3,7,2,0 6,2,1,1,1",
    "y,a,b x,1,2 y,3,4",
    "x,y 1,2",
    "kind,colour rose,red lily,white",
    "a,b 1,True 0,False",
    "a,b",
    "a,b 1,5€ 2,6€",
]
SAMPLES = [
    "1,2,x 3,4,y",
    "1,2 3,4",
    "0,1 1,0",
    "0,1,rose 5,3,rose 6,2,lily",  # the text comes again
    "0,1,2,3,rose 5,6,7,8,rose",
    "5.1,3.3,0 6.0,2.2,1",
    "5.1,3.3,rose 6.0,2.2,lily",
    "?,3.3,rose 6.0,2.2,lily",
    "NA,NA,rose 6.0,2.2,lily",
    "5,3,y 6,2,n 7,1,n",  # yes and no, and not the y of x and y
    "1,2,3,4",
    "5,0,0,0,0 3,0,1,0,0",
    "2024-01-05,3 2024-01-06,4",
    "7,1,2,3 5,1,2,3",
]
UNCLEAR = {
    "400.5,401.5,quality 0.1,0.2,1 0.3,0.4,0": "because column 3 has 'quality' above numbers",
    "9,8,7,25" + " 5,6,7,north 7,1,2,south" * 6: "'25' comes in no other row, or a sample, because column 1",
    "1,tree" + " 5,north 7,9" * 6: "'tree' comes in no other row, or a sample, because column 1 has the number 1",
    "a,1 1,2": r"because column 1 has 'a' above numbers, or a sample, because column 2 has the number 1",
    "1,two,x 3,4,y": "because column 2 has 'two' above numbers",
    "id,2019,2020,2021,region 1,5,6,7,north 2,6,7,8,south": "because column 1 has 'id' above numbers",
    "0,1,2 7,3,4 9,5,4": "because its numbers count from 0 to 2, or a sample, because there are only 3 of them",
    "1,2,3 7,3,4 9,5,4": "its numbers count from 1 to 3",
    "0,1,2,3 4,5,6,7": "its numbers count from 0 to 3, or a sample, because the rows below it look like it",
    "1,2,3,4 3,1,4,2 4,3,2,1": "its numbers count from 1 to 4, or a sample, because the rows below it look like it",
}


@pytest.mark.parametrize("text", HEADERS)
def test_headers(text):
    first, *below = rows(text)
    assert has_header("own.csv", first, below) is True


@pytest.mark.parametrize("text", SAMPLES)
def test_samples(text):
    first, *below = rows(text)
    assert has_header("own.csv", first, below) is False


@pytest.mark.parametrize("text", UNCLEAR)
def test_where_both_readings_fit(text):
    first, *below = rows(text)
    with pytest.raises(DataError, match=f"own.csv: the first row may be a header, .*{UNCLEAR[text]}") as caught:
        has_header("own.csv", first, below)
    assert "--header or --no-header" in str(caught.value)


FRACTIONS = " 0.5,0.25,0.75" * 10


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2019,2020,region" + " 0.5,0.25,north 0.7,0.1,south" * 6, True),
        ("2019,2020,north" + " 0.5,0.25,north 0.7,0.1,south" * 6, False),
        (
            "2019,2020,region" + " 5,25,north 7,1,south" * 6,
            "'region' comes in no other row, or a sample, because column 1",
        ),
        ("2019,2020,region 5,25,north 7,1,south", False),  # too few to say so
        ("2019,2020,2021" + FRACTIONS, "its numbers are whole and no others are"),
        ("0,0,0" + FRACTIONS, False),  # names would differ
        ("2019,2020" + " 0.5,0.25" * 10, False),
        ("2.5,2020,2021" + FRACTIONS, False),
    ],
)
def test_whole_numbers_that_may_be_names(text, found):
    first, *below = rows(text)
    if isinstance(found, bool):
        assert has_header("own.csv", first, below) is found
        return
    with pytest.raises(DataError, match=found):
        has_header("own.csv", first, below)


def test_names_that_are_known():
    assert has_header("own.csv", ["0", "1", "2"], rows("7,3,4 9,5,4"), ["1"])
    assert has_header("own.csv", ["b", "a"], rows("x,y x,y"), ["a", "b"])
    assert has_header("own.csv", ["3", "1", "0", "2"], rows("7,3,4,1"), ["0", "1", "2", "3"])
    assert not has_header("own.csv", ["5", "1", "0", "2"], rows("7,3,4,1"), ["0", "1", "2", "3"])
    for first, names in ((["1", "0"], ["0", "1"]), (["3", "1", "0", "2"], ["0", "1", "2", "3"])):
        with pytest.raises(DataError, match="it has the names of the model's inputs, or a sample, because these are"):
            has_header("own.csv", first, [first[::-1]], names)


def test_decimal_commas_are_numbers():
    assert has_header("own.csv", ["0", "1", "kind"], [["5,1", "3,3", "rose"], ["6,0", "2,2", "lily"]], decimal=",")
