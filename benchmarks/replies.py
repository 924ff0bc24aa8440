"""How much of what people wrote is told from what they quoted, and how long hostile mails take.

python benchmarks/replies.py [FOLDER]

FOLDER/emails holds plain-text bodies, FOLDER/trimmed what each of them should become, under the same name: print the
share that does (white space aside), and those that do not.
"""

import sys
import time
from pathlib import Path

from adapters.mail.written import written

SIZE = 400_000
BAR = 0.3
HOSTILE = {
    "line ends": "\n",
    "spaces": " ",
    "dashes": "-",
    "underscores": "_",
    "rules": "_" * 60 + "\n",
    "short lines": "a\n",
    '"On "': "On ",
    '"On " lines': "On 5\n",
    '"> "': "> ",
    '">" lines': ">\n",
    '"<" lines': "<\n",
    '"wrote:"': "wrote:",
    '"wrote:" lines': "wrote:\n",
    '"On x wrote:" lines': "On x wrote:\n",
    "dates and colons": "5.5.2016 10:00:\n",
    "introductions": "On 5 May 2016 at 10:00, Ann <ann@example.com> wrote:\n",
    "introductions on one line": "On 5 May 2016 at 10:00, Ann <ann@example.com> wrote: ",
    "introductions in lines": "On 5 May 2016 at 10:00, Ann <ann@example.com> said: hi\n",
    "quoted introductions": "> On 5 May 2016 at 10:00, Ann <ann@example.com> wrote:\na\n",
    "introductions and quotes": "On 5 May 2016 at 10:00, Ann <ann@example.com> wrote:\n> a\nb\n",
    "unfinished introductions": "On 5 May 2016 at 10:00, Ann <\n",
    '"From: a" lines': "From: a\n",
    "half header blocks": "From: a\nTo: b\nDate: c\nCc: d\nImportance: e\n",
    "header blocks": "From: a@b.example\nTo: b\nSubject: c\n\n",
    "originals": "-----Original Message-----\n",
    "signatures": "-- \nAnn\n",
    "footers": "Sent from my iPhone\n\n",
    "quotes and texts": "> a\nb\n",
}


def main(folder: str | None = None) -> bool:
    well = all([_timed(name, piece) for name, piece in HOSTILE.items()])
    print(f"{SIZE // 1000} KB each: {'ok' if well else 'NOT'} (under {BAR} s of CPU)")
    if folder:
        _compare(Path(folder))
    return well


def _timed(name: str, piece: str) -> bool:
    text = "Yes, solved\n\n" + piece * (SIZE // len(piece))
    seconds = max(_seconds(text), _seconds(text.partition("\n\n")[2]))
    print(f"{name:28} {seconds:.3f} s")
    return seconds < BAR


def _seconds(text: str) -> float:
    began = time.process_time()
    written(text)
    return time.process_time() - began  # of the CPU: what others do on this machine is not measured


def _compare(folder: Path) -> None:
    right, names = 0, sorted(path.name for path in (folder / "emails").iterdir())
    for name in names:
        got = written((folder / "emails" / name).read_text(encoding="utf-8")).split()
        wanted = (folder / "trimmed" / name).read_text(encoding="utf-8").split()
        right += got == wanted
        if got != wanted:
            print(f"NOT  {name}\n     wanted {' '.join(wanted)[:200]!r}\n     got    {' '.join(got)[:200]!r}")
    print(f"{right} of {len(names)} as they should be ({right / len(names):.0%})")


if __name__ == "__main__":
    main(*sys.argv[1:])
