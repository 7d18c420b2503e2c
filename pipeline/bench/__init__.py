"""Measures how good swaps are: nothing here is part of serving a job, and nothing it renders is released."""

from pipeline.bench.pairs import Pair, read_pairs
from pipeline.bench.quality import QualityBench, summarise

__all__ = ["Pair", "QualityBench", "read_pairs", "summarise"]
