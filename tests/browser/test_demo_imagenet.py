"""The ImageNet page with a visitor's own keras.applications file, against genuine Keras: tests/golden/models."""

import json

import numpy as np
import pytest
from PIL import Image
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.ui import WebDriverWait

from encoder import encoder
from tests.golden.models import rebuild
from tools import assets, demo
from tools.common import WEB

LEFT, TOP, STEP = 182, 40, 997  # as in make_pictures.py


@pytest.mark.parametrize(
    ("kind", "name", "size", "form", "allowed"),
    [("resnet50", "resnet50", 224, "h5", 1e-4), ("inception_v3", "inceptionv3", 299, "float16", 3e-3)],
)
def test_ones_own_model_answers_as_keras_does(page, tmp_path, kind, name, size, form, allowed):
    """The picture is prepared as preprocess_input does; the answers are Keras', with 16-bit weights to three digits."""
    demo.lay_out()
    picture, file = tmp_path / "astronaut.png", tmp_path / f"{name}.h5"
    Image.open(assets.fetch("astronaut.png")).convert("RGB").crop((LEFT, TOP, LEFT + size, TOP + size)).save(picture)
    with np.load(rebuild.HERE / "pictures.npz") as stored:
        prepared, answer, gentle = (stored[f"{name}/{k}"] for k in ("prepared", "answer", "gentle"))
    rebuild.write_h5(file, *rebuild.gentler(name, float(gentle)))
    files = [file]
    if form == "float16":
        assert encoder.main([str(file), "--quantize", form]) == 0
        files = [tmp_path / f"{name}{end}" for end in (".json", "_weights.buf", "_metadata.json")]

    page.open("demos/imagenet/index.html")
    status = "document.getElementById('status')"
    wait = WebDriverWait(page.driver, 120, 0.2)
    Select(wait.until(lambda d: d.find_element(By.CSS_SELECTOR, "#backend:has(option)"))).select_by_value("wasm")
    page.driver.find_element(By.ID, "file").send_keys(str(picture))
    wait.until(lambda d: d.execute_script(f"return /ms/.test({status}.textContent)"))
    Select(page.driver.find_element(By.ID, "kind")).select_by_value(kind)
    page.driver.find_element(By.ID, "own").send_keys("\n".join(map(str, files)))
    said = "[...document.querySelectorAll('#answers button')].map((b) => b.firstChild.textContent)"
    labels = json.loads((WEB / "demos/imagenet/labels.json").read_text())
    best = labels[answer.argmax()]  # the answers of the page's own model may still come before
    shown = wait.until(lambda d: (five := d.execute_script(f"return {said}"))[:1] == [best] and five)

    fed, scores = page.js(
        """
        const { KINDS, input, machine } = await import("/demos/imagenet/imagenet.js");
        const image = await createImageBitmap(document.getElementById("file").files[0]);
        const x = input(image, KINDS[args[0]]), { output } = await (await machine.model("wasm")).predict(x);
        return [[...x.input].filter((_, i) => i % args[1] === 0), [...output]];
        """,
        kind,
        STEP,
    )
    np.testing.assert_allclose(fed, prepared, rtol=0, atol=np.abs(prepared).max() * 1e-6)  # float32
    assert np.abs(scores - answer).max() < allowed * answer.max()
    assert shown == [labels[i] for i in np.argsort(scores)[::-1][:5]]
