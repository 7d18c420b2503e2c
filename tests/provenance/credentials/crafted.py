"""Manifests that our own builder would never make, signed with our own key: what an insider could try."""

from __future__ import annotations

import io
from typing import Any

import c2pa

from provenance.credentials.engine_settings import engine_settings
from provenance.pki import SigningIdentity

CREATED = {
    "action": "c2pa.created",
    "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture",
}


def signed(
    data: bytes,
    identity: SigningIdentity,
    *,
    actions: list[dict[str, Any]] | None = None,
    ingredients: tuple[tuple[dict[str, Any], bytes], ...] = (),
    thumbnails: bool = False,
    remote_url: str | None = None,
) -> bytes:
    """Return a JPEG signed with whatever is asked for."""
    settings = engine_settings(identity.trust_pem)
    settings["builder"]["thumbnail"]["enabled"] = thumbnails
    signer = c2pa.Signer.from_callback(identity.sign, c2pa.C2paSigningAlg.ES256, identity.chain_pem, None)
    definition = {
        "claim_version": 2,
        "claim_generator_info": [{"name": "crafted", "version": "1"}],
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": actions or [CREATED]}}],
    }
    output = io.BytesIO()
    with c2pa.Context.from_dict(settings, signer) as context:
        builder = c2pa.Builder(definition, context)
        for ingredient, content in ingredients:
            builder.add_ingredient(ingredient, "image/jpeg", io.BytesIO(content))
        if remote_url:
            builder.set_no_embed()
            builder.set_remote_url(remote_url)
        builder.sign("image/jpeg", io.BytesIO(data), output)
    return output.getvalue()
