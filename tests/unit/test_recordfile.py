"""Records come back whole; what a kill cut off is no record; what is damaged is said to be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from headrace.core.place import Place
from headrace.core.recordfile import RecordFile
from headrace.core.tempfiles import NamedFile
from headrace.core.unbroken import Unbroken
from headrace.errors import FormatError

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator
    from pathlib import Path

RECORDS = [b"first", b"", b"third" * 1000, bytes(range(256))]


@pytest.fixture
def file(tmp_path: Path) -> Iterator[NamedFile]:
    made = NamedFile.create(tmp_path / "records", "a test")
    yield made
    made.close()


def filled(file: NamedFile) -> RecordFile:
    records = RecordFile(file, 8, "records")
    for record in RECORDS:
        records.append([record[:2], memoryview(record)[2:]])
    return records


def read(file: NamedFile, stop: int) -> list[bytes]:
    records = RecordFile(file, 8, "records")
    return [bytes(records.read(*place)) for place in records.scan(stop)]


def test_records_come_back_in_order(file: NamedFile) -> None:
    records = filled(file)
    assert read(file, records.end) == RECORDS


def test_a_record_larger_than_a_piece_comes_back(file: NamedFile) -> None:
    records = RecordFile(file, 0, "records")
    big = bytes(range(251)) * 20_000
    assert records.append([big, b"end"]) == (24, len(big) + 3)
    (place,) = RecordFile(file, 0, "records").scan(records.end)
    assert bytes(records.read(*place)) == big + b"end"


def test_cut_at_any_byte_the_whole_ones_are_there(file: NamedFile) -> None:
    end = filled(file).end
    seen = set()
    for stop in range(8, end + 1):
        found = read(file, stop)
        assert found == RECORDS[: len(found)]
        seen.add(len(found))
    assert seen == set(range(len(RECORDS) + 1))


def test_a_flipped_bit_anywhere_is_noticed(file: NamedFile, dice: random.Random) -> None:
    end = filled(file).end
    for place in [*range(8, 8 + 60), *dice.sample(range(8, end), 300)]:
        byte = bytearray(1)
        file.read(memoryview(byte), place)
        flipped = bytes([byte[0] ^ 1 << dice.randrange(8)])
        file.write(memoryview(flipped), place)
        with pytest.raises(FormatError, match="is damaged: the record at byte"):
            read(file, end)
        file.write(memoryview(byte), place)


def test_appending_goes_on_over_what_was_cut_off(file: NamedFile) -> None:
    end = filled(file).end
    records = RecordFile(file, 8, "records")
    assert len(list(records.scan(end - 1))) == 3
    records.append([b"again"])
    assert read(file, records.end) == [*RECORDS[:3], b"again"]


def test_pieces_done_in_any_order_join(dice: random.Random) -> None:
    edges = sorted(dice.sample(range(1, 100), 20))
    pieces = list(zip([0, *edges], [*edges, 100], strict=True))
    dice.shuffle(pieces)
    row: Unbroken[int] = Unbroken(0)
    joined: list[int] = []
    for number, (start, stop) in enumerate(pieces, start=1):
        joined += row.add(start, stop, start)
        done = {start for start, _ in pieces[:number]}
        assert row.at == min({start for start, _ in pieces} - done, default=100)
    assert joined == sorted(joined)
    assert len(joined) == len(pieces)


def test_a_place_comes_back_from_its_state() -> None:
    assert Place.of(Place(1, 2, 3, ((4, 5.0, None),)).packed()) == Place(1, 2, 3, ((4, 5.0, None),))
    assert Place.of(None) == Place()
