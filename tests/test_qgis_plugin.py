"""The plugin of QGIS as far as it needs no QGIS: how it finds, runs and stops the program.

What QGIS makes of it is tested in `tests/qgis`.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import threading
import time
import zipfile
from configparser import ConfigParser

import pytest

import no2sr

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the stand-in programs are scripts")


@pytest.fixture(scope="module")
def program(root):
    sys.path.insert(0, str(root / "qgis_plugin"))
    import no2sr_qgis.program as module

    yield module
    sys.path.remove(str(root / "qgis_plugin"))


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Return a function that makes a program called no2sr out of a few lines of Python."""
    folder = tmp_path / 'a "folder" of Åse\'s'
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")

    def make(*lines: str, version: str = f"no2sr {no2sr.__version__}") -> str:
        path = folder / "no2sr"
        body = [
            f"#!{sys.executable}",
            "import os, signal, sys, time",
            f"if sys.argv[1:] == ['--version']: print({version!r}); sys.exit()",
            *lines,
        ]
        path.write_text("\n".join(body), encoding="utf-8")
        path.chmod(0o755)
        return str(path)

    return make


class Feedback:
    """What QGIS hands to an algorithm, as far as it is used."""

    def __init__(self) -> None:
        self.said: list[tuple[str, object]] = []
        self.cancelled = threading.Event()

    def isCanceled(self) -> bool:  # noqa: N802 - as QGIS spells it
        """Tell whether the user has had enough."""
        return self.cancelled.is_set()

    def __getattr__(self, name: str):
        def note(text: object) -> None:
            self.said.append((name, text))
            if text == "go on":
                self.cancelled.set()

        return note

    def all(self, name: str) -> list[object]:
        """Return what one method was told."""
        return [text for told, text in self.said if told == name]


def test_the_program_is_found_on_the_path_and_by_the_setting(program, make, tmp_path, monkeypatch):
    path = make()
    assert program.find() == path
    monkeypatch.setenv("PATH", "/nowhere")
    assert program.find(path) == path


