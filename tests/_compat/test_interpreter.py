"""A command ends at once, and still as a Python program ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

LEAVE = "from tlx._compat.interpreter import exit_now\n"


def ended(code: str) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter that has run ``code``."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_whatever_was_begun_is_ended(tmp_path: Path) -> None:
    """Python's own end is what it is compared with."""
    code = f"""{LEAVE}
import atexit, concurrent.futures, logging.handlers, pathlib, sys, tempfile, threading, time
atexit.register(print, "registered first")
atexit.register(print, "registered last")
later = logging.handlers.MemoryHandler(99, target=logging.StreamHandler(sys.stdout))
logging.getLogger().addHandler(later)
logging.getLogger().warning("logged")
temporary = tempfile.TemporaryDirectory(dir={str(tmp_path)!r})
pathlib.Path(temporary.name, "file").write_text("some")
def slow(seconds):
    time.sleep(seconds)
    print("a thread")
threading.Thread(target=slow, args=(0.1,)).start()
concurrent.futures.ThreadPoolExecutor().submit(slow, 0.3)
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
print("no end of line", end="")
"""
    here, python = ended(code + "exit_now(3)"), ended(code + "raise SystemExit(3)")
    assert (here.returncode, here.stdout, here.stderr) == (3, python.stdout, python.stderr.replace("\n", ""))
    words = ["no end of line", "a thread", "a thread", "registered last", "registered first", "logged"]
    assert [word for word in here.stdout.replace("line", "line\n").split("\n") if word] == words
    assert list(tmp_path.iterdir()) == []


def test_children_that_serve_are_ended() -> None:
    code = f"""{LEAVE}
import multiprocessing, time
if __name__ == "__main__":
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,), daemon=True)
    child.start()
    print(child.pid, flush=True)
    exit_now(0)
"""
    done = ended(code)
    assert done.returncode == 0
    assert not Path("/proc", done.stdout.strip()).exists()


def test_an_output_that_nobody_reads_is_no_failure() -> None:
    code = f"{LEAVE}\nimport sys\nsys.stdout.write('x' * 10)\nexit_now(0)"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_program_leaves_with_the_code_of_its_verb(tmp_path: Path) -> None:
    for words, code in ((["--version"], 0), (["trian"], 2)):
        done = subprocess.run([sys.executable, "-m", "tlx", *words], capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == code
