"""Checkpoints that several processes write together, here threads of a team over loopback, and who reads them."""

import json
import threading

import numpy as np
import pytest
from teams import team_of, together

from scaling_laws.train import arrays
from scaling_laws.train.checkpoint import Checkpoints, load
from scaling_laws.train.shares import Share

RNG = np.random.default_rng(0)
WHOLE = {
    "params/up": RNG.normal(size=(6, 5)).astype(np.float32),
    "params/norm": RNG.normal(size=7).astype(np.float32),
    "opt_state/count": np.int32(9),
    "opt_state/empty": np.zeros((0, 3), np.float32),
}
EXTRA = {"curve": [0.1, 1 / 3]}


def shares(number, size):
    """The state as process `number` of `size` has it: a tensor cut by rows, one that the first alone has, numbers."""
    rows = np.array_split(np.arange(6), size)[number]
    up, norm = WHOLE["params/up"], WHOLE["params/norm"]
    mine = [((int(row), 0), up[row : row + 1]) for row in rows]
    return {
        "params/up": Share(up.shape, up.dtype, tuple(mine)),
        "params/norm": Share(norm.shape, norm.dtype, (((0,), norm),) if number == 0 else ()),
        "opt_state/count": WHOLE["opt_state/count"],
        "opt_state/empty": WHOLE["opt_state/empty"],
    }


def blank():
    return {name: np.zeros_like(leaf) for name, leaf in WHOLE.items()}


def assert_whole(state):
    assert {name: leaf.tobytes() for name, leaf in state.items()} == {n: leaf.tobytes() for n, leaf in WHOLE.items()}


@pytest.fixture
def team():
    """Four processes that have saved steps 10 and 20: their checkpoints' folder is the fixture's attribute."""
    found = team_of(4)
    yield [one for one, _ in found]
    for one, _ in found:
        one.fail()


@pytest.fixture
def folder(team, tmp_path):
    for step in (10, 20):
        saved = together(lambda n, step=step: Checkpoints(tmp_path, team=team[n]).save(step, shares(n, 4), EXTRA), 4)
        assert saved == [None] * 4
    return tmp_path


def test_each_writes_its_own_and_one_reads_all(folder):
    newest = folder / "step_000000000020"
    sizes = [(newest / f"{arrays.PIECES}{number:05d}.raw").stat().st_size for number in range(4)]
    whole = sum(leaf.nbytes for leaf in WHOLE.values())
    assert sum(sizes) == whole  # every number once
    assert sizes[1:] == [len(rows) * 20 for rows in np.array_split(np.arange(6), 4)[1:]]
    found = Checkpoints(folder).restore(blank())
    assert found is not None
    assert found[0] == 20
    assert found[2] == EXTRA
    assert_whole(found[1])
    assert_whole(load(newest)[1])


def test_another_number_of_processes_reads_them(folder):
    two = [one for one, _ in team_of(2)]
    for found in together(lambda number: Checkpoints(folder, team=two[number]).restore(blank()), 2):
        assert found[0] == 20
        assert_whole(found[1])
    for one in two:
        one.fail()


def test_a_flipped_bit_in_one_file_sends_all_back_to_the_step_before(folder, team):
    file = folder / "step_000000000020" / f"{arrays.PIECES}00003.raw"
    data = bytearray(file.read_bytes())
    data[7] ^= 1
    file.write_bytes(data)
    said = []
    found = together(lambda n: Checkpoints(folder, said.append, team=team[n]).restore(blank()), 4)
    assert [each[0] for each in found] == [10] * 4
    assert len(said) == 1
    assert "pieces_00003.raw is damaged; moved to damaged_step_000000000020" in said[0]


def test_what_one_alone_finds_wrong_none_uses(folder, team, monkeypatch):
    """The file system of one host may show it something else."""
    from scaling_laws.train import checkpoint

    real = checkpoint._verified
    wrong = folder / "step_000000000020"

    def verified(path):
        mine = threading.current_thread().name == "third"
        return (real(path)[0], "torn here") if mine and path == wrong else real(path)

    monkeypatch.setattr(checkpoint, "_verified", verified)

    def restore(number):
        threading.current_thread().name = "third" if number == 2 else "another"
        return Checkpoints(folder, lambda _: None, team=team[number]).restore(blank())

    assert [each[0] for each in together(restore, 4)] == [10] * 4


def test_a_team_goes_on_from_what_one_process_wrote(team, tmp_path):
    Checkpoints(tmp_path).save(5, WHOLE, EXTRA)
    for found in together(lambda number: Checkpoints(tmp_path, team=team[number]).restore(blank()), 4):
        assert found[0] == 5
        assert_whole(found[1])


def test_the_index_says_where_pieces_lie(folder):
    index = json.loads((folder / "step_000000000020" / f"{arrays.PIECES}00001.json").read_text())
    assert index == [["['params/up']", [2, 0], [1, 5]], ["['params/up']", [3, 0], [1, 5]]]


def test_clearing_is_for_the_first(folder, team):
    Checkpoints(folder, team=team[3]).clear()
    assert (folder / "step_000000000020").exists()
    Checkpoints(folder, team=team[0]).clear()
    assert not folder.exists()
