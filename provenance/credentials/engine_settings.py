"""How the C2PA engine is set up, for signing and for reading alike."""

from __future__ import annotations

from typing import Any

# A claim-signing certificate is for e-mail protection (interim rule) or C2PA claim signing; nothing else is
# accepted.
TRUSTED_PURPOSES = "1.3.6.1.5.5.7.3.4\n1.3.6.1.4.1.62558.2.1"


def engine_settings(trust_pem: str | None) -> dict[str, Any]:
    """Return the engine's settings: our trust anchors only, no network, no thumbnails."""
    trust: dict[str, Any] = {"trust_config": TRUSTED_PURPOSES}
    if trust_pem:
        trust["trust_anchors"] = trust_pem
    return {
        "version": 1,
        "trust": trust,
        "verify": {
            "verify_trust": True,
            # Files from strangers must not make this host fetch anything.
            "remote_manifest_fetch": False,
            "ocsp_fetch": False,
            # The release gate reads what was signed anyway, in another process.
            "verify_after_sign": False,
        },
        "core": {"allowed_network_hosts": []},
        # A thumbnail of an ingredient would put the source's face into the output.
        "builder": {"thumbnail": {"enabled": False}},
    }
