"""What becomes of a folder when a run in it begins, goes on or fails."""

from contextlib import nullcontext

import pytest

from elman.classify import unlabelled
from elman.errors import CheckpointError, ModelFolderError, RunFolderError
from elman.training import Epoch, read_history, run_folder, to_csv, to_json, write_text

NEW = "# A run of Elman\nnew"


def contents(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def finished(folder):
    (folder / "language-model").mkdir(parents=True)
    run_folder.write_settings(folder, "old")
    for name in ("config.json", "language-model/config.json"):
        (folder / name).write_text(f"old {name}")
    return contents(folder)


class Failed(Exception):
    pass


def fail(folder, *files):
    """A run that fails once it has written these."""
    with pytest.raises(Failed), run_folder.begun(folder, "new", resume=False, overwrite=True):
        assert contents(folder).get(run_folder.MARKER) == NEW
        for name in files:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text("new")
        raise Failed


def test_a_run_takes_the_place_of_the_one_before(tmp_path):
    finished(tmp_path / "run")
    with run_folder.begun(tmp_path / "run", "new", resume=False, overwrite=True):
        (tmp_path / "run" / "config.json").write_text("new")
    assert contents(tmp_path / "run") == {run_folder.MARKER: NEW, "config.json": "new"}
    assert {path.name for path in (tmp_path / "run").iterdir()} == {run_folder.MARKER, "config.json"}


def test_one_that_cannot_begin_leaves_what_was_there(tmp_path):
    before = finished(tmp_path / "run")
    fail(tmp_path / "run", "work/train.ids.npy", "language-model/config.toml")
    assert contents(tmp_path / "run") == before
    fail(tmp_path / "new", "work/train.ids.npy")
    assert not (tmp_path / "new").exists()
    (tmp_path / "empty").mkdir()
    fail(tmp_path / "empty", "work/train.ids.npy")
    assert list((tmp_path / "empty").iterdir()) == []


@pytest.mark.parametrize("made", [run_folder.CHECKPOINT, "config.json", "language-model/checkpoint.safetensors"])
def test_one_that_can_be_gone_on_with_stays(tmp_path, made):
    before = finished(tmp_path / "run")
    fail(tmp_path / "run", made)
    under_way = {run_folder.MARKER: NEW, made: "new"}
    if made == "config.json":  # there is a new model
        assert contents(tmp_path / "run") == under_way
        return
    under_way |= {f".before/{name}": content for name, content in before.items()}
    assert contents(tmp_path / "run") == under_way
    with run_folder.begun(tmp_path / "run", "newer", resume=True) as goes_on:
        assert goes_on and contents(tmp_path / "run") == under_way
    assert not any(path.name in (".before", run_folder.CHECKPOINT) for path in (tmp_path / "run").iterdir())


def test_one_that_was_killed_before_it_began_gives_back_what_it_set_aside(tmp_path, monkeypatch):
    before = finished(tmp_path / "run")
    killed = run_folder.begun(tmp_path / "run", "killed", resume=False, overwrite=True)
    with monkeypatch.context() as patched:  # a killed process has no lock
        patched.setattr(run_folder, "locked", nullcontext)
        killed.__enter__()
    run_folder.check(tmp_path / "run", overwrite=True, resume=False)
    fail(tmp_path / "run", "work/train.ids.npy")
    assert contents(tmp_path / "run") == before
    killed.gen.close()


@pytest.mark.parametrize("files", [None, (), (".before/",), (".before/", "config.toml.new")])
def test_resume_begins_where_there_is_nothing(tmp_path, files):
    folder = tmp_path / "run"
    for name in files or ():
        (folder / name).mkdir(parents=True) if name.endswith("/") else (folder / name).write_text("half")
    if files == ():
        folder.mkdir()
    assert run_folder.settings_of(folder) is None
    assert not run_folder.check(folder, overwrite=False, resume=False)
    with run_folder.begun(folder, "new", resume=True) as goes_on:
        assert not goes_on and (folder / run_folder.MARKER).read_text() == NEW


@pytest.mark.parametrize("files", [(), ("work/train.ids.npy", "language-model/config.toml", "unlabelled.json")])
def test_resume_begins_anew_what_was_killed_before_its_first_checkpoint(tmp_path, files):
    folder = tmp_path / "run"
    run_folder.make(folder / run_folder.WORK)
    run_folder.write_settings(folder, "new")
    for name in files:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("killed")
    assert run_folder.settings_of(folder).read_text() == NEW
    with run_folder.begun(folder, "new", resume=True) as goes_on:
        assert not goes_on and not (folder / run_folder.WORK).exists()
    assert contents(folder) == {run_folder.MARKER: NEW}


def test_resume_begins_anew_what_was_killed_in_the_place_of_a_run(tmp_path):
    finished(tmp_path / "run" / ".before")
    for how in ({"resume": True, "overwrite": False}, {"resume": False, "overwrite": True}):
        assert not run_folder.check(tmp_path / "run", **how)
    with pytest.raises(RunFolderError, match="the folder exists"):
        run_folder.check(tmp_path / "run", resume=False, overwrite=False)
    with run_folder.begun(tmp_path / "run", "new", resume=True):
        (tmp_path / "run" / "config.json").write_text("new")
    assert contents(tmp_path / "run") == {run_folder.MARKER: NEW, "config.json": "new"}


def test_resume_leaves_a_finished_run(tmp_path):
    before = finished(tmp_path / "run")
    with (
        pytest.raises(RunFolderError, match="no checkpoint to resume from: the run is finished"),
        run_folder.begun(tmp_path / "run", "new", resume=True),
    ):
        pass
    assert contents(tmp_path / "run") == before


def test_what_is_no_runs_stays(tmp_path):
    finished(tmp_path / "run")
    for name in ("thesis.txt", "photo.png", "sub/notes"):
        (tmp_path / "run" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "run" / name).write_text("mine")
    fail(tmp_path / "run", "work/train.ids.npy")
    with run_folder.begun(tmp_path / "run", "new", resume=False, overwrite=True):
        pass
    mine = {"thesis.txt": "mine", "photo.png": "mine", "sub/notes": "mine"}
    assert contents(tmp_path / "run") == {run_folder.MARKER: NEW, **mine}


@pytest.mark.parametrize("name", ["config.toml", "config.json"])
@pytest.mark.parametrize("content", ["", "{}", '{"model_type": "bert"}', "learning_rate = 1", "\xff"])
def test_another_programs_folder_is_not_replaced(tmp_path, name, content):
    (tmp_path / name).write_text(content, encoding="latin-1")
    for how in ({"overwrite": True, "resume": False}, {"overwrite": False, "resume": True}):
        with pytest.raises(RunFolderError, match="is not a run of Elman"):
            run_folder.check(tmp_path, **how)
    assert run_folder.settings_of(tmp_path) is None
    assert (tmp_path / name).read_text(encoding="latin-1") == content


def test_a_folder_is_one_runs_at_a_time(tmp_path):
    with run_folder.begun(tmp_path / "run", "first", resume=False):
        for how in ({"resume": False, "overwrite": True}, {"resume": True}):
            with (
                pytest.raises(RunFolderError, match="run: another run is writing there"),
                run_folder.begun(tmp_path / "run", "second", **how),
            ):
                pass
    with (  # both had found it free
        pytest.raises(RunFolderError, match="the folder exists"),
        run_folder.begun(tmp_path / "run", "second", resume=False),
    ):
        pass
    assert contents(tmp_path / "run") == {run_folder.MARKER: "# A run of Elman\nfirst"}


def test_nowhere_to_write(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(RunFolderError, match="run: cannot be written"),
        run_folder.begun(tmp_path / "file" / "run", "", resume=False),
    ):
        pass


def test_a_file_that_cannot_be_written_leaves_the_one_before(tmp_path, monkeypatch):
    write_text(tmp_path / "a", "old \ud800")
    assert (tmp_path / "a").read_text() == "old \\ud800"
    for wrong in (3, None):
        with pytest.raises(AttributeError):
            write_text(tmp_path / "a", wrong)
    monkeypatch.setattr("os.fsync", lambda number: fail_to_write())
    with pytest.raises(RunFolderError, match="a: cannot be written"):
        write_text(tmp_path / "a", "new")
    assert contents(tmp_path) == {"a": "old \\ud800"}


def test_json_says_null_for_what_it_has_no_word_for():
    inf, nan = float("inf"), float("nan")
    assert to_json({"a": [1.5, inf, (nan, -inf)], "é": None}) == '{"a": [1.5, null, [null, null]], "é": null}'
    assert to_json(["é", nan], ensure_ascii=True) == '["\\u00e9", null]'


def fail_to_write():
    raise OSError(28, "No space left on device")


EPOCH = Epoch(1, 0.5, 0.75, None, None, 0.001, 1.0, 0.9, 1.5, 0.0, 2.25)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[:-9],
        lambda text: text.replace("train_loss", "train_lass"),
        lambda text: text.replace("0.75", "0.7x"),
        lambda text: text.replace("0.75", "nan"),
        lambda text: text.replace("1,0.5", "1,0.5,9"),
        lambda text: text.replace("1,0.5", "2,0.5"),
        lambda text: text + "\n",
        lambda text: text + "\0",
        lambda text: text + "\xff",
        lambda text: text + "9" * 5000,
    ],
)
def test_a_damaged_history_is_named(tmp_path, damage):
    path = tmp_path / "history.csv"
    assert read_history(path) == []
    path.write_text(to_csv([EPOCH]))
    assert read_history(path) == [EPOCH]
    path.write_text(damage(to_csv([EPOCH])), encoding="latin-1")
    with pytest.raises(ModelFolderError, match=r"history\.csv: damaged") as raised:
        read_history(path)
    assert "\n" not in str(raised.value) and len(str(raised.value)) < 400 + len(str(path))


