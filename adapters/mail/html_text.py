"""The HTML of a mail made text, as its reader sees it: links, lists, tables and quotes stay.

A tokenizer of its own, for its time is linear in whatever comes: `html.parser` is not for some of what people send on
purpose, and libraries return nothing at all for 5,000 nested elements. Nothing in here recurses. What is broken is read
as text rather than dropped.
"""

import re
from collections import Counter
from dataclasses import dataclass
from html import unescape

from adapters.mail.charsets import clean

MOST_TAGS = 30_000
DEEPEST_QUOTE = 10
DEEPEST_LIST = 8
LONGEST_LINK = 2000
LONGEST_ATTRIBUTES = 20_000
PIECE = 100_000

TAG_AHEAD = re.compile(r"<(?=/?[a-zA-Z]|[!?])")
TAG = re.compile(
    r"<(/?)([a-zA-Z][^\s/>]{0,40})[^\s/>]*+"
    r"((?:[^>\"'=]++|=\s*+(?:\"[^\"]*+\"|'[^']*+')|[\"'=])*+)>"
)
NAIVE_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>]{0,40})[^\s/>]*+([^>]*+)>")
ATTRIBUTE = re.compile(r"([^\s=/\"'>]++)(?:\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\s>]++)))?")
ANY_TAG = re.compile(r"<[^<>]*+>")
LOOKS_LIKE_HTML = re.compile(r"<(?:/?[a-zA-Z][a-zA-Z0-9:]*[\s/>]|!)|&(?:#\d|#x|[a-z]{2,8};)")

UNSEEN = frozenset({"script", "style", "title", "template", "iframe", "object", "noembed", "xml"})
VOID = frozenset({"area", "base", "basefont", "bgsound", "col", "embed", "frame", "hr", "br", "img", "input", "link",
                  "meta", "param", "source", "track", "wbr"})  # fmt: skip
PARAGRAPHS = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "blockquote", "pre", "table", "hr",
                        "figure", "fieldset"})  # fmt: skip
BLOCKS = PARAGRAPHS | {"address", "article", "aside", "body", "caption", "center", "dd", "details", "dir", "div", "dt",
                       "figcaption", "footer", "form", "header", "html", "legend", "li", "main", "nav", "option",
                       "section", "summary", "tbody", "tfoot", "thead", "tr"}  # fmt: skip
CELLS = frozenset({"td", "th"})
LISTS = frozenset({"ul", "ol"})
TABLE, LIST = frozenset({"table"}), LISTS | {"table"}
# What the next one of its kind ends, unless one of those others is nearer.
CLOSED_BY_NEXT = {"p": BLOCKS - {"p"} | CELLS, "li": LIST, "tr": TABLE, "td": TABLE | {"tr"}, "th": TABLE | {"tr"},
                  "dt": LIST | {"dl"}, "dd": LIST | {"dl"}, "option": LIST}  # fmt: skip
HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|(?:^|\s)hidden(?:[\s/=]|$)", re.IGNORECASE)
KEEPS_SPACES = re.compile(r"white-space\s*:\s*(?:pre|break-spaces)", re.IGNORECASE)
NO_MARGIN = re.compile(r"\bMso[A-Z]|margin(?:-top)?\s*:\s*0", re.IGNORECASE)
NO_BORDER = re.compile(r"border\s*:\s*(?:none|0)", re.IGNORECASE)
QUOTE = re.compile(r"\bcite\b|quote", re.IGNORECASE)
LINK = re.compile(r"(?:https?://|mailto:|tel:)[^\s<>\"]+", re.IGNORECASE)
SCHEME = re.compile(r"^(?:https?://|mailto:|tel:)?(?:www\.)?")
TELEPHONE = re.compile(r"[\d\s()+./-]+")
# Words that programs put in place of a picture, and that tell nobody anything.
SAYS_NOTHING = re.compile(
    r"(?:image|img|logo|photo|picture|icon|banner|spacer|pixel|avatar|inline image.*|bild|imagen|foto)?[\s\d_.-]*"
    r"|\S+\.(?:png|jpe?g|gif|bmp|svg|webp|tiff?)|cid:\S+",
    re.IGNORECASE,
)
TINY = re.compile(r"\s*[0-3](?:px)?\s*")


def read(html: str) -> str:
    """Return what a person reads in this HTML, as plain text. Quoted mails have `> ` before their lines.

    Of an Outlook reply the lines `From:`, `Sent:` and so on are none of the quote, which begins after them, and so is
    the line "On … wrote:" of Yahoo's. Empty if there is nothing to read: only pictures, say.
    """
    if not LOOKS_LIKE_HTML.search(html):
        return clean(html).strip("\n")  # somebody calls a plain text HTML
    page = _Page()
    _feed(html, page)
    return clean(page.text())


