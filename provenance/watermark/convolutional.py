"""A tail-biting convolutional code with a soft, batched, wrap-around Viterbi decoder."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bits = NDArray[np.uint8]

# Generators of the rate-1/3, constraint-length-9 code with free distance 18 that 3GPP TS 25.212, 4.2.3.1
# uses.
GENERATORS = (0o557, 0o663, 0o711)
CONSTRAINT_LENGTH = 9
# A trellis walked this many steps past both ends forgets its unknown start: about three constraint lengths.
WRAP = 24


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
        steps = np.arange(-WRAP, self.message_bits + WRAP) % self.message_bits
        values = soft.reshape(len(soft), self.message_bits, self.rate).astype(np.float32)[:, steps]
        gains = [np.matmul(values, branch).transpose(1, 0, 2) for branch in self._branch]
        metric = np.zeros((len(soft), len(self._bit)), np.float32)
        choices = np.empty((len(steps), *metric.shape), np.bool_)
        for step in range(len(steps)):
            first = metric[:, self._before[0]] + gains[0][step]
            second = metric[:, self._before[1]] + gains[1][step]
            np.greater(second, first, out=choices[step])
            metric = np.maximum(first, second)
        return self._trace_back(metric.argmax(axis=1), choices)

    def _trace_back(self, state: NDArray[np.intp], choices: NDArray[np.bool_]) -> Bits:
        rows = np.arange(len(state))
        bits = np.empty((len(choices), len(state)), np.uint8)
        for step in range(len(choices) - 1, -1, -1):
            bits[step] = self._bit[state]
            state = self._before[choices[step, rows, state].astype(np.intp), state]
        return bits[WRAP : WRAP + self.message_bits].T
