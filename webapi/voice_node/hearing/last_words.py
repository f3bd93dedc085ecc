"""Whether somebody has finished, judged by the words so far: an open sentence, or digits that still come. Pure.

    "I would like to book a table for"      a preposition at the end: more comes
    "my number is five five five"           three digits: more come
    "yes please."                           a sentence that is over

The words are those of a recogniser, which often comes after the voice: what it has not told yet is not here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

OPEN, LISTING, UNKNOWN, WHOLE, SURE = 0.1, 0.3, 0.5, 0.8, 0.95  # probabilities: see `done`
LONG_NUMBER = 7  # digits in a row from which on a number may be whole: the shortest phone numbers
SHORT_NUMBER = 3  # digits in a row that are part of a longer number; "a table for two" is none
WORD = re.compile(r"[\w'’@+-]+(?:\.[\w-]+)*")
BREAKING_OFF = ("...", "…", ",", "，", "、", "-", "–", "—", ":", ";")
ENDING = (".", "?", "!", "。", "？", "！")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


TOP_LEVEL = _words("com net org edu gov info biz io co uk de fr es it ru pt nl eu ch at be us")
AT_SIGNS = _words("@ at arroba chiocciola arobase klammeraffe собака apenstaartje")

# Words that are seldom the last of a sentence: conjunctions, prepositions, articles, possessives, hesitations.
# Particles of verbs ("turn it on", "komm mit") are left out.
OPEN_WORDS: Mapping[str, frozenset[str]] = {
    "en": _words(
        "and or but because if when while although that's that which whose the a an my your our their his "
        "its to of for from with at by into between about than as is are was were am i'm i'll i'd it's he's "
        "she's we're they're will would could should gonna wanna um uh er erm uhm hmm like"
    ),
    "de": _words(
        "und oder aber denn weil dass wenn ob obwohl damit der den dem des ein eine einen einem einer mein "
        "meine meinen meiner unser unsere ihr ihre für von vom zum zur bei beim im in am nach über unter "
        "zwischen als wie ist sind bin habe hätte möchte würde äh ähm hm also"
    ),
    "es": _words(
        "y e o u pero porque que si cuando aunque el la los las un una unos unas mi mis tu su sus nuestro de "
        "del a al en con para por sin sobre entre como es son soy está quiero quisiera eh em este pues"
    ),
    "fr": _words(
        "et ou mais car parce que qui si quand lorsque le la les l' un une des mon ma mes ton ta notre votre "
        "vos de du d' à au aux en avec pour par sans sur dans entre chez comme est sont suis c'est je j'ai "
        "euh hum alors"
    ),
    "it": _words(
        "e ed o ma perché che se quando anche il lo la i gli le un uno una mio mia miei di del della dei a "
        "al alla da dal in nel nella con per su sul tra fra come è sono vorrei ehm eh allora"
    ),
    "ru": _words(
        "и или но а потому что чтобы если когда хотя мой моя моё мои наш ваш в во на с со к ко у по для от "
        "из за о об при между как это э эм ну"
    ),
    "pt": _words(
        "e ou mas porque que se quando embora o a os as um uma uns umas meu minha meus seu sua de do da dos "
        "das em no na ao à com para por sem sobre entre como é são sou está quero queria hã eh então"
    ),
    "nl": _words(
        "en of maar want omdat dat als wanneer hoewel de het een mijn jouw uw onze van voor met naar bij in "
        "op aan te om tussen zoals is zijn ben heb wil zou eh uh hm dus"
    ),
}
# Answers that are whole, though short.
WHOLE_ANSWERS = _words(
    "yes yeah yep no nope ok okay stop sure thanks goodbye bye hello ja nein doch danke genau tschüss sí "
    "no gracias vale adiós oui non merci d'accord si grazie ciao да нет спасибо sim não obrigado "
    "obrigada nee bedankt dank"
)
DIGIT_WORDS = _words(
    "zero oh one two three four five six seven eight nine double triple null eins zwei zwo drei vier "
    "fünf sechs sieben acht neun cero uno dos tres cuatro cinco seis siete ocho nueve zéro un deux trois "
    "quatre cinq six sept huit neuf due tre quattro cinque sei sette otto nove ноль один два три четыре "
    "пять шесть семь восемь девять um dois três quatro sete oito nul twee drie vijf zes zeven negen"
)


def done(words: str, expects: str = "", language: str = "") -> float:
    """Return the probability that whoever said `words` has finished.

    | | |
    |---|---|
    | OPEN | the last word opens something ("and", "for"), or the text breaks off |
    | LISTING | three to six digits at its end; one to six where digits are expected; an address without its end |
    | UNKNOWN | there are no words yet |
    | WHOLE | none of these |
    | SURE | it ends as a sentence does, or is a short answer ("yes"); an address with its end |

    `expects`: "digits" or "email" where the caller was asked for that. `language`: a key of OPEN_WORDS; "": any.
    """
    text = words.strip().lower()
    said = WORD.findall(text)
    if not said:
        return UNKNOWN
    answer = len(said) == 1 and said[0] in WHOLE_ANSWERS and not text.endswith(BREAKING_OFF)
    if answer:
        return SURE
    if expects == "email":
        return SURE if _is_address(said) else LISTING
    digits = _digits_at_end(said)
    if (1 if expects == "digits" else SHORT_NUMBER) <= digits < LONG_NUMBER:
        return LISTING
    if said[-1] in _open_words(language) or text.endswith(BREAKING_OFF):
        return OPEN
    if text.endswith(ENDING):
        return SURE
    return WHOLE


def _is_address(said: list[str]) -> bool:
    """Whether the words have an at sign, and end as an address does."""
    has_at = any("@" in word or word in AT_SIGNS for word in said[:-1]) or "@" in said[-1][:-1]
    return has_at and said[-1].rpartition(".")[2] in TOP_LEVEL


def _digits_at_end(said: list[str]) -> int:
    """Return how many digits there are in the number with which the words end."""
    count = 0
    for word in reversed(said):
        bare = word.strip("+-").replace("-", "").replace(".", "")
        if bare.isdecimal():
            count += len(bare)
        elif word in DIGIT_WORDS:
            count += 1
        else:
            break
    return count


def _open_words(language: str) -> frozenset[str]:
    """Words that open something. Without a language, not those that are an answer in another one ("no", "si")."""
    return OPEN_WORDS[language] if language else frozenset().union(*OPEN_WORDS.values()) - WHOLE_ANSWERS
