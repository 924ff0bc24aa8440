"""The embedded classifier: it needs no network, no key and no vendor, and answers in a fraction of a millisecond.

A linear model over hashed features (words, pairs of words, pieces of words), kept as one byte per weight. A long
message is read clause by clause, because a customer's one sentence about the problem drowns in the other twenty. What
it is not made for (no words, a language it does not know, a message that tells it what to answer) gets a low
confidence, so that a person looks. `bot/training.py` makes the artefact; `bot/NOTICE` names the data behind it.
"""

import re
import threading
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from bot import steering
from bot.errors import ConfigurationError
from bot.letter import body
from bot.model import Category, Classification

DEFAULT = Path(__file__).with_name("local_model.npz")
FORMAT = 1
BUCKETS = 1 << 18
CATEGORIES = tuple(Category)
REMEDY = CATEGORIES.index(Category.REFUND_REQUEST)
OTHER = CATEGORIES.index(Category.OTHER)
WIDTH = len(CATEGORIES) + 1  # of what is said: a column a category, and one for the length

LONGEST = 20_000  # characters that are read; nobody's problem is only named after that
LONGEST_WORD = 24
NORMALISED_AT_ONCE = 256  # sorting a run of combining marks is quadratic in CPython; pieces keep it linear

READ_WHOLE = 22  # words; longer messages are read clause by clause
CLAUSE = 16  # words in a window at most
STEP = 8  # words from one window of a long clause to the next
SHORT_CLAUSE = 4  # words; anything shorter is read together with its neighbour
MOST_MET = 1 << 14  # words; a message has fewer
FAINT = 0.3  # what a window must exceed to count as a sign: thirty faint signs are no strong one
LEAST_SIGN = 0.3  # what all windows together must show of a problem; a letter without any is `other`

FEW_KNOWN = 0.5  # share of known words below which a message counts as not understood
NOT_UNDERSTOOD = 0.4
NOTHING_TO_READ = 0.2
INSTRUCTED = 0.3
SUREST = 0.997  # the temperature was fitted on messages much like those of the training; customers write others

NO_WORDS_REASON = "no words to go by"
UNKNOWN_REASON = "hardly any known words; for a person to check"
INSTRUCTED_REASON = "contains instructions; for a person to check"

_LINK = re.compile(r"(?:https?://|www\.)\S+")
_ADDRESS = re.compile(r"[^\s@<>]{1,64}@[^\s@<>]{1,255}")
_NUMBER = re.compile(r"\d+(?:[.,:/]\d+)*")
_LETTERS = (
    r"[^\W_]|[\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0900-\u0dff]"  # \w leaves the vowel signs of Indic scripts out
)
_WORD_OR_END = re.compile(rf"(?:{_LETTERS})+|[.!?;\n।。！？]")
_ENDS = frozenset(".!?;\n।。！？")
_DOUBLED = re.compile(r"([^\W\d_])\1+")
_FIRST_OF_PAIR, _FIRST_OF_SKIP, _LETTERS_OF = np.uint32(0x9E3779B1), np.uint32(0x85EBCA77), np.uint32(0xC2B2AE3D)
_FNV_PRIME = np.uint32(0x01000193)
_IGNORED = dict.fromkeys(
    [ord(mark) for mark in "'’‘ʼ`´"]
    + [0xAD, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2065), 0xFEFF]
)
_FOR_RATHER_THAN_ALL = np.eye(len(CATEGORIES), WIDTH)  # one category against the mean
_FOR_RATHER_THAN_ALL[:, :-1] -= 1 / len(CATEGORIES)
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)
_Numbers = NDArray[np.float64]
_Hashes = NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Reading:
    """A message as the model sees it: its words in order, and the index after the last word of each clause."""

    words: tuple[str, ...]
    clause_ends: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Features:
    """The features of a reading. `alone[k]` is a bucket of the word `places[k]`; `pairs` and `skips` have one of each
    word but the first, or the first two, with what stands before it. `hashes` has one number a word, for asking whether
    it is known."""

    alone: NDArray[np.int64]
    places: NDArray[np.int64]
    pairs: NDArray[np.int64]
    skips: NDArray[np.int64]
    hashes: _Hashes

    @property
    def buckets(self) -> NDArray[np.int64]:
        return np.concatenate([self.alone, self.pairs, self.skips])


def normalise(text: str) -> str:
    """Return the text in NFKC and lower case, without apostrophes and invisible characters, cut to LONGEST."""
    text = text[:LONGEST]
    pieces = (text[start : start + NORMALISED_AT_ONCE] for start in range(0, len(text), NORMALISED_AT_ONCE))
    return "".join(unicodedata.normalize("NFKC", piece) for piece in pieces).lower().translate(_IGNORED)[:LONGEST]