def visible_length(html: str) -> int:
    """Guess how many letters `read` would return, at a hundredth of its price (for the first 100,000 characters)."""
    html = html[:PIECE].lower()
    for name in ("style", "script", "title"):
        html = _without(html, f"<{name}", f"</{name}>")
    return sum(map(len, ANY_TAG.sub(" ", _without(html, "<!--", "-->")).split()))


def _without(html: str, begin: str, end: str) -> str:
    if begin not in html:
        return html
    kept = []
    at = 0
    while (start := html.find(begin, at)) >= 0 and (stop := html.find(end, start)) >= 0:
        kept.append(html[at:start])
        at = stop + len(end)
    return "".join([*kept, html[at:]])


def _feed(html: str, page: "_Page") -> None:
    """Split HTML into tags and text."""
    at, tags = 0, 0
    tokens = _Tokens(html)
    while tags < MOST_TAGS and (ahead := TAG_AHEAD.search(html, at)):
        if ahead.start() > at:
            _data(html, at, ahead.start(), page)
        at = tokens.read(ahead.start(), page)
        tags += 1
    # Beyond the bound, tags are spaces: no structure, but all of the text.
    rest = ANY_TAG.sub(" ", html[at:]) if tags == MOST_TAGS else html[at:]
    _data(rest, 0, len(rest), page)


def _data(html: str, at: int, end: int, page: "_Page") -> None:
    """Hand text over, in pieces: a list of ten million words is large."""
    for begin in range(at, end, PIECE):
        page.data(html[begin : min(begin + PIECE, end)])


class _Tokens:
    """Reads one tag, comment or declaration at a time. What has no end once has none ever: that is not looked for
    again, which keeps the time linear."""

    def __init__(self, html: str) -> None:
        self.html = html
        self.last_end = html.rfind(">")
        self.endless: set[str] = set()
        self.tag = TAG

    def read(self, at: int, page: "_Page") -> int:
        """Tell the page what stands here, and return the place after it."""
        html = self.html
        if html[at + 1] in "!?":
            return self._declaration(at)
        match = self.tag.match(html, at) if at < self.last_end else None
        if match is None and self.tag is TAG and at < self.last_end:
            self.tag = NAIVE_TAG  # a quote in a tag that nobody ends
            match = NAIVE_TAG.match(html, at)
        if match is None:
            page.data("<")
            return at + 1
        name = match[2].lower()
        if match[1]:
            page.end(name)
        elif name in UNSEEN:
            return self._unseen(name, match.end())
        else:
            page.start(name, match[3][:LONGEST_ATTRIBUTES])
        return match.end()

    def _declaration(self, at: int) -> int:
        """Skip a comment, a doctype, a conditional of Outlook's. CDATA holds text, and its marks alone are skipped."""
        html = self.html
        if html.startswith("<!--", at):
            if html.startswith(("<!-->", "<!--->"), at):
                return html.index(">", at) + 1
            end = self._find("-->", at + 4)
            return end + 3 if end >= 0 else at + 4
        if html.startswith("<![CDATA[", at):
            return at + 9
        end = self._find(">", at)
        return end + 1 if end >= 0 else at + 2

    def _unseen(self, name: str, at: int) -> int:
        """Skip an element whose content is no text. Without an end, it is only the tag that is skipped."""
        closing = "</" + name
        if closing in self.endless:
            return at
        end = re.compile(closing, re.IGNORECASE).search(self.html, at)
        if end is None:
            self.endless.add(closing)
            return at
        close = self._find(">", end.end())
        return close + 1 if close >= 0 else end.end()

    def _find(self, what: str, at: int) -> int:
        if what in self.endless:
            return -1
        found = self.html.find(what, at)
        if found < 0:
            self.endless.add(what)
        return found


@dataclass(slots=True)
class _Open:
    """An element that is open, and what its end undoes."""

    name: str
    breaks: int = 0
    hidden: bool = False
    keeps: bool = False
    quotes: int = 0
    lists: bool = False
    reply: bool = False


