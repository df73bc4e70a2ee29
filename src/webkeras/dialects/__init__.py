"""Architecture JSON to Spec: structure and names only, no arithmetic. One module per Keras."""

from __future__ import annotations

from typing import Any

from webkeras.dialects import keras1, keras2, keras3
from webkeras.errors import ConfigError
from webkeras.spec import Spec
from webkeras.text import loads


def read(text: str, file: str = "model.json", keras_version: str | None = None) -> Spec:
    """The Spec of an architecture file; `keras_version` stands in where the file names none.

    Raises ConfigError, naming file and layer.
    """
    data = loads(text, file, ConfigError, "the text of model.to_json()")
    if not isinstance(data, dict) or "class_name" not in data or "config" not in data:
        raise ConfigError(f"{file}: has no 'class_name' and 'config'; expected the text of model.to_json()")
    version = str(data.get("keras_version") or keras_version or ("3" if data.get("module") else "2"))
    try:
        number = dialect(version)
        if number not in DIALECTS:
            raise ConfigError(f"a Keras {version} model; this build reads {' and '.join(map(str, DIALECTS))}")
        spec: Spec = DIALECTS[number](data, version)
        spec.backend = str(data.get("backend") or "")
    except ConfigError as e:
        raise ConfigError(f"{file}: {e}") from None
    except RecursionError:
        raise ConfigError(f"{file}: models nest too deep to be read") from None
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as e:
        what = f"the graph cannot be read ({type(e).__name__}: {' '.join(str(e).split())})"
        told = data.get("keras_version") or keras_version
        silent = "" if told else "; it names no keras_version: say which Keras it is"
        raise ConfigError(f"{file}: {what}; expected a Keras {version} model{silent}") from None
    return spec


def dialect(version: str) -> int:
    """1, 2 or 3 from a version such as "2.0.5" or "2.11.0-tf"."""
    major = version.split(".")[0]
    if major not in ("0", "1", "2", "3"):
        raise ConfigError(f"keras_version {version!r}; expected 1, 2 or 3")
    return max(1, int(major))


DIALECTS: dict[int, Any] = {1: keras1.read, 2: keras2.read, 3: keras3.read}
