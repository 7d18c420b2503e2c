"""The assembled server: every part made once, from the settings, and handed to the domains."""

from __future__ import annotations

import base64
import threading
from functools import cached_property
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Session

from pipeline.picture import PictureLimits
from provenance.audit.keys import LogKeys
from provenance.pki import DevelopmentPki, SigningIdentity
from provenance.seal import Sealer
from provenance.watermark import Watermarker
from service.audit.sequencer import Sequencer
from service.platform.blobs import EncryptedBlobs, FolderBlobs
from service.platform.database import Database
from service.platform.files import prepare_folder
from service.platform.settings import Settings
from service.platform.vault import FileKeyProvider, KeyOwner, Vault
from service.tenants.tables import Tenant

if TYPE_CHECKING:
    from service.vision import Vision


class Assent:
    """What endpoints, workers and commands share. Making it opens the database and the keys, but loads no model."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        prepare_folder(settings.home)
        secrets = settings.home / "keys"
        self.keys = FileKeyProvider(secrets / "master.key", given_master_key(settings))
        self.vault = Vault(self.keys)
        self.database = Database(settings.database, vault=self.vault)
        self.blobs = EncryptedBlobs(FolderBlobs(settings.home / "blobs"), self.vault)
        self.pepper = self.keys.derive("api-keys")
        self.identity: SigningIdentity = DevelopmentPki.open(secrets / "pki").identity()
        self.watermarker = Watermarker(self.keys.derive("watermark"))
        self.sealer = Sealer(self.watermarker, self.identity)
        self.log_keys = LogKeys.open(secrets / "audit", settings.audit_origin)
        self.sequencer = Sequencer(self.database, self.log_keys, interval_s=settings.checkpoint_seconds)
        self.picture_limits = PictureLimits(max_bytes=settings.max_upload_bytes, max_pixels=settings.max_pixels)
        self._work = threading.Condition()

    @cached_property
    def vision(self) -> Vision:
        """The models, the gates and the swap. Loaded at the first use, or by `warm_up`."""
        from service.vision import Vision  # noqa: PLC0415 - commands that load no model start at once

        return Vision(self.settings, self)

    def lock_tenant(self, session: Session, tenant_id: str) -> None:
        """Make this transaction the only one that submits for the tenant."""
        session.execute(select(Tenant.id).where(Tenant.id == tenant_id).with_for_update(key_share=True))

    @staticmethod
    def tenant_key(tenant_id: str) -> KeyOwner:
        """Whose key protects what belongs to the tenant and to no subject, such as a rights declaration."""
        return KeyOwner("tenant", tenant_id)

    def wake_workers(self) -> None:
        """Tell idle workers that there may be work."""
        with self._work:
            self._work.notify_all()

    def wait_for_work(self, seconds: float) -> None:
        """Sleep until there may be work."""
        with self._work:
            self._work.wait(seconds)

    def close(self) -> None:
        """Stop the background threads and close the database."""
        self.sequencer.stop()
        self.database.close()


def given_master_key(settings: Settings) -> bytes | None:
    """The master key that the settings give, None where it lies in a file."""
    if settings.master_key is None or not settings.master_key.get_secret_value():
        return None
    key = base64.b64decode(settings.master_key.get_secret_value(), validate=True)
    if len(key) != 32:
        raise ValueError("ASSENT_MASTER_KEY is not the base64 of 32 bytes")
    return key
