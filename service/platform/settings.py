"""Settings: environment variables `ASSENT_*`, then the file `assent.toml` (or `ASSENT_CONFIG`), then defaults."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)


class Stages(BaseModel):
    """The stages that a job gets unless it chooses others."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    detector: str = "blazeface"
    landmarker: str = "mesh"
    swapper: str = "mesh"
    enhancer: str = "detail"


class Settings(BaseSettings):
    """Everything that an operator can set. Each field is an environment variable: `home` is `ASSENT_HOME`."""

    model_config = SettingsConfigDict(env_prefix="ASSENT_", env_nested_delimiter="__", extra="forbid", frozen=True)

    home: Path = Field(Path(".assent"), description="Folder of the embedded database, blobs, keys and models.")
    database_url: str = Field("", description="SQLAlchemy URL; empty means SQLite inside the home folder.")
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8000

    provider: Literal["cpu", "cuda", "tensorrt"] = Field("cpu", description="Where the models run.")
    allow_cpu_fallback: bool = Field(False, description="Run on the CPU where the provider cannot be had.")
    model_threads: Annotated[int, Field(ge=1, le=64)] = 2
    models: Path | None = Field(None, description="Model cache; inside the home folder by default.")
    models_catalogue: Path | None = Field(None, description="A catalogue file of your own that adds models.")
    accepted_licences: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Identifiers of the only licences that models may have, separated by commas; empty: any."
    )
    commercial_use: bool = Field(
        False,
        description="Refuse models that are not known to allow commercial use, unless accepted_licences has them.",
    )

    stages: Stages = Field(
        Stages(), description="ASSENT_STAGES__SWAPPER and so on; `assent models list` has the names."
    )

    policy: Path | None = Field(None, description="Policy file; the shipped standard policy by default.")
    gate_time_limit_s: Annotated[float, Field(gt=0, le=600)] = 60.0
    file_captures: Literal["accept", "refuse"] = Field(
        "refuse", description="Whether a liveness capture may come from a file instead of a camera."
    )

    workers: Annotated[int, Field(ge=0, le=32)] = Field(1, description="Worker threads in the server's process.")
    lease_seconds: Annotated[float, Field(ge=1, le=600)] = 15.0
    max_attempts: Annotated[int, Field(ge=1, le=20)] = 3
    step_limit_s: Annotated[float, Field(gt=0, le=3600)] = Field(
        300.0, description="How long a worker may hold a job in one step before another may take it."
    )
    checkpoint_seconds: Annotated[float, Field(ge=0.1, le=3600)] = Field(
        30.0, description="How often the audit log signs a checkpoint, each about 4 kB."
    )

    max_upload_bytes: Annotated[int, Field(ge=1024, le=256 * 1024 * 1024)] = 40 * 1024 * 1024
    max_pixels: Annotated[int, Field(ge=4096)] = 50_000_000
    max_open_jobs: Annotated[int, Field(ge=1)] = Field(200, description="Unfinished jobs that one tenant may have.")
    liveness_seconds: Annotated[int, Field(ge=10, le=600)] = 180
    liveness_tries: Annotated[int, Field(ge=1, le=1000)] = Field(
        5, description="Sessions that one person may open without passing, in a quarter of an hour."
    )
    liveness_tries_tenant: Annotated[int, Field(ge=1, le=100_000)] = Field(
        200, description="Sessions that one tenant may open without passing, in a quarter of an hour."
    )
    liveness_frames: Annotated[int, Field(ge=10, le=5000)] = 900
    liveness_memory_days: Annotated[int, Field(ge=30, le=3650)] = Field(
        400, description="How long a frame that was sent once is refused when it comes again."
    )

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"
    audit_origin: str = Field("assent.localhost/audit", description="Origin line of the audit log's checkpoints.")
    master_key: SecretStr | None = Field(
        None, description="Base64 of the 32-byte master key; a file in the home folder where absent or empty."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order of precedence: arguments, environment, file."""
        file = Path(os.environ.get("ASSENT_CONFIG", "assent.toml"))
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=file)

    @field_validator("accepted_licences", mode="before")
    @classmethod
    def split_at_commas(cls, value: object) -> object:
        """Let an environment variable name several."""
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @property
    def database(self) -> str:
        """The SQLAlchemy URL in force."""
        return self.database_url or f"sqlite:///{self.home.absolute() / 'assent.db'}"

    @property
    def model_folder(self) -> Path:
        """Where converted models are kept."""
        return self.models or self.home / "models"
