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
Our choir rehearses on Thursdays, and that is where somebody gave me this address and said that you answer quickly.
It took me three evenings to find out where one can write to you at all, the form on the site is well hidden.
I look after an allotment and keep bees, so between April and September I hardly ever sit at a desk.
My late mother used to say that one should always put things in writing, and I have kept to that.
Just to give you some background, I joined in 2011 when your office was still opposite the town hall.
I teach chemistry at the secondary school and we were in the middle of marking the exams.
Before I come to the point I would like to mention that the young man at the reception was a gem.
The last time we spoke you asked me to describe matters in my own words, so here I go.
Being a long distance lorry driver I get decent reception only at the service areas.
We have just had our second baby, hence I am typing this with one thumb.
My flatmate reckons that you never read these mails, let us see whether he is right.
After the storm we had no electricity for two days and I could not switch on anything.
"""
AFTER = """\
It would take a load off my mind if this could be dealt with by Thursday.
Do tell me if you require any form filled in, I am happy to come by in person.
The mornings suit me best, but not on Wednesdays because then I have physiotherapy.
I trust that you will look at this with the necessary care.
Please acknowledge that this has arrived.
If I am barking up the wrong tree, kindly pass this on to whoever is in charge.
Whatever you decide, explain it in plain words, I am not a lawyer.
You will find my particulars underneath.
I am keeping a copy of this letter for my own files.
The new leaflets that you sent round look smart, my compliments to whoever drew them.
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