@pytest.mark.parametrize("content", [b"", b"[" * 100_000, b"\xff", b"9" * 5000, b"{}"])
def test_a_damaged_file_of_the_language_model_is_named(tmp_path, content):
    (tmp_path / "unlabelled.json").write_bytes(content)
    with pytest.raises(CheckpointError) as raised:
        unlabelled._check_same(tmp_path / "unlabelled.json", {"files": []})
    assert "\n" not in str(raised.value)


def test_what_cannot_be_removed_of_the_run_before_costs_no_new_model(tmp_path, monkeypatch):
    finished(tmp_path / "run")
    with monkeypatch.context() as patched:
        patched.setattr("shutil.rmtree", lambda *_, **__: None)
        with run_folder.begun(tmp_path / "run", "new", resume=False, overwrite=True):
            for name in ("config.json", "model.safetensors"):
                (tmp_path / "run" / name).write_text("new")
    assert run_folder.is_finished(tmp_path / "run") and (tmp_path / "run" / ".before" / "config.json").exists()
    with pytest.raises(RunFolderError, match="finished"), run_folder.begun(tmp_path / "run", "newer", resume=True):
        pass
    fail(tmp_path / "run")
    assert (tmp_path / "run" / "model.safetensors").read_text() == "new"


def test_a_file_system_without_links(tmp_path, monkeypatch):
    def link(path, target):
        raise OSError(1, "Operation not permitted")

    before = finished(tmp_path / "run")
    monkeypatch.setattr("os.link", link)
    fail(tmp_path / "run")
    assert contents(tmp_path / "run") == before