class _Page:
    """Writes lines. `line` is the one that is being written; `breaks` says what is due before the next word: 1 a new
    line, 2 an empty line as well, which belongs to the outermost quote (`outer`) since the last word."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.line: list[str] = []
        self.spaced = True
        self.breaks = 0
        self.quotes = 0
        self.outer = 0
        self.hidden = 0
        self.keeps = 0
        self.marker = ""
        self.lists: list[int] = []
        self.row_lines = 0
        self.cell_begins = False
        self.open: list[_Open] = []
        self.names: Counter[str] = Counter()
        self.link = ""
        self.linked: list[str] = []
        self.attributing: _Open | None = None

    def text(self) -> str:
        self._end_link()
        self._end_line()
        lines = self.lines
        while lines and not lines[-1].strip("> "):
            lines.pop()
        return "\n".join(lines)

    # --- text

    def data(self, written: str) -> None:
        if self.hidden:
            return
        text = _unescaped(written) if "&" in written else written
        if self.keeps:
            self._keep(text)
            return
        words = text.split()
        if not words:
            if "\xa0" in text and (self.breaks or not self.line):
                self._write("\xa0")
            elif text:
                self._space()
            return
        if text[0].isspace():
            self._space()
        self._write(" ".join(words))
        if text[-1].isspace():
            self._space()

    def _keep(self, text: str) -> None:
        """Write text whose line ends and spaces count."""
        first, *others = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        if first:
            self._write(first)
        for line in others:
            self._new_line()
            if line:
                self._write(line)

    def _space(self) -> None:
        if not self.spaced:
            self.line.append(" ")
            self.spaced = True
            if self.link:
                self.linked.append(" ")

    def _write(self, text: str) -> None:
        if self.breaks:
            self._flush()
        if not self.line and len(self.lists) > 1:
            self.line.append("  " * min(len(self.lists) - 1, DEEPEST_LIST))
        if self.marker:
            self.line.append(self.marker)
            self.marker = ""
        self.line.append(text)
        self.spaced = self.cell_begins = False
        if self.link:
            self.linked.append(text)

    # --- lines

    def _new_line(self) -> None:
        """End the line, also an empty one."""
        if self.breaks:
            self._flush()
        self._end_line(also_empty=True)

    def _break(self, breaks: int) -> None:
        """Begin a new line before the next word, or (2) leave one empty before it."""
        if not self.breaks:
            self.outer = self.quotes
        self.breaks = max(self.breaks, breaks)
        self.spaced = True
        if self.link:
            self.linked.append(" ")

    def _flush(self) -> None:
        breaks, self.breaks = self.breaks, 0
        self._end_line()
        if breaks > 1:
            self._empty_line(self.outer)

    def _end_line(self, also_empty: bool = False) -> None:
        written = "".join(self.line).replace("\xa0", " ")
        line = written if written == "-- " else written.rstrip(" |")  # the one before a signature (RFC 3676, 4.3)
        self.spaced = True
        if line.strip():
            self.lines.append(_quoted(self.quotes) + line)
            self.row_lines += 1
            if self.attributing:
                self._attributed(line)
        elif also_empty or self.line:
            self._empty_line(self.quotes)
        self.line = []
        self.cell_begins = False

    def _empty_line(self, quotes: int) -> None:
        """Write one, unless the last is empty too, or it would be the first of all."""
        if self.lines and self.lines[-1].strip("> "):
            self.lines.append(_quoted(quotes).rstrip())

    # --- elements

    def start(self, name: str, attributes: str) -> None:
        if name in VOID:
            self._void(name, attributes)
            return
        if name in CLOSED_BY_NEXT:
            self._end_open(name, CLOSED_BY_NEXT[name])
        element = _Open(name)
        if self.hidden or _is_hidden(attributes):
            element.hidden = True
            self.hidden += 1
        else:
            self._shown(element, attributes)
        self.open.append(element)
        self.names[name] += 1

    def end(self, name: str) -> None:
        if not self.names[name]:
            if name in ("br", "p") and not self.hidden:
                self._new_line()
            return
        while self._pop() != name:
            pass

    def _end_open(self, name: str, within: frozenset[str]) -> None:
        """End the element of this name whose end tag is left out, if it is in the same list or table."""
        for depth, element in enumerate(reversed(self.open[-10:])):
            if element.name == name:
                for _ in range(depth + 1):
                    self._pop()
                return
            if element.name in within:
                return

    def _pop(self) -> str:
        element = self.open.pop()
        self.names[element.name] -= 1
        if element.hidden:
            self.hidden -= 1
            return element.name
        if element.name == "a":
            self._end_link()
        if element.breaks:
            self._break(element.breaks)
        if element.keeps:
            self.keeps -= 1
        if element.lists:
            self.lists.pop()
            self.marker = ""
        if element.quotes:
            self._quote(-element.quotes)
        if element is self.attributing:
            self.attributing = None
        if element.reply:
            self._break(2)
            self._quote(1)
            if self.open:
                self.open[-1].quotes += 1
        return element.name

    def _void(self, name: str, attributes: str) -> None:
        if self.hidden:
            return
        if name == "br":
            self._new_line()
        elif name == "hr":
            self._break(2)
        elif name == "img":
            self._image(_attributes(attributes))

    def _shown(self, element: _Open, attributes: str) -> None:
        name = element.name
        if name in BLOCKS:
            element.breaks = 1 if self.lists else _breaks(name, attributes)
            element.lists = name in LISTS
            if not self.cell_begins or name == "table":
                self._break(element.breaks)
        if name == "pre" or (attributes and KEEPS_SPACES.search(attributes)):
            element.keeps = True
            self.keeps += 1
        if name == "a":
            self._end_link()
            self.link = _link(_attributes(attributes).get("href", ""))
        elif name == "blockquote":
            self._blockquote(element, attributes)
        elif name == "li":
            self._item(attributes)
        elif element.lists:
            start = _attributes(attributes).get("start", "1") if name == "ol" else ""
            self.lists.append(0 if name != "ol" else int(start) if start.isdecimal() and len(start) < 9 else 1)
        elif name in CELLS:
            self._cell()
        elif name == "tr":
            self._end_line()
            self.row_lines = 0
        elif attributes and "divRplyFwdMsg" in attributes:
            element.reply = True
        elif attributes and "yahoo_quoted" in attributes:
            self._end_line()
            self.attributing = element

    def _item(self, attributes: str) -> None:
        number = self.lists[-1] if self.lists else 0
        self.marker = f"{number}. " if number else "- "
        if number:
            self.lists[-1] += 1

    def _cell(self) -> None:
        """Put cells beside each other as long as each is one line; what is more is lay-out."""
        if not self.line or self.row_lines:
            self._break(1)
            return
        self.breaks = 0
        if self.line[-1] == " ":
            self.line.pop()
        self.line.append(" " if self.line and self.line[-1].endswith(":") else " | ")
        self.spaced = self.cell_begins = True

    # --- quotes

    def _blockquote(self, element: _Open, attributes: str) -> None:
        """What programs indent at a button of theirs is no quote: it has no border, and is of no kind."""
        if NO_BORDER.search(attributes) and not QUOTE.search(attributes):
            return
        element.quotes = 1
        self._quote(1)

    def _quote(self, change: int) -> None:
        self._end_line()
        self.outer = min(self.outer, self.quotes + change)
        self.quotes += change

    def _attributed(self, line: str) -> None:
        """The first line of Yahoo's quote is written: the quote begins, unless it is a mail that is forwarded."""
        element, self.attributing = self.attributing, None
        if element and not line.startswith("----"):
            element.quotes += 1
            self.quotes += 1

    # --- links and pictures

    def _end_link(self) -> None:
        if not self.link:
            return
        link, self.link = self.link, ""
        text = "".join(self.linked).strip()
        self.linked = []
        if not text or not self.line or text == link or _bare(text) == _bare(link):
            return
        self.line.insert(len(self.line) - (self.line[-1] == " "), f" ({link})")

    def _image(self, attributes: dict[str, str]) -> None:
        alt = " ".join(attributes.get("alt", "").split())[:300]
        if any(TINY.fullmatch(attributes.get(side, "")) for side in ("width", "height")):
            return
        if not SAYS_NOTHING.fullmatch(alt):
            self._write(f"[{alt}]" if any(letter.isalnum() for letter in alt) else alt)  # no letter: an emoji


