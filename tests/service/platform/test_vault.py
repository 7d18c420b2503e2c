"""The vault: nothing opens without its owner's key, and a destroyed key never comes back."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.platform.database import Base, Database
from service.platform.vault import FileKeyProvider, KeyDestroyed, KeyOwner, Vault, VaultError

ADA, BOB = KeyOwner("subject", "ada"), KeyOwner("subject", "bob")


@pytest.fixture
def vault(tmp_path):
    return Vault(FileKeyProvider(tmp_path / "keys" / "master.key"))


@pytest.fixture
def database(tmp_path, vault):
    database = Database(f"sqlite:///{tmp_path / 'vault.db'}", vault=vault)
    Base.metadata.create_all(database.engine)
    yield database
    database.close()


def test_what_was_encrypted_opens_again(vault, database):
    with database.write() as session:
        blob = vault.encrypt(session, ADA, b"a template", b"use")
        assert b"template" not in blob
        assert vault.decrypt(session, ADA, blob, b"use") == b"a template"


@pytest.mark.parametrize(("owner", "use"), [(BOB, b"use"), (ADA, b"another use")])
def test_a_ciphertext_opens_only_for_its_owner_and_its_use(vault, database, owner, use):
    with database.write() as session:
        blob = vault.encrypt(session, ADA, b"a template", b"use")
        vault.encrypt(session, BOB, b"so that Bob has a key", b"use")
        with pytest.raises(VaultError):
            vault.decrypt(session, owner, blob, use)


def test_every_altered_byte_is_noticed(vault, database):
    with database.write() as session:
        blob = vault.encrypt(session, ADA, b"a template", b"use")
        for place in range(len(blob)):
            altered = bytearray(blob)
            altered[place] ^= 1
            with pytest.raises(VaultError):
                vault.decrypt(session, ADA, bytes(altered), b"use")


def test_a_destroyed_key_makes_everything_unreadable_and_is_never_made_anew(vault, database):
    with database.write() as session:
        blob = vault.encrypt(session, ADA, b"a template", b"use")
        assert vault.destroy(session, ADA)
    with database.write() as session:
        with pytest.raises(KeyDestroyed):
            vault.decrypt(session, ADA, blob, b"use")
        with pytest.raises(KeyDestroyed):
            vault.encrypt(session, ADA, b"more", b"use")
        assert not vault.destroy(session, ADA)


def test_destroying_a_key_before_its_first_use_leaves_no_way_to_make_one(vault, database):
    with database.write() as session:
        vault.destroy(session, ADA)
    with database.write() as session, pytest.raises(KeyDestroyed):
        vault.encrypt(session, ADA, b"late", b"use")


def test_the_commitment_depends_on_the_owner_and_on_the_data(vault, database):
    with database.write() as session:
        mine = vault.commitment(session, ADA, b"data")
        assert mine == vault.commitment(session, ADA, b"data")
        assert mine != vault.commitment(session, ADA, b"date")
        assert mine != vault.commitment(session, BOB, b"data")


def test_the_master_key_is_readable_by_its_owner_alone(tmp_path):
    path = tmp_path / "keys" / "master.key"
    FileKeyProvider(path)
    assert path.stat().st_mode & 0o077 == 0
    assert len(path.read_bytes()) == 32


def test_a_second_start_uses_the_same_master_key(tmp_path):
    first, second = (FileKeyProvider(tmp_path / "master.key") for _ in range(2))
    assert second.unwrap(first.wrap(b"k" * 32, b"c"), b"c") == b"k" * 32


@given(key=st.binary(min_size=1, max_size=64), context=st.binary(max_size=32), other=st.binary(max_size=32))
def test_a_wrapped_key_opens_in_its_context_only(tmp_path_factory, key, context, other):
    provider = FileKeyProvider(Path("unused"), b"\x07" * 32)
    wrapped = provider.wrap(key, context)
    assert provider.unwrap(wrapped, context) == key
    if other != context:
        with pytest.raises(VaultError):
            provider.unwrap(wrapped, other)
