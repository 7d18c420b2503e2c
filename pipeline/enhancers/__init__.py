"""Enhancers beyond the one without weights: face restoration by an operator's models, and several stages in a row."""

from pipeline.enhancers.chain import EnhancerChain
from pipeline.enhancers.restoration import RESTORERS, RestorationEnhancer

__all__ = ["RESTORERS", "EnhancerChain", "RestorationEnhancer"]
