"""Files as genuine Keras saved them, opened by the page: tests/golden/files, on the backends that are not numpy."""

import json

import numpy as np
import pytest

from tests.browser.site import dense, flat, metadata, model_json
from tools.common import ROOT

GOLDEN = ROOT / "tests/golden/files"
WHOLE = [
    *(f"keras2.1.2/{name}.h5" for name in ("sequential", "nested", "shared")),
    *(f"keras2.15.0/{name}" for name in ("deep.keras", "frozen_bn.h5", "nested.keras", "shared.h5", "dicts.keras")),
    *(f"keras3.15.1/{name}" for name in ("deep.keras", "named.h5", "nested.keras", "half.keras", "shared.h5")),
]
PAIRS = ["keras2.15.0/nested", "keras3.15.1/shared"]
TOLERANCE = {"half": 3e-3}  # Keras computed that in two bytes


@pytest.mark.parametrize("backend", ["webgl2", "wasm"])
def test_files_of_keras_open_in_the_page(site, backend):
    jobs, wanted = [], {}
    for path in [*WHOLE, *PAIRS]:
        version, file = path.split("/")
        name = file.split(".")[0]
        files = {"model": path} if "." in file else {"model": f"{path}.json", "weights": f"{path}.weights.h5"}
        site.files |= {f"/{f}": (GOLDEN / f).read_bytes() for f in files.values()}
        with np.load(GOLDEN / version / "answers.npz") as answers:
            inputs = {k.split("/")[2]: {"data": answers[k].ravel().tolist(), "shape": list(answers[k].shape)}
                      for k in answers.files if k.startswith(f"{name}/inputs/")}  # fmt: skip
            wanted[path] = [answers[k] for k in answers.files if k.startswith(f"{name}/outputs/")]
        jobs.append([path, {k: f"/{f}" for k, f in files.items()}, inputs])
    site.open("page.html")
    found = site.js(
        """
        const found = {};
        for (const [path, filepaths, inputs] of args[0]) {
          const model = new WebKeras.Model({ filepaths, backend: args[1] });
          try {
            await model.ready();
            const alone = model.inputs.length === 1 ? { input: Object.values(inputs)[0] } : inputs;
            const out = await model.predict(alone);
            found[path] = model.outputs.map(({ name }) => [...out[name]]);
          } catch (e) {
            found[path] = `${e.name}: ${e.message}`;
          }
          await model.dispose();
        }
        return found;
        """,
        jobs,
        backend,
    )
    for path, arrays in wanted.items():
        assert isinstance(found[path], list), f"{path}: {found[path]}"
        allowed = TOLERANCE.get(path.split("/")[1].split(".")[0], 1e-5)
        for got, want in zip(found[path], arrays, strict=True):
            np.testing.assert_allclose(got, want.ravel(), rtol=allowed, atol=allowed, err_msg=path)


OPTIONS = """
const { filepaths, inputs, each } = args[0], found = [];
for (const options of each) {
  const model = new WebKeras.Model({ filepaths, backend: "wasm", ...options });
  await model.ready();
  const out = await model.predict(inputs);
  found.push([model.kerasVersion, ...out[model.outputs[0].name]]);
  await model.dispose();
}
return found;
"""


def test_keras_version_says_what_a_file_does_not(site):
    config = json.loads(model_json())
    del config["keras_version"]
    config["config"]["layers"] = [dense("answer", 2, "hard_sigmoid", batch_input_shape=[None, 2])]
    site.files |= {"/v.json": json.dumps(config).encode(), "/v.buf": flat([[1.0, 0.0], [0.0, 1.0]])}
    site.files["/v_metadata.json"] = metadata(("answer", "kernel", [2, 2]))
    files = {"model": "/v.json", "weights": "/v.buf", "metadata": "/v_metadata.json"}
    each = [{"kerasVersion": "2.15.0"}, {"kerasVersion": "3.15.1"}]
    site.open("page.html")
    old, new = site.js(OPTIONS, {"filepaths": files, "inputs": {"input": [1, -2]}, "each": each})
    assert old == ["2.15.0", *map(pytest.approx, (0.7, 0.1))]  # 0.2 x + 0.5
    assert new == ["3.15.1", *map(pytest.approx, (4 / 6, 1 / 6))]  # x / 6 + 0.5


def test_theano_kernels_are_turned_where_said(site):
    folder = GOLDEN / "keras1.2.2-theano"
    site.files |= {f"/th{end}": (folder / f"th{end}").read_bytes() for end in (".json", "_weights.h5")}
    with np.load(folder / "answers.npz") as answers:
        (x,) = [answers[k] for k in answers.files if k.startswith("th/inputs/")]
        (want,) = [answers[k] for k in answers.files if k.startswith("th/outputs/")]
    job = {
        "filepaths": {"model": "/th.json", "weights": "/th_weights.h5"},
        "inputs": {"input": {"data": x.ravel().tolist(), "shape": list(x.shape)}},
        "each": [{"theanoKernels": True}, {"theanoKernels": False}, {}],
    }
    site.open("page.html")
    turned, straight, silent = site.js(OPTIONS, job)
    np.testing.assert_allclose(turned[1:], want.ravel(), rtol=1e-5, atol=1e-5)
    assert np.abs(np.array(straight[1:]) - want.ravel()).max() > 1e-2
    assert silent == straight
