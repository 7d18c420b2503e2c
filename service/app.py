"""The HTTP application: routers, problem documents, and the background threads that live as long as it does."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import rfc8785
import structlog
from fastapi import FastAPI

from service.assembly import Assent
from service.assets.endpoints import router as assets
from service.assets.uploads import MOST_JSON_BYTES
from service.audit.endpoints import router as audit
from service.audit.events import EventKind
from service.audit.recorder import record
from service.audit.selfcheck import check_log
from service.consents.endpoints import router as grants
from service.hashlists.endpoints import router as hashlists
from service.health import router as health
from service.housekeeping import Housekeeper
from service.jobs.endpoints import router as jobs
from service.jobs.worker import Worker
from service.liveness.endpoints import router as liveness
from service.platform.problems import install_problem_handlers
from service.platform.settings import Settings
from service.protected.endpoints import router as protected
from service.reviews.endpoints import router as reviews
from service.subjects.endpoints import router as subjects
from service.verification.endpoints import router as verification
from service.version import VERSION

_log = structlog.get_logger(__name__)
_DESCRIPTION = """
Assent swaps faces only where it may: every request passes NSFW, age and consent checks before anything is rendered, and
every output is watermarked, signed with a C2PA manifest, and logged in a tamper-evident audit log.
"""

_ROUTERS = (subjects, liveness, grants, assets, jobs, verification, audit, protected, hashlists, health, reviews)


def create_app(settings: Settings) -> FastAPI:
    """The application over these settings. Its database must be migrated (`assent serve` does it)."""
    server = Assent(settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        _check_audit_log(server)
        _record_start(server)
        server.sequencer.start()
        workers = [Worker(server) for _ in range(settings.workers)]
        for worker in workers:
            worker.start()
        housekeeper = Housekeeper(server)
        housekeeper.start()
        _log.info("server_started", workers=len(workers), home=str(settings.home))
        yield
        housekeeper.stop()
        for worker in workers:
            worker.stop()
        server.close()
        _log.info("server_stopped")

    # FastAPI's documentation pages load scripts from other hosts; /openapi.json is the documentation.
    app = FastAPI(
        title="Assent",
        version=VERSION,
        description=_DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        max_body_size=MOST_JSON_BYTES,
    )
    app.state.assent = server
    install_problem_handlers(app)
    for router in _ROUTERS:
        app.include_router(router)
    return app


def _check_audit_log(server: Assent) -> None:
    """Recompute the log before anything is added to it; a damaged one raises the alarm, which stops every release."""
    keys = server.log_keys
    with server.database.read() as session:
        check = check_log(session, keys.origin, keys.verifiers, keys.memory)
    for problem in check.problems:
        server.sequencer.raise_alarm(problem)


def _record_start(server: Assent) -> None:
    """Log what begins to run: the program's version, the policy in force, and the models."""
    policy, models = server.vision.policy, rfc8785.dumps(dict(server.vision.digests()))
    refs = {
        "software_version": VERSION,
        "policy_version": policy.version.replace("/", "-"),
        "policy_digest": policy.digest,
        "models_digest": hashlib.sha256(models).hexdigest(),
    }
    with server.database.write() as session:
        record(session, EventKind.SERVER_STARTED, tenant_id=None, actor="system", refs=refs)
