"""Bytes of a mail made text, whatever they are said to be: never raises, and loses no letter without a mark."""

import codecs
import re
from encodings.aliases import aliases
from functools import lru_cache

from adapters.mail.compose import NOT_IN_TEXT

# What Python has, and no more: to look up a name that it does not have imports, and remembers, a module of that name.
BYTES_TO_BYTES = frozenset(
    {"base64_codec", "bz2_codec", "hex_codec", "quopri_codec", "rot_13", "uu_codec", "zlib_codec"}
)
NOT_OF_MAIL = BYTES_TO_BYTES | {"mbcs"}
KNOWN = frozenset(aliases.values()) - NOT_OF_MAIL | {"cp720", "cp737", "cp856", "cp874", "koi8_t", "koi8_u"}
# Names that Python has not, and names that mean more in mail than they say (WHATWG's Encoding Standard: whoever says
# Latin-1 means windows-1252; Outlook says gb2312 and ks_c_5601-1987 for the larger sets that hold them).
MEANT = {
    "utf8mb4": "utf-8", "unicode": "utf-8", "utf": "utf-8", "utf8mb3": "utf-8", "unicode_1_1_utf_8": "utf-8",
    "x_unknown": "", "unknown": "", "unknown_8bit": "", "x_user_defined": "", "default": "", "none": "", "binary": "",
    "us_ascii": "", "ascii": "", "ansi_x3_4_1968": "", "iso_8859_1": "windows-1252", "latin_1": "windows-1252",
    "latin1": "windows-1252", "iso8859_1": "windows-1252", "l1": "windows-1252", "ansi": "windows-1252",
    "x_ansi": "windows-1252", "iso_8859_8": "windows-1255", "iso_8859_8_i": "windows-1255",
    "iso_8859_8_e": "windows-1255", "logical": "windows-1255", "visual": "windows-1255",
    "iso_8859_6_i": "iso-8859-6", "iso_8859_6_e": "iso-8859-6", "iso_8859_9": "windows-1254", "latin5": "windows-1254",
    "iso_8859_11": "cp874", "tis_620": "cp874", "windows_874": "cp874", "x_windows_874": "cp874",
    "gb2312": "gb18030", "gbk": "gb18030", "x_gbk": "gb18030", "gb_2312_80": "gb18030", "euc_cn": "gb18030",
    "cp936": "gb18030", "windows_936": "gb18030", "ks_c_5601_1987": "cp949", "ks_c_5601": "cp949", "euc_kr": "cp949",
    "x_windows_949": "cp949", "windows_949": "cp949", "shift_jis": "cp932", "sjis": "cp932", "x_sjis": "cp932",
    "windows_31j": "cp932", "ms_kanji": "cp932", "cp50220": "iso2022_jp_ext", "cp50221": "iso2022_jp_ext",
    "iso_2022_jp": "iso2022_jp_ext", "iso_2022_jp_ms": "iso2022_jp_ext", "big5": "big5hkscs", "x_x_big5": "big5hkscs",
    "x_mac_roman": "mac_roman", "macintosh": "mac_roman", "x_mac_cyrillic": "mac_cyrillic", "koi8": "koi8-r",
    "x_cp1250": "windows-1250", "x_cp1251": "windows-1251", "x_cp1252": "windows-1252",
}  # fmt: skip
MULTIBYTE = re.compile(r"utf|gb|big5|cp9[345]|euc|jis|2022|hz|johab")
WITH_ZEROS = re.compile(r"utf-(16|32)")
JAPANESE = b"\x1b$"
OTHER_LINE_ENDS = re.compile(r"[\x0b\x0c\x85\u2028\u2029]")
ASCII = {ord(sign): None for sign in map(chr, range(128)) if NOT_IN_TEXT.match(sign)} | {0x0B: "\n", 0x0C: "\n"}
UTF_8_LETTERS = re.compile(r"[\x80-\ufffc\ufffe-\U0010ffff]")


def decode(data: bytes, charset: str = "") -> str:
    """Return the text of the bytes, which are said to be of this charset.

    The charset counts if it is one and fits; but what is valid UTF-8 is UTF-8, whatever it is said to be. What fits
    nothing is UTF-8 with some broken letters, or windows-1252.
    """
    if not charset and data.isascii() and b"\x1b" not in data:
        return data.decode("ascii")
    codec = _codec(charset)
    if data.isascii() and codec in ("", "utf-8") and JAPANESE not in data:
        return data.decode("ascii")
    if codec and WITH_ZEROS.match(codec) and b"\x00" not in data:
        codec = ""
    if JAPANESE in data and not codec:
        codec = "iso2022_jp_ext"
    text = _strictly(data, "utf-8")
    if text is not None and not _may_be_chance(text, codec):
        return text
    said = _strictly(data, codec)
    return said if said is not None else text if text is not None else _somehow(data, codec)


def clean(text: str) -> str:
    """Return the text with line feeds between its lines and without any other control character but tabs."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff")
    if text.isascii():
        return text.translate(ASCII)
    return NOT_IN_TEXT.sub("", OTHER_LINE_ENDS.sub("\n", text))


@lru_cache(maxsize=256)
def _codec(charset: str) -> str:
    """Name Python's codec for a charset; empty if there is none, or if the name says nothing."""
    name = re.sub(r"[^a-z0-9]+", "_", charset[:60].lower()).strip("_")
    name = MEANT.get(name, name).replace("-", "_")
    name = aliases.get(name, name)
    return codecs.lookup(name).name if name in KNOWN else ""


def _may_be_chance(text: str, codec: str) -> bool:
    """Whether what is valid UTF-8 may be of that other charset: a word or two of Chinese in GBK, but no more."""
    return codec not in ("", "utf-8") and bool(MULTIBYTE.search(codec)) and len(UTF_8_LETTERS.findall(text)) < 4


def _strictly(data: bytes, codec: str) -> str | None:
    try:
        return data.decode(codec) if codec else None
    except UnicodeError:
        return None


def _somehow(data: bytes, codec: str) -> str:
    if codec and MULTIBYTE.search(codec) and codec != "utf-8":
        return data.decode(codec, "replace")
    text = data.decode("utf-8", "replace")
    if text.count("\ufffd") <= len(UTF_8_LETTERS.findall(text)):
        return text
    return data.decode(codec if codec and codec != "utf-8" else "windows-1252", "replace")
