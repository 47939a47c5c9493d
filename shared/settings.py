"""Everything that CLIPLINE_* environment variables can set, read once and passed down."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, get_args, get_type_hints

import msgspec

from shared.model_names import DEFAULT_MODEL, ModelSource, read_held, read_models

PREFIX = "CLIPLINE_"
# Read by the command line's client side and by the test suite; they are no settings of a server.
FOREIGN = frozenset({"url", "key"})
FOREIGN_PREFIX = "test_"

Positive = Annotated[int, msgspec.Meta(ge=1)]
Thousand = Annotated[int, msgspec.Meta(ge=1, le=1_000)]  # a search's own types take no more
Measured = Annotated[int, msgspec.Meta(ge=0)]  # 0: the worker measures at its start
Granted = Annotated[int, msgspec.Meta(ge=0)]  # 0: as many as the CPUs that were granted
Seconds = Annotated[float, msgspec.Meta(gt=0, le=10**9)]  # Redis counts in milliseconds, in 64 bits
Milliseconds = Annotated[float, msgspec.Meta(gt=0, le=10**9)]
Rate = Annotated[float, msgspec.Meta(ge=0, le=10**9)]
Models = Annotated[str, msgspec.Meta(pattern=r"^([a-z0-9][a-z0-9_-]{0,62}=[^,\s]+(,(?=.)|(?!.)))*(?!\n)$")]
Names = Annotated[str, msgspec.Meta(pattern=r"^([a-z0-9][a-z0-9_-]{0,62}(,(?=.)|(?!.)))*(?!\n)$")]
Weights = Annotated[str, msgspec.Meta(pattern=r"^([a-z0-9][a-z0-9_-]*=\d{1,3}(\.\d{1,2})?(,|(?!.)))*$")]
Listen = Annotated[str, msgspec.Meta(pattern=r"^((\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):\d{1,5})?(?!\n)$")]
Origins = Annotated[str, msgspec.Meta(pattern=r"^(https?://[^/?#,\s*]+(,(?=.)|(?!.)))*(?!\n)$")]
Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]


class SettingsError(Exception):
    """A CLIPLINE_* variable is misspelt or has a bad value; the text names it."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Read from CLIPLINE_* variables; the README's table says what each one does."""

    # Where things are
    redis_url: str = "redis://localhost:6379/0"
    data_dir: str = "data"
    media_dir: str = ""
    store: str = "edge"
    store_api_key: str = ""
    quantize: bool = True
    scan_copies: bool = True
    ingest_roots: str = ""

    # API
    host: str = "127.0.0.1"
    port: Port = 8000
    keys_file: str = ""
    allowed_origins: Origins = ""
    max_connections: Positive = 10_000
    max_watches: Positive = 256
    max_open_searches: Positive = 64
    max_frames_s: Positive = 500
    heartbeat_s: Seconds = 20.0
    max_inflight: Positive = 1_000
    max_wait_s: Annotated[float, msgspec.Meta(gt=0, le=30)] = 30.0
    body_pause_s: Seconds = 15.0
    body_timeout_s: Seconds = 600.0
    trusted_proxies: str = ""
    read_only: bool = False
    operators_see: Literal["own", "redacted", "all"] = "redacted"

    # What one request may ask for
    max_limit: Thousand = 1_000
    max_text_chars: Thousand = 1_000
    max_excluded_ids: Positive = 100_000
    max_body_bytes: Positive = 8 * 2**20
    max_upload_bytes: Positive = 64 * 2**20
    max_file_bytes: Positive = 32 * 2**20
    max_pixels: Positive = 100_000_000
    max_video_bytes: Positive = 2**38
    video_step_s: Annotated[float, msgspec.Meta(ge=0, le=3_600)] = 0.0

    # Queue and ledger
    max_queued_interactive: Positive = 1_000
    max_queued_bulk: Positive = 10_000
    lease_s: Seconds = 5.0
    hang_s: Seconds = 15.0
    max_tries: Positive = 5
    max_crashes: Positive = 2
    search_retry_s: Seconds = 2.0
    ingest_retry_s: Seconds = 300.0
    search_timeout_s: Seconds = 30.0
    ingest_timeout_s: Seconds = 600.0
    keep_result_s: Seconds = 3_600.0
    keep_request_bytes: Annotated[int, msgspec.Meta(ge=0)] = 16_384
    keep_jobs: Positive = 10_000
    keep_jobs_s: Seconds = 7 * 86_400.0
    keep_dead: Positive = 1_000
    keep_dead_s: Seconds = 7 * 86_400.0
    keep_audit: Positive = 10_000
    keep_events: Positive = 20_000
    session_ttl_s: Seconds = 4 * 3_600.0

    # What one tenant may take
    tenant_max_open: Positive = 10_000
    tenant_max_connections: Positive = 10_000
    tenant_max_sessions: Positive = 100_000
    tenant_rate: Rate = 0.0
    tenant_burst: Positive = 20
    tenant_weights: Weights = ""

    # Worker
    model: str = "ViT-B-32"
    pretrained: str = "laion2b_s34b_b79k"
    models: Models = ""
    worker_models: Names = ""
    device: str = "auto"
    threads: Granted = 0
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    compile: bool = False
    nvjpeg: Literal["auto", "off"] = "auto"
    max_jobs: Measured = 0
    max_bulk_jobs: Positive = 2
    decoders: Granted = 0
    max_batch: Measured = 0
    max_batch_tokens: Measured = 0
    bulk_batch_ms: Milliseconds = 50.0
    cache_vectors: Annotated[int, msgspec.Meta(ge=0)] = 10_000
    cache_s: Seconds = 86_400.0
    drain_s: Seconds = 20.0
    metrics_listen: Listen = ""

    # Logs
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["text", "json"] = "text"

    @property
    def media_path(self) -> Path:
        return Path(self.media_dir) if self.media_dir else Path(self.data_dir) / "media"

    @property
    def store_path(self) -> Path:
        """Where the embedded vector store keeps its collections."""
        return Path(self.data_dir) / "vectors"

    @property
    def places(self) -> int:
        """Interactive jobs that a worker runs at once, where nothing was measured."""
        return self.max_jobs or 256

    @property
    def named_models(self) -> dict[str, ModelSource]:
        """The models beside the default one."""
        return read_models(self.models)

    @property
    def model_names(self) -> tuple[str, ...]:
        """Of every model of the fleet, the default one first."""
        return (DEFAULT_MODEL, *self.named_models)

    @property
    def held_models(self) -> tuple[str, ...]:
        """Those that a worker with these settings holds."""
        return read_held(self.worker_models, self.model_names)

    def of_model(self, name: str) -> "Settings":
        """The same for a worker that has this one alone."""
        if name == DEFAULT_MODEL:
            return self
        source = self.named_models[name]
        return msgspec.structs.replace(self, model=source.model, pretrained=source.pretrained)

    @property
    def weights(self) -> dict[str, float]:
        """A tenant's share of a lane beside others, from `a=4,b=0.5`; 0.01 at least, 1 for those that are not named."""
        pairs = (part.partition("=") for part in self.tenant_weights.split(",") if part)
        return {name: max(0.01, float(weight)) for name, _, weight in pairs}

    @property
    def origins(self) -> frozenset[str]:
        """Pages of these origins may call beside our own, as `https://app.example.com`."""
        return frozenset(origin.lower() for origin in self.allowed_origins.split(",") if origin)

    @property
    def ingest_root_paths(self) -> tuple[Path, ...]:
        """Folders from which workers may read pictures by reference, separated by ':' in the setting."""
        return tuple(Path(root) for root in self.ingest_roots.split(os.pathsep) if root)


