"""Every table of the service in one import, for migrations and for tests that make a database from nothing."""

from service.assets.tables import Asset
from service.audit.tables import AuditCheckpoint, AuditEvent, AuditLeaf, AuditNode, AuditPending
from service.consents.tables import Grant
from service.jobs.tables import Job, Judgement, Mark, Review
from service.liveness.tables import LivenessFrame, LivenessSession
from service.platform.vault import DataKey
from service.subjects.tables import Subject
from service.tenants.tables import ApiKey, Reviewer, ReviewerSession, Tenant

ALL_TABLES = (
    Tenant,
    ApiKey,
    Reviewer,
    ReviewerSession,
    DataKey,
    Subject,
    LivenessSession,
    LivenessFrame,
    Grant,
    Asset,
    Job,
    Judgement,
    Review,
    Mark,
    AuditEvent,
    AuditPending,
    AuditLeaf,
    AuditNode,
    AuditCheckpoint,
)
