"""Functions of the page for what only their maker knows, Lambda, activations, layers: they answer as Keras did."""

import re

import numpy as np

from tests.browser.test_page import MODES
from tools.common import ROOT

GOLDEN = ROOT / "tests/golden/files/custom"
FILES = {"keras2.15.0": "h5", "keras3.15.1": "keras"}

MEANINGS = """
globalThis.customObjects = {
  crest: ([{ data }]) => data.map((v) => v * Math.abs(v)),
  mine: async ([{ data }], { config }) => {
    await new Promise((resolve) => setTimeout(resolve, 1));
    data.forEach((v, i) => (data[i] = v * config.by + v * v)); // its own to change: another layer reads it too
    return data;
  },
  Scale([{ data, shape }], { config, weights: [weight, shift] }) {
    if (weight.shape.join() !== "3" || shift.shape.join() !== "1") throw new Error("not the file's order");
    if (config.dtype.module && config.dtype.registered_name !== null) throw new Error("not the file's null");
    return Array.from(data, (v, i) => v * weight.data[i % shape[1]] * config.factor + shift.data[0]);
  },
  sums: {
    shape: [null],
    compute([{ data, shape: [n, rows, columns] }]) {
      const row = (i) => data.subarray(columns * i, columns * (i + 1));
      return Float64Array.from({ length: n * rows }, (_, i) => row(i).reduce((a, b) => a + b));
    },
  },
};
globalThis.opened = async (filepaths, options) => {
  const model = new WebKeras.Model({ filepaths, customObjects, ...options });
  await model.ready();
  return model;
};
"""


def lay_out(site):
    """Open a page that knows the files and what their functions are; (inputs, answers) by file."""
    found = {}
    for version, ending in FILES.items():
        with np.load(GOLDEN / f"{version}.npz") as answers:
            for name in ("middle", "open"):
                file = f"/{version}_{name}.{ending}"
                site.files[file] = (GOLDEN / file[1:]).read_bytes()
                found[file] = answers[f"{name}/input"], answers[f"{name}/output"]
    site.open("page.html")
    site.js(MEANINGS)
    return found


def given(x):
    return {"data": x.ravel().tolist(), "shape": list(x.shape)}


@MODES
def test_models_answer_as_keras_does(site, worker):
    """Batches of several and of one, profiled too; for "auto" often enough that every backend has had its turn."""
    for file, (x, want) in lay_out(site).items():
        outs = site.js(
            """
            const [file, inputs, worker] = args, outs = [];
            for (const backend of ["webgl2", "wasm", "auto", ...(worker ? [] : ["reference"])]) {
              const model = await opened({ model: file }, { backend, worker });
              for (let i = 0; i < 5; i++)
                for (const input of inputs) {
                  const out = await model.predict({ input });
                  outs.push([[...out.output], out.output.shape]);
                  if (!i && !(await model.profile({ input })).length) throw new Error("no profile");
                }
              await model.dispose();
            }
            return outs;
            """,
            file,
            [given(x), given(x[:1])],
            worker,
        )
        for (got, shape), w in zip(outs, [want, want[:1]] * (15 if worker else 20), strict=True):
            assert shape == list(w.shape)
            np.testing.assert_allclose(got, w.ravel(), rtol=1e-5, atol=1e-5, err_msg=file)


FIFTY = """
const [input, options] = args, textures = [], outs = [];
const other = await opened({ model: "/keras3.15.1_open.keras" }, options); // tells how many are left
const count = async () => {
  await other.predict({ input: { data: [1, 2], shape: [1, 1, 2] } });
  return other.stats.textures ?? 0;
};
textures.push(await count());
const model = await opened({ model: "/keras3.15.1_middle.keras" }, options);
await model.predict({ input });
textures.push(await count());
for (let i = 0; i < 50; i++) outs.push([...(await model.predict({ input })).output]);
textures.push(await count());
const steps = await model.profile({ input }), plan = await model.explain();
const { mine, scaled } = await model.predict({ input }, { layers: ["mine", "scaled"] });
await model.dispose();
textures.push(await count());
await other.dispose();
const called = steps.filter(({ op }) => op === "outside").map(({ layer }) => layer);
return [textures, outs, called, plan, [mine.shape, scaled.shape]];
"""


