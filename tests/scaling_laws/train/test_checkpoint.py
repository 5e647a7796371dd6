import json
import shutil
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from scaling_laws.sealed import seal, unseal
from scaling_laws.train import arrays, checkpoint
from scaling_laws.train.checkpoint import Checkpoints


def a_state(seed=0):
    keys = jax.random.split(jax.random.key(seed), 2)
    params = {
        "block_0": {"kernel": jax.random.normal(keys[0], (16, 24)), "a.b/c": jnp.arange(3.0) / 7},
        "head": jax.random.normal(keys[1], (5,), jnp.bfloat16),
        "odd": np.array([np.nan, -0.0, np.inf, 1e-45], np.float32),
        "empty": np.zeros((0, 3), np.float32),
    }
    counters = {"key": jax.random.key_data(keys[0]), "count": np.int32(-7), "flag": np.array([True, False])}
    return {"params": params, "opt_state": optax.adamw(1e-3).init(params), "counters": counters, "none": None}


def assert_same_bits(found, expected):
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        other = np.asarray(other)
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        assert one.tobytes() == other.tobytes()


def blank(state):
    return jax.tree.map(lambda leaf: np.zeros(np.shape(leaf), np.asarray(leaf).dtype), state)


@pytest.fixture(scope="module", params=[arrays.SMALL, 0], ids=["one file", "Orbax"])
def saved(request, tmp_path_factory):
    """A folder with checkpoints of steps 10 and 20, of a state that is small or counts as large."""
    folder = tmp_path_factory.mktemp("saved") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrays, "SMALL", request.param)
        for step in (10, 20):
            Checkpoints(folder).save(step, a_state(step), {"step_was": step})
    assert (folder / "step_000000000020" / (arrays.FILE if request.param else arrays.FOLDER)).exists()
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    shutil.copytree(saved, tmp_path / "run")
    return tmp_path / "run"


def newest_files(folder):
    return sorted(path for path in (folder / "step_000000000020").rglob("*") if path.is_file())


def restored_step(folder):
    """(step restored or None, what was said); the state must be the one of that step."""
    said = []
    found = Checkpoints(folder, said.append).restore(blank(a_state()))
    if found is None:
        return None, said
    step, state, extra = found
    assert_same_bits(state, a_state(step))
    assert extra == {"step_was": step}
    return step, said


def test_the_state_comes_back_bit_for_bit(folder):
    assert restored_step(folder) == (20, [])


def test_extra_comes_back_to_the_last_digit(tmp_path):
    extra = {"recent": [0.1, 1 / 3, float("inf")], "curve": [{"step": 1, "loss": 2.0**-1074}], "text": "é"}
    Checkpoints(tmp_path).save(1, {"x": np.ones(1)}, extra)
    found = Checkpoints(tmp_path).restore({"x": np.zeros(1)})
    assert found is not None
    assert found[2] == extra


def test_the_last_two_are_kept_and_no_scraps(tmp_path):
    checkpoints = Checkpoints(tmp_path / "run")
    assert not checkpoints.any()
    assert checkpoints.restore({}) is None
    for step in (9, 10, 100):
        checkpoints.save(step, {"x": np.ones(2)})
        assert checkpoints.any()
    assert [path.name for path in sorted((tmp_path / "run").iterdir())] == ["step_000000000010", "step_000000000100"]
    checkpoints.clear()
    assert not (tmp_path / "run").exists()
    checkpoints.clear()


def test_one_flipped_bit_anywhere_is_never_silent(folder):
    sound = folder.with_name("sound")
    shutil.copytree(folder, sound)
    for path in newest_files(sound):
        size = path.stat().st_size
        for position in sorted({0, size // 3, size // 2, size - 1}):
            shutil.rmtree(folder)
            shutil.copytree(sound, folder)
            target = folder / path.relative_to(sound)
            data = bytearray(target.read_bytes())
            data[position] ^= 1 << (position % 8)
            target.write_bytes(data)
            step, said = restored_step(folder)
            assert step == 10
            assert len(said) == 1
            assert path.name in said[0]
            assert "damaged" in said[0]


@pytest.mark.parametrize("harm", ["truncate", "delete", "add"])
def test_a_file_cut_short_missing_or_added_is_named(folder, harm):
    for path in newest_files(folder)[::3]:
        target = folder / path.relative_to(folder)
        before = {file: file.read_bytes() for file in newest_files(folder)}
        match harm:
            case "truncate":
                target.write_bytes(before[target][:-1])
            case "delete":
                target.unlink()
            case "add":
                target = target.with_name("stranger")
                target.write_bytes(b"")
        step, said = restored_step(folder)
        assert step == 10
        assert target.name in said[0]
        back = folder / "step_000000000020"
        (folder / "damaged_step_000000000020").rename(back)
        shutil.rmtree(back)
        for file, data in before.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)


def test_both_damaged_gives_none_and_names_both(folder):
    for path in folder.glob("*/manifest.json"):
        path.write_bytes(path.read_bytes()[:-1])
    step, said = restored_step(folder)
    assert step is None
    assert [line.split(":")[0].rsplit("/", 1)[1] for line in said] == ["step_000000000020", "step_000000000010"]
    assert not Checkpoints(folder).any()


def test_a_manifest_that_was_edited_with_care_is_still_caught(folder):
    path = folder / "step_000000000020" / "manifest.json"
    facts = json.loads(path.read_bytes())
    facts["extra"] = {"step_was": 21}
    path.write_text(json.dumps(facts, separators=(",", ":")) + "\n")
    step, said = restored_step(folder)
    assert step == 10
    assert "manifest.json is damaged" in said[0]


def test_a_checkpoint_of_another_version_is_named(folder):
    path = folder / "step_000000000020" / "manifest.json"
    facts = unseal(path.read_bytes()[:-1])
    assert facts is not None
    path.write_bytes(seal(facts | {"format": checkpoint.FORMAT - 1}))
    step, said = restored_step(folder)
    assert step == 10
    assert "of another version" in said[0]


def test_a_save_that_was_killed_is_no_checkpoint_and_is_swept(folder):
    shutil.copytree(folder / "step_000000000020", folder / "partial_000000000030")
    assert restored_step(folder)[0] == 20
    Checkpoints(folder).save(30, a_state(30))
    assert sorted(path.name for path in folder.iterdir()) == ["step_000000000020", "step_000000000030"]


def test_a_run_that_went_back_replaces_later_checkpoints(folder):
    checkpoints = Checkpoints(folder)
    checkpoints.save(10, a_state(10), {"step_was": 10})
    assert restored_step(folder) == (10, [])
    assert [path.name for path in folder.iterdir()] == ["step_000000000010"]


@pytest.mark.parametrize(
    "change, words",
    [
        ({"x": np.zeros(3, np.float32)}, "['x'] is float32[2] where the run has float32[3]"),
        ({"x": np.zeros(2, np.int32)}, "['x'] is float32[2] where the run has int32[2]"),
        ({"y": np.zeros(2, np.float32)}, "['y'] is absent where the run has float32[2]"),
        ({}, "['x'] is float32[2] where the run has none"),
    ],
)
def test_a_checkpoint_of_another_shape_is_named(tmp_path, change, words):
    Checkpoints(tmp_path).save(1, {"x": np.ones(2, np.float32)})
    said = []
    assert Checkpoints(tmp_path, said.append).restore(change) is None
    assert words in said[0]


def test_importing_does_not_import_orbax():
    program = (
        "import scaling_laws.train.checkpoint, sys; print('orbax' in sys.modules, 'orbax.checkpoint' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True).split() == ["False", "False"]
