"""Makes typos.csv and long.csv of incidents.csv: `python tests/data/classify/make.py`. The same every time.

All sets here were written for this project, before the training sentences in bot/training_data and independently of
them; none of them is trained on.
"""

import csv
import random
from pathlib import Path

HERE = Path(__file__).parent
SEED = 8
WRONG = 0.08  # share of the letters that are mistyped
BESIDE = dict(
    zip(
        "qwertyuiopasdfghjklzxcvbnm",
        "wa qes wrd etf ryg tuh yij uok ipl ol qsz adwx sfec dgrv fhtb gjyn hkum jli k;o asx zdc xfv cgb vhn bjm nk".split(),
        strict=False,
    )
)

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
I am writing to you because the phone line was busy the whole morning and the music got on my nerves.
We have banked with you since my parents opened a savings book for me in 1994, and so far I could not complain.
First of all let me say that your colleague Mrs Patel in the Croydon branch has always been very kind to me.
I am seventy-one and not too good with computers, so my granddaughter is helping me to write this.
Last weekend we were at the seaside with the children and the weather was lovely, which is why I only saw this today.
Sorry for the long message, I want to give you all the details so that nobody has to ask me again.
I work shifts at the hospital, therefore I only get round to my paperwork at night.
I had a chat with your bot yesterday and it did not understand a word of what I was telling it.
My husband normally looks after these matters but he is abroad for his work until the end of the month.
As you may know I run a small bakery with three employees and every day counts for us.
I recommended you to several friends of mine and two of them have joined since.
I have read your help pages from top to bottom and found nothing about it.
"""
AFTER = """\
I would be grateful if somebody could look into it before the weekend.
Please let me know what you need from me, I can scan any papers.
You can reach me on the number below after five, or simply answer to this mail.
I have attached two screenshots so that you can see what I mean.
It would be nice to hear from a real person this time.
I am sure that there is a simple explanation and look forward to hearing from you.
My neighbour told me that your team solved her matter within a day, so I am hopeful.
I do not want to go to the ombudsman about it, but I will if I have to.
Should you have any questions, my reference number is at the bottom.
By the way, congratulations on the new branch, it looks very modern.
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
NAMES = ["Margaret Hill", "Tomasz Nowak", "Aisha Rahman", "J. P. Lindqvist", "Dr Eleanor Marsh", "Ravi", "Mrs B. Okafor"]
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
