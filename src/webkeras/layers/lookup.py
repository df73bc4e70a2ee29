"""Layers that read text or hash numbers: no tensor of a graph holds text, so they work in Python, before the graph.

`Model` takes them off the front of a model and calls `encode` on what goes in: nested lists of words or numbers, a
sample a row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from webkeras.errors import ConfigError, ShapeError, WeightsError
from webkeras.layers.base import Layer, key, layer
from webkeras.layers.fingerprint import farm, joined, sip
from webkeras.layers.read import anything, boolean, number, one_of, optional, whole

SPACE = re.compile(r"[ \t\n\v\f\r]+")
PUNCTUATION = str.maketrans("", "", "!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~'")
LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")  # as TensorFlow: ASCII only
MODES = one_of("int", "one_hot", "multi_hot", "count")


class Front(Layer):
    """A layer that can only stand at the front of a model, in a nested one too, reading the outermost's inputs."""

    def __init__(self, config: Any, dialect: int = 3, arrays: Any = ()) -> None:
        super().__init__(config, dialect, arrays)
        self.given: dict[int, Any] = {}  # what `encode` made, by call: an input of the graph

    def encode(self, rows: list[Any], *more: list[Any]) -> list[Any]:
        """Words or numbers of every tensor it is called with, a sample a row -> numbers."""
        raise NotImplementedError

    def call(self, x: Any) -> Any:
        raise ConfigError(f"{self}: reads text, which only an input of the model can be; connect it to one of its own")


def each(f: Callable[[Any], Any], x: Any) -> Any:
    """f of every leaf of nested lists."""
    return [each(f, v) for v in x] if isinstance(x, list | tuple) else f(x)


def word(x: Any) -> str:
    """A leaf as text: bytes are UTF-8, whole numbers their digits."""
    if isinstance(x, bytes):
        return x.decode()
    if isinstance(x, float) and x.is_integer():
        return str(int(x))
    return x if isinstance(x, str) else str(x)


def vectors(rows: list[Any], mode: str, depth: int) -> list[Any]:
    """Whole numbers as an output mode has them; see `preprocessing.encoded`. Those below 0 count nowhere."""
    if mode == "int":
        return rows

    def hot(numbers: Iterable[int], most: float = 1.0) -> list[float]:
        out = [0.0] * depth
        for i in numbers:
            if 0 <= i < depth:
                out[i] = min(out[i] + 1.0, most)
        return out

    def one(x: Any) -> Any:
        if isinstance(x, list):
            return one(x[0]) if len(x) == 1 and not isinstance(x[0], list) else [one(v) for v in x]
        return hot([x])

    if mode == "one_hot":
        return [one(x) for x in rows]
    if any(not isinstance(row, list) or any(isinstance(v, list) for v in row) for row in rows):
        raise ShapeError(f"output_mode {mode!r} takes (batch, words)")
    return [hot(row, 1.0 if mode == "multi_hot" else float("inf")) for row in rows]


def hashed(text: str, salt: Any) -> int:
    """The hash of a word; with a salt, one or two numbers, the strong one."""
    if salt is None:
        return farm(text.encode())
    a, b = (salt, salt) if isinstance(salt, int) else salt
    return sip(text.encode(), (a, b))


@layer("Hashing")
class Hashing(Front):
    """Words, or whole numbers by their digits, into num_bins bins; mask_value, if any, has bin 0 for itself.

    Source: keras/src/layers/preprocessing/hashing.py
    """

    num_bins = key(whole)
    mask_value = key(anything, None)
    salt = key(anything, None)
    output_mode = key(MODES, "int")
    sparse = key(one_of(False), False)

    def encode(self, rows: list[Any], *more: list[Any]) -> list[Any]:
        masks = self.mask_value is not None and self.num_bins > 1
        bins = self.num_bins - masks

        def place(x: Any) -> int:
            text = word(x)
            if masks and text == word(self.mask_value):
                return 0
            return int(hashed(text, self.salt) % bins) + masks

        return vectors(each(place, rows), self.output_mode, self.num_bins)


@layer("HashedCrossing")
class HashedCrossing(Front):
    """Several columns of words or whole numbers, hashed together into num_bins bins.

    Source: keras/src/layers/preprocessing/hashed_crossing.py; tensorflow/core/kernels/sparse_cross_op.cc
    """

    num_bins = key(whole)
    output_mode = key(one_of("int", "one_hot"), "int")
    sparse = key(one_of(False), False)

    def encode(self, rows: list[Any], *more: list[Any]) -> list[Any]:
        if not more:
            raise ShapeError(f"{self}: is called with one tensor; expected two or more")
        columns = [[row[0] if isinstance(row, list) else row for row in column] for column in (rows, *more)]
        bins = [[crossed(xs) % self.num_bins] for xs in zip(*columns, strict=True)]
        return vectors(bins, self.output_mode, self.num_bins)


def crossed(xs: Iterable[Any]) -> int:
    """One hash of words, or of whole numbers as they are."""
    total = 0xDECAFCAFFE
    for x in xs:
        total = joined(total, farm(x if isinstance(x, bytes) else x.encode()) if isinstance(x, str | bytes) else int(x))
    return total


