"""The parts under the mark: the convolutional code, keyed draws, the payload, the lattice."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.watermark.canonical import SHORT_SIDE, TILE, canonical, fold, whiten
from provenance.watermark.convolutional import TailBitingCode
from provenance.watermark.keyed import KeyedDraws
from provenance.watermark.lattice import Lattice
from provenance.watermark.payload import MAX_IDENT, MESSAGE_BITS, PayloadCodec
from tests.provenance.pictures import KEY

CODE = TailBitingCode(MESSAGE_BITS)
PAYLOAD = PayloadCodec(KEY)
LATTICE = Lattice(KeyedDraws(KEY), CODE.coded_bits)


@settings(max_examples=25, deadline=None)
@given(st.binary(min_size=MESSAGE_BITS // 8, max_size=MESSAGE_BITS // 8))
def test_every_message_comes_back_from_its_code(message: bytes) -> None:
    bits = np.unpackbits(np.frombuffer(message, np.uint8))
    assert (CODE.decode(CODE.encode(bits)[None])[0] == bits).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, MAX_IDENT), st.integers(0, 2**32 - 1))
def test_the_code_repairs_one_flipped_symbol_in_ten(ident: int, seed: int) -> None:
    bits = PAYLOAD.bits(ident)
    symbols = CODE.encode(bits)
    # Every tenth symbol, from a random start: more than a few in a row would be unfair to any code.
    symbols[seed % 10 :: 10] *= -1
    assert PAYLOAD.ident(CODE.decode(symbols[None])[0]) == ident


def test_several_words_are_decoded_at_once() -> None:
    messages = [PAYLOAD.bits(ident) for ident in (1, 2, 3)]
    decoded = CODE.decode(np.stack([CODE.encode(bits) for bits in messages]))
    assert [PAYLOAD.ident(bits) for bits in decoded] == [1, 2, 3]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, MAX_IDENT), st.integers(0, MESSAGE_BITS - 1))
def test_a_message_with_one_wrong_bit_is_nobodys(ident: int, position: int) -> None:
    bits = PAYLOAD.bits(ident)
    bits[position] ^= 1
    assert PAYLOAD.ident(bits) is None


def test_a_message_under_another_key_is_nobodys() -> None:
    assert PayloadCodec(b"another key of sixteen bytes").ident(PAYLOAD.bits(5)) is None


@pytest.mark.parametrize("ident", [-1, MAX_IDENT + 1])
def test_an_id_has_48_bits(ident: int) -> None:
    with pytest.raises(ValueError, match="48 bits"):
        PAYLOAD.bits(ident)


def test_the_layout_of_the_mark_never_changes() -> None:
    """Marks that are out in the world must stay readable: this digest may change only with the algorithm's name."""
    digest = hashlib.sha256()
    for part in (LATTICE.rows, LATTICE.columns, LATTICE.pilot, LATTICE.data):
        digest.update(part.astype("<i4").tobytes())
    soft, pilot = np.arange(LATTICE.coded_bits) - 119.5, np.arange(len(LATTICE.pilot)) - 20.0
    digest.update(np.rint(LATTICE.adjoint(soft, pilot) * 1e6).view(np.float64).astype("<i8").tobytes())
    digest.update(PAYLOAD.bits(7).tobytes())
    digest.update(CODE.encode(PAYLOAD.bits(7)).astype("<i1").tobytes())
    assert digest.hexdigest() == "87ac60cc597750b95136008973309dff09a51da67a8ebff82137eeaba4e66fd9"


def test_the_adjoint_is_the_transpose_of_the_measurement() -> None:
    rng = np.random.default_rng(1)
    lines = rng.normal(size=(len(LATTICE.rows), 2)) @ np.array([1, 1j])
    soft, pilot = rng.normal(size=LATTICE.coded_bits), rng.normal(size=len(LATTICE.pilot))
    measured = LATTICE.measure(lines)
    forward = float(measured[0] @ soft + measured[1] @ pilot)
    backward = float((np.conj(LATTICE.adjoint(soft, pilot)) * lines).real.sum())
    assert forward == pytest.approx(backward)


def test_a_tile_carries_what_was_put_on_its_lines() -> None:
    rng = np.random.default_rng(2)
    coefficients = rng.normal(size=(len(LATTICE.rows), 2)) @ np.array([1, 1j])
    tile = LATTICE.tile(coefficients)
    assert np.allclose(LATTICE.lines(tile, 2), coefficients * TILE * TILE, rtol=1e-3)
    assert float(np.mean(tile.astype(np.float64) ** 2)) == pytest.approx(
        2 * (np.abs(coefficients) ** 2).sum(), rel=1e-4
    )


def test_each_bit_is_spread_over_the_band() -> None:
    one_bit = np.zeros(LATTICE.coded_bits)
    one_bit[11] = 1.0
    used = np.abs(LATTICE.adjoint(one_bit, np.zeros(len(LATTICE.pilot)))) > 0
    assert used.sum() >= 3
    assert np.ptp(LATTICE.radius[used]) > 3


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 700), st.integers(1, 700), st.integers(0, 2**32 - 1))
def test_whitening_is_finite_for_every_size(height: int, width: int, seed: int) -> None:
    grey = np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)
    if max(height, width) > 20 * min(height, width):
        return
    scaled = canonical(grey)
    white, gain = whiten(scaled)
    assert min(scaled.shape) == SHORT_SIDE
    assert np.isfinite(white).all()
    assert np.isfinite(gain).all()
    assert fold(white).shape == (TILE, TILE)


def test_the_same_label_draws_the_same_numbers_and_another_key_others() -> None:
    first, again, other = KeyedDraws(b"x" * 16), KeyedDraws(b"x" * 16), KeyedDraws(b"y" * 16)
    assert (first.permutation("a", 99) == again.permutation("a", 99)).all()
    assert (first.permutation("a", 99) != first.permutation("b", 99)).any()
    assert (first.permutation("a", 99) != other.permutation("a", 99)).any()
    assert sorted(first.permutation("a", 99)) == list(range(99))
