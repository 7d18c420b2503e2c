"""A tail-biting convolutional code with a soft, batched, wrap-around list Viterbi decoder."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bits = NDArray[np.uint8]

# Generators of the rate-1/3, constraint-length-11 code of maximum free distance (22), from the table in Proakis,
# Digital Communications, chapter 8.
GENERATORS = (0o2353, 0o2671, 0o3175)
CONSTRAINT_LENGTH = 11
# A trellis walked this many steps past both ends forgets its unknown start: about three constraint lengths.
WRAP = 32
# The likeliest places where the best path may have gone wrong, and how many of them are combined in pairs.
DETOURS = 14
PAIRED = 7


class TailBitingCode:
    """Encodes `message_bits` bits into `coded_bits` antipodal symbols and decodes soft values back."""

    def __init__(self, message_bits: int) -> None:
        self.message_bits = message_bits
        self.rate = len(GENERATORS)
        self.coded_bits = message_bits * self.rate
        self._memory = CONSTRAINT_LENGTH - 1
        states = np.arange(1 << self._memory)
        # symbols[state, bit] are the +1/-1 outputs when `bit` is shifted in at the top of the register.
        register = (np.arange(2)[None, :] << self._memory) | states[:, None]
        parity = [np.bitwise_count(register & generator) & 1 for generator in GENERATORS]
        self._symbols = (1 - 2 * np.stack(parity, axis=-1).astype(np.float32)).astype(np.float32)
        # State n is reached only from 2n and 2n + 1 (mod the number of states), by the bit at n's top.
        self._before = np.stack([(2 * states) % len(states), (2 * states + 1) % len(states)])
        self._bit = (states >> (self._memory - 1)).astype(np.uint8)
        self._branch = [self._symbols[before, self._bit].T.copy() for before in self._before]

    def encode(self, message: Bits) -> Floats:
        """Return the float32 (coded_bits,) symbols, +1 for a coded 0 and -1 for a coded 1."""
        state = 0
        for bit in message[-self._memory :]:
            state = ((int(bit) << self._memory) | state) >> 1
        symbols = []
        for bit in message:
            symbols.append(self._symbols[state, int(bit)])
            state = ((int(bit) << self._memory) | state) >> 1
        return np.concatenate(symbols)

    def decode(self, soft: Floats) -> Bits:
        """Return the likeliest messages, uint8 (n, message_bits), for soft symbols (n, coded_bits)."""
        return np.stack([candidates[0] for candidates in self.decode_list(soft)])

    def decode_list(self, soft: Floats) -> list[Bits]:
        """Return for each word (n, coded_bits) several messages uint8 (m, message_bits), the likeliest first.

        The others take one or two of the detours that cost least on the way of the best path; a check such as
        a MAC has to choose among them.
        """
        steps = np.arange(-WRAP, self.message_bits + WRAP) % self.message_bits
        values = soft.reshape(len(soft), self.message_bits, self.rate).astype(np.float32)[:, steps]
        gains = [np.matmul(values, branch).transpose(1, 0, 2) for branch in self._branch]
        half = len(self._bit) // 2
        metric = np.zeros((len(soft), len(self._bit)), np.float32)
        # lead[step, word, state] > 0: the way through the second predecessor is that much better.
        lead = np.empty((len(steps), *metric.shape), np.float32)
        paths = np.empty((2, *metric.shape), np.float32)
        for step in range(len(steps)):
            # The predecessors of state n are 2n and 2n + 1, modulo the number of states: even and odd, twice over.
            pairs = metric.reshape(len(soft), half, 2)
            for parity in (0, 1):
                paths[parity, :, :half] = pairs[:, :, parity]
                paths[parity, :, half:] = pairs[:, :, parity]
                paths[parity] += gains[parity][step]
            np.subtract(paths[1], paths[0], out=lead[step])
            metric = np.maximum(paths[0], paths[1])
        return [self._candidates(int(metric[word].argmax()), lead[:, word]) for word in range(len(soft))]

    def _candidates(self, last: int, lead: Floats) -> Bits:
        """Return the messages of the best path that ends in state `last`, and of its cheapest detours."""
        second = lead > 0
        states, best = self._trace(last, len(lead), second)
        # A detour joins the best path at one step, coming from the other predecessor.
        cost = np.abs(lead[np.arange(len(lead)), states])
        joins = np.arange(WRAP, min(WRAP + self.message_bits + self._memory, len(lead)))
        changes: list[Bits] = []
        for step in joins[np.argsort(cost[joins], kind="stable")[:DETOURS]]:
            state = int(states[step])
            other = int(self._before[1 - int(second[step, state]), state])
            _, earlier = self._trace(other, int(step), second)
            bits = best.copy()
            bits[:step] = earlier
            changes.append(self._message(bits) ^ self._message(best))
        pairs = [one ^ two for one, two in combinations(changes[:PAIRED], 2)]
        flips = np.stack([np.zeros_like(changes[0]), *changes, *pairs])
        return self._message(best) ^ flips

    def _message(self, bits: Bits) -> Bits:
        return bits[WRAP : WRAP + self.message_bits]

    def _trace(self, state: int, count: int, second: NDArray[np.bool_]) -> tuple[NDArray[np.intp], Bits]:
        """Return the states after each of the first `count` steps, and the bits, of the survivor into `state`."""
        states, bits = np.empty(count, np.intp), np.empty(count, np.uint8)
        total = len(self._bit)
        for step in range(count - 1, -1, -1):
            states[step], bits[step] = state, state >> (self._memory - 1)
            state = (2 * state + int(second[step, state])) % total
        return states, bits
