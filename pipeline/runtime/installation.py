"""Checks that exactly one ONNX Runtime is installed and that it can run where the settings ask."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterable
from typing import Any

from pipeline.errors import ModelUnavailable
from pipeline.runtime.options import PROVIDERS, Provider

# Distributions that install the module `onnxruntime`. Two of them silently overwrite each other's files.
_DISTRIBUTION = re.compile(r"(onnxruntime|ort-nightly)(-(?!extensions|genai|tools|easy)[a-z0-9-]+)?")


def installed_runtimes(names: Iterable[str] | None = None) -> list[str]:
    """Return the installed distributions (or those among `names`) that provide ONNX Runtime, sorted."""
    if names is None:
        names = (d.metadata["Name"] or "" for d in importlib.metadata.distributions())
    normalised = {re.sub(r"[-_.]+", "-", name).lower() for name in names}
    return sorted(name for name in normalised if _DISTRIBUTION.fullmatch(name))


def check_installation(provider: Provider = "cpu", installed: Iterable[str] | None = None) -> str:
    """Return the name of the one ONNX Runtime distribution, after checking that it offers the provider.

    Raises:
        ModelUnavailable: none or several are installed (`runtime_missing`, `runtime_ambiguous`), or the one
            that is cannot run on the provider (`provider_missing`).

    """
    found = installed_runtimes(installed)
    if not found:
        raise ModelUnavailable("runtime_missing", "ONNX Runtime is not installed.", "Install a lock file.")
    if len(found) > 1:
        raise ModelUnavailable(
            "runtime_ambiguous",
            f"Several ONNX Runtime distributions are installed and overwrite each other: {', '.join(found)}.",
            "Uninstall all of them, then install one lock file, CPU or GPU, without dependency resolution.",
        )
    wanted = PROVIDERS[provider][0]
    offered = load_onnxruntime().get_available_providers()
    if wanted not in offered:
        raise ModelUnavailable(
            "provider_missing",
            f"{found[0]} does not offer {wanted}; it offers {', '.join(offered)}.",
            "Install the GPU lock file, or set the provider to cpu.",
        )
    return found[0]


def load_onnxruntime() -> Any:
    """Return the module; raises ModelUnavailable (`runtime_missing`) where it is missing or broken."""
    try:
        import onnxruntime  # noqa: PLC0415 - so that a missing or broken build is reported, not raised at import
    except ImportError as error:
        raise ModelUnavailable("runtime_missing", f"ONNX Runtime cannot be imported: {error}") from error
    return onnxruntime
