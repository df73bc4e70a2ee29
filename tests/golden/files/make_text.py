"""A `.keras` file whose layers were adapted to text, their vocabularies in assets/:  KERAS_BACKEND=tensorflow python make_text.py

Keras 3.15.1 on TensorFlow 2.19. Writes text/words.keras and text/answers.json beside itself: {"inputs": {NAME: rows},
"outputs": {NAME: rows}}.
"""

import json
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

L = keras.layers
OUT = Path(__file__).parent / "text"
TEXTS = [["the quick fox"], ["a lazy dog, the dog"]]
WORDS = [["red", "mauve"], ["blue", "green"]]

w, t, n = (keras.Input(s, name=k, dtype=d) for k, s, d in (("w", (2,), "string"), ("t", (1,), "string"), ("n", (2,), "int64")))
colours, numbers, reader = L.StringLookup(name="colours"), L.IntegerLookup(name="numbers"), L.TextVectorization(name="reader")
colours.adapt(np.array(["red", "green", "green", "blue"]))
numbers.adapt(np.array([7, 9, 9, 4]))
reader.adapt(["the dog", "the fox jumps", "a dog"])
rare = L.TextVectorization(output_mode="tf_idf", name="rare")
rare.adapt(["the dog", "the fox jumps", "a dog"])
sentence = keras.Sequential([keras.Input((1,), dtype="string"), reader, L.Embedding(9, 3), L.GlobalAveragePooling1D()], name="sentence")
outputs = {
    "looked": L.Embedding(5, 2)(colours(w)),
    "hashed": L.Hashing(6, name="bins")(w),
    "sentence": sentence(t),
    "counted": L.TextVectorization(vocabulary=["dog", "fox"], output_mode="count", name="counter")(t),
    "weighted": rare(t),
    "numbered": numbers(n) + 0 * L.Hashing(5, name="also")(n),
    "n": keras.ops.cast(n, "float32") * 2.0,
}
m = keras.Model([w, t, n], outputs)
rng = np.random.RandomState(5)
for v in m.weights:
    v.assign(np.round(rng.standard_normal(v.shape) * 64) / 64)
x = {"w": WORDS, "t": TEXTS, "n": [[9, 4], [5, 7]]}
y = m([tf.constant(x["w"]), tf.constant(x["t"]), tf.constant(x["n"], "int64")])
OUT.mkdir(exist_ok=True)
m.save(str(OUT / "words.keras"))
answers = {"inputs": x, "outputs": {k: np.asarray(v).tolist() for k, v in y.items()}}
(OUT / "answers.json").write_text(json.dumps(answers, indent=1) + "\n")
print(answers["outputs"])
