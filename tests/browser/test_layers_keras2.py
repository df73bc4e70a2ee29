"""Every layer golden of Keras 2 in Chromium, a test for each file and backend."""

import pytest

from tests.browser.layer_goldens import BACKENDS, check, files_of, measuring

FILES = files_of("keras2")
pytestmark = pytest.mark.driver_timeout(300)


@pytest.fixture(scope="module")
def measure(selenium_module_scope):
    return measuring(selenium_module_scope, FILES)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("file", FILES)
def test_layer_answers_as_keras(measure, file: str, backend: str) -> None:
    check(measure, FILES[file], backend)