def _quoted(quotes: int) -> str:
    return "> " * min(quotes, DEEPEST_QUOTE)


def _breaks(name: str, attributes: str) -> int:
    """Tell whether there is an empty line around a block (2) or none (1). Outlook has one above a mail's headers."""
    if name == "div":
        return 2 if "border-top:solid" in attributes else 1
    return 2 if name in PARAGRAPHS and not (name == "p" and NO_MARGIN.search(attributes)) else 1


def _is_hidden(attributes: str) -> bool:
    return bool(attributes) and bool(HIDDEN.search(attributes))


def _attributes(written: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for match in ATTRIBUTE.finditer(written):
        name, double, single, bare = match.groups()
        found.setdefault(name.lower(), _unescaped(double or single or bare or ""))
    return found


def _unescaped(text: str) -> str:
    try:
        return unescape(text)
    except ValueError:  # a number of more than 4300 digits
        return text


def _link(href: str) -> str:
    href = "".join(href.split())
    return href if len(href) <= LONGEST_LINK and LINK.fullmatch(href) else ""


def _bare(link: str) -> str:
    """Return what is left to compare of a link: without its scheme, and a telephone number without its signs."""
    bare = SCHEME.sub("", link.strip().lower()).rstrip("/")
    if link[:7].lower() == "mailto:":
        bare = bare.partition("?")[0]
    return "".join(filter(str.isdigit, bare)) if TELEPHONE.fullmatch(bare) else bare
