"""Models of several files in the page: the ones that a file names are fetched beside it, or given by the visitor."""

import json

import numpy as np
import pytest

from tools.common import ROOT

GOLDEN = ROOT / "tests/golden/files"
TFJS, KERAS = "tfjs4.22.0", "keras3.15.1"


def numbers(a):
    return {"data": np.ravel(a).tolist(), "shape": [3, 4]}


def keras_answers(name):
    with np.load(GOLDEN / KERAS / "answers.npz") as answers:
        inputs = {k.split("/")[2]: numbers(answers[k]) for k in answers.files if k.startswith(f"{name}/inputs/")}
        return inputs, [answers[k].ravel() for k in answers.files if k.startswith(f"{name}/outputs/")]


def tfjs_answers(name):
    told = json.loads((GOLDEN / TFJS / "answers.json").read_text())[name]
    return {k: numbers(v) for k, v in told["inputs"].items()}, told["outputs"]


# the encoder's: dense "d" of 2 units on 4 numbers, whose weights lie in two files that are cut amid a number
DENSE = {"name": "d", "units": 2, "use_bias": False, "batch_input_shape": [None, 4]}
CHAIN = {"name": "s", "layers": [{"class_name": "Dense", "config": DENSE}]}
ROW = {"layer_name": "d", "weight_name": "k", "offset": 0, "length": 8, "shape": [4, 2], "type": "float32"}
SHARDS = [{"file": "e.0.buf", "bytes": 14}, {"file": "e.1.buf", "bytes": 18}]
LISTED = {"format": "webkeras-1", "keras_version": "2.15.0", "shards": SHARDS, "weights": [ROW]}
ENCODED = {
    "/e.json": json.dumps({"class_name": "Sequential", "keras_version": "2.15.0", "config": CHAIN}).encode(),
    "/e.0.buf": np.arange(8, dtype="<f4").tobytes()[:14],
    "/e.1.buf": np.arange(8, dtype="<f4").tobytes()[14:],
    "/e_metadata.json": json.dumps(LISTED).encode(),
}
ONES = {"d_input": numbers(np.ones((3, 4)))}, [[12, 16] * 3]
BINS = [f"/{TFJS}/nested.{i}.bin" for i in (0, 1)]
EVERY, ALL = f"{KERAS}/everything", keras_answers("everything")
PARTS = [f"/{EVERY}_0000{i}.weights.h5" for i in (0, 1, 2)]

# name: filepaths, inputs and outputs
MODELS = {
    "TF.js": ({"model": f"/{TFJS}/nested.json"}, *tfjs_answers("nested")),
    "TF.js, its recurrent layers": ({"model": f"/{TFJS}/sequence.json"}, *tfjs_answers("sequence")),
    "sharded weights of Keras": ({"model": f"/{EVERY}.json", "weights": f"/{EVERY}.weights.json"}, *ALL),
    "the encoder's shards": ({"model": "/e.json", "metadata": "/e_metadata.json"}, *ONES),
}  # fmt: skip
# the same, all files given by the visitor
GIVEN = {
    "TF.js": ({"model": f"/{TFJS}/nested.json", "weights": BINS}, *tfjs_answers("nested")),
    "sharded weights of Keras": ({"model": f"/{EVERY}.json", "weights": [f"/{EVERY}.weights.json", *PARTS]}, *ALL),
    "the encoder's shards": (
        {"model": "/e.json", "metadata": "/e_metadata.json", "weights": ["/e.0.buf", "/e.1.buf"]}, *ONES),
    "a .keras": ({"model": f"/{KERAS}/nested.keras"}, *keras_answers("nested")),
    "an .h5": ({"model": f"/{KERAS}/nested.h5"}, *keras_answers("nested")),
    "JSON and .weights.h5": (
        {"model": f"/{KERAS}/nested.json", "weights": f"/{KERAS}/nested.weights.h5"}, *keras_answers("nested")),
}  # fmt: skip
PREDICT = """
    // a URL, or the file behind it as a visitor gives it
    const given = async (url) => new File([await (await fetch(url)).blob()], url.split("/").pop());
    const each = async (v) => (Array.isArray(v) ? Promise.all(v.map(given)) : given(v));
    const open = async (filepaths, dropped, options) => {
      const own = {};
      for (const [kind, v] of Object.entries(filepaths)) own[kind] = dropped ? await each(v) : v;
      return new WebKeras.Model({ filepaths: own, ...options });
    };
"""