def from_env(environ: Mapping[str, str]) -> Settings:
    """Read the settings. Raises SettingsError, naming the variable, for unknown names and bad values."""
    given = {}
    for name, value in environ.items():
        field = name.removeprefix(PREFIX).lower()
        if name.startswith(PREFIX) and field not in FOREIGN and not field.startswith(FOREIGN_PREFIX):
            given[field] = value
    unknown = sorted(given.keys() - set(Settings.__struct_fields__))
    if unknown:
        raise SettingsError(f"unknown setting {PREFIX}{unknown[0].upper()}")
    for field, value in given.items():
        _check(field, value)
    settings: Settings = msgspec.convert(given, Settings, strict=False)
    _check_models(settings)
    return settings


def _check_models(settings: Settings) -> None:
    try:
        settings.model_names  # noqa: B018 - read for what it raises
    except ValueError as error:
        raise SettingsError(f"{PREFIX}MODELS={settings.models!r}: {error}") from error
    try:
        settings.held_models  # noqa: B018 - read for what it raises
    except ValueError as error:
        raise SettingsError(f"{PREFIX}WORKER_MODELS={settings.worker_models!r}: {error}") from error


def _check(field: str, value: str) -> None:
    """Convert one value alone, so that an error can name its variable."""
    try:
        msgspec.convert({field: value}, Settings, strict=False)
    except msgspec.ValidationError as error:
        detail = str(error).partition(" - at")[0]
        if choices := get_args(get_type_hints(Settings)[field]):
            detail = f"expected one of {', '.join(map(str, choices))}"
        raise SettingsError(f"{PREFIX}{field.upper()}={value!r}: {detail}") from error


def to_env(settings: Settings) -> dict[str, str]:
    """The variables that make another process read the same settings."""
    return {f"{PREFIX}{name.upper()}": str(getattr(settings, name)) for name in Settings.__struct_fields__}
