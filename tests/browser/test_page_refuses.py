"""What webkeras.js refuses, it refuses in one sentence that names what is wrong; and goes on working."""

import pytest

from tests.browser.test_page import FILES, MODES, answer, near
from tools.common import ROOT

REFUSALS = {
    "missing file": ("{ model: '/no.json' }", {}, "no.json", "404"),
    "missing weights": (FILES.replace("m.buf", "no.buf"), {}, "no.buf", "404"),
    "no model": ("{}", {}, "filepaths", "'model'"),
    "surplus file": ("{ model: '/m.json', weigths: '/m.buf' }", {}, "'weigths'", "expected"),
    "half a pair": ("{ model: '/m.json', weights: '/m.buf' }", {}, "m.buf", "metadata"),
    "truncated": (FILES.replace("m.buf", "short.buf"), {}, "short.buf", "56 bytes"),
    "unknown layer": ("{ model: '/unknown.json' }", {}, "'Wobble'", "'w'"),
    "no JSON": ("{ model: '/notjson.json' }", {}, "notjson.json", "a web page"),
    "unknown backend": (FILES, {"backend": "abacus"}, "'abacus'", "'webgl2'"),
    "text": ("{ model: '/words.keras' }", {}, "works in Python"),
    "no server": ("{ model: 'http://127.0.0.1:9/m.json' }", {}, "m.json", "cannot be fetched"),
}


@MODES
@pytest.mark.parametrize("what", REFUSALS)
def test_refuses_in_one_sentence(site, what, worker):
    files, more, *words = REFUSALS[what]
    site.files["/words.keras"] = (ROOT / "tests/golden/files/text/words.keras").read_bytes()
    site.open("page.html")
    name, message, again = site.js(
        f"""
        const model = new WebKeras.Model({{ filepaths: {files}, worker: args[0], ...args[1] }});
        const e = await model.ready().then(() => ({{}}), (e) => e);
        const again = await model.predict({{ input: [1, 2] }}).then(() => "answered", (e) => e.message);
        await model.dispose();
        return [e.name, e.message, again];
        """,
        worker,
        more,
    )
    assert all(w in message for w in words), message
    assert "\n" not in message
    assert "Traceback" not in message
    assert again == message
    assert name.endswith(("Error", "NoBackend"))


BAD_INPUTS = {
    "wrong name": ("{ x: [1, 2] }", "['x']", "hidden_input"),
    "wrong length": ("{ input: [1, 2, 3] }", "3 numbers", "expected 2"),
    "wrong shape": ("{ input: { data: [1, 2], shape: [2, 2] } }", "(2, 2)", "2 numbers"),
    "ragged": ("{ input: [[1, 2], [3]] }", "'input'", "unequal"),
    "no numbers": ("{ input: 'cat' }", "'input'", "string"),
    "null": ("{ input: null }", "'input'", "null"),
    "bare array": ("new Float32Array(2)", "by name", "predict"),
    "unknown layer": ("{ input: [1, 2] }, { layers: ['hiden'] }", "'hiden'", "'hidden'"),
}


def test_bad_inputs_are_refused_and_harm_nothing(site):
    site.open("page.html")
    tries = ", ".join(f"() => model.predict({call})" for call, *_ in BAD_INPUTS.values())
    messages, after = site.js(
        f"""
        const model = new WebKeras.Model({{ filepaths: {FILES} }}), messages = [];
        for (const attempt of [{tries}]) messages.push(await attempt().then(() => "answered", (e) => e.message));
        return [messages, [...(await model.predict({{ input: [1, 2] }})).output]];
        """
    )
    for message, (call, *words) in zip(messages, BAD_INPUTS.values(), strict=True):
        assert all(w in message for w in words), (call, message)
    assert near(after, answer([1, 2]))
