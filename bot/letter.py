"""What a letter says: its text without greeting, signature and the letters quoted below it.

Only for classifying: what is lost here is still on the incident. Texts come in lower case, as
`bot.local_model.normalise` leaves them.
"""

import re

_QUOTED = re.compile(r"^[ \t]*>.*$", re.MULTILINE)
_HISTORY = re.compile(
    r"^[ \t]*(?:-{2,}[ \t]*(?:original message|forwarded message|ursprüngliche nachricht|mensaje original"
    r"|message d'origine)"
    r"|on [^\n]{5,100} wrote:|am [^\n]{5,100} schrieb[^\n]{0,80}:|el [^\n]{5,100} escribió:|le [^\n]{5,100} a écrit ?:"
    r"|from: [^\n]{1,100}\n[ \t]*(?:sent|date|to|subject):|von: [^\n]{1,100}\n[ \t]*(?:gesendet|datum|an|betreff):)",
    re.MULTILINE,
)
_CLOSING = re.compile(
    r"^[ \t]*(?:--[ \t]*$|sent from my |get outlook for "
    r"|(?:(?:with |my )?(?:kind|kindest|best|warm|many thanks and )[ \t]?regards|regards|thanks and regards"
    r"|best wishes|all the best|yours (?:sincerely|faithfully|truly)|sincerely|cheers"
    r"|(?:many )?thanks(?: in advance)?|thank you|mit freundlichen grüßen|(?:viele|beste|liebe) grüße|mfg|vg"
    r"|(?:un )?(?:cordial )?saludos?(?: cordiales)?|atentamente|cordialement|cordiali saluti|atenciosamente)"
    r"[ \t]*[,.!]?[ \t]*$)",
    re.MULTILINE,
)
_GREETING = re.compile(  # of a line with more in it nothing is left out: "hi charged twice"
    r"^\s*(?:(?:dear|hello|hi|hey|good (?:morning|afternoon|evening|day)|hallo|guten tag|sehr geehrte[rn]?|hola"
    r"|buen[oa]s (?:días|tardes)|bonjour|estimad[oa]s?)"
    r"(?:(?:[ \t]+[^\s,:]+){0,5},"
    r"|(?:[ \t]+(?:all|there|team|support|everyone|sirs?|madam|guys|equipo|zusammen)){0,3}[!:.]?)"
    r"|to whom it may concern[,!:.]?)[ \t]*\n"
)
_WORD = re.compile(r"[^\W\d_]{2}")
_SAYS_SOMETHING = re.compile(r"(?:[^\W\d_]{2,30}[\W\d_]{1,30}){2}[^\W\d_]{2}")  # three words; "hi all" says nothing


def body(text: str) -> str:
    """Return what was written in a letter, or the text itself if nothing would be left or it has one line only."""
    if "\n" not in text:
        return text
    rest = _QUOTED.sub("", text)
    for end in (_HISTORY, _CLOSING):
        found = next((found for found in end.finditer(rest) if _SAYS_SOMETHING.search(rest, 0, found.start())), None)
        if found:
            rest = rest[: found.start()]
    rest = _GREETING.sub("", rest)
    return rest if _WORD.search(rest) else text
