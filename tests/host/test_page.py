"""What page.py does that needs no page: running a coroutine at once where it can."""

import asyncio

import pytest

from webkeras.page import at_once


async def sums(*waits: float, fail: bool = False) -> int:
    for seconds in waits:
        await asyncio.sleep(seconds)
    if fail:
        raise ValueError("no")
    return len(waits)


def test_what_need_not_wait_is_done_at_once() -> None:
    assert at_once(sums()) == 0
    with pytest.raises(ValueError, match="no"):
        at_once(sums(fail=True))


def test_what_must_wait_is_carried_on() -> None:
    async def outer() -> list[int]:
        return await asyncio.gather(at_once(sums(0.001, 0, 0.001)), at_once(sums(0)))

    assert asyncio.run(outer()) == [3, 1]


def test_errors_and_cancelling_reach_the_coroutine() -> None:
    async def outer() -> None:
        with pytest.raises(ValueError, match="no"):
            await at_once(sums(0, fail=True))
        task = asyncio.ensure_future(at_once(sums(60)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(outer())
