"""What is to be reached: median or first prediction as a share of a peer's, in the same browser and run."""

from typing import Any

# WebGL2 beside TF.js' webgl: model -> (median with a GPU, median in software, first prediction on both).
WEBGL2 = {
    "mnist_cnn": (0.3, 0.5, 0.2),
    "mobilenetv2": (0.33, 0.33, 0.2),
    "resnet50": (0.33, 0.33, 0.25),
    "inceptionv3": (0.33, 0.33, 0.15),
    "imdb_bilstm": (0.1, 0.2, 0.5),
    "upscaler_x2": (0.4, 0.4, 0.3),
    "fer": (0.4, 0.4, 0.3),
    "nsfw_mobilenet_v2": (0.4, 0.4, 0.3),
}

# WASM with one thread: model -> {peer: median}. ORT-web is not to be faster on any model.
WASM: dict[str, dict[str, float]] = {model: {"ort": 1.0} for model in WEBGL2}
WASM["mobilenetv2"] |= {"litert": 1.0, "tfjs": 0.5}
WASM["resnet50"] |= {"litert": 0.8, "tfjs": 0.5}
WASM["imdb_bilstm"] |= {"tfjs": 0.2}
WASM["mnist_cnn"] |= {"tfjs": 0.5}
TWO_THREADS = {"resnet50": 1.7}  # times as fast as one
MODULE_BYTES = 150_000

STARTUP_MS, STARTUP_SHARE = 1200, 1.5  # page open to first answer; as a share of TF.js'


def is_software(environment: dict[str, Any]) -> bool:
    return any(name in environment["renderer"] for name in ("SwiftShader", "llvmpipe"))


def webgl2(model: str, key: str, software: bool) -> float:
    """The share of TF.js' `key` (median or first) that is to be reached."""
    gpu, plain, first = WEBGL2[model]
    return first if key == "first" else plain if software else gpu