def read(normalised: str) -> Reading:
    """Split a normalised text into words and clauses. Every number becomes 0, a link or a mail address one word."""
    text = _LINK.sub(" weblink ", normalised)
    if "@" in text:
        text = _ADDRESS.sub(" mailaddress ", text)
    text = _NUMBER.sub("0", text)
    words: list[str] = []
    ends: list[int] = []
    for token in [*_WORD_OR_END.findall(text), "."]:
        if token not in _ENDS:
            words.append(token[:LONGEST_WORD])
        elif words and (not ends or ends[-1] != len(words)):
            ends.append(len(words))
    return Reading(tuple(words), tuple(ends))


def features(words: tuple[str, ...]) -> Features:
    """Hash the words, the letters of each in alphabetical order, pairs, pairs with one word between, and runs of
    characters in words; doubled letters count as one. The numbers are the same on every machine and in every version of
    Python, and there are at most a constant times as many as characters."""
    alone, places, hashes = _alone(words)
    return Features(alone, places, *_together(hashes), hashes)


def _alone(words: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64], _Hashes]:
    """Return the buckets of each word for itself, to which of them each belongs, and the words' hashes."""
    joined = _DOUBLED.sub(r"\1", " ".join(words))
    written = [word.encode("utf-8", "surrogatepass") for word in joined.split(" ")]
    hashes = np.array([crc32(word) for word in written], dtype=np.uint32)
    letters = np.array([crc32(bytes(sorted(word))) for word in written], dtype=np.uint32) ^ _LETTERS_OF
    runs, places = _character_runs(joined)
    every = np.arange(len(words))
    return _buckets(np.concatenate([runs, hashes, letters])), np.concatenate([places, every, every]), hashes


