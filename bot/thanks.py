"""Whether a message says thank you, or that all is solved, and nothing else. In ten languages, by rules alone.

What decides is that the whole text consists of known phrases: one word that is in none of them, and the text may hold
another matter. So an error is a resolved incident that is reopened, or a question asked once more, never a complaint
that is laid aside.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from enum import IntEnum
from functools import cache
from typing import Final, NamedTuple

LONGEST: Final = 200
"""Characters. Whoever writes more has more to say than thank you."""

MOST_NAMES: Final = 2
"""Words that are in no phrase, but plainly a name."""


class Kind(IntEnum):
    """What a phrase says. One that is in two tables is of the later kind, which is the more careful one."""

    COURTESY = 0  # nothing: "for your help", "team", "have a nice day"
    TITLE = 1  # a name comes next: "Mr"
    GREETING = 2
    THANKS = 3
    GOOD = 4  # "ok", "great", a thumbs-up: approval that need not mean "solved"
    SOLVED = 5
    YES = 6
    NO = 7
    UNSOLVED = 8


def is_thanks(text: str) -> bool:
    """Return whether the text, without signature, says thank you, "ok", "great, works now" or the like (thumbs-up) and
    nothing else. "Again" is no thanks, a bare "yes" neither: it may accept an offer.

    A name is allowed where it is plainly one: one or two capitalised words in Latin letters right after the thanks, the
    greeting or a title, on the same line, after one comma or on the next line, that end the sentence (or thanks or "for
    your help" follow) and do not look like a matter ("Thanks Ana!", "Gracias, Ana", but not "Thanks, Refund"). After a
    comma in German, where every noun has a capital, only on the next line.
    """
    kinds = _kinds(text)
    if kinds is None or kinds & {Kind.NO, Kind.UNSOLVED} or "again" in text.casefold():
        return False
    if Kind.YES in kinds:
        return Kind.SOLVED in kinds
    return bool(kinds & {Kind.THANKS, Kind.GOOD, Kind.SOLVED})


def says_solved(text: str) -> bool | None:
    """Return how a text answers the question whether the incident is solved: True ("yes", "it works now, thanks"),
    False ("no", "still not working"), None if it does not say, says both, or says anything else as well."""
    kinds = _kinds(text)
    if kinds is None:
        return None
    if kinds & {Kind.NO, Kind.UNSOLVED}:
        # "No, thanks" and "no, ok" decline something else.
        agrees = kinds & {Kind.YES, Kind.SOLVED, Kind.GOOD}
        return None if agrees or (Kind.UNSOLVED not in kinds and Kind.THANKS in kinds) else False
    return True if kinds & {Kind.YES, Kind.SOLVED} else None


# --- reading


class Word(NamedTuple):
    """A word as it was written, as it is looked up, and what stands between it and the word before."""

    written: str
    key: str
    gap: str


GAP: Final = r"[\s.,!;:…\-–—\"“”„«»*_~¡،؛।۔]*"
LETTER: Final = r"(?:[^\W\d_\u0900-\u0963]|[\u0900-\u0963])"
"""The vowel signs of Devanagari are no letters to Python."""

EMOJI: Final = "[👍🙏❤😊🙂😀😃😄😁😉🎉🥳👌✅✔☑💯🥰😍😘🤗☺💪👏🙌🤝🫶💚💙💛🧡💜🖤🤍💐🌹🌟⭐🔥]"
TOKEN: Final = re.compile(f"(?P<gap>{GAP})(?P<word>{LETTER}++|{EMOJI})")
CLOSING: Final = re.compile(GAP)
SMILE: Final = re.compile(r"(?<!\S)(?:[:;=]-?[)D]+|<3+|\^_?\^)(?!\S)")
APOSTROPHES: Final = dict.fromkeys(map(ord, "'’‘ʼ`´"))
MARKS: Final = re.compile(
    "[\u0300-\u036f\u0640\u064b-\u0655\u0670\u093c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufe00-\ufe0f\ufeff"
    "\U0001f3fb-\U0001f3ff]"
)
"""Accents and vowel marks; what is invisible; the colours of hands."""

LETTERS: Final = str.maketrans({"ى": "ي", "ة": "ه", "ی": "ي", "ک": "ك", "ँ": "ं", "ı": "i"})
RUN: Final = re.compile(r"(.)\1+")
LONG_RUN: Final = re.compile(r"(.)\1\1+")


def _kinds(text: str) -> Set[Kind] | None:
    """The kinds of the phrases of which the whole text consists, or None if it does not consist of any."""
    words = _words(text) if len(text) <= LONGEST else []
    kinds: set[Kind] = set()
    at = names = 0
    before: Kind | None = None
    while at < len(words):
        length, kind = _phrase_at(words, at)
        if kind is None:
            length = _name_at(words, at, before)
            names += length
            if not length or names > MOST_NAMES:
                return None
        else:
            kinds.add(kind)
        before = kind
        at += length
    return kinds or None


def _words(text: str) -> list[Word]:
    """Cut into words and emoji; none if there is anything else, such as a digit or a question mark."""
    plain = _plain(SMILE.sub("🙂", text))
    words: list[Word] = []
    end = 0
    while match := TOKEN.match(plain, end):
        words.append(Word(match["word"], _known(_key(match["word"])), match["gap"]))
        end = match.end()
    return words if CLOSING.fullmatch(plain, end) else []


def _plain(text: str) -> str:
    """Without accents, apostrophes and what is invisible; capitals stay."""
    return MARKS.sub("", unicodedata.normalize("NFKD", text.translate(APOSTROPHES))).translate(LETTERS)


def _key(word: str) -> str:
    return word.casefold().translate(LETTERS)


def _known(key: str) -> str:
    """The known word that this is with letters repeated ("thaaanks", "okk"), or the word itself."""
    for spelling in (key, LONG_RUN.sub(r"\1\1", key), LONG_RUN.sub(r"\1", key), RUN.sub(r"\1", key)):
        if spelling in _lexicon().words:
            return spelling
    return key


def _phrase_at(words: Sequence[Word], at: int) -> tuple[int, Kind | None]:
    """How many words the longest phrase that begins here has, and its kind; of two kinds the later."""
    keys = [word.key for word in words]
    found = [(_length(pattern, keys, at), pattern.kind) for pattern in _lexicon().patterns.get(keys[at], ())]
    length, kind = max(found, default=(0, None))
    return (length, kind) if length else (0, None)


# --- names


def _listed(text: str) -> tuple[str, ...]:
    return tuple(text.split())


LATIN_NAME: Final = re.compile(r"[A-Z][A-Za-zæøœðþłß]*[a-zæøœðþłß]")
SAME_LINE: Final = re.compile(r"[ \xa0]*|,[ \xa0]*|[ \xa0]*[,.!]?\s*\n\s*")
AFTER_TITLE: Final = re.compile(r"\.?[ \xa0]*")
WITHOUT_COMMA: Final = re.compile(r"[ \xa0]*|[ \xa0]*[,.!]?\s*\n\s*")
SENTENCE_END: Final = re.compile(r"\s*[.,!;:…]|.*\n", re.DOTALL)

MATTER_STEMS: Final = _listed(
    """
    abbuch abgebu abgezo abzock accoun angry belast betrog betrug blocc block bloq buchung cancel charg cheat chiam
    claim compl condit confirm crash cuent declin delay delet deni disput doppel doubl duplic engan erstatt escroc
    estaf expir fail falsch falsif fattur fehl forgo fraud frech gehackt gesperr gestohl hack helaas hilf horrib
    incompet inutil kaput karte kartu katastr klacht konto kwijt ladr leider liar locke malheur menti mentir merd
    mierd mislukt mistak necesit nichts niemand ningun nothing nutzlos oplicht payment pending person pleas porqu
    probl purtrop question rechnung reclam refund reimb reemb rekening rembours respond rimbors rubbish scam schad
    schlecht schlimm sorun sperr storn stuck support suspend tarj terribl theft ticket todav togliet toujour transac
    trotz truff unacc unauth unfair ungla unmog unver useless vergogn voleur waiting wrong
    """
)
MATTER_WORDS: Final = _listed(
    """
    aber acilen again ainda ancora anymore app asap aun aus bad bank banco banque bitte but call can cannot card
    carta carte cartao cash cero como conta conto dann debit debt dieb dinero diner dinheiro doch donc encore error
    erreur errore fake falso falsa fatal finally flop furt furto geld geri gone guess hak hala hayir help here hier
    how however hurry immer ja jamais jetzt joke just kart keep kein keine late later lie lies lost lug luck mais
    mal mas maar me merda miss missing money mucho my nada nadie nao ne neden need nein never niet nie niente
    ninguem no nobody noch nog non none nope nor not now nul nulla nunca obwohl offen only open order otra para pas
    pay pero pin plus por problema pues quand quando que quelle quer rien robo rotto sad se send service si sin slow
    so sofort solo some sorry spam steeds still stop system too tot troppo und unless until urgent urgente vole vos
    was warum wait waste weg wegen wenn wer what when where which while who why wieder wo yalniz yanlis yet yine yok
    you your zahlen zero
    """
)
MATTER_ENDINGS: Final = ("yor", "madi", "medi", "madim", "medim", "ung", "keit", "heit")
"""How words begin and end, and whole words, that are no names after "thanks", where Latin letters are written."""


def _name_at(words: Sequence[Word], at: int, before: Kind | None) -> int:
    """How many words here are plainly a name: see `is_thanks`."""
    if before not in {Kind.THANKS, Kind.GREETING, Kind.TITLE}:
        return 0
    is_german = before is Kind.THANKS and words[at - 1].key in _lexicon().german
    gap = AFTER_TITLE if before is Kind.TITLE else WITHOUT_COMMA if is_german else SAME_LINE
    if not gap.fullmatch(words[at].gap):
        return 0
    length = 0
    for word in words[at : at + MOST_NAMES]:
        if not _looks_like_a_name(word) or (length and word.gap not in {" ", "-"}):
            break
        length += 1
    return length if length and _ends_there(words, at + length) else 0


def _looks_like_a_name(word: Word) -> bool:
    is_capitalised = LATIN_NAME.fullmatch(word.written) and not word.written.isupper()
    is_matter = word.key in MATTER_WORDS or word.key.startswith(MATTER_STEMS) or word.key.endswith(MATTER_ENDINGS)
    return bool(is_capitalised) and not is_matter


def _ends_there(words: Sequence[Word], at: int) -> bool:
    """Whether a name ends before this word: with the sentence, or before an emoji, "for your help", or the thanks."""
    if at == len(words) or SENTENCE_END.match(words[at].gap) or not words[at].written.isalpha():
        return True
    return _phrase_at(words, at)[1] in {Kind.COURTESY, Kind.TITLE, Kind.THANKS}


# --- the phrases

# A line is "kind: slot slot ...". A slot is one of the alternatives between the bars, or, in parentheses, none of them;
# "_" joins the words of an alternative. A line that begins with "+" goes on with the line before. Umlauts are found as
# "ue" too, accents without them.

ENGLISH: Final = """
thanks: (many|big|huge|ok|warm) thanks|thx|thnx|thanx|tnx|thks (a_lot|a_million|a_bunch|a_ton|so_much|very_much
+ |loads|heaps)
thanks: (a_big|a_huge|ok|a|big) thank_you|thankyou|thank_u|thank_ya|thanking_you (so_much|very_much|so_very_much
+ |kindly|a_lot)
thanks: ty|tysm|tyvm|cheers|gracias
thanks: (i|we) (really|very_much|truly|do|greatly) appreciate it|that|this|your_help|the_help|your_support|your_time
thanks: (its|it_is|thats|that_is|your_help_is) (very) much|greatly|highly|really appreciated
thanks: (god) bless you|u (all)
courtesy: for (all|all_of) your|the|ur (very|so) (quick|fast|great|kind|prompt|swift|amazing|excellent|good|wonderful)
+ help|support|assistance|response|reply|answer|service|work|effort|efforts|time|patience|update|info|information|fix
courtesy: for everything|that|this|it|helping|help|assisting|responding|replying|understanding|caring|all_this
courtesy: for helping|assisting me|us (out|with_this|with_that)
courtesy: for fixing|solving|resolving|sorting it|this|that|the_issue|the_problem|everything|my_issue|my_problem
+ (out) (so_quickly|quickly|so_fast|fast)
courtesy: for letting_me_know|letting_us_know|getting_back_to_me|getting_back_to_us|getting_back
+ |your_quick_and_kind_help
courtesy: (have|and_have|you_have|enjoy) a|your (very) nice|great|good|lovely|wonderful|pleasant|blessed
+ day|one|evening|weekend|week|afternoon|night (ahead|everyone|all|too)
courtesy: take_care|all_the_best|you_too|same_to_you|stay_safe|keep_it_up|keep_up_the_good_work
courtesy: team|guys|everyone|everybody|all|sir|madam|maam|mam|mate|dear|friend|buddy|folks|bro|man|support_team|and
+ |oh|ah|aww
courtesy: so_much|very_much|a_lot|indeed|haha|hehe|the_team|to_the_team|to_everyone|to_you_all|to_all_of_you
title: mr|mrs|ms|miss|dr
greeting: (hi|hello|hey|dear) there|team|all|everyone|sir|madam|support|sir_or_madam|guys
greeting: hi|hello|hey|good_morning|good_afternoon|good_evening|good_day|goodbye|bye|bye_bye|see_you
greeting: (best|kind|warm|kindest|warmest|with_best|with_kind|many) regards|wishes
greeting: best|sincerely|yours_sincerely|yours_truly|yours
good: ok|okay|okey|okie|okey_dokey|k|alright|all_right|sure|yay|wow|hooray|hurray|sweet|noted|understood|got_it
+ |well_done
good: (very|so|really|just|absolutely|thats|that_is|its|it_is|this_is|sounds|looks|how|oh|ok|that_was|simply|pretty)
+ good|great|perfect|excellent|awesome|wonderful|fantastic|brilliant|amazing|super|cool|lovely|fine|nice|superb
+ |helpful
good: great|good|nice|amazing|excellent|awesome|fantastic|super|perfect|superb job|work|service|support|help|news
+ |stuff
good: you_are|youre|u_r|ur|you_guys_are|you_were|you the_best|a_star|a_legend|awesome|amazing|great|so_kind
+ |very_kind
good: i_am|im|we_are (very|so|really|now) happy|glad|pleased|grateful|thankful|satisfied (now)
good: you|you_guys|you_all rock
good: love_it|happy_customer|its_okay|its_ok|it_is_ok|thats_ok|that_is_ok|thats_okay|perfectly|glad_to_hear_that
solved: (it|that|this|everything|all|it_all|the_app|the_card|my_card|the_payment|my_account|the_login) (now|all
+ |finally)
+ works|working|worked (fine|well|perfectly|great|again|properly|correctly|ok|okay|like_a_charm|for_me) (now|again)
solved: now (it|everything|all|that|my_card|the_app) (all) works|working (fine|well|perfectly|great|again|properly)
solved: it_is|its|everything_is|everythings|all_is|is|my_card_is|the_app_is|my_account_is|the_card_is (now|finally
+ |all)
+ working (fine|well|perfectly|great|again|properly|correctly|ok|okay) (now|again)
solved: (it_is|its|that_is|thats|everything_is|everythings|all_is|is|it_was|it_has_been|has_been|it_got
+ |that_has_been|all)
+ (now|already|all|fully|completely|finally|been) solved|resolved|fixed|sorted|settled|sorted_out (now|already|for_me)
solved: (the|my|this|our) problem|issue|matter|case|ticket|error|payment_issue
+ is|has_been|was|got|is_now|has_now_been|is_all|has (now|already|finally|been) solved|resolved|fixed|sorted|gone
+ |closed (now)
solved: problem|issue|case solved|resolved|fixed|sorted|closed|gone (now)
solved: you|you_have|you_guys solved|fixed|resolved|sorted it|this|that|everything|the_problem|my_problem|the_issue
+ (now)
solved: that|this|it (has) solved|fixed|did|resolved it|the_trick|the_job|the_problem|the_issue
solved: everything_is|everythings|all_is|all|everything (now|all) fine|ok|okay|good|well|great|perfect|sorted|set
+ |clear|done
+ (now|here|again|on_my_end|on_my_side)
solved: (its|it_is|that_is|thats|yes) (all) good|fine|ok|okay|great now
solved: (i_have|ive|i|we|we_have) (now|just) got|received my|the|our refund|money (back) (now)
solved: you_can|you_may|please close the|this|my ticket|case|incident (now)
yes: yes|yep|yeah|yup|yea|yes_it_is|yes_it_has|yes_it_does|yes_it_did|yes_indeed|it_is|it_does|it_has|it_did|yes_yes
no: no|nope|nah|not_really|it_is_not|it_isnt|no_it_is_not|no_it_isnt|it_does_not|it_doesnt|no_it_doesnt|no_it_hasnt
+ |it_hasnt
unsolved: (unfortunately|sadly|sorry|no_unfortunately|no_sorry) (it|this|that|the_problem|problem|the_issue|issue
+ |my_problem
+ |my_issue|the_case) (is|has|was|has_been|its) (still) not|isnt|hasnt|wasnt (been|yet|really)
+ solved|resolved|fixed|working|sorted|yet (yet|at_all|now|properly)
unsolved: its_not|its_still_not solved|resolved|fixed|working|sorted|yet (yet|at_all|now|properly)
unsolved: (unfortunately|sadly|sorry) (it|this|that|everything|the_app|my_card) (still) doesnt|does_not|dont|didnt
+ |did_not|wont
+ work|help (yet|at_all|now|properly|for_me)
unsolved: (unfortunately|sadly) (it_is|its|this_is|that_is|the_problem_is|the_issue_is|problem_is|issue_is|i_am|im)
+ still broken|open|happening|there|failing|unsolved|unresolved|pending|a_problem|an_issue|wrong|locked|blocked
+ |the_same|stuck
+ |not_good|not_ok|waiting
unsolved: (still) the same|same (problem|issue|error) (still|again|here|as_before)
unsolved: (the|this|my) (problem|issue|error) still exists|persists|remains|there|here|continues|occurs
unsolved: (the|this|my) problem|issue|error persists|remains|continues|is_back
unsolved: nothing works|has_changed|changed|happened|is_solved|is_fixed
unsolved: unsolved|unresolved|still_nothing|not_at_all|not_yet|unfortunately_not|sadly_not|im_afraid_not|still_no
+ |still_not
unsolved: far from solved|resolved|fixed
"""

SPANISH: Final = """
thanks: (muchas|muchísimas|mil|infinitas|un_millón_de|ok|vale|perfecto|bien|ah|pues) gracias
+ (mil|igualmente|de_verdad|de_corazón|a_todos|a_ustedes|a_usted|a_ti|a_vosotros|totales)
thanks: grax|grcs|graxias|grasias|agradecido|agradecida|muy_agradecido|muy_agradecida|estoy_muy_agradecido
thanks: estoy_muy_agradecida|mi_agradecimiento
thanks: (se|te|os|les|le) lo agradezco|agradecemos (mucho|muchísimo|de_verdad)
thanks: (se|te|os|les|le) agradezco|agradecemos (mucho|muchísimo|de_verdad|la_ayuda|su_ayuda|tu_ayuda)
courtesy: por|de (toda|todo) la|su|tu|vuestra|el|vuestro (gran|rápida|excelente|buena|buen|pronta|rápido)
+ ayuda|atención|respuesta|gestión|colaboración|asistencia|información|paciencia|rapidez|amabilidad|apoyo|servicio
+ |soporte
+ |trabajo|tiempo|interés|esfuerzo (prestada|recibida|rápida|brindada)
courtesy: por todo|ayudarme|ayudarnos|ayudar|responder|avisar|contestar|resolverlo|solucionarlo|arreglarlo|atenderme
+ (tan|muy) (rápido|pronto|rápidamente|bien)
courtesy: (que) tenga|tengas|tengan|tengáis|pase|pasen un|una (buen|buena|excelente|lindo|gran|feliz|bonito)
+ día|tarde|noche|semana|fin_de_semana
courtesy: feliz día|tarde|noche|semana|fin_de_semana
courtesy: buen día|fin_de_semana
courtesy: equipo|señores|amigo|amiga|amigos|chicos|a_todos|todos|a_todo_el_equipo|igualmente|y|mucho|muchísimo|jaja
title: sr|sra|señor|señora|señorita|don|doña
greeting: hola|buenas|buenos_días|buenas_tardes|buenas_noches|muy_buenas|estimado|estimada|estimados|querido|querida
+ |queridos
greeting: (un) (cordial|afectuoso) saludo|saludos (cordiales|a_todos)
greeting: un_abrazo|abrazos|atentamente|adiós|hasta_luego|hasta_pronto|chao|cordialmente
good: vale|ok|okey|okay|perfecto|genial|excelente|estupendo|fantástico|maravilloso|súper|guay|bien|bueno|buenísimo
+ |de_acuerdo
good: muy_bien|muy_bueno|muy_amable|muy_amables|entendido|claro|qué_bien|qué_bueno|qué_alegría|buen_trabajo
+ |buen_servicio|listo
good: excelente_servicio|excelente_trabajo|excelente_atención|gran_trabajo|de_lujo|chévere|bárbaro|sois_los_mejores
+ |bravo
good: son_los_mejores|recibido|anotado|encantado|encantada|todo_un_detalle|eres_un_sol|eres_el_mejor|eres_la_mejor
+ |muy_atentos
solved: (todo|ya|ya_todo|ya_está_todo|está_todo|está|ya_está|todo_está|ya_quedó|quedó|ha_quedado|fue|ha_sido|ya_fue
+ |todo_ya|queda)
+ (todo|ya) solucionado|resuelto|arreglado|solventado (ya|todo|por_completo)
solved: todo|todo_está|está_todo|ya_está_todo|ya_todo|todo_ya|ahora_todo|ahora_está_todo|ya_quedó_todo (ya)
+ bien|ok|en_orden|correcto|listo|perfecto|bueno|funciona|funcionando|va_bien (ahora|ya)
solved: ya_está|ya_está_listo|ya_está_bien|ya_quedó|ya_va_bien|ya_va|ahora_va_bien|todo_va_bien|ahora_sí
solved: (ya|ahora|ahora_ya|ahora_sí|ya_me|todo|ya_todo|ahora_me|sí_que|ya_sí|ahora_todo|ya_sí_me|me|la_tarjeta
+ |la_app|mi_tarjeta)
+ (ya) funciona|funcionó|está_funcionando (bien|perfectamente|correctamente|perfecto|todo|de_maravilla) (ahora|ya
+ |todo)
solved: se|ya_se|se_me|se_ha|ya_se_ha|lo_han|me_lo_han|lo_habéis|ya_me_lo|ya_lo_han|han|habéis|ya_han|me_han
+ resolvió|solucionó|arregló|resuelto|solucionado|arreglado|resolvieron|solucionaron (todo|el_problema|mi_problema|ya)
solved: (el|mi) (problema|asunto|tema|incidencia|caso) (ya) (está|fue|quedó|ha_sido|se_ha|ha_quedado) resuelto
+ |solucionado|arreglado
solved: incidencia|la_incidencia_está|mi_incidencia_está|la_incidencia_ha_sido|ya_está resuelta|solucionada|cerrada
solved: (ya|todo) (todo) vuelve|volvió|ha_vuelto a_funcionar (bien|todo|correctamente)
solved: (ya|ya_me) (me) recibí|llegó|he_recibido|devolvieron|han_devuelto el|mi reembolso|dinero
yes: sí|sip|sí_sí|así_es|efectivamente|sí_señor|sí_claro|claro_que_sí|sí_lo_está|ya_sí
no: no|nop|no_no|para_nada|no_señor|por_desgracia_no|lamentablemente_no|desgraciadamente_no|no_del_todo|qué_va
unsolved: (lamentablemente|desgraciadamente|por_desgracia) (todavía|aún|el_problema|esto|eso|problema|aún_el_problema)
+ no (está|se_ha|ha_sido|se_ha_podido|fue|lo_han|quedó|me_lo_han|se|ha|han) (sido)
+ solucionado|resuelto|arreglado|funcionando|resolvió|solucionó|funcionado|solucionada|resuelta (nada|todavía|aún
+ |bien|del_todo)
unsolved: (lamentablemente|desgraciadamente|por_desgracia) (todavía|aún|esto|eso|ya|la_app|la_tarjeta|mi_tarjeta)
+ no (me) funciona|va|funcionó|sirve (nada|todavía|aún|bien)
unsolved: todavía_no|aún_no|no_todavía|sin_solución|sin_resolver|sin_solucionar|sin_arreglar|nada|todavía_nada
+ |aún_nada
unsolved: (todavía|aún|todo|el_problema|esto) sigue|sigo|seguimos (todo|estando)
+ igual|mal|fallando|sin_funcionar|sin_solucionarse|sin_resolverse|sin_resolver|sin_solución|con_el_problema
+ |con_el_mismo_problema|bloqueado|bloqueada|pendiente|ahí|sin_ir
unsolved: (el|mi) problema sigue|persiste|continúa|se_mantiene
unsolved: (sigue) el_mismo_problema|el_mismo_error|la_misma_historia
unsolved: nada funciona|ha_cambiado|cambió
"""

GERMAN: Final = """
thanks: (vielen|herzlichen|besten|schönen|tausend|lieben|recht_herzlichen|vielen_herzlichen|großen|ganz_herzlichen
+ |vielen_lieben)
+ dank (euch|ihnen|dir|an_alle|an_euch|an_das_team|an_sie|dafür)
thanks: (ok|super|ja_super|perfekt) danke (schön|sehr|vielmals|herzlich|nochmal_sehr) (dir|euch|ihnen|dafür|an_alle)
+ (sehr|vielmals)
thanks: dankeschön|dankesehr|dankend
thanks: (ich|wir) danke|danken (ihnen|euch|dir) (sehr|vielmals|herzlich|ganz_herzlich)
thanks: (ich|wir) bedanke_mich|bedanken_uns (sehr|herzlich|recht_herzlich|ganz_herzlich|vielmals|bei_ihnen|bei_euch)
courtesy: für die|eure|ihre|deine (sehr|so) (schnelle|rasche|tolle|super|prompte|gute|freundliche|nette|große
+ |kompetente)
+ hilfe|unterstützung|antwort|rückmeldung|lösung|bearbeitung|info|information|hilfestellung|geduld|mühe|bemühungen
+ |erledigung
courtesy: für den|euren|ihren|deinen (schnellen|guten|tollen|super|prompten|netten) support|service|einsatz|hinweis
courtesy: für alles|das_schnelle_lösen|das_schnelle_beheben
courtesy: (und) (einen|ihnen|dir|euch|noch_einen|ihnen_einen|euch_einen|ihnen_noch_einen|euch_noch_einen)
+ schönen|guten|angenehmen tag|abend|feierabend|sonntag (noch|ihnen|euch)
courtesy: (und) (ein|noch_ein|ihnen_ein|euch_ein) schönes|gutes wochenende (noch|ihnen|euch)
courtesy: gleichfalls|ebenso|alles_gute|team|leute|zusammen|alle|sehr|und|oh|ach|liebes_team|liebes_support_team
+ |an_alle|auch_so
title: herr|frau
greeting: hallo|hi|hey|moin|servus|guten_tag|guten_morgen|guten_abend|grüezi|grüß_gott|liebe|lieber|liebes
+ |sehr_geehrte
greeting: sehr_geehrter|sehr_geehrte_damen_und_herren|hallo_zusammen|hallo_team|liebes_team
greeting: (viele|liebe|beste|schöne|herzliche|freundliche|mit_freundlichen|mit_besten|mit_lieben|lieben|schönen
+ |vielen)
+ grüße|grüßen|gruß
greeting: lg|mfg|vg|bg|tschüss|bis_bald|ciao|auf_wiedersehen
good: (sehr|echt|ganz|das_ist|ist|klingt|einfach|wirklich|das_ist_ja|ihr_seid|sie_sind|das_war|oh)
+ ok|okay|okey|super|toll|prima|perfekt|klasse|spitze|wunderbar|großartig|ausgezeichnet|hervorragend|genial|top|cool
+ |fein|gut|schön
good: alles_klar|verstanden|mega|bestens|einverstanden|passt|das_passt|geil|freut_mich|das_freut_mich|gute_arbeit
+ |in_ordnung
good: super|toller|guter|klasse|top|spitzen|großartiger|bester service|support|job
good: ich_bin (sehr|wirklich) zufrieden|dankbar|begeistert|glücklich
solved: (es|das|alles|jetzt|nun|jetzt_alles|nun_alles|karte|die_karte|meine_karte|die_app|das_konto|mein_konto)
+ (jetzt|nun|alles) funktioniert|geht|klappt|läuft (es|alles|das) (jetzt|nun|inzwischen) (wieder|alles|alles_wieder)
+ (einwandfrei|gut|super|prima|perfekt|bestens|problemlos|richtig)
solved: (es|das|alles|jetzt|nun|hat|jetzt_hat_es|jetzt_hats|nun_hat_es) (hat) (jetzt|nun|alles) geklappt|funktioniert
solved: (das|es|mein|unser|die) (problem|thema|sache|fall|fehler|ticket) (ist|wurde|hat_sich|wäre)
+ (jetzt|nun|schon|bereits|damit|inzwischen|mittlerweile|alles) gelöst|behoben|erledigt|geklärt|geregelt (worden)
solved: alles (ist) (jetzt|nun|wieder|jetzt_wieder|nun_wieder|soweit|schon|bereits)
+ gut|ok|okay|in_ordnung|bestens|super|paletti|geklärt|erledigt|gelöst|behoben|geregelt|prima|perfekt
solved: (es|jetzt) (ist) (jetzt|nun) (wieder) alles (wieder) gut|ok|okay|in_ordnung|bestens|erledigt|gelöst
solved: jetzt|nun passt_es|passt_alles|ist_es_gut|ist_alles_gut|ist_gut|gut
solved: (hat) (sich) (schon|bereits) erledigt
yes: ja|jawohl|jep|jup|jo|ja_ist_es|ja_hat_es|ja_hat_sich|ja_ja|ist_es|ja_klar|ja_genau
no: nein|nö|nee|nein_nein|leider_nein|nein_ist_es_nicht|ist_es_nicht|nein_noch_nicht_ganz|nicht_wirklich
+ |überhaupt_nicht|gar_nicht
unsolved: (leider) (es_ist|das_ist|ist|das_problem_ist|problem|problem_ist|es|das_problem|das|es_wurde|wurde|ist_es
+ |hat_sich)
+ (leider|auch) (immer_noch|noch_immer|noch|weiterhin|bisher|bis_jetzt)
+ nicht gelöst|erledigt|behoben|geklärt|geregelt|in_ordnung|ok|okay|gut|da|vollständig_gelöst|ganz_gelöst
unsolved: leider|noch|immer_noch|noch_immer|leider_noch|leider_immer_noch|bisher|bis_jetzt|leider_bisher nicht (ganz
+ |wirklich)
unsolved: (leider) (es|das|die_karte|die_app|meine_karte|alles) funktioniert|geht|klappt|läuft (es|das) (leider|aber)
+ (immer_noch|noch_immer|noch|weiterhin|auch|gar|überhaupt) nicht (richtig|wirklich|mehr)
unsolved: (es|das) hat (leider) nicht funktioniert|geklappt|geholfen
unsolved: (leider) (das|mein) problem besteht|bleibt|existiert (leider) (immer_noch|weiterhin|noch|noch_immer
+ |bestehen)
unsolved: (leider|es_ist) (immer_noch|noch_immer|weiterhin|wieder|noch) das_gleiche|dasselbe|das_selbe|gleiches
+ (problem)
unsolved: (leider) (immer_noch|noch|weiterhin|noch_immer) ungelöst|gesperrt|kaputt|offen|defekt
unsolved: nichts funktioniert|geht|passiert|hat_sich_geändert|hat_sich_getan|ist_passiert
unsolved: (leider) keine|ohne|immer_noch_keine lösung
"""

FRENCH: Final = """
thanks: (un_grand|mille|grand|ok|super|un_très_grand|mille_fois|oh|eh_bien|parfait) merci|mercis
+ (beaucoup|bien|infiniment|vielmals|mille_fois|bcp|énormément|tellement|du_fond_du_coeur|vraiment|bcp_bcp)
+ (à_vous|à_tous|à_toi|à_toute_l'équipe|à_vous_tous|à_l'équipe|à_toutes_et_tous)
thanks: mci|mrc|je_remercie_toute_l'équipe|remerciements|merci_merci|un_merci
thanks: (et) (je|nous) (vous|te|t') remercie|remercions (beaucoup|infiniment|vivement|bien|sincèrement|énormément
+ |tous)
thanks: (avec) (tous) mes|nos remerciements
courtesy: pour|de (toute) votre|ta|ton|cette|la|l'|le|les|vos|tout_votre (précieuse|rapide|excellente|super|grande
+ |bonne|très_bonne)
+ aide|assistance|réponse|réactivité|rapidité|efficacité|soutien|intervention|retour|service|patience|travail|temps
+ |efforts
+ |disponibilité|gentillesse|info|infos|information|informations|solution|professionnalisme|suivi (rapide|précieuse
+ |efficace)
courtesy: pour|de l'aide|l'assistance|l'intervention|l'info|l'information|tout|l'efficacité
courtesy: de|pour m'avoir|nous_avoir|avoir|vous_être (si|aussi|bien) (vite|rapidement|bien)
+ aidé|répondu|résolu|dépanné|réglé|occupé (si_vite|rapidement|si_rapidement|le_problème|mon_problème|ça)
courtesy: (et) (très|passez_une|je_vous_souhaite_une|une) bonne|belle|excellente
+ journée|soirée|nuit|continuation|semaine|fin_de_journée|après-midi (à_vous|à_vous_aussi|à_tous|à_toute_l'équipe)
courtesy: (et) bon|bonne week-end|weekend|après-midi|courage
courtesy: à_vous|à_vous_aussi|vous_aussi|de_même|l'équipe|toute_l'équipe|à_tous|tous|à_toute_l'équipe|et|oh|ah
+ |beaucoup
title: monsieur|madame|mademoiselle|mme|mlle
greeting: bonjour|bonsoir|salut|coucou|cher|chère|chers|bonjour_à_tous|hello
greeting: (bien|très) cordialement
greeting: (sincères|meilleures|mes_sincères|cordiales) salutations
greeting: au_revoir|à_bientôt|bien_à_vous|cdlt|cdt|amicalement|à_plus|sincèrement
good: (c'est|tout_est|très|vraiment|c'était|c'est_très|c'est_vraiment|vous_êtes|ah|oh)
+ ok|okay|d'accord|parfait|super|génial|excellent|top|bien|formidable|impeccable|nickel|magnifique|merveilleux
+ |gentil|cool
+ |chouette|entendu|compris|noté|efficace|efficaces|géniaux|gentils|formidables|parfaits
good: bien_reçu|bien_noté|bravo|bon_travail|beau_travail|super_service|excellent_service|ça_marche|ça_roule
+ |tant_mieux|ouf
good: bravo_à_vous|je_suis_ravi|je_suis_ravie|je_suis_satisfait|je_suis_satisfaite|très_satisfait|très_satisfaite
+ |parfait_service
solved: (tout|ça|cela|c'est|maintenant|maintenant_ça|maintenant_tout|ma_carte|la_carte|l'appli|l'application
+ |ça_y_est_ça|ça_y_est)
+ fonctionne|refonctionne|remarche|fonctionnent (bien|parfaitement|très_bien|correctement|normalement)
+ (maintenant|désormais|à_présent|de_nouveau|à_nouveau|enfin)
solved: tout|maintenant_tout|maintenant_ça|ça_y_est_ça|désormais_tout|tout_re marche (bien|parfaitement|très_bien
+ |maintenant)
solved: ça|cela marche (bien|parfaitement|très_bien|de_nouveau|à_nouveau|enfin) maintenant|désormais|à_présent
solved: ça marche bien|parfaitement|très_bien|de_nouveau|à_nouveau|enfin
solved: ça|cela|tout a (bien) marché|fonctionné
solved: (tout|c'est|le_problème_est|problème|mon_problème_est|tout_est|l'affaire_est|est|le_souci_est|l'incident_est
+ |a_été|c'est_tout)
+ (bien|maintenant|enfin|désormais|déjà) résolu|réglé|réparé|solutionné|corrigé|arrangé|rentré_dans_l'ordre
+ (maintenant|enfin|merci)
solved: (le|mon) problème|souci|incident a_été|a_bien_été|vient_d'être|s'est résolu|réglé|corrigé|réparé (maintenant)
solved: tout est (maintenant|bien|désormais|de_nouveau) ok|bon|en_ordre|parfait|bien|nickel|impeccable (maintenant
+ |pour_moi|à_présent)
solved: tout_va_bien|tout_bon|tout_ok|tout_est_rentré_dans_l'ordre|c'est_bon|c'est_bon_maintenant|c'est_bon_pour_moi
+ |c'est_ok_maintenant
solved: ça_va_maintenant|ça_y_est|c'est_fait|plus_aucun_problème|plus_de_problème
yes: oui|ouais|oui_oui|tout_à_fait|effectivement|oui_tout_à_fait|oui_effectivement|oui_en_effet|en_effet
no: non|nan|non_non|pas_vraiment|non_pas_vraiment|pas_du_tout|non_pas_du_tout|hélas_non|malheureusement_non
+ |non_malheureusement|non_hélas
unsolved: (malheureusement|hélas) (ce_n'est|c'est|n'est|tout_n'est|le_problème_n'est|mon_problème_n'est|problème
+ |rien_n'est|le_problème_est)
+ (malheureusement|hélas) (toujours|encore) pas|point (encore|toujours|été|complètement)
+ résolu|réglé|réparé|bon|ok|solutionné|corrigé (malheureusement|hélas)
unsolved: (malheureusement|hélas) (le|mon) problème n'a (toujours|encore) pas (encore) été résolu|réglé|corrigé
unsolved: pas_encore|toujours_pas|malheureusement_pas|malheureusement_pas_encore|pas_encore_malheureusement
+ |hélas_pas_encore
unsolved: (malheureusement|hélas) (ça|cela|tout) (ne) fonctionne|marche|va (malheureusement|hélas) (toujours|encore
+ |vraiment)
+ pas (encore|bien|du_tout)
unsolved: (le|mon) problème persiste|continue|demeure|reste_entier|est_toujours_là|n'est_pas_résolu|subsiste
+ (toujours|encore)
unsolved: (c'est|j'ai) toujours|encore le_même_problème|la_même_chose|pareil|bloqué|bloquée|en_panne|le_problème
unsolved: toujours_rien|rien_ne_marche|rien_ne_fonctionne|rien_n'a_changé|rien_de_changé|non_résolu|irrésolu
+ |aucune_solution
"""

PORTUGUESE: Final = """
thanks: (muito|muitíssimo|meu|mto|mt|ok|certo|perfeito|ótimo|bem) obrigado|obrigada|obg|obgd|obgda|obrigadão
+ |obrigadinho|obrigados
+ (mesmo|a_todos|a_você|a_vocês|demais|de_coração|de_verdade|por_tudo|viu|eu)
thanks: brigado|brigada|brigadão|vlw|valeu|valeu_mesmo|valeu_demais|gratidão|grato|grata|muito_grato|muito_grata
+ |agradecido
thanks: agradecida|muito_agradecido|muito_agradecida|os_meus_agradecimentos|meus_agradecimentos
thanks: (eu) agradeço|agradecemos (muito|imenso|imensamente|a_ajuda|a_atenção|o_apoio|a_todos|de_coração|pela_ajuda
+ |demais)
thanks: fico|ficamos|estou (muito) agradecido|agradecida|grato|grata|agradecidos
courtesy: por|pela|pelo|pelas|de (toda|todo) (a|o|sua|vossa|tua|seu|vosso|teu)
+ (rápida|excelente|grande|ótima|ótimo|rápido|pronta|boa|bom)
+ ajuda|atenção|resposta|rapidez|gentileza|paciência|informação|informações|colaboração|assistência|solução
+ |atendimento|apoio
+ |retorno|suporte|serviço|contato|contacto|esclarecimento|trabalho|disponibilidade|simpatia|empenho|eficiência
+ (rápida|rápido|prestado)
courtesy: por tudo|ajudar|ajudarem|responder|responderem|resolver|resolverem|me_ajudar|terem_resolvido|terem_ajudado
+ |avisar|isso
+ (tão) (rápido|depressa|bem|rapidamente)
courtesy: (e) (tenha|tenham|um|uma|tenham_um|tenha_um|tenham_uma|tenha_uma|desejo_um|desejo_uma) bom|boa|ótimo|ótima
+ |excelente|lindo
+ dia|fim_de_semana|trabalho|semana|continuação|final_de_semana|feriado|descanso
courtesy: (e) tenha|tenham|uma|um (uma) boa|ótima|excelente tarde|noite
courtesy: equipe|equipa|pessoal|gente|galera|amigo|amigos|amiga|a_todos|a_toda_equipe|igualmente|e|de_nada|muito
+ |demais|todos|viu
title: sr|sra|senhor|senhora|dona|seu
greeting: oi|olá|alô|bom_dia|boa_tarde|boa_noite|prezado|prezada|prezados|caro|cara|caros|boas
greeting: (um) (grande|forte) abraço|abraços|beijos|beijinhos
greeting: atenciosamente|att|cumprimentos|melhores_cumprimentos|com_os_melhores_cumprimentos|tchau|até_logo|até_mais
+ |até_breve|até_já
good: (muito|que|está|foi|tudo|é|isso_é|simplesmente|ok|vocês_são|você_é)
+ certo|perfeito|ótimo|excelente|maravilha|maravilhoso|show|show_de_bola|legal|beleza|blz|bom|bem|top|joia
+ |fantástico|incrível
+ |massa|sensacional|espetáculo|espetacular|fixe|porreiro|demais|ótimos|maravilhosos|incríveis|os_melhores|o_máximo
+ |gentil
good: ok|okay|oki|entendi|entendido|combinado|recebido|anotado|perfeitamente|tudo_bem|bom_trabalho|ótimo_trabalho
+ |excelente_trabalho
good: ótimo_atendimento|excelente_atendimento|ótimo_serviço|excelente_serviço|parabéns|parabéns_pelo_atendimento
+ |bom_atendimento
good: estou|fiquei (muito) satisfeito|satisfeita|feliz|contente
solved: (já|agora|tudo|agora_já|já_está|está|agora_está|agora_tudo|tudo_já|agora_sim|está_tudo|já_está_tudo|já_foi
+ |foi|foi_tudo
+ |ficou|ficou_tudo|já_ficou|o_cartão|o_app|meu_cartão|deu_tudo|tá|tá_tudo|já_tá|isso|agora_tá) (já|está)
+ funciona|funcionando|funcionou|a_funcionar|resolvido|resolveu|solucionado|arrumado|consertado|corrigido|resolveu-se
+ (bem|perfeitamente|normalmente|direitinho|corretamente|certinho) (agora|já|tudo)
solved: (o|meu) problema|caso|assunto (já) (foi|está|ficou|está_agora) resolvido|solucionado|sanado|tratado (já|agora)
solved: deu_certo|já_deu_certo|agora_deu_certo|deu_certo_agora|voltou_a_funcionar|já_voltou_a_funcionar
+ |voltou_ao_normal
solved: tudo|está_tudo|já_está_tudo|agora_está_tudo|tá_tudo|agora_tudo|já_tá_tudo|está_agora_tudo
+ certo|ok|resolvido|em_ordem|certinho|normal|tratado|operacional|a_funcionar|direitinho (agora|já)
solved: (está) tudo_bem agora
solved: se_resolveu|já_se_resolveu|conseguiram_resolver|vocês_resolveram|resolveram_tudo|resolveram (o_problema|tudo
+ |meu_problema)
solved: (já|eu_já) recebi|me_devolveram o|meu reembolso|dinheiro|estorno (de_volta)
yes: sim|sim_sim|isso_mesmo|aham|sim_senhor|sim_está|sim_foi|já_sim|está_sim|foi_sim|sim_claro
no: não|não_não|infelizmente_não|não_infelizmente|de_jeito_nenhum|nem_por_isso|não_está|não_foi|ainda_nada
unsolved: (infelizmente) (ainda|o_problema|isso|ainda_me|o_problema_ainda|meu_problema|meu_problema_ainda|o_cartão
+ |o_app)
+ não (foi|está|me|ficou|o_foi|se|tá) (ainda)
+ resolvido|solucionado|funciona|funcionou|funcionando|resolveu|a_funcionar|arrumado|resolveram|corrigido (ainda
+ |nada|direito|bem)
unsolved: ainda_não|infelizmente_ainda_não|sem_solução|por_resolver|não_ainda|nada_resolvido|nada_mudou|nada_funciona
unsolved: (infelizmente) (ainda|tudo|o_problema|meu_problema) continua|permanece|persiste|segue
+ (igual|na_mesma|com_problema|com_problemas|com_o_mesmo_problema|sem_funcionar|com_erro|dando_erro|bloqueado
+ |o_mesmo|ainda)
unsolved: (ainda|continua) (com) o_mesmo_problema|o_mesmo_erro|a_mesma_coisa
"""

ITALIAN: Final = """
thanks: (molte|mille|tante|tantissime|ok|va_bene|perfetto|ottimo|bene|oh) grazie
+ (mille|tante|infinite|molte|davvero|di_cuore|di_tutto|assai) (a_tutti|a_voi|a_lei|a_te|davvero|di_cuore
+ |a_tutto_il_team)
thanks: grz|grx|gracie|sentiti_ringraziamenti|ringraziamenti|i_miei_ringraziamenti
thanks: (io) (vi|ti|la) ringrazio|ringraziamo (molto|tanto|moltissimo|infinitamente|davvero|di_cuore|tutti)
thanks: sono|siamo (molto|davvero) grato|grata|riconoscente|grati
courtesy: per|del|della|dell'|di (tutto) (il|la|l'|lo) (vostro|vostra|tuo|tua|suo|sua) (rapido|veloce|gentile|ottimo
+ |rapida|pronta|ottima)
+ aiuto|assistenza|risposta|supporto|disponibilità|celerità|rapidità|intervento|servizio|cortesia|pazienza|tempo
+ |gentilezza
+ |informazione|informazioni|lavoro|attenzione|collaborazione|soluzione|efficienza|professionalità|riscontro (veloce
+ |rapida|rapido)
courtesy: dell'aiuto|dell'assistenza|dell'intervento
courtesy: per|dell' l'aiuto|l'assistenza|l'intervento|l'attenzione|l'informazione|tutto|aiuto|assistenza
courtesy: per avermi|averci|aver|avere aiutato|risposto|risolto|assistito|sistemato (tutto|il_problema|subito
+ |così_in_fretta)
courtesy: (e) (una) (buona|buon|una_buona) giornata|serata|notte|domenica|lavoro|weekend|fine_settimana|pomeriggio
+ |settimana|proseguimento
+ (a_tutti|a_voi|anche_a_voi|a_lei)
courtesy: altrettanto|anche_a_voi|a_tutti|tutti|ragazzi|team|e|tutto_il_team|a_voi|a_lei|davvero|di_tutto
title: sig|sigra|signor|signora|signorina|dott|dottssa
greeting: ciao|salve|buongiorno|buonasera|buon_giorno|buona_sera|gentile|gentili|gentilissimi|caro|cara|cari|egregio
+ |buonanotte
greeting: (cordiali|distinti|tanti|un_caro|cari|i_migliori|un_cordiale|porgo_cordiali) saluti|saluto
greeting: arrivederci|a_presto|cordialmente|un_abbraccio|cordialità
good: (va|tutto|molto|è|è_tutto|siete_stati|siete|davvero|è_stato|sei_stato|è_stata|sei|che)
+ ok|okay|bene|perfetto|ottimo|benissimo|eccellente|fantastico|grande|grandi|super|splendido|magnifico|meraviglioso
+ |bravissimi
+ |bravi|bravo|brava|bello|gentilissimi|gentilissimo|gentilissima|gentile|gentili|fantastici|eccezionali|ottimi
+ |bravissimo|stupendo
good: capito|ricevuto|d'accordo|ottimo_lavoro|ottimo_servizio|bel_lavoro|bellissimo|certo|benone|eccellente_servizio
+ |buono|complimenti
good: sono (molto|davvero) contento|contenta|soddisfatto|soddisfatta|felice
solved: (ora|adesso|già|tutto|ora_tutto|adesso_tutto|ora_è|ora_è_tutto|adesso_è_tutto|è_tutto|è|tutto_è|la_carta
+ |l'app|la_mia_carta|finalmente)
+ (ora|adesso|già|di_nuovo) funziona|risolto|sistemato|a_posto|apposto|aggiustato|in_ordine|risolta
+ (tutto|bene|perfettamente|correttamente|di_nuovo|benissimo) (ora|adesso)
solved: tutto|ora_tutto|adesso_tutto|ora_è_tutto ok|okay|perfetto|funzionante|regolare (ora|adesso)
solved: (il|mio|il_mio) problema|questione|caso (è|è_stato|è_ora|si_è) risolto|sistemato|superato|rientrato
solved: (è|ora_è|tutto_è|già) (stato) risolto|sistemato|riparato
solved: ha_funzionato|ora_va|ora_va_bene|adesso_va|adesso_va_bene|ora_ok|si_è_risolto|si_è_risolto_tutto
+ |tutto_si_è_risolto
solved: avete|hai|ha risolto (tutto|il_problema)
solved: ho_ricevuto il rimborso
yes: sì|sì_sì|sì_certo|certo_che_sì|esattamente|sissignore|sì_esatto|sì_lo_è
no: no|no_no|purtroppo_no|no_purtroppo|per_niente|assolutamente_no|non_proprio|per_nulla
unsolved: (purtroppo) (ancora|il_problema|il_mio_problema|problema|la_carta|l'app|tutto)
+ non (è|è_stato|è_ancora|è_ancora_stato|ancora|mi|si_è|è_per_niente) (ancora)
+ risolto|sistemato|funziona|a_posto|va|risolta (ancora|più|bene|nulla|niente|purtroppo)
unsolved: non_ancora|purtroppo_non_ancora|ancora_no|purtroppo_ancora_no|ancora_niente|ancora_nulla|irrisolto
+ |nessuna_soluzione
unsolved: (purtroppo) (il|il_mio) problema persiste|rimane|continua|c'è_ancora|resta|sussiste (ancora)
unsolved: (è|purtroppo_è|sono) ancora bloccato|bloccata|lo_stesso_problema|uguale|da_risolvere|rotto|così|irrisolto
+ |aperto
unsolved: sempre|ancora|stesso lo_stesso_problema|uguale|lo_stesso_errore|problema
unsolved: niente|nulla è_cambiato|funziona
"""

DUTCH: Final = """
thanks: (heel_erg|heel|hartelijk|veel|erg|super|ontzettend|enorm|ok|oké|top|prima|zeer) bedankt|bedank (hoor|zeg)
thanks: (heel_veel|veel|hartelijke|hartelijk|duizendmaal|ok|mijn|oprechte) dank (je|u|jullie|aan_allen) (wel|zeer
+ |hartelijk|allemaal)
thanks: dankje|danku|dankjewel|dankuwel|dankjulliewel|merci|bedankjes|ik_dank_u|ik_dank_je|wij_danken_u
+ |dank_je_wel_hoor|dankjewel_hoor
thanks: ik_waardeer_het|ik_waardeer_het_zeer|zeer_gewaardeerd|ik_ben_u_dankbaar|ik_ben_jullie_dankbaar
courtesy: voor (al) de|je|uw|jullie|alle (snelle|goede|fijne|geweldige|prettige|vlotte|vriendelijke)
+ hulp|reactie|antwoord|ondersteuning|service|oplossing|moeite|support|afhandeling|info|informatie|geduld|tijd|inzet
+ |inspanning
courtesy: voor het|je|uw|jullie (snelle|goede) antwoord|oplossen|helpen|meedenken|terugkoppelen|werk
courtesy: voor alles
courtesy: (en) (nog) (een) (hele) fijne|prettige|goede|mooie dag|avond|week|middag|dag_verder (nog|verder|gewenst
+ |allemaal)
courtesy: (en) (nog) (een) fijn|prettig|goed|mooi weekend (nog|verder|gewenst|allemaal)
courtesy: iedereen|allemaal|team|mensen|hoor|en|insgelijks|jij_ook|u_ook|jullie_ook|oh|alle_lof
title: meneer|mevrouw|dhr|mevr
greeting: hoi|hallo|hey|dag|goedemorgen|goedemiddag|goedenavond|goedendag|beste|geachte|lieve
greeting: (met|hartelijke|vriendelijke|met_vriendelijke|met_hartelijke|vele) groet|groeten|groetjes
greeting: mvg|tot_ziens|doei|hoogachtend
good: (heel|echt|helemaal|dat_is|is|zeer|wat|super|dat_was|jullie_zijn|het_is|oh)
+ ok|oke|okay|okee|prima|perfect|top|super|geweldig|fijn|mooi|goed|uitstekend|fantastisch|toppie|lekker|klasse
+ |akkoord|leuk|duidelijk
good: begrepen|goed_gedaan|goed_werk|goede_service|top_service|snelle_service|fijne_service|helemaal_goed|komt_goed
+ |toppers|lief
good: ik_ben (heel|erg|zeer|super) blij|tevreden|dankbaar
solved: (het|alles|nu|dit|nu_het|de_kaart|mijn_kaart|de_app|mijn_app|mijn_account) (nu) werkt|lukt (het|alles) (nu
+ |inmiddels)
+ (weer|goed|prima|perfect|naar_behoren|weer_goed|weer_prima|weer_perfect|gelukkig_weer)
solved: (het|alles|nu|de_kaart|mijn_kaart|de_app|hij|ie|nu_alles) doet het (nu|inmiddels) (weer|goed|prima|perfect
+ |weer_goed)
solved: (het|dit|het_probleem|probleem|mijn_probleem|alles|dat|de_zaak|het_ticket) (is|werd) (nu|al|inmiddels
+ |helemaal|alweer|netjes)
+ opgelost|verholpen|geregeld|gefixt|afgehandeld|gemaakt|klaar
solved: alles (is) (nu|weer|inmiddels|nu_weer) goed|ok|oke|in_orde|prima|top|orde|voor_elkaar|okay
solved: (het) (is) (nu|weer|inmiddels) in_orde|gelukt|voor_elkaar
yes: ja|jawel|jazeker|jep|zeker|ja_hoor|klopt|ja_klopt|ja_zeker|inderdaad|ja_inderdaad|dat_klopt|ja_dat_is_het
no: nee|neen|nee_hoor|helaas_nee|nee_helaas|niet_echt|nee_niet_echt|helemaal_niet|niet_helemaal|absoluut_niet
unsolved: (helaas) (het|het_probleem|probleem|mijn_probleem|dit|dat|alles) (is) (helaas) (nog|nog_steeds|nog_altijd
+ |nog_helemaal)
+ niet opgelost|verholpen|geregeld|gefixt|klaar|in_orde|gelukt|goed
unsolved: nog|nog_steeds|nog_altijd|helaas|helaas_nog|helaas_nog_steeds|nog_steeds_helaas niet (helaas|hoor)
unsolved: (helaas) (het|dit|dat|de_kaart|mijn_kaart|de_app) werkt|lukt|gaat (het) (helaas) (nog|nog_steeds
+ |nog_altijd|weer)
+ niet (goed|helemaal)
unsolved: (helaas) (het|hij|de_app|mijn_kaart) doet het (helaas) (nog|nog_steeds|nog_altijd|weer) niet
unsolved: (het|mijn) probleem blijft|bestaat_nog|is_er_nog|bestaat_nog_steeds|is_er_nog_steeds|blijft_bestaan
+ |bestaat_nog_altijd
unsolved: (het_is|ik_heb) nog steeds|altijd hetzelfde|kapot|geblokkeerd|het_probleem|een_probleem|stuk|open (probleem)
unsolved: niets_werkt|onopgelost|geen_oplossing|nog_geen_oplossing|nog_niets|er_is_niets_veranderd|nog_steeds_niets
"""

HINDI: Final = """
thanks: (बहुत|बहुत_बहुत|आपका|आपका_बहुत|आपका_बहुत_बहुत|तहे_दिल_से|हार्दिक|बहुत_ही|आप_सबका|आप_सभी_का|दिल_से|ओके|ठीक_है)
+ धन्यवाद|शुक्रिया|आभार|थैंक्स|थैंक_यू|थैंक्यू|थैंकयू|मेहरबानी (आपका|आप_सबका|आपको|आप_सभी_को)
thanks: (मैं) (आपका|आपकी) (बहुत) आभारी (हूँ|हूं)
thanks: (bahut|bohot|bohut|bahot|bhut|aapka|apka|aapka_bahut|apka_bahut|bahut_bahut|bohot_bohot|aapka_bahut_bahut
+ |dil_se|ok)
+ dhanyavad|dhanyawad|dhanyavaad|dhanyawaad|dhanywad|dhanyvad|shukriya|shukria|sukriya|meharbani|aabhar|abhar (aapka
+ |apka|aap_sabka)
courtesy: (आपकी|आपके|इस|तुरंत|इतनी_जल्दी|इतनी_अच्छी|आपकी_तुरंत|आपकी_त्वरित|त्वरित)
+ मदद|सहायता|सहयोग|जवाब|उत्तर|समाधान|समय|सेवा|सपोर्ट|हेल्प|प्रयास (करने) के_लिए
courtesy: (मेरी) मदद|सहायता|समाधान|ठीक|समस्या_हल|समस्या_ठीक करने के_लिए
courtesy: सब_कुछ|सबकुछ|हर_चीज के_लिए
courtesy: जी|सर|मैडम|मैम|भाई|टीम|दोस्त|साहब|भैया|और|आपका_दिन_शुभ_हो|शुभ_दिन|शुभ_रात्रि|शुभ_संध्या|यार|बहुत
courtesy: (aapki|apki|aapke|apke|is) madad|sahayata|sahayta|help|support|jawab|service|samay|sahyog (karne) ke_liye
+ |ke_lie|k_liye
courtesy: sab_kuch ke_liye|ke_lie|k_liye
courtesy: ji|bhai|yaar|sir|sirji|bhaiya|saab|dost|aur|aapka_din_shubh_ho|shubh_din|shubh_ratri|sir_ji|madam_ji
greeting: नमस्ते|नमस्कार|प्रणाम|हेलो|हैलो|हाय|अलविदा|सादर|सुप्रभात|namaste|namaskar|namaskaar|pranam|alvida
good: ठीक_है|ठीक|ओके|अच्छा|बहुत_अच्छा|बहुत_बढ़िया|बढ़िया|शानदार|वाह|उत्तम|जी_ठीक_है|समझ_गया|समझ_गई|सही|सही_है
+ |बहुत_अच्छे|मस्त
good: परफेक्ट|ग्रेट|एकदम_बढ़िया|अच्छा_है|बहुत_अच्छा_है|बहुत_अच्छी_सेवा|अच्छी_सेवा|बढ़िया_सेवा|बहुत_खूब|कमाल
+ |बहुत_शानदार|सुपर|ओके_जी
good: (मैं) (बहुत) खुश हूँ|हूं
good: theek_hai|thik_hai|thik_h|theek_h|tik_hai|thik_he|acha|accha|achha|bahut_acha|bahut_accha|bahut_badhiya
+ |badhiya|badiya|shandar
good: mast|sahi|sahi_hai|samajh_gaya|samajh_gayi|wah|ekdam_badhiya|bahut_achha|kamaal|bahut_khoob
+ |bahut_acchi_service|theek|thik
solved: अब|सब|सब_कुछ|अब_सब|अब_सब_कुछ|सबकुछ|अब_यह|अब_सबकुछ|अभी_सब|मेरा_खाता|मेरा_कार्ड (अब)
+ ठीक|सही|बढ़िया|अच्छा (है|हो_गया|हो_गया_है|हो_गई|चल_रहा_है|काम_कर_रहा_है|से_काम_कर_रहा_है)
solved: (यह|ये) ठीक|सही|सॉल्व हो_गया|हो_गई|हो_चुका|हो_चुकी (है)
solved: (मेरी|मेरा|यह) (समस्या|प्रॉब्लम|परेशानी|मामला|मुद्दा|दिक्कत|काम) (का|अब) (हल|समाधान|ठीक|दूर|सॉल्व|पूरा)
+ हो_गया|हो_गई|हो_गयी|हो_चुका|हो_चुकी|सुलझ_गया|सुलझ_गई|सुलझ_गयी (है)
solved: (अब|यह|सब|अब_यह|अब_सब|कार्ड|मेरा_कार्ड|ऐप|अब_कार्ड|अब_ऐप) (अब|अच्छे_से|ठीक_से|सही_से|फिर_से|सही) काम कर_रहा
+ |कर_रही (है)
solved: (अब) (सब) (अच्छे_से|ठीक_से|सही) चल रहा_है|रही_है
solved: ab|sab|sab_kuch|ab_sab|sb|ab_sb|ab_sab_kuch theek|thik|sahi|badhiya|ok hai|ho_gaya|ho_gya|ho_gaya_hai|h
+ |chal_raha_hai
solved: (sab|ab) theek|thik|solve|solved|fix|hal|sahi ho_gaya|ho_gya|ho_gayi|hogaya|ho_gai (hai|h)
solved: (ab|sab|ab_sab|card|mera_card|app|ab_card|ab_app) (ab|theek_se|thik_se|sahi_se|sahi|phir_se) kaam|kam|work
+ kar_raha|kar_rha|kar_rahi|kr_rha (hai|h)
solved: (ab) (sab) (theek_se|thik_se|sahi) chal raha|rha|rahi hai|h
solved: (meri|mera) problem|samasya|issue|pareshani|dikkat solve|solved|hal|theek|thik|khatam|door|fix
+ ho_gaya|ho_gayi|ho_gya|ho_gai|hogayi|hogaya (hai|h)
solved: ho gaya|gya|gayi (hai|h)
yes: हाँ|हां|जी_हाँ|हाँ_जी|बिलकुल|बिल्कुल|haan|han|haan_ji|ji_haan|ji_han|bilkul|han_ji|ha_ji|ji_ha|हाँ_हाँ
no: नहीं|नही|जी_नहीं|बिल्कुल_नहीं|ना|नहीं_जी|nahi|nahin|nhi|nai|naheen|ji_nahi|nahi_ji|bilkul_nahi|नहीं_नहीं
unsolved: (नहीं) (अभी|अभी_भी|अब_भी|अभी_तक|अब_तक|समस्या|यह|समस्या_अभी_भी|समस्या_अभी_तक|मेरी_समस्या|मेरी_समस्या_अभी_तक
+ |समस्या_का)
+ (भी|तक) ठीक|हल|समाधान|काम|सॉल्व|सही (से)
+ नहीं|नही (हुआ|हुई|हो_रहा|कर_रहा|चल_रहा|हो_रही|है|कर_रही|हो_पाई|हो_पाया) (है)
unsolved: अभी|अभी_भी|अभी_तक|अब_तक|अब_भी नहीं|नही (हुआ|हुई|चल_रहा) (है)
unsolved: (नहीं) (अभी_भी|अब_भी|अभी_तक) वही|समस्या|दिक्कत|परेशानी|खराब|वैसा|बंद (समस्या|दिक्कत|परेशानी|ही) (है
+ |बनी_हुई_है|बाकी_है)
unsolved: (मेरी) समस्या|परेशानी|दिक्कत (अभी_भी|अब_भी) बनी_हुई|वैसी_ही|वही|जारी|बाकी है
unsolved: कुछ|कुछ_भी नहीं हुआ|बदला|हो_रहा (है)
unsolved: (nahi) (abhi|abhi_bhi|ab_bhi|abhi_tak|problem|problem_abhi_bhi|ab_tak|issue|card|app|problem_abhi_tak)
+ (bhi|tak)
+ theek|thik|solve|solved|hal|kaam|kam|fix|sahi|work nahi|nahin|nhi
+ (hua|hui|kar_raha|kar_rha|kr_rha|chal_raha|ho_raha|ho_rha|kar_rahi) (hai|h)
unsolved: abhi|abhi_bhi|abhi_tak|ab_tak|ab_bhi nahi|nahin|nhi (hua|hui|chal_raha) (hai|h)
unsolved: (nahi) abhi_bhi|ab_bhi|abhi_tak wahi|vahi|same|problem|dikkat|issue (problem|issue|dikkat) (hai|h
+ |aa_rahi_hai)
unsolved: kuch|kuch_bhi nahi|nhi|nahin hua|badla|ho_raha (hai|h)
"""

ARABIC: Final = """
thanks: (حسنا|تمام|طيب|ممتاز|رائع|الف|ألف) شكرا|شكر|مشكور|مشكورة|مشكورين|متشكر|متشكرة|ممنون|ممنونة|ممتن|ممتنة|ممنونك
+ |ممنونكم
+ (جزيلا|كثيرا|كتير|جدا|كثير|جزيل|لك|لكم|خالص|أوي) (لك|لكم|جدا|جميعا) (جميعا|جزيلا)
thanks: تسلم|تسلمي|تسلموا|يسلمو|يسلموا|تسلمون|تسلم_ايدك|تسلم_يدك|يسلم_ايديكم|الله_يسلمك|تسلموا_يا_رب
thanks: كل|جزيل|خالص|وافر الشكر|الامتنان|الشكر_والتقدير|الشكر_والامتنان (لك|لكم|لكم_جميعا)
thanks: جزاك|جزاكم|جزاكي|جزاكن الله (خيرا|خير|كل_خير|ألف_خير)
thanks: (الله) يعطيك|يعطيكم|يعطيكي العافية|الصحة_والعافية|الف_عافية
thanks: بارك_الله_فيك|بارك_الله_فيكم|بارك_الله_بك|بارك_الله_بكم|الله_يبارك_فيك|الله_يبارك_فيكم|الله_يجزاك_خير
+ |الله_يجزاكم_خير
thanks: أشكرك|أشكركم|نشكركم|نشكرك (جزيلا|كثيرا|جدا|جزيل_الشكر|جميعا|من_القلب|من_كل_قلبي)
courtesy: على|لأجل|من_أجل (كل|حسن|سرعة) مساعدتك|مساعدتكم|المساعدة|الدعم|دعمكم|دعمك|الرد|ردكم|ردك|الاستجابة|استجابتكم
+ |تعاونكم|تعاونك|التعاون|اهتمامكم|اهتمامك|الاهتمام|جهودكم|جهودك|الجهود|خدمتكم|الخدمة|شيء|شي|وقتكم|وقتك|مجهودكم
+ |تجاوبكم
+ |صبركم|حل_المشكلة|حل_مشكلتي|المتابعة|التوضيح|المعلومات|السرعة (السريع|السريعة|الممتازة|الرائعة|الرائع|الممتاز|معي)
courtesy: لمساعدتكم|لمساعدتك|لدعمكم|لتعاونكم|لتعاونك|لاهتمامكم|لكم|لك|لكم_جميعا|للجميع|جدا|كثيرا|جزيلا|جميعا|و
courtesy: يا_جماعة|يا_شباب|أخي|أختي|يا_أخي|يا_فريق|أستاذ|أستاذي|يا_صديقي|فريق_الدعم|لفريق_الدعم|والله|يا_غالي|يا_باشا
courtesy: يومك_سعيد|يوم_سعيد|يومكم_سعيد|نهارك_سعيد|أتمنى_لكم_يوما_سعيدا|أتمنى_لك_يوما_سعيدا|طاب_يومك|طاب_يومكم
greeting: مرحبا|أهلا|أهلا_وسهلا|سلام|هلا|صباح_الخير|مساء_الخير|تحية_طيبة|تحياتي|مع_تحياتي|مع_السلامة|مع_التحية
+ |وعليكم_السلام
greeting: السلام_عليكم|السلام_عليكم_ورحمة_الله|السلام_عليكم_ورحمة_الله_وبركاته|تحياتي_لكم|الى_اللقاء|وداعا
good: حسنا|تمام|تمام_التمام|تمام_جدا|أوكي|اوك|اوكيه|طيب|ماشي|ممتاز|ممتازة|ممتاز_جدا|رائع|رائعة|رائع_جدا|جيد|جيد_جدا
+ |عظيم|جميل|جميل_جدا
good: مفهوم|فهمت|أكيد|ممتازين|خدمة_ممتازة|خدمة_رائعة|عمل_رائع|عمل_ممتاز|هذا_رائع|هذا_ممتاز|أحسنتم|أحسنت|الحمد_لله
+ |الحمدلله|موافق
good: زين|حلو|مية_مية|ما_شاء_الله|ماشاء_الله|كويس|كويس_جدا|أنتم_رائعون|انتم_الأفضل|أنا_سعيد|أنا_سعيدة|أنا_راضي
+ |خدمة_سريعة|بالتوفيق
solved: (لقد|قد) تم (حل|إصلاح|الحل|الإصلاح|حلها|حله|إصلاحها|إصلاحه|التصليح)
+ (المشكلة|مشكلتي|الأمر|الموضوع|كل_شيء|المشكل) (بنجاح|الآن|والحمد_لله|الحمد_لله)
solved: (المشكلة|مشكلتي|لقد|خلاص|الآن|المشكل|الموضوع) انحلت|حلت|محلولة|تحلت|اتحلت|انتهت|اتحل|انحل|انتهى (المشكلة
+ |خلاص|مشكلتي|الحمد_لله|الآن)
solved: (كل_شيء|كل_شي|كلشي|كله|الآن|كل_شيء_الآن|الآن_كل_شيء|إنه|إنها|هو|هي|البطاقة|التطبيق|بطاقتي|حسابي|كلو|خلاص)
+ (الآن) يعمل|تعمل|شغال|شغالة|يشتغل|تشتغل|اشتغل|اشتغلت|عمل|عاد_للعمل|عادت_للعمل
+ (الآن|بشكل_جيد|تمام|بشكل_ممتاز|بشكل_صحيح|كويس|بشكل_طبيعي|جيدا) (الآن|الحمد_لله)
solved: كل_شيء|كل_شي|كلشي|كله|الآن_كل_شيء|كل_الأمور|الأمور|الآن|كلو (الآن)
+ تمام|بخير|على_ما_يرام|جيد|ممتاز|طيبة|زين|مضبوط|كويس|محلول (الآن|الحمد_لله)
solved: خلاص_تمام|تم_الحل_شكرا|زالت_المشكلة|ما_عاد_في_مشكلة|لم_تعد_هناك_مشكلة|اختفت_المشكلة
yes: نعم|أيوه|أيوا|أجل|بلى|نعم_نعم|اه|ايوة|نعم_صحيح
no: لا|كلا|لا_لا|لا_للأسف|للأسف_لا|أبدا|لا_أبدا|مو_تماما|ليس_تماما|لا_ليس_تماما
unsolved: (للأسف|لا) (المشكلة|مشكلتي|الأمر|الموضوع|المشكل) (للأسف) ما_زالت|لا_تزال|مازالت|لازالت|لسا|لسه|لسة|ما_زال
+ |لا_يزال|مازال
+ (المشكلة) موجودة|مستمرة|قائمة|كما_هي|لم_تحل|نفسها|هي|موجود|معلقة|كما_هو|مستمر|عالقة|هناك
unsolved: (للأسف|لا) (المشكلة|مشكلتي|التطبيق|البطاقة|بطاقتي|حسابي)
+ لم|ما|لا|ليس|ليست|مش|غير|لسه_ما|لسا_ما|لسه_مش|لم_يتم|لا_يزال_لا|ما_زال_لا|ما_زالت_لا|لا_تزال_لا|مو|لا_زال_لا
+ تحل|تنحل|انحلت|حلها|حله|حل|يعمل|تعمل|شغال|شغالة|يشتغل|محلولة|الحل|حل_المشكلة|اتحلت|اشتغل|تم_حلها|حل_مشكلتي
+ (بعد|المشكلة|الآن|حتى_الآن|مشكلتي|للآن)
unsolved: ليس_بعد|لسه|لسا|لسة|لم_تحل_بعد|نفس_المشكلة|بدون_حل|لا_شيء_تغير|لم_يتغير_شيء|لا_جديد|ما_تغير_شي|لا_يوجد_حل
+ |ما_في_حل|لا_ليس_بعد
"""

TURKISH: Final = """
thanks: (çok|binlerce|sonsuz|içten|tekrardan_çok|tamam|süper|harika|peki|her_şey_için_çok|her_şey_için)
+ teşekkür|teşekkürler|teşekkürlerimi_sunarım (ederim|ederiz|ediyorum|ediyoruz) (size|sana|hepinize|herkese)
thanks: tşk|tşkler|tşkkr|tşkrlr|teşekür|teşekürler|sağol|sağ_ol|sağolun|sağ_olun|sağ_olunuz|çok_sağol|çok_sağ_ol
+ |çok_sağ_olun|mersi
thanks: çok_sağolun|minnettarım|müteşekkirim|allah_razı_olsun|elinize_sağlık|emeğinize_sağlık|ellerinize_sağlık
+ |var_olun|eksik_olmayın
courtesy: (hızlı|her_türlü|tüm|güzel|değerli|bu|nazik|çabuk|kısa_sürede)
+ yardımınız|yardımlarınız|desteğiniz|ilginiz|hizmetiniz|cevabınız|yanıtınız|geri_dönüşünüz|çözümünüz|sabrınız
+ |bilgilendirmeniz
+ |bilgi|yardım|destek|emeğiniz|emekleriniz|yardımın|desteğin|ilgin|ilgi|hizmet|yardımcı_olduğunuz|çözdüğünüz
+ |anlayışınız için
courtesy: her_şey|herşey için
courtesy: ilginize|ilgine|size|sana|hepinize|herkese|size_de|sizlere|desteğinize|ve|arkadaşlar|ekip|hocam|efendim
+ |abi|abla|dostum|ekibe
courtesy: iyi günler|çalışmalar|akşamlar|geceler|hafta_sonları|haftasonları|seneler|haftalar (dilerim|dileriz
+ |diliyorum)
courtesy: kolay_gelsin|hayırlı_günler|hayırlı_işler|iyi_ki_varsınız|iyi_ki_varsiniz
courtesy: bey|hanım
title: sayın
greeting: merhaba|merhabalar|selam|selamlar|günaydın|sevgili|değerli|iyi_günler|iyi_akşamlar|selamün_aleyküm
greeting: saygılar|saygılarımla|saygılarımızla|sevgiler|sevgilerle|hoşça_kalın|hoşçakalın|görüşmek_üzere|görüşürüz
good: tamam|tamamdır|tmm|ok|okey|okay|peki|harika|mükemmel|süper|güzel|çok_güzel|çok_iyi|iyi|muhteşem|şahane|anladım
+ |anlaşıldı|olur
good: müthiş|bravo|eyvallah|harikasınız|süpersiniz|çok_iyisiniz|mükemmelsiniz|memnun_oldum|çok_memnun_kaldım
+ |memnun_kaldım|memnunum
good: çok_memnunum|sevindim|çok_sevindim|mutluyum|çok_mutluyum|çok_naziksiniz|tebrikler|tebrik_ederim|harika_hizmet
+ |süper_hizmet
solved: (sorun|sorunum|problem|problemim|şimdi|artık|her_şey|herşey|konu|hepsi|sorunumuz|işlem|mesele|sıkıntı)
+ (şimdi|artık|da|tamamen)
+ çözüldü|halloldu|düzeldi|giderildi|çözülmüş|çözülmüştür|halledildi|hallolmuş|ortadan_kalktı|çözülmüş_durumda
+ |çözüme_kavuştu
solved: (şimdi|artık|her_şey|herşey|sistem|kartım|kart|uygulama|hepsi|hesabım) (şimdi|artık) (düzgün|sorunsuz|iyi
+ |güzel|normal)
+ çalışıyor|çalıştı (şimdi|artık)
solved: her_şey|herşey|hepsi (şimdi|artık) yolunda|tamam|iyi|düzgün|güzel|normal (şimdi|artık)
solved: (şimdi|artık) oldu
solved: (şimdi|artık) düzeldi|tamam|sorun_kalmadı
solved: sorun_kalmadı|problem_kalmadı|sorunum_kalmadı|sorunu_çözdünüz|sorunumu_çözdünüz
yes: evet|evt|aynen|evet_evet|evet_öyle|evet_aynen
no: hayır|yok|maalesef_hayır|hayır_maalesef|yo|yok_hayır|pek_değil|tam_değil
unsolved: (maalesef) (hala|sorun|sorunum|problem|problemim|sorun_hala|henüz|daha|sorunum_hala|problem_hala|kartım
+ |kartım_hala)
+ (hala|henüz|daha|maalesef) çözülmedi|düzelmedi|çalışmıyor|hallolmadı|giderilmedi|olmadı|çözülmemiş|çözülmüş_değil
+ (hala|henüz|daha)
unsolved: henüz_değil|daha_değil|hala_değil|değil|maalesef|henüz_olmadı|hala_aynı|hala_var|hala_yok
+ |hiçbir_şey_değişmedi
unsolved: (maalesef) (sorun|problem|sorunum) (hala) devam_ediyor|sürüyor|var|aynı|duruyor|mevcut
unsolved: hala aynı|bir (sorun|problem|hata) (var|devam_ediyor)
unsolved: hala sorun|problem|hata var|alıyorum|devam_ediyor
"""

SIGNS: Final = """
thanks: 🙏
good: 👍|❤|😊|🙂|😀|😃|😄|😁|😉|🎉|🥳|👌|✅|✔|☑|💯|🥰|😍|😘|🤗|☺|💪|👏|🙌|🤝|🫶|💚|💙|💛|🧡|💜|🖤|🤍|💐|🌹|🌟|⭐|🔥
"""

TABLES: Final = (ENGLISH, SPANISH, GERMAN, FRENCH, PORTUGUESE, ITALIAN, DUTCH, HINDI, ARABIC, TURKISH, SIGNS)
UMLAUTS: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})


class Slot(NamedTuple):
    """A place in a pattern: its alternatives by their first word."""

    is_optional: bool
    alternatives: Mapping[str, Sequence[tuple[str, ...]]]


class Pattern(NamedTuple):
    """The phrases of one line of a table."""

    kind: Kind
    slots: tuple[Slot, ...]


class Lexicon(NamedTuple):
    """All patterns by the words that they can begin with; all words; the words of German thanks."""

    patterns: Mapping[str, Sequence[Pattern]]
    words: frozenset[str]
    german: frozenset[str]


@cache
def _lexicon() -> Lexicon:
    """Read the tables: once, when the first message comes."""
    patterns = [pattern for table in TABLES for pattern in _patterns(table)]
    by_start: defaultdict[str, list[Pattern]] = defaultdict(list)
    for pattern in patterns:
        for word in _starts(pattern):
            by_start[word].append(pattern)
    german = (_words_of(pattern) for pattern in _patterns(GERMAN) if pattern.kind is Kind.THANKS)
    return Lexicon(by_start, frozenset().union(*map(_words_of, patterns)), frozenset().union(*german))


def _patterns(table: str) -> Iterator[Pattern]:
    """Read the lines of a table."""
    for line in table.replace("\n+ |", "|").replace("\n+", "").strip().splitlines():
        kind, _, slots = line.partition(":")
        yield Pattern(Kind[kind.upper()], tuple(map(_slot, slots.split())))


def _slot(text: str) -> Slot:
    alternatives: defaultdict[str, list[tuple[str, ...]]] = defaultdict(list)
    for alternative in text.strip("()").split("|"):
        for spelling in {alternative, alternative.translate(UMLAUTS)}:
            words = tuple(_key(_plain(spelling)).replace("_", " ").replace("-", " ").split())
            alternatives[words[0]].append(words)
    return Slot(text.startswith("("), alternatives)


def _starts(pattern: Pattern) -> Iterator[str]:
    for slot in pattern.slots:
        yield from slot.alternatives
        if not slot.is_optional:
            return


def _words_of(pattern: Pattern) -> frozenset[str]:
    return frozenset(
        word for slot in pattern.slots for several in slot.alternatives.values() for words in several for word in words
    )


def _length(pattern: Pattern, keys: Sequence[str], at: int) -> int:
    """How many words the longest phrase of this pattern that begins here has; 0 for none."""
    ends = {at}
    for slot in pattern.slots:
        reached = {
            end + len(words)
            for end in ends
            if end < len(keys)
            for words in slot.alternatives.get(keys[end], ())
            if tuple(keys[end : end + len(words)]) == words
        }
        ends = ends | reached if slot.is_optional else reached
    return max(ends) - at if ends else 0