def test_a_missing_program_says_what_to_install(program, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(program.ProgramError, match=r"not found; install it .*: pip install \. "):
        program.find()
    with pytest.raises(program.ProgramError, match=r"'/no/no2sr' \(as set\).*Settings, Options"):
        program.find("/no/no2sr")


@pytest.mark.parametrize("version", ["no2sr 0.0.9", "no2sr, version 0.0.9"])
def test_an_old_program_says_how_to_upgrade(program, make, version):
    make(version=version)
    with pytest.raises(program.ProgramError, match=r"is version 0\.0\.9.*needs 0\.2\.0.*--upg"):
        program.find()


@pytest.mark.parametrize("answer", ["", "grep 3.8", "no2sr"])
def test_another_program_is_refused(program, make, answer):
    make(version=answer)
    with pytest.raises(program.ProgramError, match=r"is not the no2sr program.*pip install"):
        program.find()


def test_a_program_that_does_not_start_is_refused(program, make):
    path = make()
    with open(path, "w") as file:  # noqa: PTH123 - of a name with quotes
        file.write("#!/nowhere/python\n")
    with pytest.raises(program.ProgramError, match="does not start"):
        program.find()


def test_this_no2sr_is_new_enough(program):
    done = subprocess.run(
        [sys.executable, "-m", "no2sr", "--version"], capture_output=True, text=True, check=True
    )
    number = re.match(r"no2sr (\d+)\.(\d+)\.(\d+)", done.stdout)
    assert tuple(map(int, number.groups())) >= program.LEAST_VERSION


def test_arguments_pass_as_they_are(program, make, tmp_path):
    path = make("for name in sys.argv[1:]: print(name)")
    odd = ["a b", "it's", '"quoted"', "ø 日本", "$HOME; ls", "--", "*.tif", ""]
    said = program.run([path, *odd], Feedback())
    assert said.splitlines() == odd


def test_the_python_of_qgis_does_not_reach_the_program(program, make, monkeypatch):
    for name in program._NOT_FOR_OTHERS:
        monkeypatch.setenv(name, "/usr/share/qgis")
    monkeypatch.setenv("NO2SR_KEPT", "yes")
    for name in ("PYTHONHOME", "PYTHONPATH"):  # they would break the stand-in, too
        assert name in program._NOT_FOR_OTHERS
    path = make("print(sorted(os.environ))")
    said = program.run([path], Feedback())
    assert "NO2SR_KEPT" in said
    assert not [name for name in program._NOT_FOR_OTHERS if f"'{name}'" in said]


def test_what_the_program_says_arrives_as_what_it_is(program, make):
    path = make(
        "print('Progress: 3%', file=sys.stderr)",
        "print('Warning: half is missing', file=sys.stderr)",
        "print('Progress: 100%', file=sys.stderr)",
        "print('grid in   3 x 4')",
        "print()",
    )
    feedback = Feedback()
    assert program.run([path], feedback) == "grid in   3 x 4\n\n"
    assert feedback.all("setProgress") == [3, 100]
    assert feedback.all("pushWarning") == ["half is missing"]
    assert feedback.all("pushConsoleInfo") == ["grid in   3 x 4"]
    assert path in feedback.all("pushCommandInfo")[0].replace('\\"', '"')


def test_progress_arrives_while_the_program_runs(program, make, tmp_path):
    gate = tmp_path / "gate"
    path = make(
        "print('Progress: 3%', file=sys.stderr, flush=True)",
        f"while not os.path.exists({str(gate)!r}): time.sleep(0.01)",
    )
    feedback = Feedback()
    feedback.setProgress = lambda _percent: gate.touch()
    program.run([path], feedback)  # or it would wait for ever


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("print('Error: a.nc holds no NO2; take b.nc', file=sys.stderr)", "a.nc holds no NO2; tak"),
        ("print('Usage: x\\nError: no such option', file=sys.stderr)", "no such option"),
        ("raise SystemError('broken')", "SystemError: broken"),
        ("print('only this')", "ended with code 3 and without a message"),
    ],
)
def test_a_failure_is_told_in_the_words_of_the_program(program, make, line, told):
    path = make(f"import atexit; atexit.register(os._exit, 3)\n{line}\nsys.exit(3)")
    with pytest.raises(program.ProgramError, match=told):
        program.run([path], Feedback())


def test_a_program_that_dies_is_told(program, make):
    path = make("os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(program.ProgramError, match="ended with code -9"):
        program.run([path], Feedback())


def test_cancelling_asks_first(program, make, tmp_path, monkeypatch):
    note = tmp_path / "note"
    path = make(
        f"def end(*_): open({str(note)!r}, 'w').write('cleaned up'); sys.exit(130)",
        "signal.signal(signal.SIGTERM, end)",
        "print('go on', flush=True)",
        "while True: time.sleep(0.05)",
    )
    monkeypatch.setattr(program, "_GRACE", 1e6)  # it is not killed: it must end by being asked
    program.run([path], Feedback())
    assert note.read_text() == "cleaned up"


def test_cancelling_insists_and_leaves_no_partial_output(program, make, tmp_path, monkeypatch):
    monkeypatch.setattr(program, "_GRACE", 0.5)
    out, child = tmp_path / "fine.tif", tmp_path / "child"
    partial = tmp_path / ".fine.0a1b2c3d.partial.tif"
    other = tmp_path / ".another.0a1b2c3d.partial.tif"
    other.touch()
    work = tmp_path / ".fine.tif.no2sr-work"
    work.mkdir()
    (work / "strip").touch()
    path = make(
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)",
        f"open({str(partial)!r}, 'w').close()",
        "pid = os.fork()",
        f"if pid: open({str(child)!r}, 'w').write(str(pid)); print('go on', flush=True)",
        "while True: time.sleep(0.05)",
    )
    program.run([path, str(out)], Feedback(), output=str(out))
    assert not partial.exists()
    assert not work.exists()
    assert other.exists()
    for _ in range(100):  # killed with its parent; whoever adopts it reaps it
        if not _runs(int(child.read_text())):
            break
        time.sleep(0.05)
    else:
        pytest.fail("the child of the killed program runs on")


