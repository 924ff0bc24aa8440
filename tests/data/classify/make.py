"""Makes typos.csv and long.csv of incidents.csv: `python tests/data/classify/make.py`. The same every time.

All sets here were written for this project, before the training sentences in bot/training_data and independently of
them; none of them is trained on.
"""

# ruff: noqa: E501

import csv
import random
from pathlib import Path

HERE = Path(__file__).parent
SEED = 8
WRONG = 0.08  # share of the letters that are mistyped
BESIDE = {  # the keys around a key
    "q": "wa", "w": "qes", "e": "wrd", "r": "etf", "t": "ryg", "y": "tuh", "u": "yij", "i": "uok", "o": "ipl",
    "p": "ol", "a": "qsz", "s": "adwx", "d": "sfec", "f": "dgrv", "g": "fhtb", "h": "gjyn", "j": "hkum", "k": "jli",
    "l": "k;o", "z": "asx", "x": "zdc", "c": "xfv", "v": "cgb", "b": "vhn", "n": "bjm", "m": "nk",
}  # fmt: skip

GREETINGS = """\
Dear Sir or Madam,
Hello,
Good afternoon,
Hi there, hope you are having a nice week.
To whom it may concern,
Dear customer care team,
Hey guys,
Good evening to you all,
"""
BEFORE = """\
Winters are long up here on the island and the ferry comes on Tuesdays, so post takes its time.
Let me start by thanking Mr Osei, who walked me through the tablet settings in February.
I restore grandfather clocks for a living, which is to say that I value precision.
Our lodger, a very nice Dutch student, pointed out the contact form to me over supper.
Until the spring I was under the impression that one could settle such things at the post office.
Being deaf in one ear I prefer the written word to your call centre.
As the treasurer of the bowling club I deal with four banks, and yours is the one closest to our green.
There was quite some commotion in our street on account of the marathon, hence my slow reaction.
Your magazine had a crossword on page nine that my aunt and I could not crack, what was seven down?
I ought to have got in touch earlier, but the harvest does not wait for anybody.
When I signed on all those years ago, a clerk with a moustache promised me that I would always get a straight answer.
Since the kids have flown the nest I have taken up watercolours and correspondence.
"""
AFTER = """\
My diary is empty after the twentieth, in case you wish to arrange something.
Rest assured that I bear no grudge.
A short line in reply will do nicely.
I would rather not go through the whole rigmarole of passing from desk to desk.
If memory serves, the folder on your side carries the initials GH.
Feel free to be blunt, I can take it.
I shall be out on the boat until teatime.
Kindly excuse the handwriting font, my niece set it up for me and I have no idea how to alter it.
Your patience with an old fellow is much appreciated.
May I suggest that you water the ferns in the lobby, they look thirsty.
"""
CLOSINGS = """\
Kind regards\\n{name}\\n{street}\\nTel. 020 7946 0{number}
Best wishes,\\n\\n{name}
Yours faithfully\\n{name}\\nHead of Purchasing | Brightwater Supplies Ltd\\nwww.brightwater.example | Registered in England 0{number}12
Thanks and regards,\\n{name}\\n\\nSent from my iPhone
Cheers\\n{name}
--\\n{name}\\n{street}\\nThis e-mail and any attachment is confidential and intended for the addressee only. If you are not the addressee, please delete it.
Many thanks in advance,\\n{name}\\nGet Outlook for Android
"""
HISTORIES = """\

On Tue, 4 Mar 2025 at 10:1{digit}, Support <support@bank.example> wrote:\\n> Dear customer,\\n> thank you for contacting us. We have received your message and will answer within two working days.\\n> Do you want to know more about refunds, blocked cards or statements? Visit our help pages.\\n> Your Support Team
-----Original Message-----\\nFrom: Customer Care <care@bank.example>\\nSent: Monday\\nSubject: Your request {number}\\n\\nThank you for your patience. A colleague will get back to you shortly.\\nNever share your password or PIN with anybody.
> Hello {name},\\n> is there anything else that we can do for you?\\n> Please rate our service.
"""
NAMES = [
    "Margaret Hill",
    "Tomasz Nowak",
    "Aisha Rahman",
    "J. P. Lindqvist",
    "Dr Eleanor Marsh",
    "Ravi",
    "Mrs B. Okafor",
]
STREETS = ["14 Acacia Avenue, Leeds", "Flat 3, 77 Mill Lane, Bristol", "PO Box 118, Dover"]


def mistype(text: str, dice: random.Random) -> str:
    written: list[str] = []
    for letter in text:
        if letter.lower() not in BESIDE or dice.random() >= WRONG:
            written.append(letter)
            continue
        match dice.randrange(4):
            case 0:
                written.append(dice.choice(BESIDE[letter.lower()]))
            case 1:
                written += [letter, letter]
            case 2 if written:
                written.insert(-1, letter)
    return "".join(written)


def in_a_mail(text: str, dice: random.Random) -> str:
    pick = lambda lines, low, high: dice.sample(lines.splitlines(), dice.randint(low, high))  # noqa: E731
    problem = text if text[-1] in ".!?" else f"{text}."
    body = " ".join([*pick(BEFORE, 1, 4), problem[0].upper() + problem[1:], *pick(AFTER, 1, 3)])
    parts = [*pick(GREETINGS, 1, 1), body, *pick(CLOSINGS, 1, 1), *pick(HISTORIES, 1, 1)]
    words = {"name": dice.choice(NAMES), "street": dice.choice(STREETS)}
    words |= {"number": str(dice.randint(100, 999)), "digit": str(dice.randint(0, 9))}
    return "\n\n".join(part.replace("\\n", "\n").format(**words) if part in CLOSINGS + HISTORIES else part
                       for part in parts if part)  # fmt: skip


def main() -> None:
    with (HERE / "incidents.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for name, change in {"typos": mistype, "long": in_a_mail}.items():
        dice = random.Random(SEED)
        with (HERE / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            out = csv.writer(file, lineterminator="\n")
            out.writerow(["text", "label"])
            out.writerows([change(row["text"], dice), row["label"]] for row in rows)


if __name__ == "__main__":
    main()
