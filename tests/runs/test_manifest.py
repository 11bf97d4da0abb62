"""What is recorded of code and machine, against what git and the machine say themselves."""

from __future__ import annotations

import hashlib
import importlib.metadata
import subprocess
from pathlib import Path

import pytest
import torch

from tlx.config.errors import ConfigError
from tlx.runs import code, environment, manifest


@pytest.fixture
def repository(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project under git with one commit."""
    monkeypatch.setattr(code, "_KNOWN", {})
    (folder / "mine.py").write_text("x = 1\n")
    author = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for words in (["init", "-q"], ["add", "."], [*author, "commit", "-qm", "first"]):
        subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)
    return folder


def test_a_clean_project_is_its_commit(repository: Path) -> None:
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    assert code.states()["project"] == {"commit": head, "untracked": {}}


def test_what_differs_from_the_commit_is_kept(repository: Path) -> None:
    (repository / "mine.py").write_text("x = 2\n")
    (repository / "new.py").write_text("y = 3\n")
    (repository / "big.bin").write_bytes(bytes(1000))
    found = code.states()["project"]
    assert "-x = 1\n+x = 2\n" in found["diff"]
    assert found["untracked"] == {"new.py": hashlib.sha256(b"y = 3\n").hexdigest()[:32]}
    (repository / "mine.py").write_text("x = 1\n")
    (repository / "late.py").touch()
    assert code.states()["project"] == found  # what was there when it was imported is what ran


def test_outside_a_repository_nothing_is_known(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code, "_KNOWN", {})
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(folder.parent))
    assert code.states()["project"] == {}


def test_packages_are_those_of_the_metadata() -> None:
    found = environment.packages()
    for name in ("torch", "timm", "pytorch-lightning", "mlflow"):
        assert found[name] == importlib.metadata.version(name)


@pytest.mark.parametrize(
    ("name", "is_recorded"),
    [
        *((name, True) for name in ("DNNL_MAX_CPU_ISA", "ONEDNN_MAX_CPU_ISA", "MKL_CBWR", "OPENBLAS_CORETYPE")),
        *((name, True) for name in ("OMP_SCHEDULE", "GOMP_CPU_AFFINITY", "KMP_AFFINITY", "CUBLAS_WORKSPACE_CONFIG")),
        *((name, True) for name in ("CUDNN_LOGINFO_DBG", "NVIDIA_TF32_OVERRIDE", "ATEN_CPU_CAPABILITY")),
        *((name, True) for name in ("TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "PYTORCH_CUDA_ALLOC_CONF")),
        *(
            (name, False)
            for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TORCH_HOME", "HF_TOKEN", "MLFLOW_TRACKING_URI")
        ),
    ],
)
def test_variables_that_change_numbers_are_recorded_and_no_others(
    monkeypatch: pytest.MonkeyPatch, name: str, is_recorded: bool
) -> None:
    monkeypatch.setenv(name, "value")
    assert (environment.variables().get(name) == "value") == is_recorded
    monkeypatch.setenv(name, "https://user:secret@example.org")
    assert "secret" not in str(environment.variables())


def test_what_torch_settled_on_is_recorded() -> None:
    found = environment.flags()
    assert (found["threads"], found["interop_threads"]) == (torch.get_num_threads(), torch.get_num_interop_threads())
    assert found["mkldnn"] == (torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled)  # type: ignore[no-untyped-call]


def test_a_record_that_was_altered_is_refused(folder: Path) -> None:
    assert manifest.read(folder) == {}
    manifest.write(folder, {"seed": 0}, {"packages": {"torch": "2.9"}}, {"steps": 3})
    written = (folder / manifest.FILE).read_text()
    assert manifest.read(folder)["results"] == {"steps": 3}
    for text in (written.replace("2.9", "2.8"), written.replace('"seed": 0', '"seed": 1'), '{"version": 1}'):
        (folder / manifest.FILE).write_text(text)
        with pytest.raises(ConfigError, match=r"repro.json.*has no valid checksum"):
            manifest.read(folder)
