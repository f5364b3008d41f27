"""``qhw doctor`` says whose credentials are configured, asks no network, and shows none of them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from backends.ibm import account
from tests.cli.test_jobs_cli import document, qhw

KEY_ID, SECRET, TOKEN = "AKIATESTTESTTEST0001", "aws-secret-1234567890", "ibm-key-1234567890-abcdef"
CRN = "crn:v1:bluemix:public:quantum-computing:us-east:a/private-account:private-instance::"
SECRETS = (KEY_ID, SECRET, TOKEN, "private-account", "session-1234567890")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home and no vendor's variable; sockets are disabled, so a question would fail."""
    for name in list(os.environ):
        if name.startswith(("QISKIT_IBM_", "AWS_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(account, "ACCOUNT_FILE", tmp_path / ".qiskit" / "qiskit-ibm.json")
    return tmp_path


def aws_file(home: Path, name: str, text: str) -> None:
    (home / ".aws").mkdir(exist_ok=True)
    (home / ".aws" / name).write_text(text)


def said(vendor: str) -> tuple[bool, str]:
    """What the doctor says of a vendor, once both forms are known to hold no secret."""
    state = document("doctor")["credentials"][vendor]
    for result in (qhw("doctor"), qhw("doctor", "--json")):
        assert result.exit_code == 0, result.output
        for secret in SECRETS:
            assert secret not in result.output
    word = "configured" if state["configured"] else "not configured"
    assert f"credentials {vendor}: {word} ({state['where']})" in qhw("doctor").stdout
    return state["configured"], state["where"]


def test_nothing_is_configured() -> None:
    configured, where = said("ibm")
    assert not configured and "QISKIT_IBM_TOKEN" in where
    configured, where = said("braket")
    assert not configured and "AWS_ACCESS_KEY_ID" in where


def test_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QISKIT_IBM_TOKEN", TOKEN)
    assert said("ibm") == (True, "API key in QISKIT_IBM_TOKEN, no instance named")
    monkeypatch.setenv("QISKIT_IBM_INSTANCE", CRN)
    assert said("ibm") == (True, "API key in QISKIT_IBM_TOKEN, an instance named")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    configured, where = said("braket")
    assert not configured and "incomplete" in where
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "session-1234567890")
    assert said("braket") == (True, "access key in AWS_ACCESS_KEY_ID")


def test_a_saved_ibm_account(home: Path) -> None:
    account = {"channel": "ibm_quantum_platform", "token": TOKEN, "instance": CRN}
    account |= {"url": "https://cloud.ibm.com"}
    (home / ".qiskit").mkdir()
    file = home / ".qiskit" / "qiskit-ibm.json"
    file.write_text(json.dumps({"default-ibm-quantum-platform": account}))
    assert said("ibm") == (True, "API key in ~/.qiskit/qiskit-ibm.json, an instance named")
    file.write_text(f'{{"default-ibm-quantum-platform": {{"token": "{TOKEN}"')
    configured, where = said("ibm")
    assert not configured and "cannot be read" in where


def test_aws_files(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = f"aws_access_key_id = {KEY_ID}\naws_secret_access_key = {SECRET}\n"
    aws_file(home, "credentials", f"[default]\n{keys}")
    assert said("braket") == (True, "access key in AWS profile default")
    monkeypatch.setenv("AWS_PROFILE", "other")
    configured, where = said("braket")
    assert not configured and "names no profile" in where
    role = "role_arn = arn:aws:iam::123456789012:role/r\ncredential_source = Ec2InstanceMetadata\n"
    aws_file(home, "config", f"[profile other]\n{role}")
    assert said("braket") == (True, "a role to assume in AWS profile other, not tried")
    aws_file(home, "config", "[profile other]\ncredential_process = /bin/false\n")
    assert said("braket") == (True, "a credential process in AWS profile other, not tried")
    aws_file(home, "config", f"{KEY_ID} {SECRET}\n")
    configured, where = said("braket")
    assert not configured and "cannot be read" in where
