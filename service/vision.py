"""The models, the gates and the swap, assembled from the settings."""

from __future__ import annotations

import threading

import numpy as np

from pipeline.engine import FaceEngine
from pipeline.enhance import DetailEnhancer
from pipeline.mesh import MeshSwapper
from pipeline.models import ModelStore
from pipeline.runtime import OnnxRuntime, check_installation
from safety.desk import SafetyDesk
from safety.policy import Policy
from service.platform.settings import Settings


class Vision:
    """Everything that sees, judges and renders. Raises `ModelUnavailable` where a model or the device is missing."""

    def __init__(self, settings: Settings) -> None:
        check_installation(settings.provider)
        self.store = ModelStore(settings.model_folder)
        self.runtime = OnnxRuntime(
            settings.provider, allow_cpu_fallback=settings.allow_cpu_fallback, threads=settings.model_threads
        )
        self.engine = FaceEngine.standard(self.runtime, self.store)
        self.policy = Policy.load(settings.policy) if settings.policy else Policy.shipped()
        limit = settings.gate_time_limit_s
        # Gates run side by side: more than a share of the threads each, and they would wait for one another.
        gates = OnnxRuntime(
            settings.provider,
            allow_cpu_fallback=settings.allow_cpu_fallback,
            threads=max(1, settings.model_threads // 2),
        )
        self.desk = SafetyDesk.standard(self.engine, gates, self.store, self.policy, time_limit_s=limit)
        self.swapper = MeshSwapper()
        self.enhancer = DetailEnhancer()
        # One picture at a time: gates and swaps of two jobs side by side would only fight for the same cores.
        self.busy = threading.Lock()

    @property
    def provider(self) -> str:
        """Where the models run: the provider that the sessions really got."""
        return self.runtime.provider

    def warm_up(self) -> None:
        """Load every model by looking at an empty picture, so that the first request does not wait for it."""
        empty = np.full((256, 256, 3), 127, np.uint8)
        self.desk.screen([empty], empty, template=None)

    def digests(self) -> dict[str, str]:
        """SHA-256 of every model that decides or renders, by name: what the manifest and the audit log state."""
        return {name: self.store.digest(name) for name in self.store.names}
