"""A MongoDB that is away, dies, stalls, refuses or fails: the run goes on, and the record is whole in the end."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from bson import encode
from bson.errors import InvalidDocument
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import AutoReconnect

from renaissance.credentials import without_credentials
from renaissance.errors import UserError
from renaissance.locks import held
from renaissance.tracking.mongo import address, courier, journal, syncing
from renaissance.tracking.mongo.journal import Journal
from renaissance.tracking.mongo.syncing import sync_runs
from tests.tracking.mongo_server import failing, opened
from tests.tracking.recorded import RecordedRun, steps_on, until

NOWHERE = "mongodb://127.0.0.1:1/renaissance"


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(courier, "INTERVAL_SECONDS", 0.05)
    monkeypatch.setattr(courier, "LONGEST_PAUSE_SECONDS", 0.2)
    monkeypatch.setattr(courier, "LAST_PAUSE_SECONDS", 0.1)
    monkeypatch.setattr(address, "ANSWER_SECONDS", 1.0)


@pytest.fixture
def sync(make_settings):
    def sync(url, **settings):
        return sync_runs(make_settings(mongo_url=url, **settings))

    return sync


# A server that dies


def test_a_server_that_is_killed_and_comes_back_has_everything_once(killable, tmp_path, capsys):
    with opened(killable.address) as database:
        run = RecordedRun(tmp_path, f"{killable.address}/{database.name}")
        run.losses(*range(1, 50))
        until(lambda: steps_on(database) == list(range(1, 50)))
        killable.kill()
        run.losses(*range(50, 100))
        run.beat("while it was away\n")
        until(lambda: "warning: MongoDB" in capsys.readouterr().err)
        run.losses(*range(100, 150))
        killable.start()
        until(lambda: steps_on(database) == list(range(1, 150)))
        run.losses(*range(150, 200))
        run.complete()
        _assert_whole(database, 199)
        assert "all is sent that was kept" in capsys.readouterr().err


def test_what_a_killed_server_lost_although_it_had_confirmed_it_is_sent_again(database, tmp_path, mongo):
    """As a crash takes them away: points, a whole metric, a file, the run itself."""
    run = RecordedRun(tmp_path, f"{mongo.address}/{database.name}")
    run.losses(1, 2, 3, 4)
    run.log(4, {"itm/val/loss": 0.5})
    until(lambda: steps_on(database) == [1, 2, 3, 4] and database["fs.files"].count_documents({}) == 2)
    database.metrics.update_one(
        {"name": "itm/train/loss"}, {"$pop": dict.fromkeys(("steps", "values", "timestamps"), 1)}
    )
    database.metrics.delete_one({"name": "itm/val/loss"})
    database["fs.files"].delete_many({})
    run.losses(5)
    until(lambda: steps_on(database) == [1, 2, 3, 4, 5])
    run.complete()
    _assert_whole(database, 5)
    assert steps_on(database, "itm/val/loss") == [4]
    assert database["fs.files"].count_documents({}) == 3


def test_a_run_that_somebody_removed_is_made_again(database, tmp_path, mongo):
    run = RecordedRun(tmp_path, f"{mongo.address}/{database.name}")
    run.losses(1)
    until(lambda: steps_on(database) == [1])
    database.runs.delete_many({})
    run.losses(2)
    run.beat("x")
    run.complete()
    _assert_whole(database, 2)


def test_an_answer_that_was_lost_makes_nothing_double(database, tmp_path, mongo, monkeypatch):
    """Every write is done, and reported as failed: the connection is cut once it is done."""
    cut: list[str] = []
    for name in ("insert_one", "update_one", "replace_one", "bulk_write"):
        original = getattr(Collection, name)

        def unanswered(self, *arguments, _original=original, _name=name, **options):
            result = _original(self, *arguments, **options)
            if cut.count(_name) < 3:
                cut.append(_name)
                raise AutoReconnect("connection closed")
            return result

        monkeypatch.setattr(Collection, name, unanswered)
    run = RecordedRun(tmp_path, f"{mongo.address}/{database.name}")
    for step in range(1, 30):
        run.losses(step)
        time.sleep(0.02)
    run.complete()
    assert len(cut) >= 9
    _assert_whole(database, 29)


# A server that stalls, refuses or fails


def test_a_server_that_stalls_holds_up_nothing(killable, tmp_path, capsys):
    with opened(killable.address) as database:
        run = RecordedRun(tmp_path, f"{killable.address}/{database.name}", wait=0.5)
        run.losses(1)
        until(lambda: steps_on(database) == [1])
        killable.stall()
        started = time.monotonic()
        run.losses(*range(2, 1000))
        run.beat("x")
        assert time.monotonic() - started < 0.5
        run.complete()
        assert time.monotonic() - started < 2
        said = capsys.readouterr().err
        assert "not all of this run's record is sent" in said
        assert f"python run.py sync with mongo_url={killable.address}/{database.name} 'runs=[\"{tmp_path}\"]'" in said
        killable.go_on()


@pytest.mark.parametrize("commands", [("insert",), ("update", "delete"), ("find", "aggregate")])
def test_a_server_that_fails_for_a_while_has_everything_in_the_end(commands, database, tmp_path, mongo):
    with failing(database.client, *commands):
        run = RecordedRun(tmp_path, f"{mongo.address}/{database.name}")
        run.losses(1, 2, 3)
        until(lambda: run.observer._courier.reason is not None)
    run.losses(4)
    run.complete()
    _assert_whole(database, 4)


def test_a_full_server_takes_what_it_can_and_is_told_of(database, tmp_path, mongo, capsys, sync):
    with failing(database.client, "insert", "update"):
        run = RecordedRun(tmp_path, f"{mongo.address}/{database.name}", wait=0.3)
        run.losses(1)
        run.complete()
    assert "not all of this run's record is sent" in capsys.readouterr().err
    sync(f"{mongo.address}/{database.name}", runs=[str(tmp_path)])
    _assert_whole(database, 1)


def test_a_wrong_password_is_said_without_it_and_the_run_goes_on(killable, tmp_path, capsys):
    with MongoClient(killable.address) as client:
        client.admin.command("createUser", "reader", pwd="right-secret", roles=["root"])
        client.admin.command("fsync")
    killable.kill()
    killable.start("--auth")
    try:
        where = killable.address.removeprefix("mongodb://")
        for number, user in enumerate(("reader:wrong-secret@", "reader:right-secret@")):
            url = f"mongodb://{user}{where}/logged_in?authSource=admin"
            shown = without_credentials("mongo_url", url)
            run = RecordedRun(tmp_path / str(number), shown, wait=1)
            run.losses(1)
            run.complete()
        said = capsys.readouterr()
        assert "warning: MongoDB" in said.err
        assert "uthenticat" in said.err
        assert "secret" not in said.err + said.out
        with MongoClient(f"mongodb://reader:right-secret@{where}/?authSource=admin") as client:
            assert steps_on(client.logged_in) == [1]
            assert client.logged_in.runs.count_documents({}) == 1
        for path in tmp_path.rglob("*"):
            assert not path.is_file() or b"secret" not in path.read_bytes(), path
    finally:
        killable.kill()
        killable.start()


# No server at the start, and `sync`


def test_a_server_that_is_not_there_is_said_at_once(tmp_path, capsys):
    started = time.monotonic()
    run = RecordedRun(tmp_path, NOWHERE, wait=0.2)
    until(lambda: "warning: MongoDB 127.0.0.1:1/renaissance: " in capsys.readouterr().err, seconds=5)
    assert time.monotonic() - started < 5
    run.losses(1)
    run.complete()
    assert Journal(tmp_path).read().end["status"] == "COMPLETED"


@pytest.fixture
def away(tmp_path, monkeypatch) -> Path:
    """Four runs that found no server: one that ended, one that failed, one that was killed, one that is at work."""
    monkeypatch.setattr(address, "CONNECT_SECONDS", 0.1)
    for name, end in {"1": "complete", "2": "fail", "3": "killed"}.items():
        run = RecordedRun(tmp_path / "mlm" / name, NOWHERE, wait=0)
        run.losses(1, 2, int(name) + 10)
        run.beat(f"output of {name}\n")
        getattr(run, end)()
    with (tmp_path / "mlm" / "3" / "metrics.csv").open("a") as file:
        file.write("20,0.5,itm/train/loss,0.2\n")  # which the journal does not have
    with (tmp_path / "mlm" / "3" / "mongo" / "journal.jsonl").open("a") as file:
        file.write('{"event":"metr')
    return tmp_path


def test_sync_sends_what_was_kept_and_nothing_twice(away, database, mongo, sync, capsys):
    url = f"{mongo.address}/{database.name}"
    alive = RecordedRun(away / "mlm" / "4", NOWHERE, wait=0)
    for there_already in (0, 3):
        sync(url, log_dir=str(away))
        runs = list(database.runs.find(sort=[("_id", 1)]))
        assert [(run["_id"], run["status"]) for run in runs] == [(1, "COMPLETED"), (2, "FAILED"), (3, "INTERRUPTED")]
        assert [run["captured_out"] for run in runs] == [f"output of {number}\n" for number in (1, 2, 3)]
        assert [steps_on(database, run=number) for number in (1, 2, 3)] == [[1, 2, 11], [1, 2, 12], [1, 2, 13, 20]]
        assert database["fs.files"].count_documents({"filename": {"$regex": "artifact"}}) == 6
        assert database["fs.files"].count_documents({}) == 7
        said = capsys.readouterr().out
        assert said.count(", and was there already") == there_already
        assert "4: left alone, it is still at work" in said
    alive.complete()


def test_sync_that_fails_says_so_and_can_be_begun_again(away, database, mongo, sync):
    url = f"{mongo.address}/{database.name}"
    with failing(database.client, "update", times=4), pytest.raises(UserError, match="not everything was sent"):
        sync(url, log_dir=str(away))
    sync(url, log_dir=str(away))
    assert sorted(run["status"] for run in database.runs.find()) == ["COMPLETED", "FAILED", "INTERRUPTED"]
    assert database.metrics.count_documents({}) == 3


def test_sync_refuses_runs_that_are_named_and_cannot_be_sent(away, database, mongo, sync):
    url = f"{mongo.address}/{database.name}"
    (away / "plain").mkdir()
    with held(Journal(away / "mlm" / "1").lock), pytest.raises(UserError) as refused:
        sync(url, runs=[str(away / "mlm" / "1"), str(away / "plain")])
    assert "1: it is still at work" in str(refused.value)
    assert "plain: it has no record for MongoDB" in str(refused.value)
    with pytest.raises(UserError, match="the MongoDB cannot be used"):
        sync(NOWHERE, log_dir=str(away))


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"[]\n", b'{"event":"started"}\n', b'{"event":"metrics","values":{}}\n', b"0" * 9999]
)
def test_a_journal_that_holds_no_record_is_left_alone(content, tmp_path, mongo, database, sync):
    (tmp_path / "mongo").mkdir()
    (tmp_path / "mongo" / "journal.jsonl").write_bytes(content)
    with pytest.raises(UserError, match="holds no record"):
        sync(f"{mongo.address}/{database.name}", runs=[str(tmp_path)])


DEEP = "[" * 100_000 + "]" * 100_000
SERIES = '{"event":"series","name":5,"steps":[1],"values":[1],"times":[1],"stride":1,"count":1}'


def test_a_hostile_journal_is_read_as_far_as_it_is_one(tmp_path):
    run = RecordedRun(tmp_path, NOWHERE, wait=0)
    run.losses(1)
    run.killed()
    events = Journal(tmp_path).events
    start, *rest = events.read_text().splitlines()
    start = json.loads(start)
    start["experiment"] |= {"$where": "sleep(1)", "a\0.b": 2**70}
    start["config"] |= {"\ud800": 1}
    hostile = [
        DEEP,
        f'{{"event":"beat","time":1,"info":{{"a":{DEEP}}}}}',
        SERIES,
        '{"event":"beat","time":1,"info":{"$a":1}}',
    ]
    events.write_text("\n".join([DEEP, json.dumps(start), *hostile, *rest, ""]))
    (tmp_path / "mongo" / "servers.json").write_text(DEEP)
    record = Journal(tmp_path).read()
    assert list(record.series) == ["itm/train/loss"]
    assert record.info == {"@a": 1}
    assert {"@where": "sleep(1)", "a,b": float(2**70)}.items() <= record.beginning()["experiment"].items()
    encode({**record.beginning(), **record.progress()})
    assert Journal(tmp_path).number_on("here") is None


@pytest.mark.parametrize("damage", ["encrypted", "compression", "unpacked"])
def test_source_files_that_cannot_be_unpacked_are_none(damage, tmp_path, monkeypatch):
    (tmp_path / "mongo").mkdir()
    kept = Journal(tmp_path)
    kept.keep_sources({"0" * 24: b"a" * 1000, "1" * 24: b"b" * 1000})
    assert len(kept.source_files()) == 2
    content = bytearray(kept.sources.read_bytes())
    for header, flag, method in ((b"PK\3\4", 6, 8), (b"PK\1\2", 8, 10)):
        at = content.index(header)
        content[at + flag] |= damage == "encrypted"
        content[at + method] = 99 if damage == "compression" else content[at + method]
    kept.sources.write_bytes(content)
    if damage == "unpacked":
        monkeypatch.setattr(journal, "LARGEST_SOURCES", 1500)
    assert kept.source_files() == {}


def test_one_run_that_cannot_be_sent_does_not_keep_the_others_from_it(tmp_path, monkeypatch, sync, capsys):
    """Without a server: what stands for the sending fails as no library should."""

    def sent(folder, where, checkpoints):
        if folder.name == "1":
            raise InvalidDocument("no document")
        return 7, False

    for number in "12":
        (tmp_path / number).mkdir()
    monkeypatch.setattr(syncing, "_check", lambda where: None)
    monkeypatch.setattr(syncing, "_sync", sent)
    with pytest.raises(UserError, match=r"not everything was sent:\n  \* .*1: "):
        sync(NOWHERE, runs=[str(tmp_path / number) for number in "12"])
    assert "2: is run 7 of 127.0.0.1:1/renaissance" in capsys.readouterr().out


def test_a_disk_that_no_longer_takes_the_journal_ends_nothing(database, mongo, tmp_path, capsys):
    run = RecordedRun(tmp_path, f"{mongo.address}/{database.name}")
    run.losses(1)
    run.observer._journal._file.close()
    run.losses(2)
    run.losses(3)
    run.complete()
    assert capsys.readouterr().err.count("can no longer be kept there") == 1
    _assert_whole(database, 3)


def test_a_journal_stays_short_and_can_be_read_again(tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "LONG_BYTES", 20_000)
    run = RecordedRun(tmp_path, NOWHERE, wait=0)
    for step in range(1, 3001):
        run._tracker.log(step, 0.0, {"itm/train/loss": float("nan") if step == 7 else step})
        if step % 100 == 0:
            run.beat(f"at {step}\n", step=step)
    run.killed()
    assert Journal(tmp_path).events.stat().st_size < 3001 * 60 + 40_000
    record = Journal(tmp_path).read()
    assert list(record.series["itm/train/loss"].steps) == list(range(1, 3001))
    assert repr(record.series["itm/train/loss"].values[6]) == "nan"
    assert (record.output, record.info) == ("at 3000\n", {"step": 3000})


def _assert_whole(database, last):
    """The run is there once, ended, with every step once and in order."""
    [run] = database.runs.find()
    assert (run["_id"], run["status"]) == (1, "COMPLETED")
    metric = database.metrics.find_one({"name": "itm/train/loss"})
    assert metric["steps"] == list(range(1, last + 1))
    assert metric["values"] == [step / 100 for step in range(1, last + 1)]
    assert len(metric["timestamps"]) == last
    names = [one["name"] for one in run["info"]["metrics"]]
    assert len(names) == len(set(names)) == database.metrics.count_documents({})