def test_cancelling_a_grid_leaves_nothing_of_it_and_all_of_others(program, make, tmp_path):
    mine = tmp_path / ".l3.0a1b2c3d.partial"
    (mine / "deep").mkdir(parents=True)
    (mine / "deep" / "l3.tif").touch()
    (tmp_path / ".l3_precision_independent.00ff00ff.partial.tif").touch()
    (tmp_path / ".l3_coverage.00ff00ff.partial.qml").touch()
    kept = {".l30.0a1b2c3d.partial", ".l3.of.mine.tif", "l3_coverage.tif", ".l3_1.ff.partial.tif"}
    for name in kept:
        (tmp_path / name).touch()
    path = make("print('go on', flush=True)", "time.sleep(600)")
    program.run([path], Feedback(), output=str(tmp_path / "l3.tif"))
    assert {entry.name for entry in tmp_path.iterdir() if "l3" in entry.name} == kept


def test_what_cannot_be_removed_is_no_failure(program, make, tmp_path, monkeypatch):
    (tmp_path / ".fine.0a1b2c3d.partial.tif").touch()

    def refuse(_path):
        raise PermissionError

    monkeypatch.setattr("pathlib.Path.unlink", refuse)
    path = make("print('go on', flush=True)", "time.sleep(600)")
    program.run([path], Feedback(), output=str(tmp_path / "fine.tif"))


def _runs(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123 - no file of ours
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_what_qgis_is_told_about_the_plugin_is_true(root):
    about = ConfigParser()
    about.read(root / "qgis_plugin" / "no2sr_qgis" / "metadata.txt", encoding="utf-8")
    general = about["general"]
    assert general["version"] == no2sr.__version__
    assert general["hasProcessingProvider"] == "yes"  # or qgis_process does not see it
    assert general["license"] == "BSD-3-Clause"
    assert (root / "qgis_plugin" / "no2sr_qgis" / general["icon"]).exists()
    required = {"name", "qgisMinimumVersion", "description", "about", "author", "email"}
    assert {name.lower() for name in required} <= set(general)


def test_the_plugin_imports_nothing_heavy_and_is_understood_by_the_oldest_python(root):
    for path in (root / "qgis_plugin" / "no2sr_qgis").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        ast.parse(text, feature_version=(3, 9))
        for line in text.splitlines():
            if found := re.match(r"\s*(?:from|import) ([\w.]+)", line):
                known = {"__future__", "no2sr_qgis", "processing", "qgis", *sys.stdlib_module_names}
                assert found[1].split(".")[0] in known, f"{path.name}: {line}"


def test_the_zip_holds_the_plugin_and_is_made_alike(root, tmp_path):
    script = root / "qgis_plugin" / "make_zip.py"
    made = []
    for name in ("a", "b"):
        line = [sys.executable, script, tmp_path / name]
        done = subprocess.run(line, capture_output=True, text=True, check=True)
        made.append(tmp_path / name / done.stdout.strip().rpartition("/")[2])
    assert made[0].name == f"no2sr_qgis-{no2sr.__version__}.zip"
    assert made[0].read_bytes() == made[1].read_bytes()
    with zipfile.ZipFile(made[0]) as file:
        names = set(file.namelist())
    wanted = {"__init__.py", "metadata.txt", "icon.svg", "LICENSE", "plugin.py", "program.py"}
    assert {f"no2sr_qgis/{name}" for name in wanted} <= names
    assert all(name.startswith("no2sr_qgis/") for name in names)
