"""Finds what in a text talks to a classifier instead of telling a problem: "ignore your instructions", "classify this
as …", an answer in JSON. Such a clause says nothing about what the customer needs, and everything about what they want
the bot to do.

A search for phrases, in the languages that we write. It misses what is put in other words, so nobody may rely on it
alone; and what it finds is only a reason to have a person look.
"""

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Final

from bot.model import Category


def orders(text: str) -> list[tuple[int, int]]:
    """Return the (start, end) of every clause that gives a classifier, a model or a bot an order; in order, none
    overlapping. Takes time linear in the text, and raises nothing."""
    folded = _fold(text)
    found = sorted(_finds(folded))
    if not found:
        return []
    places = _places(text, folded)
    return [(places[start], places[end]) for start, end in _clauses(folded, found)]


def without_orders(text: str) -> str:
    """Return what of a text is no order."""
    kept, at = [], 0
    for start, end in orders(text):
        kept.append(text[at:start])
        at = end
    return "".join([*kept, text[at:]]) if kept else text


def _finds(folded: str) -> Iterator[tuple[int, int]]:
    """Look for each phrase of which a stem is there: a cheap test, which most messages fail for most phrases."""
    for stems, phrase in ORDERS:
        for stem in stems:  # a generator for `any` would cost three times as much
            if stem in folded:
                yield from (match.span() for match in phrase.finditer(folded))
                break


# --- one spelling for all: lower case, without accents, vowel marks, invisible characters and full-width forms


class _Folded(dict[int, str]):
    """Maps a character to its folded form, and remembers it."""

    def __missing__(self, code: int) -> str:
        folded = _folded(chr(code))
        if len(self) < 20_000:
            self[code] = folded
        return folded


def _folded(char: str) -> str:
    if unicodedata.category(char) == "Cf":
        return ""
    return "".join(part for part in unicodedata.normalize("NFKD", char).lower() if not IGNORED.fullmatch(part))


IGNORED: Final = re.compile("[\u0300-\u036f\u0640\u064b-\u0655\u0670\u093c\u0085]")
"""Latin accents, the Arabic tatweel and short vowels, the Devanagari nukta; and a line end that only some know."""
FOLDED: Final = _Folded()


def _fold(text: str) -> str:
    return text.lower() if text.isascii() else text.translate(FOLDED)


def _places(text: str, folded: str) -> "range | list[int]":
    """Where in the text each folded character, and the end, comes from."""
    if len(folded) == len(text) and text.isascii():
        return range(len(text) + 1)
    return [*(place for place, char in enumerate(text) for _ in FOLDED[ord(char)]), len(text)]


# --- clauses

STRONG: Final = re.compile(r"[.!?](?=[\s\"')\]]|\Z)|[;}\n\u0964\u061f\u061b。！？]|</\w{1,20}>|\[/inst\]|<\|im_end\|>")
WEAK: Final = re.compile(r"[,\u060c](?=\s|\Z)|\s[-\u2013\u2014]+\s")
JOINS: Final = re.compile(
    r"\s(?=(?:and|but|so|also|y|pero|und|aber|et|mais|e|mas|और|लेकिन|aur|ولكن)\s)"
    r"|(?<=\s)(?=(?:please|por favor|bitte|kindly|s'il)\s)"
)
"""Before what an order may begin in the middle of a sentence."""


