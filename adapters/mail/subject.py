"""Subjects of mails that are answered."""

import re

REPLY_OR_FORWARD = (
    # English, German, Dutch, French, Italian, Spanish, Portuguese, Romanian
    "re", "fw", "fwd", "aw", "antw", "antwort", "wg", "doorst", "rép", "rep", "tr", "r", "rif", "i", "rv", "resp",
    "res", "enc", "răsp", "rasp",
    # Swedish, Danish and Norwegian, Finnish, Icelandic, Estonian, Lithuanian, Latvian, Welsh
    "sv", "svar", "vb", "vs", "vl", "fs", "vast", "edasi", "ats", "atb", "yml",
    # Polish, Czech and Slovak, Croatian, Serbian and Slovene, Hungarian, Turkish, Greek
    "odp", "pd", "odpověď", "odpoveď", "přep", "odg", "одг", "vá", "tov", "továbbítás", "ynt", "i̇lt", "ilt",
    "απ", "πρθ",
    # Russian, Ukrainian, Bulgarian, Indonesian, Vietnamese, Hindi, Thai
    "отв", "ответ", "на", "пересл", "відп", "перес", "отг", "bls", "trs", "trả lời", "उत्तर", "अग्रेषित", "ตอบกลับ",
    "ส่งต่อ",
    # Chinese, Japanese, Korean, Arabic, Persian, Hebrew
    "回复", "回復", "回覆", "答复", "答覆", "转发", "轉寄", "轉發", "返信", "転送",
    "답장", "회신", "답변", "전달", "رد", "إعادة توجيه", "پاسخ", "השב", "תגובה", "הועבר",
)  # fmt: skip
"""What programs put in front of the subject of what is answered or passed on, with a colon behind it."""

UNSEEN = r"[\s\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]*"
TAG = r"\[TKT-[A-Za-z0-9-]{1,32}\]"
BLOB = r"\[[^\[\]]{0,80}\]"
MARK = "|".join(map(re.escape, sorted(REPLY_OR_FORWARD, key=len, reverse=True)))
# The grammar is that of the base subject in RFC 5256, 2.1: "[extern] Re[2]:" is a mark too, "[extern] Hello" is not.
LEADER = re.compile(
    rf"{UNSEEN}(?:{TAG}|(?:{BLOB}{UNSEEN})*(?:{MARK})\s?(?:[\[(]\d{{1,3}}[\])]|[*^]?\d{{1,3}})?\s?[:：]){UNSEEN}",
    re.IGNORECASE,
)


def bare(subject: str) -> str:
    """Return the subject without the marks of answers and forwards (of some 35 languages, however many) and our ticket
    numbers in front of it. Empty if it is nothing else."""
    start = 0
    while leader := LEADER.match(subject, start):
        start = leader.end()
    return subject[start:].strip()


def answering(topic: str, ticket_id: str) -> str:
    """Return the subject of a mail that answers one about `topic`: with one `Re:` and the ticket's number once. Empty
    if the topic is.

    The number stands in brackets right behind `Re:`. There RFC 5256 (IMAP's THREAD) takes it off when subjects are
    compared, and so does Gmail, which breaks a thread up where the subject changes, whatever References says; at the
    end of a subject it would be a change. It is "Re:" in every language (RFC 5322, 3.6.5): programs that compare
    subjects know that one, and few others.
    """
    topic, tag = bare(topic), f"[{ticket_id}]"
    if not topic:
        return ""
    return f"Re: {topic}" if not ticket_id or tag.lower() in topic.lower() else f"Re: {tag} {topic}"
