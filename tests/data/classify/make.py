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
You may recall that we corresponded in the autumn about the parking spaces behind your building.
As a midwife I am on call most nights, and the pager has a habit of going off whenever I open my laptop.
Allow me to introduce myself, I have taken over the household affairs from my brother-in-law since his stroke.
We emigrated from Chile in the nineties and I still count in pesos when nobody listens.
The heating engineer has been hammering in the cellar since dawn, so pardon any lapses in concentration.
Some people collect stamps, I collect correspondence with institutions, and yours fills a whole binder.
On the phone your assistant advised me to describe things at leisure and in full sentences.
My physics tutor maintains that every problem shrinks once it is written down, so let me try.
Last but not least of my worries this spring, after the broken boiler and the wasps in the attic, comes this.
I sing in a barbershop quartet, we perform at care homes, and it keeps me rather busy.
It must be seven or eight years since I last had any reason to contact you, which speaks for you.
Our town has no branch any longer, the nearest one is a bus ride of fifty minutes away.
"""
AFTER = """\
A neighbour witnessed all of it and would gladly confirm.
If it is easier for you, ring the landline and let it chime for a while, I am slow on the stairs.
I do not expect miracles, merely a tidy answer.
Perhaps you could forward this to the department that deals with such things.
My train leaves on Saturday, after that I am at the lakes without any signal.
Kindly tell me the name of whoever picks this up.
I have underlined the important bit in my notes at home but cannot do so here.
For what it is worth, the rest of your service has been splendid.
No need to send flowers, an honest reply is plenty.
Excuse the length, brevity never was my strong suit.
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
