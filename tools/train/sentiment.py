"""Trains the bidirectional LSTM of web/demos/sentiment with Keras 2.15: python tools/train/sentiment.py

Every word gets a score from the state of the network there (layer "words"); the answer is the sigmoid of their mean.
So the colours of the page are the answer, taken apart. Word numbers: 0 is padding, 1 a word not in words.json.
"""

import collections
import json
import re

import keras
import numpy as np
from data import MODELS, reviews, save
from keras import layers

WORDS, LENGTH = 5000, 48
train, test = reviews()
keras.utils.set_random_seed(5)


def split(text):
    """Words as the page splits them too (sentiment.js)."""
    return re.findall(r"[a-z0-9]+(?:'[a-z]+)?|[!?]", text.lower())


counts = collections.Counter(w for text, _ in train for w in split(text))
words = [w for w, n in counts.most_common(WORDS - 2) if n > 1]
number = {w: i + 2 for i, w in enumerate(words)}


def numbers(rows):
    x = np.zeros((len(rows), LENGTH), "int32")
    for row, (text, _) in zip(x, rows, strict=True):
        found = [number.get(w, 1) for w in split(text)][:LENGTH]
        row[: len(found)] = found
    return x, np.array([good for _, good in rows])


x_train, y_train = numbers(train)
x_test, y_test = numbers(test)

model = keras.Sequential(
    [
        layers.Embedding(len(words) + 2, 32, mask_zero=True, name="embedding", input_shape=(None,)),
        layers.SpatialDropout1D(0.35, name="dropout_1"),
        layers.Bidirectional(layers.LSTM(24, return_sequences=True), name="states"),
        layers.Dropout(0.4, name="dropout_2"),
        layers.Dense(1, name="words"),
        layers.GlobalAveragePooling1D(name="mean"),
        layers.Activation("sigmoid", name="positive"),
    ],
    name="sentiment",
)
model.compile(keras.optimizers.Adam(2e-3), "binary_crossentropy", ["accuracy"])
stop = keras.callbacks.EarlyStopping("val_loss", patience=2, restore_best_weights=True)
rng = np.random.default_rng(1)
masked = x_train.copy()
masked[(rng.random(x_train.shape) < 0.03) & (x_train > 0)] = 1  # so that "unknown" has been seen
model.fit(masked, y_train, batch_size=64, epochs=12, validation_split=0.1, callbacks=[stop], verbose=2)
accuracy = model.evaluate(x_test, y_test, verbose=0)[1]
told = {
    "accuracy": round(float(accuracy), 4),
    "always_the_same_answer": round(float(max(y_test.mean(), 1 - y_test.mean())), 4),
    "tested_on": len(x_test),
    "trained_on": len(x_train),
    "data": "vaderSentiment 3.3.2, movie-review snippets",
}
(MODELS / "sentiment").mkdir(parents=True, exist_ok=True)
(MODELS / "sentiment/words.json").write_text(json.dumps(words, separators=(",", ":")))
save(model, "sentiment", "float16", told)
