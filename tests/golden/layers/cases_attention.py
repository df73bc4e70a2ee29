"""Attention."""

import numpy as np
from make_layers import model, one


def sequences(*shapes):
    """Normal numbers; each sequence of the first sample ends in zeros."""

    def feed(r):
        xs = [np.round(r.normal(size=(2,) + s) * 64) / 64 for s in shapes]
        for i, x in enumerate(xs):
            x[0, -1 - i :] = 0
        return [x.astype("float32") for x in xs]

    return feed


for cls in ("Attention", "AdditiveAttention"):
    one(cls, (4, 3), (5, 3))
    one(cls, (4, 3), (5, 2), (5, 3), only=3 if cls == "AdditiveAttention" else None)  # 2.15 sizes its scale by the values
    one(cls, (4, 3), (5, 3), use_scale=cls == "Attention")
    one(cls, (4, 3), (4, 3), call={"use_causal_mask": True})
    one(cls, (4, 3), (5, 3), call={"return_attention_scores": True})
    one(cls, (4, 3), (5, 3), mask=True)
    one(cls, (4, 3), (4, 3), mask=True, call={"use_causal_mask": True})
one("Attention", (4, 3), (5, 3), score_mode="concat")
one("Attention", (4, 3), (5, 3), score_mode="concat", use_scale=True, dropout=0.3)


def pair(cls, name, *shapes, **more):
    """A multi-head layer that is called with query, value and perhaps key."""
    config, call, mask = more["config"], more.get("call", {}), more.get("mask")

    @model(cls, name, *shapes, feed=sequences(*shapes), only=more.get("only"))
    def build(L, *xs):
        xs = [L.Masking()(x) for x in xs] if mask else xs
        return getattr(L, cls)(**config)(*xs, **call)


heads = {"num_heads": 2, "key_dim": 3}
pair("MultiHeadAttention", "plain", (4, 5), (6, 5), config=heads)
pair("MultiHeadAttention", "key", (4, 5), (6, 3), (6, 2), config=heads)
# with dropout, because Keras 3's fused op takes no other width of values
apart = dict(heads, value_dim=4, output_shape=7, dropout=0.1)
pair("MultiHeadAttention", "value_dim,output_shape", (4, 5), (6, 5), config=apart)
pair("MultiHeadAttention", "no bias,dropout", (4, 5), (6, 5), config=dict(heads, use_bias=False, dropout=0.2))
pair("MultiHeadAttention", "causal", (4, 5), (4, 5), config=heads, call={"use_causal_mask": True})
pair("MultiHeadAttention", "scores", (4, 5), (6, 5), config=heads, call={"return_attention_scores": True})
pair("MultiHeadAttention", "masks", (4, 5), (6, 5), config=heads, mask=True)
pair("MultiHeadAttention", "masks,dropout", (4, 5), (6, 5), config=dict(heads, dropout=0.1), mask=True)
pair("MultiHeadAttention", "masks,causal", (4, 5), (4, 5), config=heads, mask=True, call={"use_causal_mask": True})
pair("MultiHeadAttention", "axes 1 and 2", (2, 3, 5), (2, 4, 5), config=dict(heads, attention_axes=(1, 2)))
pair("MultiHeadAttention", "axis 2", (2, 3, 5), (2, 4, 5), config=dict(heads, attention_axes=2))
pair("MultiHeadAttention", "gate", (4, 5), (6, 5), config=dict(heads, use_gate=True), only=3)
pair("MultiHeadAttention", "window", (6, 5), (6, 5), config=dict(heads, sliding_window=2), only=3)


@model("MultiHeadAttention", "self,attention_mask", (4, 5), (4, 4), feed=lambda r: [
    (np.round(r.normal(size=(2, 4, 5)) * 64) / 64).astype("float32"),
    np.maximum(r.randint(0, 2, (2, 4, 4)), np.eye(4)).astype("float32"),
])
def attention_mask(L, x, mask):
    return L.MultiHeadAttention(2, 3)(x, x, attention_mask=mask)


grouped = {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}
pair("GroupQueryAttention", "plain", (4, 5), (6, 5), config=grouped, only=3)
pair("GroupQueryAttention", "key,no bias", (4, 5), (6, 5), (6, 5), config=dict(grouped, use_bias=False), only=3)
pair("GroupQueryAttention", "causal", (4, 5), (4, 5), config=grouped, call={"use_causal_mask": True}, only=3)
pair("GroupQueryAttention", "scores", (4, 5), (6, 5), config=grouped, call={"return_attention_scores": True}, only=3)
pair("GroupQueryAttention", "masks", (4, 5), (6, 5), config=grouped, mask=True, only=3)
pair("GroupQueryAttention", "gate,window", (6, 5), (6, 5), config=dict(grouped, use_gate=True, sliding_window=2), only=3)
