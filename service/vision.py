"""The models, the gates and the swap, assembled from the settings."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from pipeline.engine import FaceEngine
from pipeline.errors import ModelUnavailable
from pipeline.models import LicencePolicy, ModelStore
from pipeline.registry import StageRegistry
from pipeline.runtime import OnnxRuntime, check_installation
from pipeline.stages import Kit
from safety.desk import SafetyDesk
from safety.policy import Policy
from service.hashlists.directory import KnownPictures
from service.platform.settings import Settings
from service.policies.store import live_policy
from service.protected.directory import ProtectedPeople
from service.protected.register import embedder_of
from service.verification.origin import MarksInInputs

if TYPE_CHECKING:
    from service.assembly import Assent


class Vision:
    """Everything that sees, judges and renders. Raises `ModelUnavailable` where a model or the device is missing."""

    def __init__(self, settings: Settings, server: Assent | None = None) -> None:
        """Assemble; without a server there are no lists to look in, no marks to read and no stored policies."""
        check_installation(settings.provider)
        self.defaults = settings.stages
        licences = LicencePolicy(frozenset(settings.accepted_licences), settings.commercial_use)
        self.store = ModelStore(settings.model_folder, extension=settings.models_catalogue, licences=licences)
        self.runtime = OnnxRuntime(
            settings.provider, allow_cpu_fallback=settings.allow_cpu_fallback, threads=settings.model_threads
        )
        self.stages = StageRegistry(Kit(self.runtime, self.store))
        self.engine = FaceEngine(
            self.stages.detector(settings.stages.detector),
            self.stages.landmarker(settings.stages.landmarker),
            # Templates, thresholds and gates are calibrated for this embedder; another needs everybody enrolled anew.
            self.stages.embedder("dlib"),
        )
        self._default = Policy.load(settings.policy) if settings.policy else Policy.shipped()
        self._server = None if settings.policy else server
        limit = settings.gate_time_limit_s
        # Gates run side by side: more than a share of the threads each, and they would wait for one another.
        self._gates = OnnxRuntime(
            settings.provider,
            allow_cpu_fallback=settings.allow_cpu_fallback,
            threads=max(1, settings.model_threads // 2),
        )
        self.desk = SafetyDesk.standard(
            self.engine,
            self._gates,
            self.store,
            lambda: self.policy,
            people=ProtectedPeople(server, embedder_of(self.engine.embedder)) if server else None,
            pictures=KnownPictures(server.database) if server else None,
            origin=MarksInInputs(server) if server else None,
            time_limit_s=limit,
        )
        # One picture at a time: gates and swaps of two jobs side by side would only fight for the same cores.
        self._busy = threading.Lock()
        self._patience_s = 2 * settings.gate_time_limit_s

    @property
    def policy(self) -> Policy:
        """The policy in force: the file of the settings, else the live version, else the one that ships."""
        if self._server is None:
            return self._default
        with self._server.database.read() as session:
            return live_policy(session) or self._default

    @property
    def provider(self) -> str:
        """Where the models run: the provider that the sessions really got."""
        return self.runtime.provider_in_use

    @property
    def notices(self) -> list[str]:
        """What an operator should know: fallbacks to another provider, and plug-ins that could not be loaded."""
        fallbacks = [str(fallback) for runtime in (self.runtime, self._gates) for fallback in runtime.fallbacks]
        return fallbacks + [f"{plugin.origin}: {plugin.message}" for plugin in self.stages.problems]

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for one's turn at the models; raises `ModelUnavailable` where another picture holds them too long."""
        if not self._busy.acquire(timeout=self._patience_s):
            raise ModelUnavailable("models_busy", "Another picture has held the models for too long.")
        try:
            yield
        finally:
            self._busy.release()

    def warm_up(self) -> None:
        """Load every model by looking at an empty picture, so that the first request does not wait for it."""
        empty = np.full((256, 256, 3), 127, np.uint8)
        self.desk.screen([empty], empty, template=None)

    def digests(self) -> dict[str, str]:
        """SHA-256 of every model that decides or renders, by name: what the manifest and the audit log state."""
        return {name: self.store.digest(name) for name in self.store.names}