def _clauses(folded: str, found: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Widen each find to its clause: to the left not beyond a comma or an "and", to the right not beyond a comma."""
    ends = sorted({0, len(folded), *(match.end() for end in (STRONG, WEAK) for match in end.finditer(folded))})
    starts = sorted({*ends, *(match.end() for match in JOINS.finditer(folded))})
    reached = 0
    for start, end in found:
        last = ends[bisect_left(ends, end)]
        if last > reached:
            yield max(starts[bisect_right(starts, start) - 1], reached), last
            reached = last


# --- the phrases; every gap is bounded and within a line, so that the search is linear

NAMES: Final = "|".join(name for name in Category if name != Category.OTHER)
"""As only somebody writes who has seen our answers."""
WORDED: Final = "|".join(name.replace("_", r"[\s_-]{1,2}") for name in Category if name != Category.OTHER)
PROBLEM: Final = (
    rf"(?:{WORDED}|fraud\w{{0,6}}|refunds?|other|urgent\w{{0,3}}|estafa|reembolso|devolucion|betrug|ruckerstattung"
    r"|erstattung|remboursement|रिफंड|धोखाधड़ी|احتيال|استرداد)"
)
MACHINE: Final = (
    r"(?:ai|ki|ia|llms?|gpt[\w.-]{0,6}|chatgpt|gemini|claude|(?:language |ai )?models?|sprachmodell|modelos?|modele"
    r"|classifiers?|clasificador|classificador|klassifikator|classificateur|क्लासिफायर|النموذج|المصنف)"
)
RULES: Final = (
    r"(?:instructions?|prompts?|rules|guidelines|directives|instrucciones|reglas|indicaciones|ordenes|anweisung(?:en)?"
    r"|regeln|vorgaben|instruktionen|consignes|regles|instrucoes|regras|orientacoes|ordens|istruzioni|regole|nirdesh"
    r"|निर्देशों|निर्देश|नियमों|नियम|आदेशों|आदेश|تعليمات\w{0,3}|التعليمات|الأوامر|القواعد|الإرشادات|التوجيهات)"
)
STEMS_OF_RULES: Final = (
    "instruc instruk instruz istruz prompt rules guideline directive reglas regeln regles regras regole indicacion "
    "ordenes ordens anweisung vorgaben consigne orientac nirdesh निर्देश नियम आदेश تعليمات الأوامر القواعد الإرشادات "
    "التوجيهات"
)
DROP: Final = (
    r"(?:ignor(?:e|es|ing|a|ar|ad|en|ez|er|iere|ieren|iert|i)|disregard|forget|override|overrule|bypass|neglect"
    r"|olvida(?:d|te)?|descarta|omite|vergiss|vergesst|missachte\w?|ubergeh\w{1,3}|oublie[zr]?|negligez?"
    r"|esquec\w{1,2}|desconsider\w{1,2}|descarte|dimentica\w?|تجاهل\w{0,2}|انس\w{0,2}|اهمل\w?)"
)
CLASSIFY: Final = (
    r"(?:(?:re-?)?classify|be (?:classified|categori[sz]ed|label?led|tagged)|categori[sz]e|label|tag"
    r"|clasifi(?:ca|car|cad|calo|cala|came|que"
    r"|quen|quelo|quela)|categori(?:za|zar|ce|zalo|ze)|etiquet\w{1,5}|klassifizier\w{1,2}|kategorisier\w{1,2}"
    r"|class(?:e|ez|er|ifie|ifiez|ifier|ifica|ifique|ificar)|categoris(?:e|ez|er)|rotul\w{1,3})"
)
KIND: Final = (
    r"(?:category|categories|classification|label|intent|categoria|clasificacion|classificacao|etiqueta|kategorie"
    r"|klassifizierung|categorie|श्रेणी|कैटेगरी|الفئة|فئة|التصنيف|تصنيف)"
)
STEMS_OF_KIND: Final = (
    "categor label intent classif clasif etiquet kategor klassif श्रेणी कैटेगरी فئة تصنيف"  # one for each of KIND
)
MUST: Final = (
    r"(?:is|to|must|should|shall|has|needs|be|es|debe|sera|sea|ist|lautet|muss|soll|est|doit|deve|e|है|हो|होनी|रखें|रखो"
    r"|चुनें|चुनो|هي|هو|يجب|تكون)"
)
SAY: Final = (
    r"(?:answer|respond|reply|return|output|print|emit|produce|generate|say|write|give|choose|pick|select|set|assign|use"
    r"|put|mark|responde|devuelve|escribe|imprime|elige|selecciona|pon|marca|usa|antworte\w?|gib|schreib\w?|wahle?|setze"
    r"|markier\w{1,2}|repond\w{1,2}|retourne[zr]?|renvoie|affiche|ecri[st]|choisi\w{1,4}|mets|mettez|marque[zr]?|responda"
    r"|retorne|devolva|escreva|imprima|escolha|selecione|coloque|defina|rispondi|scrivi|scegli|चुनो|चुनें|लिखो|लिखें|जवाब"
    r"|उत्तर|बताओ|डालो|डालें|أجب|اكتب|اطبع|أرجع|أعد|اختر|ضع|قل|اجعل|اعتبر\w{0,2})"
)
TICKETS: Final = (
    r"(?:tickets?|incidents?|tkt(?:-[\w-]{1,32})?|incidencias?|chamados?|vorgang|vorgange|टिकट|التذكرة|تذكرة|تذاكر"
    r"|التذاكر)"
)
STEMS_OF_TICKETS: Final = "ticket incident tkt incidencia chamado vorgang टिकट تذكرة تذاكر"

PHRASES: Final = (
    # forget what you were told
    (STEMS_OF_RULES, rf"(?<!\w){DROP}\s[^\n]{{0,60}}?(?<!\w){RULES}"),
    (
        STEMS_OF_RULES,
        rf"(?<!\w){RULES}\s[^\n]{{0,30}}?(?:ignore kar|bhool|bhul|अनदेखा|अनदेखी|नज़रअंदाज|नजरअंदाज|इग्नोर|भूल|भुला)",
    ),
    (
        "ignor disregard forget olvida vergiss oubli esquec",
        r"(?<!\w)(?:ignor[ea]|disregard|forget|olvida|vergiss|oublie[zr]?|esqueca)\s"
        r"(?:all|everything|anything|todo|alles|tout|tudo)\s[^\n]{0,20}?"
        r"(?:above|before|said|told|previous|anterior|antes|arriba|vorher|davor|zuvor|precede|avant|acima|dicho|dito)",
    ),
    (
        STEMS_OF_RULES + " task",
        rf"(?<!\w)(?:new|updated?|nuevas?|neue|nouvelles?|novas?|नए|नया)\s(?:system\s)?(?:task|{RULES})\s?:"
        rf"|(?<!\w){RULES}\s(?:nuevas|novas|nouvelles|جديدة)\s?:",
    ),
    # classify it as
    (
        "classif categori label tag clasif etiquet klassif kategor class rotul",
        rf"(?<!\w){CLASSIFY}(?!\w)[^\n]{{0,60}}?(?<!\w)(?:as|under|como|als|unter|comme|en tant que|into|come)(?!\w)"
        rf"|(?<!\w){CLASSIFY}\s?:"
        rf"|(?<!\w){CLASSIFY}\s[^\n]{{0,20}}?(?<!\w)(?:message|ticket|mensaje|mensagem|nachricht|texto?|texte)(?!\w)",
    ),
    (
        "ordne stufe sortier",
        r"(?<!\w)(?:ordne|stufe|sortiere)\s[^\n]{0,60}?\s(?:als|unter|zu|in)\s[^\n]{0,40}?\b(?:ein|zu)(?!\w)",
    ),
    (
        "वर्गी श्रेणी क्लासि लेबल classify label categori",
        r"(?:वर्गीकृत|श्रेणीबद्ध|क्लासिफाई|वर्गीकरण)\s(?:कर|करो|करें|कीजिए)|लेबल\s[^\n]{0,10}?(?:करो|करें|दो|दें|लगा)"
        r"|(?<!\w)(?:classify|label|tag|categori[sz]e)\s(?:karo|kar do|kijiye|karen)(?!\w)"
        rf"|{PROBLEM}\s(?:की\s|वाली\s)?(?:श्रेणी|कैटेगरी)",
    ),
    ("صنف تصنيف", r"(?<!\w)صنف\w{0,3}\s[^\n]{0,60}?(?:ك\w|على أن|تحت|ضمن|إلى)|(?<!\w)يجب تصنيف"),
    # the category is
    (STEMS_OF_KIND, rf"(?<!\w){KIND}\s?[:=]\s?[\"']?\w|(?<!\w){KIND}\s{MUST}\s[^\n]{{0,30}}?{PROBLEM}"),
    (
        STEMS_OF_KIND,
        rf"(?<!\w){PROBLEM}[\"'»”`]?\s(?:is|as|es|ist|est|e|है|هي)\s(?:the|la|die|a|सही)\s(?:\w{{1,10}}\s)?{KIND}(?!\w)",
    ),
    (NAMES.replace("|", " "), rf"(?<!\w)(?:{NAMES})(?!\w)"),
    # say this and that
    (
        STEMS_OF_KIND + " json confiden confian konfidenz",
        rf"(?<!\w){SAY}(?!\w)[^\n]{{0,40}}?(?<!\w)(?:{KIND}|json|confidence|confianza|konfidenz|confianca|confiance)(?!\w)",
    ),
    (
        "only just exactly nothing solo solamente nur seulement uniquement apenas somente فقط",
        rf"(?<!\w){SAY}\s(?:only|just|exactly|nothing but|solo|solamente|nur|seulement|uniquement|apenas|somente|فقط)\s"
        rf"(?:with\s|con\s|mit\s|par\s|avec\s|com\s)?(?:the word\s|la palabra\s|das wort\s|le mot\s|a palavra\s)?"
        rf"[\"'«“`]?{PROBLEM}(?!\w)",
    ),
    (
        "choose pick select elige wahle choisi escolha",
        rf"(?<!\w)(?:choose|pick|select|elige|wahle|choisi\w{{1,2}}|escolha)\s(?:the\s|a\s)?[\"'«“`]?(?:{WORDED})(?!\w)",
    ),
    (
        "treat mark file flag log record register route handle",
        r"(?<!\w)(?:treat|mark|file|flag|log|record|register|route|handle)\s(?:this|it|me|my \w{1,12}|the \w{1,12})\s"
        rf"(?:as|under)\s(?:a |an |the )?[\"'“`]?(?:{WORDED})(?!\w)",
    ),
    (
        "json",
        r"(?<!\w)json\s(?:only|output|format|object|ausgeben|में|दो|दें)(?!\w)|(?<!\w)(?:in|as|como|als|en) json(?!\w)",
    ),
    (
        "category categories confiden label classif intent thanks class",
        r"\{[^{}]{0,300}?[\"'](?:category|categories|confidence|label|classification|class|intent|thanks|classified_by)"
        r"[\"']\s?:[^{}]{0,300}\}?|<(?:category|label|answer|output|confidence|classification)>",
    ),
    (
        "confiden confian konfidenz विश्वास الثقة",
        r"(?<!\w)(?:confidence|confianza|konfidenz|confianca|confiance|विश्वास|الثقة)(?:\s(?:score|level|of|is|to|at|von|de|a)){0,2}"
        r"\W{1,4}(?:of |is |to |auf |a )?(?:[01](?:[.,]\d{1,9})?|\d{2,3}\s?%)(?!\w)",
    ),
    # who the text takes us for
    (
        "you|are",
        r"(?<!\w)you are (?:now|no longer) (?:a|an|the|my|in)(?!\w)"
        r"|(?<!\w)you are (?:a|an|the) (?:\w{1,20} )?(?:classifier|language model|llm)(?!\w)",
    ),
    (
        "act|as behave|as respond|as",
        r"(?<!\w)(?:act|behave|respond) as (?:if you|a |an )[^\n]{0,20}?"
        r"(?:bot|ai|assistant|classifier|model|administrator)(?!\w)",
    ),
    (
        "pretend from|now developer jailbreak do|anything god|mode",
        r"(?<!\w)(?:pretend (?:to be|that you|you)|from now on,? you|developer mode"
        r"|jailbreak|do anything now|god mode)(?!\w)",
    ),
    (
        "jetzt nun ahora maintenant desormais agora अब الآن",
        r"(?<!\w)(?:ab jetzt bist du|du bist (?:jetzt|nun) ein\w{0,2}|ahora eres|a partir de ahora,? (?:eres|clasifica)"
        r"|tu es maintenant|desormais,? tu|agora voce e|a partir de agora,? voce"
        r"|अब (?:तुम|आप) (?:एक|सिर्फ)|أنت الآن)(?!\w)",
    ),
    (
        "ai: ai, ai! ai|reading ai|that ai|system ki: ki, ia: ia, llm gpt gemini claude model sprachmodell classif "
        "clasif klassif "
        "क्लासिफायर النموذج المصنف",
        r"(?:\A|[.!?\n(\[*#]\s?)(?:hey|hi|hello|dear|attention|note (?:to|for)|message (?:to|for)|to|for|an|para|pour"
        r"|hinweis an|nota para|note pour|für|إلى)\s(?:(?:the|any|all|das|die|den|el|la|le|o|a)\s)?(?:\w{1,12}\s)?"
        rf"{MACHINE}(?:\s(?:system|reading this|that reads this))?\s?[,:!]|(?:\A|[.!?\n(\[*#]\s?){MACHINE}\s?:",
    ),
    (
        "system assistant developer sistema",
        r"(?:\A|[\n.!?])[ >#*\[-]{0,6}(?:system|assistant|developer|sistema)\s?(?:\]|message|prompt|note|override)?\s?:"
        r"|(?<!\w)(?:system|developer) (?:prompt|override|message|instruction\w?)(?!\w)",
    ),
    ("prompt", r"(?<!\w)(?:your|tu|dein\w{0,2}|ton|votre|seu) prompt(?!\w)"),
    (
        "system> assistant> user> im_start im_end message> prompt> data> instruction endoftext inst] sys>> |>",
        r"</?\|?/?(?:system|assistant|user|im_start|im_end|message|instructions?|prompt|data|endoftext)\|?>|<\|im_start"
        r"|\[/?inst\]|<</?sys>>",
    ),
    (
        "end begin message",
        r"\[/?(?:end|message)\s?[0-9a-f]{0,32}\]|(?:\A|\n)\s?[-=#*~]{2,20}\s?(?:end|begin|start)\s(?:of\s)?(?:the\s)?"
        r"(?:message|data|prompt|text|user|customer)",
    ),
    # what it shall do
    (
        STEMS_OF_TICKETS,
        rf"(?<!\w)(?:set|use|make|assign|give|change|put|let)\s[^\n]{{0,20}}?{TICKETS}'?s?\s"
        r"(?:id|number|no|priority|status)(?!\w)"
        r"|(?<!\w)(?:ticket|incident) (?:id|number) (?:must|should|shall) be(?!\w)",
    ),
    (
        STEMS_OF_TICKETS,
        rf"(?<!\w)(?:create|open|raise|generate|make|file)\s(?:\w{{1,10}}\s){{0,3}}{TICKETS}\s"
        r"(?:with (?:category|priority|id|number|status|json)|named|called|numbered|in (?:the )?category"
        rf"|of (?:the )?(?:type|category)|as {PROBLEM})"
        rf"|(?<!\w)(?:create|open|raise|generate)\s(?:\d{{2,6}}|ten|twenty|fifty|a hundred|hundred|a thousand)\s"
        rf"(?:\w{{1,12}}\s)?{TICKETS}",
    ),
    (
        STEMS_OF_TICKETS,
        r"(?<!\w)(?:close|delete|resolve|drop|cierra|borra|elimina|schließe|lösche|ferme[zr]?|supprime[zr]?|feche|apague"
        r"|बंद|احذف|أغلق)\s"
        rf"(?:all|every|any other|todos|todas|alle|tous|toutes|सभी|جميع|كل)\s[^\n]{{0,20}}?{TICKETS}",
    ),
    (
        STEMS_OF_TICKETS,
        rf"(?<!\w)(?:crea|cree|crie|abre|abra|erstelle|eröffne|cree[zr]?|ouvre[zr]?)\s[^\n]{{0,20}}?{TICKETS}\s[^\n]{{0,20}}?"
        rf"(?:{KIND}|prioridad\w?|prioritat|priorite|prioridade)"
        rf"|{TICKETS}\s[^\n]{{0,30}}?{KIND}\s[^\n]{{0,30}}?(?:बना|खोल|रख|डाल)|(?:أنشئ|افتح)\s[^\n]{{0,10}}?{TICKETS}\s[^\n]{{0,20}}?{KIND}",
    ),
)  # fmt: skip
"""Each with its stems, one of which stands in whatever it finds (`|` for a space in one)."""


def _folded_literals(pattern: str) -> str:
    return "".join(char if char.isascii() else FOLDED[ord(char)] for char in pattern)


ORDERS: Final = tuple(
    (
        tuple(_folded_literals(stem).replace("|", " ") for stem in stems.split()),
        re.compile(_folded_literals(phrase), re.MULTILINE),
    )
    for stems, phrase in PHRASES
)
