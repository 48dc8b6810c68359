"""The certificates that servers are known by are read once, and anew when they or the settings change."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import certifi
import pytest
from prefect.settings import PREFECT_API_SSL_CERT_FILE, PREFECT_API_TLS_INSECURE_SKIP_VERIFY, temporary_settings

from prefect_nbviz.reading import certificates


def test_certificates_are_read_once_for_each_file_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "own.pem"
    file.write_bytes(Path(certifi.where()).read_bytes())
    usual = certificates.known()
    assert certificates.known() is usual
    with temporary_settings({PREFECT_API_SSL_CERT_FILE: str(file)}):
        own = certificates.known()
        assert own is not usual
        assert certificates.known() is own
        os.utime(file, ns=(1, 1))
        assert certificates.known() is not own
    assert usual.verify_mode == ssl.CERT_REQUIRED
    assert usual.check_hostname


def test_whoever_trusts_all_servers_gets_none() -> None:
    with temporary_settings({PREFECT_API_TLS_INSECURE_SKIP_VERIFY: True}):
        assert certificates.known() is None


def test_a_file_that_is_not_there_is_no_excuse_to_trust_others(tmp_path: Path) -> None:
    gone = {PREFECT_API_SSL_CERT_FILE: str(tmp_path / "gone.pem")}
    with temporary_settings(gone), pytest.raises(FileNotFoundError):
        certificates.known()