def serve(site):
    site.files |= ENCODED
    site.files |= {f"/{p.parent.name}/{p.name}": p.read_bytes() for f in (TFJS, KERAS) for p in (GOLDEN / f).iterdir()}
    site.open("page.html")


@pytest.mark.parametrize(("dropped", "models"), [(False, MODELS), (True, GIVEN)], ids=["fetched", "dropped"])
def test_models_of_several_files_open_in_the_page(site, dropped, models):
    serve(site)
    found = site.js(
        PREDICT
        + """
        const found = {};
        for (const [name, [filepaths, inputs]] of Object.entries(args[0])) {
          const model = await open(filepaths, args[1], { backend: "wasm" });
          try {
            await model.ready();
            const out = await model.predict(inputs);
            found[name] = model.outputs.map(({ name }) => [...out[name]]);
          } catch (e) {
            found[name] = `${e.name}: ${e.message}`;
          }
          await model.dispose();
        }
        return found;
        """,
        {name: row[:2] for name, row in models.items()},
        dropped,
    )
    for name, (_, _, outputs) in models.items():
        assert isinstance(found[name], list), f"{name}: {found[name]}"
        for got, want in zip(found[name], outputs, strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5, err_msg=name)


BROKEN = {
    "a bin that is not there": ({"model": "/t/nested.json"}, False, ".bin", "404"),
    "a bin that was not given": (
        {"model": f"/{TFJS}/nested.json", "weights": BINS[0]}, True, "nested.json", "'nested.1.bin'"),
    "half a bin": ({"model": "/s/nested.json"}, False, "nested.json", "there are 242"),
    "a bin elsewhere": ({"model": "/u/nested.json"}, False, "nested.json", "plain name"),
    "a shard that was not given": (
        {"model": f"/{EVERY}.json", "weights": [f"/{EVERY}.weights.json", *PARTS[1:]]},
        True, "everything.weights.json", "'everything_00000.weights.h5'"),
    "half a .keras": ({"model": "/half.keras"}, False, "half.keras", "damaged"),
    "half an .h5": ({"model": "/half.h5"}, False, "half.h5", "truncated"),
    "a zip that claims more than it holds": ({"model": "/bomb.keras"}, False, "bomb.keras", "claims"),
}  # fmt: skip


def test_what_is_broken_is_refused_in_a_sentence(site):
    serve(site)
    raw = (GOLDEN / TFJS / "nested.json").read_bytes()
    bins = [(GOLDEN / TFJS / f"nested.{i}.bin").read_bytes() for i in (0, 1)]
    whole, h5 = ((GOLDEN / KERAS / f"nested.{e}").read_bytes() for e in ("keras", "h5"))
    at = whole.index(b"PK\x01\x02")  # the first entry of the zip's directory: its size is 24 bytes on
    bomb = whole[: at + 24] + (3 << 30).to_bytes(4, "little") + whole[at + 28 :]
    site.files |= {"/t/nested.json": raw, "/s/nested.json": raw, "/s/nested.0.bin": bins[0],
                   "/s/nested.1.bin": bins[1][:-2], "/u/nested.json": raw.replace(b"nested.1.bin", b"../nested.1.bin"),
                   "/u/nested.0.bin": bins[0], "/half.keras": whole[:9000], "/half.h5": h5[:9000],
                   "/bomb.keras": bomb}  # fmt: skip
    found = site.js(
        PREDICT
        + """
        const found = {};
        for (const [name, [filepaths, dropped]] of Object.entries(args[0])) {
          const model = await open(filepaths, dropped, { backend: "wasm" });
          found[name] = await model.ready().then(() => "opened", (e) => e.message);
        }
        return found;
        """,
        BROKEN,
    )
    for name, (_, _, *words) in BROKEN.items():
        assert all(w in found[name] for w in words), (name, found[name])
        assert "\n" not in found[name]
