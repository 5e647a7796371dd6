"""Teams over loopback: how they meet, and how the end of one is noticed by the others."""

import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from teams import free_port, team_of, together

from scaling_laws.hosts import roll, shared
from scaling_laws.hosts.place import Place
from scaling_laws.hosts.roll import RollError
from scaling_laws.hosts.team import ALONE, CLOSED, FAILED, Disagreed, Gone, Together
from scaling_laws.hosts.wire import Wire

SURVIVOR = """
import sys, time
from scaling_laws.hosts import roll
from scaling_laws.hosts.place import Place
from scaling_laws.hosts.team import Together
place = Place(sys.argv[1], 3, int(sys.argv[2]))
team = Together(place.process, 3, roll.call(place, 20, 60.0), lambda *who: None)
team.meet()
print("met", flush=True)
try:
    team.meet(team.meet() if place.process != int(sys.argv[3]) else time.sleep(60))
except RuntimeError as gone:
    print(gone)
"""


@pytest.fixture
def three():
    found = team_of(3)
    yield found
    for team, _ in found:
        team.fail()


def until(told, seconds=5.0):
    """Wait until it is."""
    end = time.monotonic() + seconds
    while not told() and time.monotonic() < end:
        time.sleep(0.01)
    return told()


def test_one_process_meets_itself():
    assert ALONE.meet({"a": 1}) == [{"a": 1}]
    assert ALONE.first
    assert not ALONE.several
    ALONE.same("all", 1)


def test_all_get_what_each_brings_in_their_order(three):
    for turn in range(20):
        found = together(lambda number, turn=turn: three[number][0].meet([turn, number / 3]), 3)
        assert found == [[[turn, number / 3] for number in range(3)]] * 3


def test_values_that_differ_name_the_process(three):
    found = together(lambda number: three[number][0].same("the run", number // 2), 3)
    assert {type(each) for each in found} == {Disagreed}
    assert str(found[1]) == "the run: 1 of process 2; allowed: 0, as process 0 has it"
    assert together(lambda number: three[number][0].same("the run", 7), 3) == [None] * 3


def test_a_team_that_ends_in_order_misses_nobody(three):
    assert together(lambda number: three[number][0].close(), 3) == [None] * 3
    assert [lost for _, lost in three] == [[]] * 3


@pytest.mark.parametrize("failed", [0, 2])
def test_an_error_of_one_is_heard_by_all_others(three, failed):
    three[failed][0].fail()
    others = [lost for number, (_, lost) in enumerate(three) if number != failed]
    assert until(lambda: all(others))
    assert others == [[(failed, FAILED)]] * 2
    with pytest.raises(Gone, match=f"process {failed} of 3 is gone: it ended with an error"):
        three[1][0].meet()


@pytest.mark.parametrize("victim", [0, 1])
def test_a_process_that_is_killed_is_missed_at_once(victim):
    place = f"127.0.0.1:{free_port()}"
    words = [sys.executable, "-c", SURVIVOR, place]
    team = [
        subprocess.Popen([*words, str(number), str(victim)], stdout=subprocess.PIPE, text=True) for number in range(3)
    ]
    for one in team:
        assert one.stdout.readline() == "met\n"
    killed = time.monotonic()
    team[victim].send_signal(signal.SIGKILL)
    for number, one in enumerate(team):
        said, _ = one.communicate(timeout=20)
        assert said == ("" if number == victim else f"process {victim} of 3 is gone: {CLOSED}\n")
    assert time.monotonic() - killed < 10


def test_the_others_are_told_before_this_process_may_end_of_it():
    """Else they hear of the end of this one, and name it."""
    happened, met = [], threading.Event()

    class Ended:
        def send(self, **_):
            """It is gone."""

        def messages(self):
            assert met.wait(10)
            raise EOFError

    class There:
        def send(self, **message):
            if "lost" in message:
                time.sleep(0.3)
                happened.append(("told", message["lost"]))

        def messages(self):
            threading.Event().wait()

    team = Together(0, 3, {1: Ended(), 2: There()}, lambda *who: happened.append(who))
    threading.Timer(0.1, met.set).start()
    with pytest.raises(Gone, match="process 1 of 3 is gone: its connection closed"):
        team.meet()
    assert happened == [("told", 1), (1, CLOSED)]


def test_a_process_that_falls_silent_is_missed():
    here, there = socket.socketpair()
    lost = []
    team = Together(0, 2, {1: Wire(_like_tcp(here), 0.3)}, lambda *who: lost.append(who))
    assert until(lambda: lost)
    assert lost == [(1, "nothing is heard of it")]
    with pytest.raises(Gone):
        team.meet()
    there.close()


def _like_tcp(connection):
    """A socket of another family takes no options of TCP."""

    class Like:
        def __getattr__(self, name):
            return getattr(connection, name)

        def setsockopt(self, *_):
            """Nothing."""

    return Like()


def test_who_does_not_come_is_named():
    with pytest.raises(RollError, match=r"processes 1, 2 of 3 did not come within 1\.5 s"):
        roll.call(Place(f"127.0.0.1:{free_port()}", 3, 0), 1.5, 60)


def test_no_process_0_is_one_line():
    port = free_port()
    with pytest.raises(RollError, match=f"no process 0 at 127.0.0.1:{port} within 0.5 s"):
        roll.call(Place(f"127.0.0.1:{port}", 2, 1), 0.5, 60)


def test_who_counts_otherwise_or_comes_twice_is_sent_away_and_the_others_meet():
    place = f"127.0.0.1:{free_port()}"
    places = [Place(place, 2, 0), Place(place, 3, 1), Place(place, 2, 1)]

    def come(number):
        time.sleep(0.4 * number)
        return roll.call(places[number], 10, 60)

    found = together(come, 3)
    assert str(found[1]) == "--num_processes: 3; allowed: 2, as process 0 has it"
    assert set(found[0]) == {1}
    assert set(found[2]) == {0}
    assert "--process_id: 1 is there already" in roll._fault({"process": 1, "processes": 2}, {1: None}, places[0])


def test_a_stranger_at_the_port_hurts_nobody():
    place = Place(f"127.0.0.1:{free_port()}", 2, 0)

    def come(number):
        if number < 2:
            time.sleep(0.3 * number)
            return roll.call(Place(place.coordinator, 2, number), 10, 60)
        time.sleep(0.1)
        with socket.create_connection(place.address) as stranger:
            stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
        return None

    assert [set(wires) for wires in together(come, 3)[:2]] == [{1}, {0}]


def test_a_folder_that_not_all_see_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(shared, "_PATIENCE", 0.2)
    team = team_of(2)
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    found = together(lambda number: shared.check(folders[number], team[number][0]), 2)
    assert all("--workdir: process 1 does not see what process 0 writes" in str(each) for each in found)
    assert together(lambda number: shared.check(tmp_path, team[number][0]), 2) == [None, None]
    assert sorted(tmp_path.rglob("*")) == folders