class Vocabulary(Front):
    """What StringLookup and TextVectorization share: the places of words.

    The mask token, if any, is 0 (in "int" mode; elsewhere it has no place); then come num_oov_indices places for words
    outside, then the vocabulary.
    Source: keras/src/layers/preprocessing/index_lookup.py
    """

    vocabulary = key(optional(list), None)
    num_oov_indices: Any = 1
    mask_token: Any = ""
    oov_token: Any = "[UNK]"
    output_mode = key(one_of("int", "one_hot", "multi_hot", "count", "tf_idf"), "int")
    max_tokens = key(optional(whole), None)
    pad_to_max_tokens = key(boolean, False)
    idf_weights = key(optional(lambda v: [number(w) for w in v]), None)
    sparse = key(one_of(False), False)
    encoding = key(one_of("utf-8"), "utf-8")
    oov_method = key(one_of("floormod", "farmhash"), "floormod")  # of whole numbers; words are always hashed
    salt = key(anything, None)
    training = ("vocabulary_size", "has_input_vocabulary", "vocabulary_dtype")

    def bind(self, *xs: Any) -> None:
        """The weights of places are read by `weighted`; TextVectorization saves them twice."""

    def places(self) -> tuple[dict[str, int], int]:
        """The place of every word, and the first place of the words outside."""
        if self.vocabulary is None:
            raise ConfigError(f"{self}: has no vocabulary in its config; give one to the layer before saving the model")
        start = int(self.mask_token is not None and self.output_mode == "int")
        special = [self.mask_token] * start + [self.oov_token] * self.num_oov_indices
        words = self.vocabulary[len(special) :] if self.vocabulary[: len(special)] == special else self.vocabulary
        found = {word(w): start + self.num_oov_indices + i for i, w in enumerate(words)}
        if self.mask_token is not None:
            found[self.mask_token] = 0 if self.output_mode == "int" else -1
        return found, start

    def look_up(self, rows: list[Any]) -> list[Any]:
        """Words -> numbers, or vectors as output_mode says."""
        found, start = self.places()

        def place(x: Any) -> int:
            text = word(x)
            if text in found:
                return found[text]
            if self.num_oov_indices == 0:
                raise ConfigError(f"{self}: {text!r} is not in the vocabulary, and num_oov_indices is 0")
            return start + (hashed(text, self.salt) % self.num_oov_indices if self.num_oov_indices > 1 else 0)

        size = max([*found.values(), start + self.num_oov_indices - 1]) + 1
        depth = self.max_tokens if self.pad_to_max_tokens and self.max_tokens else size
        if self.output_mode != "tf_idf":
            return vectors(each(place, rows), self.output_mode, depth)
        return self.weighted(vectors(each(place, rows), "count", depth), size)

    def weighted(self, counts: list[Any], size: int) -> list[Any]:
        """Counts of words times the weights of all places, of the file or (those outside have the mean) the config."""
        weights = [float(w) for w in self.arrays[0].constant.array()] if self.arrays else self.idf_weights
        if weights is None:
            raise ConfigError(f"{self}: has no idf_weights; adapt it, or give them to the layer, before saving")
        if not self.arrays:
            weights = weights[-(size - self.num_oov_indices) :]
            weights = [sum(weights) / len(weights)] * self.num_oov_indices + weights
        if len(weights) != size:
            raise WeightsError(f"{self}: {len(weights)} idf_weights; expected {size}, one for each place")
        return [[c * w for c, w in zip(row, [*weights, *[0.0] * (len(row) - size)], strict=True)] for row in counts]


@layer("StringLookup")
class StringLookup(Vocabulary):
    """Words as their places in a vocabulary.

    Source: keras/src/layers/preprocessing/string_lookup.py
    """

    num_oov_indices = key(whole, 1)
    mask_token = key(optional(str), None)
    oov_token = key(str, "[UNK]")
    invert = key(one_of(False), False)

    def encode(self, rows: list[Any], *more: list[Any]) -> list[Any]:
        return self.look_up(rows)


@layer("TextVectorization")
class TextVectorization(Vocabulary):
    """Texts as the places of their words: cleaned, split, joined to n-grams, looked up, cut and padded with 0.

    Source: keras/src/layers/preprocessing/text_vectorization.py
    """

    standardize = key(one_of(None, "lower_and_strip_punctuation", "lower", "strip_punctuation"), None)
    split = key(one_of(None, "whitespace", "character"), None)
    ngrams = key(lambda v: v if v is None or isinstance(v, int) else tuple(v), None)
    output_sequence_length = key(optional(whole), None)
    ragged = key(one_of(False), False)

    def tokens(self, text: str) -> list[str]:
        """The words, or groups of words, of a text."""
        if self.standardize in ("lower_and_strip_punctuation", "lower"):
            text = text.translate(LOWER)
        if self.standardize in ("lower_and_strip_punctuation", "strip_punctuation"):
            text = text.translate(PUNCTUATION)
        words = list(text) if self.split == "character" else [text]
        if self.split == "whitespace":
            words = [w for w in SPACE.split(text) if w]
        if self.ngrams is None:
            return words
        widths = range(1, self.ngrams + 1) if isinstance(self.ngrams, int) else self.ngrams
        return [" ".join(words[i : i + n]) for n in widths for i in range(len(words) - n + 1)]

    def encode(self, rows: list[Any], *more: list[Any]) -> list[Any]:
        if any(isinstance(row, list) and len(row) != 1 for row in rows):
            raise ShapeError(f"{self}: a sample holds several texts; expected one")
        found = self.look_up([self.tokens(word(row[0] if isinstance(row, list) else row)) for row in rows])
        if self.output_mode != "int":
            return found
        n = self.output_sequence_length or max(map(len, found), default=0)
        return [[*row[:n], *[0] * (n - len(row))] for row in found]
