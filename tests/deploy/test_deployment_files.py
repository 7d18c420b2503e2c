"""The deployment files are well-formed: there is no container engine where the tests run, so they are linted."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


def test_the_dockerfile_has_no_lint():
    subprocess.run([BIN / "hadolint", ROOT / "deploy/Dockerfile"], check=True)


def test_the_compose_file_fits_the_compose_specification():
    command = [
        BIN / "check-jsonschema",
        "--builtin-schema",
        "vendor.compose-spec",
        ROOT / "docker-compose.yml",
    ]
    subprocess.run(command, check=True)


def test_every_file_that_the_dockerfile_copies_exists():
    text = (ROOT / "deploy/Dockerfile").read_text()
    copied = [word for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.M) for word in line.split()[:-1]]
    assert copied
    assert [name for name in copied if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("lock", ["cpu.lock", "gpu.lock", "dev.lock"])
def test_a_lock_file_is_complete_hashed_and_names_no_host(lock):
    text = (ROOT / "requirements" / lock).read_text()
    packages = re.findall(r"^([a-z0-9._-]+)==", text, re.M)
    assert len(packages) > 60
    assert "://" not in text
    for block in re.split(r"\n(?=[a-z0-9])", text):
        if "==" in block.partition("\n")[0]:
            assert "--hash=sha256:" in block, block.partition("\n")[0]


@pytest.mark.parametrize(("lock", "wanted"), [("cpu.lock", "onnxruntime"), ("gpu.lock", "onnxruntime-gpu")])
def test_a_lock_file_holds_exactly_one_onnx_runtime_and_one_opencv(lock, wanted):
    text = (ROOT / "requirements" / lock).read_text()
    assert re.findall(r"^(onnxruntime[a-z-]*)==", text, re.M) == [wanted]
    assert re.findall(r"^(opencv[a-z-]*)==", text, re.M) == ["opencv-python-headless"]


@pytest.mark.parametrize("script", sorted((ROOT / "deploy/scripts").glob("*.sh")), ids=lambda p: p.name)
def test_a_shell_script_parses(script):
    subprocess.run(["sh", "-n", script], check=True)
