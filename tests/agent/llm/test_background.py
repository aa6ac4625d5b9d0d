"""Work in a thread: its products, its errors, its end."""

import threading

import pytest

from agent.llm.background import Background, Stopped


def test_products_come_in_order_and_errors_last() -> None:
    """What was put before the error is read first."""

    def work(thread: Background[int]) -> None:
        thread.put(1)
        thread.put(2)
        raise ValueError("three")

    products = Background(work).products()
    assert [next(products), next(products)] == [1, 2]
    with pytest.raises(ValueError, match="three"):
        next(products)


def test_impatience_lets_go_of_the_work() -> None:
    """Whoever waits gets a TimeoutError, and the work ends at its next product."""
    late, ended = threading.Event(), threading.Event()

    def work(thread: Background[int]) -> None:
        late.wait(10)
        try:
            thread.put(1)
        except Stopped:
            ended.set()
            raise

    background = Background(work)
    with pytest.raises(TimeoutError):
        next(background.products(lambda: 0.01))
    late.set()
    assert ended.wait(10)
    assert background.over(10)


def test_stopping_gives_what_was_not_read_and_wakes_a_pause() -> None:
    """Nothing that was handed over is lost."""
    paused = threading.Event()

    def work(thread: Background[str]) -> None:
        thread.put("made")
        paused.set()
        thread.pause(60)

    background = Background(work)
    assert paused.wait(10)
    assert not background.over()
    assert background.stop() == ["made"]
    assert background.over(10)
