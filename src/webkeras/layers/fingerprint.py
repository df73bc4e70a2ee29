"""The two 64-bit hashes that Keras puts words into bins with, in plain Python.

Sources: FarmHash's Fingerprint64 (github.com/google/farmhash, farmhashna); SipHash-2-4 (Aumasson and Bernstein, 2012)
"""

from __future__ import annotations

MASK = (1 << 64) - 1
K0, K1, K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F


def _right(x: int, n: int) -> int:
    """x rotated right by n."""
    return (x >> n | x << (64 - n)) & MASK


def _left(x: int, n: int) -> int:
    return _right(x, 64 - n)


def _mixed(x: int) -> int:
    return x ^ x >> 47


def _pair(u: int, v: int, mul: int) -> int:
    a = _mixed((u ^ v) * mul & MASK)
    return _mixed((v ^ a) * mul & MASK) * mul & MASK


def _seeded(words: list[int], a: int, b: int) -> tuple[int, int]:
    """Four words and two seeds to two words."""
    w, x, y, z = words
    a = (a + w) & MASK
    b = _right((b + a + z) & MASK, 21)
    c = a
    a = (a + x + y) & MASK
    return (a + z) & MASK, (b + _right(a, 44) + c) & MASK


def joined(a: int, b: int) -> int:
    """One fingerprint of two.

    Source: tensorflow/core/platform/fingerprint.h:FingerprintCat64
    """
    mul = 0xC6A4A7935BD1E995
    found = (a ^ mul ^ _mixed(b * mul & MASK) * mul) & MASK
    return _mixed(_mixed(found * mul & MASK) * mul & MASK)


def farm(s: bytes) -> int:
    """FarmHash's fingerprint of s."""
    n = len(s)

    def at(i: int, width: int = 8) -> int:
        return int.from_bytes(s[i : i + width], "little")

    mul = (K2 + 2 * n) & MASK
    if n >= 65:
        return _long(s)
    if n > 32:
        a, b, c, d = at(0) * K2 & MASK, at(8), at(n - 8) * mul & MASK, at(n - 16) * K2 & MASK
        y = (_right((a + b) & MASK, 43) + _right(c, 30) + d) & MASK
        z = _pair(y, (a + _right((b + K2) & MASK, 18) + c) & MASK, mul)
        e, f = at(16) * mul & MASK, at(24)
        g, h = (y + at(n - 32)) * mul & MASK, (z + at(n - 24)) * mul & MASK
        first = (_right((e + f) & MASK, 43) + _right(g, 30) + h) & MASK
        return _pair(first, (e + _right((f + a) & MASK, 18) + g) & MASK, mul)
    if n > 16:
        a, b, c, d = at(0) * K1 & MASK, at(8), at(n - 8) * mul & MASK, at(n - 16) * K2 & MASK
        first = (_right((a + b) & MASK, 43) + _right(c, 30) + d) & MASK
        return _pair(first, (a + _right((b + K2) & MASK, 18) + c) & MASK, mul)
    if n >= 8:
        a, b = (at(0) + K2) & MASK, at(n - 8)
        c = (_right(b, 37) * mul + a) & MASK
        return _pair(c, (_right(a, 25) + b) * mul & MASK, mul)
    if n >= 4:
        return _pair((n + (at(0, 4) << 3)) & MASK, at(n - 4, 4), mul)
    if n:
        y, z = s[0] + (s[n >> 1] << 8), n + (s[-1] << 2)
        return _mixed(y * K2 & MASK ^ z * K0 & MASK) * K2 & MASK
    return K2


def _long(s: bytes) -> int:
    """farm() of more than 64 bytes, 64 at a time."""
    n = len(s)

    def words(i: int, count: int = 4) -> list[int]:
        return [int.from_bytes(s[i + 8 * j : i + 8 * j + 8], "little") for j in range(count)]

    x, y = 81, (81 * K1 + 113) & MASK
    z = _mixed((y * K2 + 113) & MASK) * K2 & MASK
    v, w = (0, 0), (0, 0)
    x = (x * K2 + words(0, 1)[0]) & MASK

    def step(
        i: int, x: int, y: int, z: int, mul: int, nine: int
    ) -> tuple[int, int, int, tuple[int, int], tuple[int, int]]:
        eight = words(i, 8)
        x = _right((x + y + v[0] + eight[1]) & MASK, 37) * mul & MASK
        y = _right((y + v[1] + eight[6]) & MASK, 42) * mul & MASK
        x ^= w[1] * nine & MASK
        y = (y + v[0] * nine + eight[5]) & MASK
        z = _right((z + w[0]) & MASK, 33) * mul & MASK
        after = _seeded(eight[:4], v[1] * mul & MASK, (x + w[0]) & MASK)
        behind = _seeded(eight[4:], (z + w[1]) & MASK, (y + eight[2]) & MASK)
        return z, y, x, after, behind  # x and z change places

    for i in range(0, (n - 1) // 64 * 64, 64):
        x, y, z, v, w = step(i, x, y, z, K1, 1)
    mul = (K1 + ((z & 0xFF) << 1)) & MASK
    w = ((w[0] + (n - 1 & 63)) & MASK, w[1])
    v = ((v[0] + w[0]) & MASK, v[1])
    w = ((w[0] + v[0]) & MASK, w[1])
    x, y, z, v, w = step(n - 64, x, y, z, mul, 9)
    first = (_pair(v[0], w[0], mul) + _mixed(y) * K0 + z) & MASK
    return _pair(first, (_pair(v[1], w[1], mul) + x) & MASK, mul)


def sip(s: bytes, key: tuple[int, int]) -> int:
    """SipHash-2-4 of s under a key of two words."""
    v0, v1 = key[0] ^ 0x736F6D6570736575, key[1] ^ 0x646F72616E646F6D
    v2, v3 = key[0] ^ 0x6C7967656E657261, key[1] ^ 0x7465646279746573

    def round_(v0: int, v1: int, v2: int, v3: int) -> tuple[int, int, int, int]:
        v0, v2 = (v0 + v1) & MASK, (v2 + v3) & MASK
        v1, v3 = _left(v1, 13) ^ v0, _left(v3, 16) ^ v2
        v0, v2 = (_left(v0, 32) + v3) & MASK, (v2 + v1) & MASK
        return v0, _left(v1, 17) ^ v2, _left(v2, 32), _left(v3, 21) ^ v0

    blocks = [s[i : i + 8] for i in range(0, len(s) - 7, 8)]
    tail = s[len(blocks) * 8 :].ljust(7, b"\0") + bytes([len(s) & 0xFF])
    for block in [*blocks, tail]:
        m = int.from_bytes(block, "little")
        v3 ^= m
        for _ in range(2):
            v0, v1, v2, v3 = round_(v0, v1, v2, v3)
        v0 ^= m
    v2 ^= 0xFF
    for _ in range(4):
        v0, v1, v2, v3 = round_(v0, v1, v2, v3)
    return v0 ^ v1 ^ v2 ^ v3
