"""The command line, as typed."""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from statistics import median

import pytest
from antiphon.daemon import cli
from antiphon.daemon.brain.osc import OscControl
from antiphon.daemon.commands.flags import add_options, add_settings, flag, read_config
from antiphon.daemon.commands.parser import Parser
from antiphon.daemon.config import Config
from antiphon.daemon.journal import SegmentWriter, preallocate
from antiphon.daemon.messages import Kind, Record
from antiphon.daemon.options import OPTIONS
from antiphon.daemon.session import SessionFolder, default_takes_dir
from antiphon.daemon.settings import PARAMETERS, Settings
from antiphon.models.bundled import bundled_performance

_ROOT = Path(__file__).parent.parent
_NAMES = [entry.name for entry in PARAMETERS] + [entry.name for entry in OPTIONS]


@pytest.fixture(autouse=True)
def _own_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / "config"))
    monkeypatch.setenv("XDG_MUSIC_DIR", str(tmp_path / "home" / "music"))


def _config(*argv: str) -> Config:
    parser = Parser("jam", "")
    add_settings(parser)
    add_options(parser)
    return read_config(parser.parse_args(argv))


def test_without_a_command_it_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0
    told = capsys.readouterr().out
    for name, doc in cli.COMMANDS.items():
        assert f"  {name:<9} {doc}\n" in told


def test_every_command_has_its_module_and_every_module_its_command() -> None:
    shared = {
        "__init__",
        "fast",
        "flags",
        "forward",
        "outcome",
        "parser",
        "session_end",
        "session_guard",
        "session_play",
        "session_start",
        "which_take",
    }
    assert {path.stem for path in (_ROOT / "daemon" / "commands").glob("*.py")} == set(cli.COMMANDS) | shared
    for name in cli.COMMANDS:
        assert callable(import_module(f"antiphon.daemon.commands.{name}").main)


