from __future__ import annotations

from web.token_bucket import TokenBucket


def test_a_burst_is_taken_at_once_and_then_so_many_a_second() -> None:
    bucket = TokenBucket(8, 20, 0.0)
    assert [bucket.take(0.0) for _ in range(21)] == [True] * 20 + [False]
    assert bucket.wait(0.0) == 0.125
    assert sum(bucket.take(part / 64) for part in range(1, 641)) == 80
    assert bucket.wait(60.0) == 0.0
    assert sum(bucket.take(60.0) for _ in range(100)) == 20


def test_tokens_spent_in_advance_are_waited_for() -> None:
    bucket = TokenBucket(2, 4, 0.0)
    bucket.spend(6)
    assert bucket.tokens(0.0) == -2
    assert bucket.wait(0.0) == 1.5
