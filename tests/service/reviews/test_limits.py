"""How often an address may try: what is remembered, and for whom."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from service.web.limits import TokenBuckets, address_of


class Clock:
    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


def test_a_bucket_is_emptied_and_fills_again_one_by_one():
    clock = Clock()
    buckets = TokenBuckets(3, seconds_per_try=6.0, clock=clock)
    assert [buckets.take("a") for _ in range(5)] == [0, 0, 0, 6, 6]
    clock.at += 5
    assert buckets.take("a") == 1
    clock.at += 1
    assert [buckets.take("a"), buckets.take("a")] == [0, 6]
    clock.at += 1000
    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 6]


def test_addresses_do_not_share_a_bucket():
    buckets = TokenBuckets(1, seconds_per_try=6.0, clock=Clock())
    assert (buckets.take("a"), buckets.take("a"), buckets.take("b")) == (0, 6, 0)


def test_a_million_addresses_do_not_fill_the_memory():
    buckets = TokenBuckets(1, seconds_per_try=6.0, most=100, clock=Clock())
    for number in range(1000):
        buckets.take(f"address {number}")
    assert len(buckets) == 100
    assert buckets.take("address 999") > 0


@given(st.lists(st.floats(0, 30), max_size=60))
def test_no_pattern_of_tries_gets_more_than_the_bucket_and_its_refill(waits):
    clock = Clock()
    buckets = TokenBuckets(4, seconds_per_try=5.0, clock=clock)
    passed = 0
    for wait in waits:
        clock.at += wait
        passed += buckets.take("a") == 0
    assert passed <= 4 + sum(waits) / 5.0 + 1e-6


@pytest.mark.parametrize(
    ("client", "address"),
    [
        (("203.0.113.9", 1), "203.0.113.9"),
        (("::ffff:203.0.113.9", 1), "203.0.113.9"),
        (("2001:db8:1:2:aaaa::1", 1), "2001:db8:1:2::"),
        (("2001:db8:1:2:bbbb::2", 1), "2001:db8:1:2::"),
        (("testclient", 1), "testclient"),
        (None, ""),
    ],
)
def test_an_address_is_what_one_customer_has(client, address):
    assert address_of(Request({"type": "http", "client": client})) == address