def test_a_command_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["jamm"]) == 2
    assert capsys.readouterr().err == (f"antiphon: there is no command 'jamm'; give one of {', '.join(cli.COMMANDS)}\n")


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (["--top-p", "3"], "top_p: '3' is not allowed; give 0.05 to 1"),
        (["--mode", "solo"], "mode: 'solo' is not allowed; give one of follow, answer, continue, accompany"),
        (["--seed", "x"], "seed: 'x' is not allowed; give a whole number from 0 to 4294967295"),
        (["--api", "oss"], "api: 'oss' is not allowed; give one of auto, alsa, jack, coremidi"),
        (["--tempoo", "3"], "unrecognized arguments: --tempoo 3; see antiphon jam --help"),
        (["--temp", "3"], "unrecognized arguments: --temp 3; see antiphon jam --help"),
        (["--tempo"], "argument --tempo: expected one argument; see antiphon jam --help"),
        (["--config", "/nowhere/a.toml"],
         "config: there is no file /nowhere/a.toml; give another with --config, or none"),
        (["--osc", "here"], "osc: 'here' is not allowed; give HOST:PORT, a port from 0 to 65535, or off"),
        (["--model", "nosuch"], re.compile(r"model: 'nosuch' is neither a model that ships .* nor a folder")),
    ],
)  # fmt: skip
def test_a_mistake_in_what_is_typed_is_one_line_and_2(
    argv: list[str], line: str | re.Pattern[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert cli.main(["jam", "--takes", str(tmp_path / "takes"), *argv]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert re.fullmatch(
        f"antiphon: {line.pattern if isinstance(line, re.Pattern) else re.escape(line)}[^\n]*\n", told.err
    )
    assert not (tmp_path / "takes").exists()


def test_every_parameter_has_a_flag_and_takes_what_it_shows() -> None:
    argv = [word for entry in PARAMETERS for word in (flag(entry.name), entry.show(entry.default))]
    assert _config(*argv).settings == Settings()
    assert len({flag(name) for name in _NAMES}) == len(_NAMES)


def test_flags_of_each_kind() -> None:
    config = _config(
        "--mode", "follow", "--parts", "bass+drums", "--low", "40", "--mute", "--click", "off",
        "--performer-part", "lead", "--in", "Keys", "--connect", "--no-render", "--seed", "5",
    )  # fmt: skip
    settings = config.settings
    assert (settings.mode, settings.parts, settings.low) == ("follow", ("bass", "drums"), 40)
    assert (settings.mute, settings.click, settings.performer) == (True, False, "lead")
    options = config.options
    assert (options["in"], options["connect"], options["render"]) == ("Keys", True, False)
    assert options["seed"] == 5


def test_the_command_line_goes_before_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text('tempo = 90\nmode = "follow"\n[jam]\nseed = 1\nosc = "off"\n')
    config = _config("--config", str(path), "--tempo", "100", "--seed", "2")
    assert (config.settings.tempo, config.settings.mode) == (100.0, "follow")
    assert (config.options["seed"], config.options["osc"]) == (2, "off")


def test_help_tells_every_flag(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(["jam", "--help"])
    assert left.value.code == 0
    told = capsys.readouterr().out
    assert all(flag(name) in told for name in _NAMES)


@pytest.mark.parametrize("name", ["ports", "osc", "status", "takes", "render", "replay", "recover", "models",
                                  "bench", "calibrate", "doctor", "version", "jam"])  # fmt: skip
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main([name, "--help"])
    assert left.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: antiphon {name}")


def test_ctrl_c_leaves_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_argv: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("antiphon.daemon.commands.version.main", interrupted)
    assert cli.main(["version"]) == 130


def _run(*argv: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "antiphon.daemon.cli", *argv], capture_output=True, text=True, timeout=60,
        check=False, env={**os.environ, **env},
    )  # fmt: skip


def _run_without_torch(*argv: str) -> subprocess.CompletedProcess[str]:
    code = (
        "import sys; sys.modules.update(torch=None, onnx=None); from antiphon.daemon import cli; "
        "sys.exit(cli.main(sys.argv[1:]))"
    )
    return subprocess.run([sys.executable, "-c", code, *argv], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("command", ["train", "export"])
def test_without_torch_learning_tells_the_remedy(command: str) -> None:
    done = _run_without_torch(command, "x")
    assert done.returncode == 2
    assert re.fullmatch(
        rf"antiphon: {command} needs (torch|onnx), which is not installed; "
        r"run: pip install 'antiphon\[train\]'\n",
        done.stderr,
    )


def test_without_torch_models_are_evaluated() -> None:
    done = _run_without_torch("evaluate", "antiphon")
    assert done.returncode == 2
    assert done.stderr.startswith("antiphon: evaluate: nothing to score on: antiphon is a model; ")


def test_version_is_there_at_once() -> None:
    """Within little more than what Python itself takes to start and to look into installed packages, in one run.

    In processor time: how long it waits for a processor beside other tests is not its own matter.
    """
    ratios = []
    for _ in range(7):
        began = _processor_s()
        done = _run("--version")
        took = _processor_s() - began
        assert re.fullmatch(r"antiphon \d+\.\d+\.\d+\n", done.stdout)
        began = _processor_s()
        subprocess.run([sys.executable, "-c", "import importlib.metadata"], check=True, timeout=60)
        ratios.append(took / (_processor_s() - began))
    assert median(ratios) < 1.6, ratios


def _processor_s() -> float:
    """What children that ended have taken."""
    resource = pytest.importorskip("resource")  # not on Windows
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return float(used.ru_utime + used.ru_stime)


def test_nothing_heavy_is_imported_before_a_command_needs_it() -> None:
    code = (
        "import sys; from antiphon.daemon import cli; import antiphon.daemon.commands.jam; "
        "cli.main(['osc']); print(*sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    imported = set(done.stderr.split())
    heavy = {"numpy", "onnxruntime", "torch", "mido", "rtmidi", "pythonosc", "logging", "PIL", "symusic"}
    assert imported & heavy == set()


def test_the_player_starts_without_anything_heavy(tmp_path: Path) -> None:
    code = (
        "import sys; from antiphon.daemon import cli; from antiphon.daemon.player import midi_system, process\n"
        "midi_system.choose_api = lambda *_: 'jack'\n"
        "process.run_player = lambda _config: sys.exit(' '.join(sys.modules))\n"
        f"cli.main(['jam', '--osc', 'off', '--takes', {str(tmp_path)!r}])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    imported = set(done.stderr.split())
    assert "rtmidi" in imported
    heavy = {"numpy", "onnxruntime", "torch", "mido", "pythonosc", "logging", "PIL", "symusic", "pretty_midi"}
    assert imported & heavy == set()
    assert list(tmp_path.iterdir()) == []  # nothing was played, so nothing is left


def test_a_reader_who_leaves_is_no_error() -> None:
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m antiphon.daemon.cli osc | head -1; echo ${{PIPESTATUS[0]}}"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "0"


@pytest.fixture
def running() -> Iterator[OscControl]:
    """Serve a real control surface, as a brain does, until the test ends."""
    control = OscControl(("127.0.0.1", 0), Settings(), lambda: {"sent": 12, "load": 0.25, "model": "antiphon"})
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            if select.select([control], [], [], 0.05)[0]:
                control.receive(0)

    thread = threading.Thread(target=serve)
    thread.start()
    yield control
    stop.set()
    thread.join()
    control.close()


def test_status_asks_a_running_antiphon(running: OscControl, capsys: pytest.CaptureFixture[str]) -> None:
    spec = "{}:{}".format(*running.address)
    assert cli.main(["status", "--osc", spec, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["counters"]["sent"] == 12
    assert told["counters"]["osc_malformed"] == 0
    assert told["parameters"]["mode"] == "answer"
    assert set(told["parameters"]) == {entry.name for entry in PARAMETERS}
    assert cli.main(["status", "--osc", spec]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "counters"
    assert "  load             0.25" in lines


def test_status_of_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    with OscControl(("127.0.0.1", 0)) as control:
        port = control.address[1]
    assert cli.main(["status", "--osc", f"127.0.0.1:{port}"]) == 2
    assert capsys.readouterr().err.startswith(f"antiphon: status: no Antiphon answers on 127.0.0.1 UDP port {port} (")


def _crashed_session(takes: Path) -> SessionFolder:
    """Leave behind what a session of one note leaves when it is killed."""
    code = (
        "import sys; from pathlib import Path; from antiphon.daemon.session import SessionFolder; "
        "print(SessionFolder.create(Path(sys.argv[1]), {'settings': {}, 't0_ns': 0}).path)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(takes)], capture_output=True, text=True, timeout=60, check=True
    )
    session = SessionFolder(Path(done.stdout.strip()))
    preallocate(session.path, "wire", 0)
    with SegmentWriter(session.path, "wire") as wire:
        wire.append(Record(Kind.MIDI_IN, 0x90, 60, 100, id=3, t_ns=10**9))
        wire.append(Record(Kind.MIDI_IN, 0x80, 60, 0, id=3, t_ns=2 * 10**9))
    return session


def test_recover_then_takes_then_render(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    takes = tmp_path / "takes"
    takes.mkdir()
    where = ["--takes", str(takes)]
    assert cli.main(["takes", *where]) == 0
    assert capsys.readouterr().out == f"no take in {takes} yet; play with `antiphon jam`\n"
    assert cli.main(["render", "last", *where]) == 2
    assert capsys.readouterr().err.startswith(f"antiphon: there is no take in {takes} yet; ")
    session = _crashed_session(takes)
    assert cli.main(["takes", *where]) == 0
    assert capsys.readouterr().out.startswith(f"{session.name}  ended badly: `antiphon recover` makes its take\n")
    assert cli.main(["render", "last", *where]) == 2
    assert capsys.readouterr().err == (
        f"antiphon: {session.name} has no take.mid yet; run: antiphon recover --takes {takes}\n"
    )
    assert cli.main(["recover", *where]) == 0
    assert capsys.readouterr().out.startswith(f"recovered the take of {session.name}: ")
    assert cli.main(["recover", *where]) == 0
    assert capsys.readouterr().out == f"nothing to recover in {takes}\n"
    assert cli.main(["takes", *where]) == 0
    assert capsys.readouterr().out == f"{session.name}  0:02  performer 1 notes\n1 in {takes}\n"
    assert cli.main(["render", session.name, *where]) == 0
    assert capsys.readouterr().out == f"{session.path / 'take.wav'}\n{session.path / 'take.png'}\n"
    assert (session.path / "take.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("command", ["takes", "recover"])
def test_a_takes_folder_that_is_not_there_is_an_error_only_where_it_was_named(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = tmp_path / "nowhere"
    assert cli.main([command, "--takes", str(nowhere)]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    remedy = "give one that holds takes with --takes, or none"
    assert told.err == f"antiphon: takes: there is no folder {nowhere}; {remedy}\n"
    usual = default_takes_dir()
    assert not usual.exists()
    assert cli.main([command]) == 0
    assert str(usual) in capsys.readouterr().out
    (tmp_path / "a.toml").write_text(f'[jam]\ntakes = "{nowhere}"\n')  # where takes will go to: no mistake yet
    assert cli.main([command, "--config", str(tmp_path / "a.toml")]) == 0
    assert str(nowhere) in capsys.readouterr().out


def test_render_any_midi_file_elsewhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["render", str(bundled_performance()), "--to", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out.splitlines() == [
        str(tmp_path / "out" / f"performance.{kind}") for kind in ("wav", "png")
    ]


def test_a_take_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["render", "nosuch", "--takes", str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        f"antiphon: there is no take 'nosuch' in {tmp_path}; `antiphon takes` lists them\n"
    )


def test_models_lists_what_ships(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["models"]) == 0
    assert re.search(r"^antiphon  \d+\.\d MB, sha256 [0-9a-f]{12}", capsys.readouterr().out, re.MULTILINE)


def test_doctor_tells_a_line_for_each_thing(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor"]) in (0, 1)
    lines = capsys.readouterr().out.splitlines()
    assert all(re.match(r"(ok |NO |-  ) \w+ +\S", line) for line in lines)
    assert any(re.match(r"ok  inference +onnxruntime \S+ has .*CPU", line) for line in lines)
    assert any(re.match(r"ok  provider +antiphon loads: asked for auto, got CPU", line) for line in lines)
    assert any(
        re.match(r"ok  live +each shipped model plays: antiphon .*, lstm .*, neurotune .* ms a", line) for line in lines
    )
    assert any(
        re.match(r"(ok |-  ) session +(one plays now|status: no Antiphon answers|osc: it is off)", line)
        for line in lines
    )
    assert any(re.match(r"(ok  scheduling +real-time|-   scheduling no real-time) sch", line) for line in lines)


def test_doctor_says_what_it_would_meet(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    config = Config().over({}, {"takes": str(tmp_path / "file" / "takes"), "model": "none-such"})
    monkeypatch.setattr("antiphon.daemon.config.load", lambda _: config)
    monkeypatch.setattr("antiphon.daemon.player.priority.take_fifo", lambda: False)
    assert cli.main(["doctor"]) == 1
    told = capsys.readouterr().out
    assert f"NO  takes      {tmp_path / 'file' / 'takes'} cannot be written; give another folder" in told
    assert "NO  provider   model: 'none-such' is neither a model that ships" in told
    assert "-   scheduling no real-time scheduling: under load notes may leave some ms late; " in told
