"""Files to Models: `webkeras.load_model`, and what it shares with a page that has fetched the files already."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from webkeras import files
from webkeras.backends import choose
from webkeras.buffer import Buffer, HostBuffer
from webkeras.errors import ConfigError, WeightsError
from webkeras.model import Model
from webkeras.shards import Shards


def load_model(
    source: str | Path | bytes,
    *,
    weights: str | Path | bytes | None = None,
    metadata: str | Path | bytes | None = None,
    backend: str = "auto",
    custom_objects: Mapping[str, Any] | None = None,
    keras_version: str | None = None,
    theano_kernels: bool | None = None,
) -> Model:
    """A model from what Keras saved (`.keras`, `.h5`), or from its JSON and weights: the encoder's with their metadata,
    `.weights.h5`, `.weights.json`, or those of a whole model's file; or from the model.json of a TF.js layers model.
    Each is a path, or the file's bytes.

    Files that one of these names, shards of weights, are read from the folder it lies in.
    `custom_objects` are functions of tensors by name, for Lambda layers and custom activations, and subclasses of
    `webkeras.Layer`. `keras_version` says which Keras wrote a file that does not say so itself. `theano_kernels` says
    that it was trained on Theano, which turned kernels around and padded otherwise for "same": files of Keras 1 do not
    tell.
    Raises ConfigError, WeightsError or NoBackend; nothing is half loaded.
    """
    given, beside = gathered(source, weights, metadata)
    return assembled(given, beside, backend, custom_objects, keras_version, theano_kernels)


def gathered(
    source: str | Path | bytes, weights: str | Path | bytes | None, metadata: str | Path | bytes | None
) -> tuple[dict[str, files.File], dict[str, Buffer]]:
    """The files, and those that they name, from the folder they lie in: what `assembled` takes."""
    paths = {"model": source, "weights": weights, "metadata": metadata}
    given = {what: _file(path, what) for what, path in paths.items() if path is not None}
    beside: dict[str, Buffer] = {}
    for what, names in files.named(given).items():
        path = paths[what]
        if isinstance(path, str | Path):
            beside |= {name: _file(Path(path).parent / name, "weights").buffer for name in names}
    return given, beside


def assembled(
    given: Mapping[str, files.File],
    beside: Shards,
    backend: str = "auto",
    custom_objects: Mapping[str, Any] | None = None,
    keras_version: str | None = None,
    theano_kernels: bool | None = None,
) -> Model:
    """The model of files that were read: "model", and perhaps "weights" and "metadata"; `beside`, the files they name.

    The options, and what is raised, are those of `load_model`.
    """
    parts = (given.get("weights"), given.get("metadata"))
    spec, found = files.open_model(given["model"], *parts, keras_version, beside)
    return Model(spec, found, choose(backend), theano_kernels, custom_objects)


def _file(source: str | Path | bytes, what: str) -> files.File:
    if isinstance(source, bytes):
        return files.File(HostBuffer(source), what)
    try:
        return files.File(HostBuffer(Path(source).read_bytes()), Path(source).name)
    except OSError as e:
        raise (ConfigError if what == "model" else WeightsError)(f"{source}: cannot be read ({e.strerror})") from None
