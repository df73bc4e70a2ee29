"""Files as genuine Keras saved them, opened by the page: tests/golden/files, on the backends that are not numpy."""

import numpy as np
import pytest

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
