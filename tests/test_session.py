from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from antiphon.daemon.errors import TakeError
from antiphon.daemon.session import SessionFolder, list_sessions, replace_whole, sessions_without_take

AS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


def test_a_new_session_writes_what_it_was_told_and_who_it_is(tmp_path: Path) -> None:
    folder = SessionFolder.create(tmp_path / "takes", {"seed": 7, "settings": {"mode": "answer"}})
    session = folder.read_session()
    assert (session["seed"], session["settings"], session["pid"]) == (7, {"mode": "answer"}, os.getpid())
    assert session["started_at"].startswith(folder.name[:10])
    assert folder.path.parent == tmp_path / "takes"
    assert folder.read_model() == {}
    folder.write_model({"sha256": "ab"})
    assert folder.read_model() == {"sha256": "ab"}
    folder.release()


def test_sessions_that_start_within_one_second_have_a_folder_each(tmp_path: Path) -> None:
    folders = [SessionFolder.create(tmp_path, {"number": i}) for i in range(12)]
    assert len({folder.path for folder in folders}) == 12
    assert [folder.read_session()["number"] for folder in list_sessions(tmp_path)] == list(range(12))
    for folder in folders:
        folder.release()


def test_only_sessions_are_listed_and_found_without_take(tmp_path: Path) -> None:
    done, lost = (SessionFolder.create(tmp_path, {}) for _ in range(2))
    (done.path / "take.mid").write_bytes(b"MThd")
    (tmp_path / "holiday pictures").mkdir()
    (tmp_path / "notes.txt").write_text("x")
    journal_only = tmp_path / "2020-01-01T00-00-00"
    journal_only.mkdir()
    (journal_only / "wire-0000.seg").write_bytes(bytes(32))
    assert [folder.path for folder in list_sessions(tmp_path)] == [journal_only, done.path, lost.path]
    assert [folder.path for folder in sessions_without_take(tmp_path)] == [journal_only, lost.path]
    assert list_sessions(tmp_path / "nowhere") == []
    done.release()
    lost.release()


def test_a_session_runs_as_long_as_its_process_lives(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib\nfrom antiphon.daemon.session import SessionFolder\n"
        "print(SessionFolder.create(pathlib.Path(sys.argv[1]), {}).path, flush=True)\nsys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        folder = SessionFolder(Path(process.stdout.readline().strip()))
        assert folder.is_running
        process.kill()
        process.wait(10)
    assert not folder.is_running


def test_its_own_session_runs_until_released(tmp_path: Path) -> None:
    folder = SessionFolder.create(tmp_path, {})
    assert folder.is_running
    folder.release()
    assert not folder.is_running


@pytest.mark.parametrize(("text", "wrong"), [("{", "not JSON"), ("[1]", "holds a list"), ("\ufffd\0", "not JSON")])
def test_a_broken_session_file_says_so(tmp_path: Path, text: str, wrong: str) -> None:
    (tmp_path / "session.json").write_text(text, encoding="utf-8")
    with pytest.raises(TakeError, match=wrong):
        SessionFolder(tmp_path).read_session()


def test_a_missing_session_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(TakeError, match=r"session\.json is missing"):
        SessionFolder(tmp_path).read_session()


def test_a_takes_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "takes").write_text("")
    with pytest.raises(TakeError, match="--takes DIR"):
        SessionFolder.create(tmp_path / "takes", {})


@pytest.mark.skipif(AS_ROOT, reason="root may write everywhere")
def test_a_takes_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(TakeError, match="--takes DIR"):
        SessionFolder.create(tmp_path, {})


def test_a_write_that_fails_leaves_the_old_file_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "session.json"
    replace_whole(path, b"old")

    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(TakeError, match="No space left"):
        replace_whole(path, b"new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["session.json"]
    assert path.read_bytes() == b"old"


def test_the_launcher_stays_light() -> None:
    code = (
        "import json, sys, antiphon.daemon.session; "
        "print(json.dumps([m for m in ('numpy', 'onnxruntime', 'mido') if m in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
