"""The stages by name: those that Assent brings, and those that other packages add through entry points."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final, cast, get_args

from pipeline.enhancers.chain import EnhancerChain
from pipeline.errors import ModelUnavailable, PipelineError
from pipeline.faces import FaceDetector, FaceEmbedder, FaceEnhancer, FaceLandmarker, FaceSwapper
from pipeline.stages import BUILT_IN, Kind, Kit, StageOptions

_METHODS: Final[Mapping[str, tuple[str, ...]]] = {
    "detectors": ("detect",),
    "landmarkers": ("locate",),
    "embedders": ("embed",),
    "swappers": ("enrol", "swap"),
    "enhancers": ("enhance",),
}
_NO_OPTIONS = StageOptions()


@dataclass(frozen=True, slots=True)
class StageInfo:
    """One stage that can be chosen: `origin` is the distribution it comes from."""

    kind: Kind
    name: str
    origin: str


@dataclass(frozen=True, slots=True)
class PluginProblem:
    """A plug-in that was left out: which one, of which distribution, and why."""

    kind: Kind
    name: str
    origin: str
    message: str


class StageRegistry:
    """Makes stages by name; each one once, shared by all threads.

    A package adds a stage by an entry point in the group `assent.detectors`, `assent.landmarkers`,
    `assent.embedders`, `assent.swappers` or `assent.enhancers`: a callable that takes a `Kit` and returns the stage.
    A plug-in that cannot be loaded, or that takes the name of another stage, is listed in `problems`.
    """

    def __init__(self, kit: Kit, *, plugins: Iterable[EntryPoint] | None = None) -> None:
        self._kit = kit
        self._factories: dict[tuple[Kind, str], Callable[[Kit], Any]] = dict(BUILT_IN)
        self._origins: dict[tuple[Kind, str], str] = dict.fromkeys(BUILT_IN, "assent")
        self._made: dict[tuple[Kind, str, StageOptions], Any] = {}
        self._lock = threading.RLock()
        problems = [self._add(point) for point in (_installed() if plugins is None else plugins)]
        self.problems: tuple[PluginProblem, ...] = tuple(problem for problem in problems if problem)

    def stages(self) -> tuple[StageInfo, ...]:
        """Return every stage that can be chosen, whether or not its model is installed."""
        return tuple(StageInfo(kind, name, origin) for (kind, name), origin in sorted(self._origins.items()))

    def names(self, kind: Kind) -> tuple[str, ...]:
        """Return the names of one kind of stage, sorted."""
        return tuple(info.name for info in self.stages() if info.kind == kind)

    def detector(self, name: str, options: StageOptions = _NO_OPTIONS) -> FaceDetector:
        """Return the detector of this name. Raises `ModelUnavailable` as all of these do: see `_make`."""
        return cast(FaceDetector, self._make("detectors", name, options))

    def landmarker(self, name: str, options: StageOptions = _NO_OPTIONS) -> FaceLandmarker:
        """Return the landmarker of this name."""
        return cast(FaceLandmarker, self._make("landmarkers", name, options))

    def embedder(self, name: str, options: StageOptions = _NO_OPTIONS) -> FaceEmbedder:
        """Return the embedder of this name."""
        return cast(FaceEmbedder, self._make("embedders", name, options))

    def swapper(self, name: str, options: StageOptions = _NO_OPTIONS) -> FaceSwapper:
        """Return the swapper of this name; only `pipeline.render` may use it."""
        return cast(FaceSwapper, self._make("swappers", name, options))

    def enhancer(self, name: str, options: StageOptions = _NO_OPTIONS) -> FaceEnhancer:
        """Return the enhancer of this name, or several in a row: `xseg+gfpgan_1.4+detail`. `none` changes nothing."""
        names = [part.strip() for part in name.split("+")]
        if names == ["none"]:
            return EnhancerChain(())
        stages = [cast(FaceEnhancer, self._make("enhancers", part, options)) for part in names]
        return stages[0] if len(stages) == 1 else EnhancerChain(stages)

    def _make(self, kind: Kind, name: str, options: StageOptions) -> Any:
        """Return the stage, made at the first call.

        Raises:
            ModelUnavailable: `stage_unknown`, nobody offers it; `plugin_broken`, its package failed to make it; or
                what is wrong with its model.

        """
        key = (kind, name, options)
        with self._lock:
            if key not in self._made:
                factory = self._factories.get((kind, name))
                if factory is None:
                    raise self._unknown(kind, name)
                self._made[key] = self._checked(kind, name, factory, options)
            return self._made[key]

    def _checked(self, kind: Kind, name: str, factory: Callable[[Kit], Any], options: StageOptions) -> Any:
        origin = self._origins[kind, name]
        kit = self._kit.having(options, lambda wanted: self.embedder(wanted, options))
        try:
            stage = factory(kit)
        except PipelineError:
            raise
        except Exception as error:
            if origin == "assent":
                raise
            raise _broken(kind, name, origin, f"{type(error).__name__}: {error}") from error
        missing = [part for part in ("name", "digests", *_METHODS[kind]) if not hasattr(stage, part)]
        if missing:
            raise _broken(kind, name, origin, f"what it makes has no {', '.join(missing)}")
        return stage

    def _add(self, point: EntryPoint) -> PluginProblem | None:
        """Take in a plug-in, or say why not: one bad package must not stop the others, nor the server."""
        kind = cast(Kind, point.group.removeprefix("assent."))
        origin = point.dist.name if point.dist else point.value
        if (kind, point.name) in self._factories or point.name == "none" or "+" in point.name:
            return PluginProblem(kind, point.name, origin, "its name is taken by another stage, or no name for one")
        try:
            factory = point.load()
        except (Exception, SystemExit) as error:  # whatever a stranger's module does at import
            return PluginProblem(kind, point.name, origin, f"it cannot be loaded: {type(error).__name__}: {error}")
        if not callable(factory):
            return PluginProblem(kind, point.name, origin, f"{point.value} cannot be called")
        self._factories[kind, point.name] = factory
        self._origins[kind, point.name] = origin
        return None

    def _unknown(self, kind: Kind, name: str) -> ModelUnavailable:
        for problem in self.problems:
            if (problem.kind, problem.name) == (kind, name):
                return _broken(kind, name, problem.origin, problem.message)
        known = ", ".join(self.names(kind))
        return ModelUnavailable(
            "stage_unknown", f"There is no {kind.removesuffix('s')} named {name!r}.", f"Choose one of: {known}."
        )


def _broken(kind: Kind, name: str, origin: str, why: str) -> ModelUnavailable:
    return ModelUnavailable(
        "plugin_broken",
        f"The {kind.removesuffix('s')} {name!r} of the package {origin} cannot be used: {why}.",
        f"Update or remove {origin}, or choose another {kind.removesuffix('s')}.",
    )


def _installed() -> list[EntryPoint]:
    """The plug-ins of all installed packages, in a fixed order."""
    found = [point for kind in get_args(Kind) for point in entry_points(group=f"assent.{kind}")]
    return sorted(found, key=lambda point: (point.group, point.dist.name if point.dist else "", point.name))
