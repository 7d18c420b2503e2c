"""Which models run under which settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import ModelUnavailable
from pipeline.models import LicencePolicy, ModelStore, Terms

FREE = Terms("MIT", ("MIT",), commercial_use=True)
RESEARCH = Terms("research only", ("LicenseRef-Research",), commercial_use=False)
DOUBTFUL = Terms("who knows", ("MIT", "LicenseRef-Unknown"), commercial_use=None)


def test_without_settings_every_licence_is_accepted() -> None:
    assert all(LicencePolicy().accepts(terms) for terms in (FREE, RESEARCH, DOUBTFUL))


def test_commercial_use_needs_a_licence_that_is_known_to_allow_it() -> None:
    policy = LicencePolicy(commercial=True)
    assert [policy.accepts(terms) for terms in (FREE, RESEARCH, DOUBTFUL)] == [True, False, False]


def test_a_list_accepts_what_it_names_in_full_and_nothing_else() -> None:
    policy = LicencePolicy(frozenset({"MIT", "LicenseRef-Research"}), commercial=True)
    assert [policy.accepts(terms) for terms in (FREE, RESEARCH, DOUBTFUL)] == [True, True, False]
    assert not policy.accepts(Terms("no identifier", (), commercial_use=True))


@pytest.mark.parametrize(
    "policy",
    [LicencePolicy(commercial=True), LicencePolicy(frozenset({"MIT", "Apache-2.0"}))],
    ids=["commercial", "a list without it"],
)
def test_a_packaged_model_with_another_licence_is_refused_by_name(tmp_path: Path, policy: LicencePolicy) -> None:
    store = ModelStore(tmp_path, licences=policy)
    with pytest.raises(ModelUnavailable, match="nudenet_320n") as refusal:
        store.path("nudenet_320n")
    assert refusal.value.code == "licence_not_accepted"
    assert not store.has("nudenet_320n")
    assert store.path("blazeface").is_file() and store.has("blazeface")
