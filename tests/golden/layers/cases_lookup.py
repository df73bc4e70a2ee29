"""Layers that read text or hash numbers."""

import numpy as np
from make_layers import keras, one

WORDS = [["red", "green"], ["blue", "mauve"]]
TEXTS = [["The quick, brown fox -- it's QUICK!"], ["a fox\n and\tthe  the Dog"]]
VOCABULARY = ["the", "fox", "quick", "its", "dog"]
TEXT = keras.__version__ < "3" or keras.backend.backend() == "tensorflow"  # Keras 3 needs TensorFlow for text
OLD = {"only": None if TEXT else 0}


def text(cls, rows, **config):
    feed = lambda r: [np.array(rows)]  # noqa: E731
    one(cls, np.array(rows).shape[1:], feed=feed, text=True, **dict(config, **OLD))


for options in ({}, {"num_oov_indices": 0}, {"num_oov_indices": 3}, {"mask_token": ""}, {"output_mode": "multi_hot"}):
    rows = [["red", "green"], ["blue", "red"]] if options.get("num_oov_indices") == 0 else WORDS
    text("StringLookup", rows, vocabulary=["red", "green", "blue"], **options)
text("StringLookup", [["red", ""], ["", "mauve"]], vocabulary=["red"], mask_token="", output_mode="count")
text("StringLookup", [["red"], ["mauve"]], vocabulary=["red", "green"], output_mode="one_hot")
text("StringLookup", WORDS, vocabulary=["red"], output_mode="count", max_tokens=5, pad_to_max_tokens=True)
for options in (
    {},
    {"output_sequence_length": 3},
    {"output_sequence_length": 12},
    {"standardize": "lower", "split": "character"},
    {"standardize": "strip_punctuation"},
    {"standardize": None},
    {"ngrams": 2},
    {"ngrams": (2, 3), "output_mode": "count"},
    {"output_mode": "multi_hot"},
    {"output_mode": "multi_hot", "max_tokens": 9, "pad_to_max_tokens": True},
):
    vocabulary = VOCABULARY + ["the dog"] if "ngrams" in options else list("thefox") if "split" in options else VOCABULARY
    text("TextVectorization", TEXTS, vocabulary=sorted(set(vocabulary)), **options)
text("Hashing", WORDS, num_bins=7)
text("Hashing", WORDS, num_bins=7, salt=3)
text("Hashing", WORDS, num_bins=7, salt=[3, 5])
text("Hashing", [["red", ""], ["", "a" * 70]], num_bins=7, mask_value="")
text("Hashing", WORDS, num_bins=4, output_mode="multi_hot")
if keras.__version__ >= "2.15":
    one("Hashing", (4,), num_bins=9, ints=1000, dtype="int64", whole=True, **OLD)
    one("Hashing", (4,), num_bins=9, ints=3, mask_value=0, dtype="int64", whole=True, **OLD)
if TEXT:
    weights = {"vocabulary": ["red", "green", "blue"], "output_mode": "tf_idf", "idf_weights": [0.5, 2.0, 0.25]}
    text("StringLookup", WORDS, **weights)
    text("StringLookup", WORDS, num_oov_indices=2, mask_token="", **weights)
    text("TextVectorization", [["red red x"], ["blue"]], **weights)

    pairs = [[["red"], ["blue"]], [["green"], ["mauve"]]]
    one("HashedCrossing", (1,), (1,), num_bins=11, feed=lambda r: list(map(np.array, pairs)), text=True, **OLD)
    one("HashedCrossing", (1,), (1,), num_bins=5, output_mode="one_hot", feed=lambda r: list(map(np.array, pairs)), text=True, **OLD)
    if keras.__version__ >= "2.15":
        one("HashedCrossing", (1,), (1,), num_bins=13, ints=1000, whole=True, **OLD)
    if keras.__version__ >= "3":
        text("StringLookup", WORDS, vocabulary=["red"], num_oov_indices=4, oov_method="farmhash", salt=[3, 5])
