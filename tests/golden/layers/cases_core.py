"""Dense and its kin, embeddings, masks, and what does nothing at inference."""

import numpy as np
from make_layers import model, one

one("Dense", (5,), units=3, activation="relu")
one("Dense", (2, 3, 5), units=4, use_bias=False)
one("Dense", (4, 5), units=2, mask=True)
one("EinsumDense", (5,), equation="ab,bc->ac", output_shape=4, bias_axes="c")
one("EinsumDense", (6, 5), equation="abc,cd->abd", output_shape=(None, 4), bias_axes="d", activation="relu")
one("EinsumDense", (6, 5), equation="...x,xy->...y", output_shape=4, bias_axes="y")
one("EinsumDense", (6, 5), equation="abc,cde->abde", output_shape=(None, 2, 3), bias_axes="de")
one("EinsumDense", (6, 2, 3), equation="abcd,cde->abe", output_shape=(None, 4), bias_axes="e")
one("EinsumDense", (6, 5), equation="abc,bd->adc", output_shape=(4, 5), bias_axes="d")
one("EinsumDense", (6, 5), equation="abc,bcd->abd", output_shape=(6, 4))
one("EinsumDense", (6, 5), equation="abc,dc->adb", output_shape=(3, 6))
one("Embedding", (6,), ints=7, input_dim=7, output_dim=3)
one("Embedding", (2, 4), ints=7, input_dim=7, output_dim=3)


@model("Embedding", "mask_zero=True@pooled", (6,), ints=3)
def embedding(L, x):
    return L.GlobalAveragePooling1D()(L.Embedding(3, 4, mask_zero=True)(x))


@model("ReversibleEmbedding", "there and back", (6,), ints=5, only=3)
def tied(L, x):
    layer = L.ReversibleEmbedding(5, 4)
    return layer(L.LayerNormalization()(layer(x)), reverse=True)


@model("ReversibleEmbedding", "tie_weights=False,logit_soft_cap=2", (6,), ints=5, only=3)
def untied(L, x):
    layer = L.ReversibleEmbedding(5, 4, tie_weights=False, logit_soft_cap=2.0)
    return layer(layer(x), reverse=True)


def holes(r):
    x = np.round(r.normal(size=(2, 5, 3)) * 64) / 64
    x[0, 3:] = x[1, 1] = 0.5
    x[1, 4, 0] = 0.5
    return [x.astype("float32")]


@model("Masking", "mask_value=0.5", (5, 3), feed=holes)
def masking(L, x):
    y = L.Masking(0.5)(x)
    return y, L.GlobalAveragePooling1D()(L.Dense(4)(L.Dropout(0.5)(L.Activation("relu")(y))))


one("Identity", (4, 3))
one("Dropout", (4,), rate=0.5, noise_shape=(None, 1), seed=3)
one("SpatialDropout1D", (4, 3), rate=0.5)
one("SpatialDropout2D", (4, 3, 2), rate=0.5, data_format="channels_first")
one("SpatialDropout3D", (4, 3, 2, 2), rate=0.5)
one("AlphaDropout", (4,), rate=0.5)
one("GaussianDropout", (4,), rate=0.5)
one("GaussianNoise", (4,), stddev=0.5)
one("ActivityRegularization", (4,), l1=0.1, l2=0.2)

# Keras 2.1.2 keeps these of Keras 1
one("Highway", (4,), activation="tanh", only=2)
one("Highway", (3,), bias=False, only=2)
one("MaxoutDense", (5,), output_dim=3, nb_feature=2, only=2)
