"""The wheel, in a clean environment and an empty folder: the shipped files are inside and the command works."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that nothing is left in the repository."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    tracked = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in tracked.stdout.splitlines():
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    return next(out.glob("tlx-*.whl"))


@pytest.mark.slow
def test_every_shipped_file_is_inside(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder, home in (("conf", "tlx/conf"), ("experiments", "tlx/experiments"), ("tlx", "tlx")):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".yaml", ".j2", ".py") and "__pycache__" not in path.parts:
                assert f"{home}/{path.relative_to(ROOT / folder)}" in names, path
    assert not any(name.split("/")[0] in ("conf", "experiments", "tests") for name in names)


@pytest.mark.slow
def test_it_works_in_an_empty_folder(wheel: Path, folder: Path) -> None:
    """Dependencies come from this environment's folder; tlx itself only from the wheel."""
    venv.create(folder / "env", with_pip=False, symlinks=True)
    python = folder / "env" / "bin" / "python"
    site = Path(
        subprocess.run(
            [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    )
    zipfile.ZipFile(wheel).extractall(site)
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    empty = folder / "empty"
    empty.mkdir()

    def tlx(*words: str) -> str:
        done = subprocess.run([python, "-m", "tlx", *words], cwd=empty, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = subprocess.run(
        [python, "-c", "import tlx; print(tlx.__file__)"], cwd=empty, capture_output=True, text=True, check=True
    )
    assert Path(where.stdout.strip()).is_relative_to(site)
    assert "gradual_unfreezing" in tlx("list", "strategy")
    assert "quickstart.yaml" in tlx("init", "quickstart")
    (empty / "conf" / "strategy").mkdir(parents=True)
    (empty / "conf" / "strategy" / "mine.yaml").write_text("# Mine.\ndefaults:\n  - logistic\n  - _self_\nname: mine\n")
    trained = tlx("train", "backbone=pixels", "strategy=mine", "dataset=digits")
    assert "test/acc" in trained
    assert (empty / "mlflow.db").is_file()
