"""What servers are known by: the certificates are read once, since that takes as long as a small read."""

from __future__ import annotations

import functools
import ssl
from pathlib import Path


def known() -> ssl.SSLContext | None:
    """Give the certificates that Prefect's client would read for each client; None where it is told to trust all."""
    import certifi
    from prefect.settings import (
        PREFECT_API_SSL_CERT_FILE,
        PREFECT_API_TLS_INSECURE_SKIP_VERIFY,
    )

    if PREFECT_API_TLS_INSECURE_SKIP_VERIFY.value():
        return None
    file = Path(PREFECT_API_SSL_CERT_FILE.value() or certifi.where())
    return _read(file, file.stat().st_mtime_ns)


@functools.lru_cache(maxsize=4)
def _read(file: Path, _changed: int) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=file)
