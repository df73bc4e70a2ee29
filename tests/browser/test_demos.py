"""The demo pages as a visitor meets them."""

import pytest

from tools import demo

FER = {"angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"}


@pytest.fixture(scope="session", autouse=True)
def models():
    demo.lay_out()


def test_emotion_says_that_the_astronaut_is_happy(page, tmp_path):
    page.open("demos/emotion/index.html")
    said = page.js("return window.webkerasDemo")
    page.screenshot(tmp_path / "emotion.png")
    assert set(said["answers"]) >= {"webgl2", "reference"}
    for backend, scores in said["answers"].items():
        assert set(scores) == FER
        assert scores["happy"] >= 0.99, f"{backend}: {scores}"
        assert abs(sum(scores.values()) - 1) < 1e-5
    assert page.console() == []


def test_the_demo_command_prints_the_answers_as_a_table():
    said = {"answers": {"reference": {"sad": 0.25, "happy": 0.75}, "webgl2": {"sad": 0.25, "happy": 0.75}}}
    table = demo.table(said | {"ms": {"reference": 120.0, "webgl2": 3.5}})
    assert [line.split() for line in table.splitlines()] == [
        ["webgl2", "reference"],
        ["happy", "0.7500", "0.7500"],
        ["sad", "0.2500", "0.2500"],
        ["ms", "3.5", "120.0"],
    ]
