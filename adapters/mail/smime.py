"""The text of an S/MIME mail whose signature is wrapped around it (RFC 8551, 3.5.2), which can be read all the same."""

SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")  # OBJECT IDENTIFIER 1.2.840.113549.1.7.2
SEQUENCE, SET, INTEGER, IDENTIFIER, WRAPPER = 0x30, 0x31, 0x02, 0x06, 0xA0
OCTETS, PIECES = 0x04, 0x24


def signed(data: bytes) -> bytes:
    """Return the mail inside a CMS SignedData (RFC 5652, 5.1; BER), or nothing. Whether the signature is right is not
    looked at."""
    try:
        return _content(data, _way_to_content(data))
    except IndexError:
        return b""


def _way_to_content(data: bytes) -> int:
    at = _enter(data, 0, SEQUENCE)
    if not data.startswith(SIGNED_DATA, at):
        raise IndexError
    at = _enter(data, at + len(SIGNED_DATA), WRAPPER)
    at = _enter(data, at, SEQUENCE)
    at = _after(data, at, INTEGER)  # the version
    at = _after(data, at, SET)  # the algorithms
    at = _enter(data, at, SEQUENCE)
    at = _after(data, at, IDENTIFIER)
    return _enter(data, at, WRAPPER)


def _content(data: bytes, at: int) -> bytes:
    """Return the octets that begin here: in one piece, or in several, as whoever signs while reading writes them."""
    if data[at] == OCTETS:
        begin, end = _bounds(data, at)
        return data[begin:end]
    at = _enter(data, at, PIECES)
    pieces = []
    while at < len(data) and data[at] == OCTETS:
        begin, at = _bounds(data, at)
        pieces.append(data[begin:at])
    return b"".join(pieces)


def _enter(data: bytes, at: int, tag: int) -> int:
    return _bounds(data, at, tag)[0]


def _after(data: bytes, at: int, tag: int) -> int:
    return _bounds(data, at, tag)[1]


def _bounds(data: bytes, at: int, tag: int | None = None) -> tuple[int, int]:
    """Return where the content of the element at this place begins and ends. Raises IndexError if it is none, or not
    one of this tag; an indefinite length (X.690, 8.1.3.6) is taken to go to the end."""
    if tag is not None and data[at] != tag:
        raise IndexError
    length, begin = data[at + 1], at + 2
    if length == 0x80:
        return begin, len(data)
    if length > 0x80:
        octets = length & 0x7F
        if octets > 4:
            raise IndexError
        length, begin = int.from_bytes(data[begin : begin + octets]), begin + octets
    return begin, begin + length