def _together(hashes: _Hashes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the bucket of each word with the one before it, and of each with the last but one."""
    pairs = hashes[:-1] * _FIRST_OF_PAIR + hashes[1:]
    skips = hashes[:-2] * _FIRST_OF_SKIP + hashes[2:] + np.uint32(1)
    return _buckets(pairs), _buckets(skips)


def _character_runs(words: str) -> tuple[_Hashes, NDArray[np.int64]]:
    """Hash every run of 3, 4 and 5 characters inside a word, its edges counted as characters; and say in which word."""
    codes = np.frombuffer(f" {words} ".encode("utf-32-le", "surrogatepass"), dtype="<u4")
    spaces = np.cumsum(codes == ord(" "))
    rolling = codes.astype(np.uint32)
    hashes, places, within = [], [], []
    for length in range(2, 6):
        rolling = rolling[:-1] * _FNV_PRIME ^ codes[length - 1 :]  # FNV-1: its order
        if length > 2:
            hashes.append(rolling + np.uint32(length))
            places.append(spaces[1 : len(rolling) + 1])
            within.append(spaces[length - 2 : -1] == spaces[: len(rolling)])  # no space between its ends
    kept = np.concatenate(within)
    return np.concatenate(hashes)[kept], np.concatenate(places)[kept] - 1


def _buckets(hashes: _Hashes) -> NDArray[np.int64]:
    """Mix all 32 bits into the low ones, which count: the finaliser of MurmurHash3."""
    hashes = (hashes ^ (hashes >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    hashes = (hashes ^ (hashes >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return (hashes ^ (hashes >> np.uint32(16))).astype(np.int64) & (BUCKETS - 1)


def windows(reading: Reading) -> list[tuple[int, int]]:
    """Return the (start, end) of what is read together: all of a short message, else its clauses, the long ones cut
    into pieces that overlap, the shortest joined to what follows."""
    if len(reading.words) <= READ_WHOLE:
        return [(0, len(reading.words))]
    found, start = [], 0
    for end in reading.clause_ends:
        if end - start < SHORT_CLAUSE and end != reading.clause_ends[-1]:
            continue
        cuts = range(start, max(end - CLAUSE + STEP, start + 1), STEP)
        found += [(cut, min(cut + CLAUSE, end)) for cut in cuts]
        start = end
    return found


def combine(chances: _Numbers) -> tuple[int, float]:
    """Join the probabilities of several windows (rows) into one category and its confidence.

    A noisy-or over the windows that show more than a faint sign; where a cause is named, wanting the money back is only
    its remedy.
    """
    if len(chances) == 1:
        return int(chances[0].argmax()), float(chances[0].max())
    signs = np.clip((chances - FAINT) / (1 - FAINT), 0, 1)
    signs[:, OTHER] = 0
    strength = 1 - np.prod(1 - signs, axis=0)
    causes = strength.copy()
    causes[REMEDY] = 0
    strength[REMEDY] *= 1 - causes.max() ** 2
    best = int(strength.argmax())
    if strength[best] < LEAST_SIGN:
        return OTHER, float(1 - strength[best])
    return best, float(strength[best] ** 2 / strength.sum())


class Met:
    """What words say for themselves that came before, a row each: most words of a message came in others, and finding
    their features takes longer than all else. Any number of threads may use it at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._places: dict[str, int] = {}
        self._hashes = np.empty(MOST_MET, dtype=np.uint32)
        self._said = np.empty((MOST_MET, WIDTH))

    def look_up(
        self, words: Sequence[str], hear: Callable[[list[str]], tuple[_Hashes, _Numbers]]
    ) -> tuple[_Hashes, _Numbers]:
        """Return a hash and a row for each of the words; `hear` makes them for those that were not met."""
        with self._lock:
            new = [word for word in dict.fromkeys(words) if word not in self._places]
            if len(self._places) + len(new) > MOST_MET:
                self._places.clear()
                new = list(dict.fromkeys(words))
            if new:
                first = len(self._places)
                end = first + len(new)
                self._hashes[first:end], self._said[first:end] = hear(new)
                self._places.update(zip(new, range(first, end), strict=True))
            places = [self._places[word] for word in words]
            return self._hashes[places], self._said[places]


@dataclass(frozen=True, slots=True)
class LocalModel:
    """The trained model. Nothing that it answers changes, so any number of threads may use it at once.

    A feature in bucket b speaks for category c with `weights[b, c] * weight_steps[c] * idf[b] * idf_step`; a bucket
    whose `idf` is 0 was not met in training and only weakens the rest, by `unmet`. `known` holds the sorted hashes of
    the known words.
    """

    weights: NDArray[np.int8]
    weight_steps: NDArray[np.float32]
    bias: NDArray[np.float32]
    idf: NDArray[np.uint8]
    idf_step: float
    unmet: float
    temperature: float
    known: _Hashes
    _met: Met = field(default_factory=Met, init=False, repr=False, compare=False)

    @classmethod
    def load(cls, path: Path = DEFAULT) -> "LocalModel":
        """Read the artefact. Raises ConfigurationError when it is missing, damaged or of another format."""
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                return cls.of(stored)
        except FileNotFoundError:
            problem = "is missing"
        except _UNREADABLE as exc:
            problem = f"cannot be used ({type(exc).__name__})"
        raise ConfigurationError(
            f"The local classifier {path} {problem}: install Firstline again, or run 'bot train --data FOLDER'."
        )

    @classmethod
    def of(cls, stored: Mapping[str, NDArray[Any]]) -> "LocalModel":
        """Make a model of the arrays that `arrays` returns. Raises KeyError or ValueError when they are not such."""
        shapes = {"weights": (BUCKETS, len(CATEGORIES)), "idf": (BUCKETS,), "numbers": (4,)}
        shapes |= {"weight_steps": (len(CATEGORIES),), "bias": (len(CATEGORIES),)}
        kinds = {"weights": np.int8, "idf": np.uint8, "known": np.uint32, "weight_steps": np.float32}
        loaded = {name: stored[name] for name in (*shapes, "known", "categories")}
        wrong = [name for name, shape in shapes.items() if loaded[name].shape != shape]
        wrong += [name for name, kind in kinds.items() if loaded[name].dtype != kind]
        version, idf_step, unmet, temperature = (float(number) for number in loaded["numbers"])
        wrong += ["numbers"] * (not 0 < temperature < 1000)
        if wrong or version != FORMAT or tuple(loaded["categories"]) != CATEGORIES:
            raise ValueError(f"not format {FORMAT}: {wrong}")
        return cls(
            weights=loaded["weights"],
            weight_steps=loaded["weight_steps"],
            bias=loaded["bias"],
            idf=loaded["idf"],
            idf_step=idf_step,
            unmet=unmet,
            temperature=temperature,
            known=loaded["known"],
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the model as named arrays, for storing."""
        return {
            "bias": self.bias,
            "categories": np.array([str(category) for category in CATEGORIES]),
            "idf": self.idf,
            "known": self.known,
            "numbers": np.array([FORMAT, self.idf_step, self.unmet, self.temperature]),
            "weight_steps": self.weight_steps,
            "weights": self.weights,
        }

    def classify(self, text: str) -> Classification:
        """Classify a text, of which the first LONGEST characters are read. Raises nothing; the confidence is always a
        number."""
        text = normalise(text)
        instructed = steering.instructs(text)
        if instructed:
            text = steering.without_instructions(text)
        category, confidence, reason = self._judge(read(body(text)))
        if instructed:
            confidence, reason = min(confidence, INSTRUCTED), INSTRUCTED_REASON
        return Classification(category, round(min(confidence, SUREST), 3), reason, "local")

    def probabilities(self, words: tuple[str, ...]) -> _Numbers:
        """Return the probability of each category, in the order of CATEGORIES, for one word or more read as a whole."""
        _, said = self._by_word(words)
        return np.asarray(self._chances(said.sum(axis=(0, 1))[None, :])[0])

    def _judge(self, reading: Reading) -> tuple[Category, float, str]:
        if not any(len(word) > 1 and any(map(str.isalpha, word)) for word in reading.words):
            return Category.OTHER, NOTHING_TO_READ, NO_WORDS_REASON
        hashes, said = self._by_word(reading.words)
        known = self._known(hashes)
        winner, confidence = combine(self._chances(_by_window(said, reading)))
        if np.count_nonzero(known) < FEW_KNOWN * len(known):
            return CATEGORIES[winner], min(confidence, NOT_UNDERSTOOD), UNKNOWN_REASON
        weight = said[0] @ _FOR_RATHER_THAN_ALL[winner] * known
        return CATEGORIES[winner], confidence, _reason(reading.words, weight)

    def _by_word(self, words: tuple[str, ...]) -> tuple[_Hashes, _Numbers]:
        """Return the hash of each word, and what is said by its own features, by those of it and the word before it,
        and by those of it and the last but one: three tables of a row a word."""
        said = np.zeros((3, len(words), WIDTH))
        hashes, said[0] = self._met.look_up(words, self._hear)
        pairs, skips = _together(hashes)
        said[1, 1:], said[2, 2:] = self._said(pairs), self._said(skips)
        return hashes, said

    def _hear(self, words: list[str]) -> tuple[_Hashes, _Numbers]:
        """Return the hash of each word, and what its features say."""
        buckets, places, hashes = _alone(words)
        cells = places[:, None] * WIDTH + np.arange(WIDTH)
        said: _Numbers = np.bincount(  # by its stub it counts, weights or not
            cells.ravel(), weights=self._said(buckets).ravel(), minlength=len(words) * WIDTH
        ).astype(np.float64, copy=False)
        return hashes, said.reshape(len(words), WIDTH)

    def _known(self, hashes: _Hashes) -> NDArray[np.bool_]:
        return np.asarray(self.known.take(np.searchsorted(self.known, hashes), mode="clip") == hashes)

    def _said(self, buckets: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return what each feature says: a column a category, and behind the last the square of its length."""
        idf = self.idf[buckets] * np.float32(self.idf_step)
        said = np.empty((len(idf), WIDTH), dtype=np.float32)
        np.multiply(self.weights[buckets], self.weight_steps, out=said[:, :-1])
        said[:, :-1] *= idf[:, None]
        said[:, -1] = np.where(idf > 0, idf, self.unmet) ** 2
        return said

    def _chances(self, total: NDArray[np.floating[Any]]) -> _Numbers:
        """Return the probability of each category in each window, of the sums of what its features say."""
        logits = (total[:, :-1] / np.sqrt(total[:, -1:]) + self.bias) / self.temperature
        chances = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(chances / chances.sum(axis=1, keepdims=True), dtype=np.float64)


def _by_window(said: _Numbers, reading: Reading) -> _Numbers:
    """Add up what is said in each window (`said`: see `_by_word`). What is said again, word by word, adds nothing."""
    if len(reading.words) <= READ_WHOLE:
        return np.asarray(said.sum(axis=(0, 1))[None, :])
    upto = np.zeros((3, len(reading.words) + 1, WIDTH))
    np.cumsum(said, axis=1, out=upto[:, 1:])
    distinct = {reading.words[start:end]: (start, end) for start, end in windows(reading)}
    starts, ends = np.array(list(distinct.values())).T
    return np.asarray(sum(upto[k, ends] - upto[k, np.minimum(starts + k, ends)] for k in range(3)))


def _is_written(word: str) -> bool:
    """Whether a word is letters and their vowel signs only."""
    return all(letter.isalpha() or unicodedata.category(letter)[0] == "M" for letter in word)


def _reason(words: tuple[str, ...], weight: _Numbers) -> str:
    """Name the one or two known words that spoke most for the winner, in the order of the text; under 80 characters."""
    strongest = sorted(place for place in np.argsort(-weight, kind="stable")[:2].tolist() if weight[place] > 0)
    named = [place for place in strongest if _is_written(words[place])]
    if not named:
        return "no word stands out"
    glue = " " if len(named) == 2 and named[1] == named[0] + 1 else '" and "'
    return f'words like "{glue.join(words[place] for place in named)}"'
