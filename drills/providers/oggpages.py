"""Ogg pages with a chosen stream serial, so that the same sound is the same bytes.

libsndfile draws the serial at random. The page layout and its checksum (CRC-32, polynomial 0x04C11DB7, not
reflected, start 0) are those of RFC 3533.
"""

from __future__ import annotations

import struct

_HEADER = 27
_SERIAL = slice(14, 18)
_CHECKSUM = slice(22, 26)


def _table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1) ^ 0x04C11DB7 if value & 0x80000000 else value << 1
        table.append(value & 0xFFFFFFFF)
    return tuple(table)


_TABLE = _table()


def checksum(page: bytes | bytearray) -> int:
    """The checksum of a page whose checksum field is zero."""
    value = 0
    for byte in page:
        value = ((value << 8) & 0xFFFFFFFF) ^ _TABLE[(value >> 24) ^ byte]
    return value


def with_serial(data: bytes, serial: int) -> bytes:
    """The same Ogg stream under another serial number. Raises ValueError for what is not Ogg."""
    pages = []
    at = 0
    while at < len(data):
        if data[at : at + 4] != b"OggS":
            raise ValueError(f"no Ogg page at byte {at}")
        segments = data[at + 26]
        length = _HEADER + segments + sum(data[at + _HEADER : at + _HEADER + segments])
        page = bytearray(data[at : at + length])
        page[_SERIAL] = struct.pack("<I", serial)
        page[_CHECKSUM] = bytes(4)
        page[_CHECKSUM] = struct.pack("<I", checksum(page))
        pages.append(bytes(page))
        at += length
    return b"".join(pages)
