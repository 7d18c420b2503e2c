"""What the watermark survives, measured on anyone's pictures."""

from provenance.bench.attacks import ATTACKS, Attack
from provenance.bench.watermark import AttackScore, WatermarkBench, WatermarkFigures

__all__ = ["ATTACKS", "Attack", "AttackScore", "WatermarkBench", "WatermarkFigures"]
