"""webkeras.js in Firefox: on a screen, where there is WebGL2, and headless, where there is none."""

import pytest

from tests.browser.site import Site
from tests.browser.test_page import FILES, answer, near
from tools import demo
from tools.browser import firefox


@pytest.fixture(params=["screen", "headless"])
def fox(request):
    """A site open in Firefox, and whether Firefox has WebGL2."""
    demo.lay_out()
    with firefox(headless=request.param == "headless") as driver:
        site = Site(driver)
        yield site, request.param == "screen"
        site.stop()


def test_answers_in_firefox(fox):
    """In a worker and in the page, on every backend but numpy; where WebGL2 is missing, that is one sentence."""
    site, webgl2 = fox
    site.open("page.html")
    found = site.js(
        f"""
        const found = [];
        for (const worker of [true, false])
          for (const backend of ["webgl2", "wasm", "auto"]) {{
            const model = new WebKeras.Model({{ filepaths: {FILES}, worker, backend }});
            const asked = model.predict({{ input: [1, 2] }});
            found.push(await asked.then((out) => [model.backend, ...out.output], (e) => e.message));
            await model.dispose();
          }}
        return found;
        """
    )
    for gpu, wasm, auto in (found[:3], found[3:]):
        if webgl2:
            assert gpu[0] == "webgl2"
            assert near(gpu[1:], answer([1, 2]))
        else:
            assert gpu == "backend 'webgl2' cannot be used: this browser has no WebGL2"
        assert wasm[0] == "wasm"
        assert near(wasm[1:], answer([1, 2]))
        assert near(auto[1:], answer([1, 2]))

    site.open("demos/mnist-cnn/index.html")
    choice, status, said = site.js(
        """
        const { answers } = await window.webkerasDemo, status = document.getElementById("status");
        while (!/ms|error/.test(status.textContent + status.className))
          await new Promise((done) => setTimeout(done, 50));
        const options = [...document.querySelectorAll("#backend option")];
        return [options.map((o) => [o.textContent, o.disabled, o.title]), status.textContent, answers];
        """
    )
    assert choice[0] == (
        ["the GPU (WebGL2)", False, ""]
        if webgl2
        else ["the GPU (WebGL2): not here", True, "this browser has no WebGL2"]
    )
    assert " ms" in status
    assert set(said) == {*(["webgl2"] if webgl2 else []), "wasm", "reference"}
    for scores in said.values():
        assert max(scores, key=scores.get) == "7"
        assert scores == pytest.approx(said["reference"], abs=1e-5)
