"""Every table of the service in one import, for migrations and for tests that make a database from nothing."""

from service.assets.tables import Asset
from service.audit.tables import AuditCheckpoint, AuditEvent, AuditLeaf, AuditNode, AuditPending
from service.consents.tables import Grant
from service.hashlists.tables import PictureEntry, PictureList
from service.jobs.tables import Job, Judgement, Mark, Review
from service.liveness.tables import LivenessFrame, LivenessSession, SeenFrame
from service.platform.vault import DataKey
from service.policies.tables import PolicyVersion, ShadowCount
from service.protected.tables import ProtectedEntry, ProtectedList
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
    SeenFrame,
    Grant,
    Asset,
    Job,
    Judgement,
    Review,
    Mark,
    ProtectedList,
    ProtectedEntry,
    PictureList,
    PictureEntry,
    PolicyVersion,
    ShadowCount,
    AuditEvent,
    AuditPending,
    AuditLeaf,
    AuditNode,
    AuditCheckpoint,
)