@MODES
def test_fifty_predictions_leave_nothing_behind(site, worker):
    """Textures stay as many, are given back; profile and explain name the functions; a layer's output can be asked."""
    x, want = lay_out(site)["/keras3.15.1_middle.keras"]
    for backend in ("webgl2", "wasm"):
        textures, outs, steps, plan, layers = site.js(FIFTY, given(x), {"backend": backend, "worker": worker})
        for got in outs:
            np.testing.assert_allclose(got, want.ravel(), rtol=1e-5, atol=1e-5)
        before, first, last, after = textures
        assert last == first
        assert after == before
        assert (first > before > 0) == (backend == "webgl2")
        assert steps == ["Dense 'first'", "Lambda 'mine'", "Scale 'scaled'"]
        assert "custom function mine   Lambda 'mine'" in plan
        assert layers == [[5, 3], [5, 3]]


REFUSALS = {
    "throws": (
        "mine() { throw new RangeError('boom\\nand more') }",
        "Lambda 'mine': custom function 'mine' threw: boom",
    ),
    "rejects": ("mine: () => Promise.reject('no')", "Lambda 'mine': custom function 'mine' threw: no"),
    "nothing": ("mine() {}", "Lambda 'mine': custom function 'mine' gave undefined; expected a Float32Array"),
    "null": ("mine: () => null", "Lambda 'mine': custom function 'mine' gave null"),
    "text": ("mine: () => ['1', '2']", "Lambda 'mine': custom function 'mine' gave an array of other things"),
    "short": ("mine: () => [1, 2]", "custom function 'mine' gave 2 numbers; expected 15 for the shape (5, 3)"),
    "long": ("mine: ([{ data }]) => new Float32Array(16)", "gave 16 numbers; expected 15"),
    "no axis": ("mine: {compute: () => [], shape: [3, null]}", "'mine' gives the shape (None, 3, None)"),
    "no function": ("mine: 3", "customObjects has 'mine'", "{compute: function, shape"),
    "surplus": ("mine: {compute() {}, shpae: [3]}", "customObjects has 'mine'"),
    "odd shape": ("mine: {compute() {}, shape: ['3']}", "customObjects has 'mine'"),
    "missing": ("mine: undefined", "customObjects has 'mine'"),
}


@MODES
def test_what_does_not_fit_is_said_in_one_sentence(site, worker):
    x, want = lay_out(site)["/keras3.15.1_middle.keras"]
    tries = ", ".join(f"() => ({{ ...customObjects, {code} }})" for code, *_ in REFUSALS.values())
    told = site.js(
        f"""
        const told = [], tries = [{tries}], filepaths = {{ model: "/keras3.15.1_middle.keras" }};
        const options = {{ filepaths, worker: args[1] }};
        for (const make of tries) {{
          const model = new WebKeras.Model({{ ...options, backend: "wasm", customObjects: make() }});
          told.push(await model.predict({{ input: args[0] }}).then(() => "answered", (e) => e.message));
          await model.dispose();
        }}
        const model = await opened(options.filepaths, {{ backend: "wasm", worker: args[1] }});
        told.push([...(await model.predict({{ input: args[0] }})).output]);
        const refused = {{}};
        for (const gone of ["mine", "Scale", "crest"]) {{
          const less = {{ ...customObjects }};
          delete less[gone];
          const e = await new WebKeras.Model({{ ...options, customObjects: less }}).ready().catch((e) => e);
          refused[gone] = e.message;
        }}
        return [told, refused];
        """,
        given(x),
        worker,
    )
    (*sentences, after), refused = told
    for (name, (_, *words)), sentence in zip(REFUSALS.items(), sentences, strict=True):
        assert all(w in sentence for w in words), f"{name}: {sentence}"
        assert "\n" not in sentence
        assert "Traceback" not in sentence
    np.testing.assert_allclose(after, want.ravel(), rtol=1e-5, atol=1e-5)
    for name, sentence in refused.items():
        assert f'new WebKeras.Model({{ ..., customObjects: {{ "{name}": function }} }})' in sentence
        assert "\n" not in sentence


def test_the_recipe_of_the_readme_answers(site):
    x, want = lay_out(site)["/keras3.15.1_middle.keras"]
    site.files["/m.keras"] = site.files["/keras3.15.1_middle.keras"]
    (recipe,) = re.findall(r"```js\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    out = site.js(recipe + "return [...(await model.predict({ input: args[0] })).output];", given(x))
    np.testing.assert_allclose(out, want.ravel(), rtol=1e-5, atol=1e-5)
