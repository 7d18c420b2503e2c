"""The weights-free swap engine: a source face worn as a texture on the target's own landmark mesh."""

from pipeline.mesh.identity import MeshIdentity
from pipeline.mesh.settings import MeshSettings
from pipeline.mesh.swapper import MeshSwapper

__all__ = ["MeshIdentity", "MeshSettings", "MeshSwapper"]
