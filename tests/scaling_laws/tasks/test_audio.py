"""Sounds as log-mel pictures: from WAV files, from generated keywords; how they are split and what is refused."""

import numpy as np
import pytest
from wav_files import form, riff, to_wav

from scaling_laws.config import ConfigError, TaskConfig
from scaling_laws.tasks import audio, keywords, mel
from scaling_laws.tasks.task import SPLITS


def load(path="", **settings):
    return audio.load(TaskConfig(name="audio", path=str(path), **settings), cache_dir=None)


def clip(seed, samples=2000):
    return np.random.default_rng(seed).integers(-3000, 3000, samples)


def write(folder, names=("no", "yes"), each=6, rate=8000, **lengths):
    """16-bit clips of noise, (target, samples) of each; `lengths`: class -> samples."""
    written = []
    for target, name in enumerate(names):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(each):
            samples = clip(100 * target + number, lengths.get(name, 2000))
            (folder / name / f"{number}.wav").write_bytes(to_wav(samples.tolist(), rate=rate))
            written.append((target, samples))
    return written


def rows(task):
    return sorted(
        (x.tobytes(), int(y))
        for split in SPLITS
        for x, y in zip(task.split(split)["inputs"], task.split(split)["targets"], strict=True)
    )


def stacked(pairs):
    """A row an example, its class first; in the order of their first number, for the last bits may differ."""
    found = np.array([[label, *np.frombuffer(x, np.float32)] for x, label in pairs])
    return found[found[:, 1].argsort()]


def expected(written, samples, rate=8000):
    found = []
    for target, values in written:
        padded = np.zeros((1, samples), np.float32)
        padded[0, : len(values)] = values[:samples] / 32768
        found.append((mel.log_mel(padded, rate).tobytes(), target))
    return stacked(found)


def test_keywords_are_the_default():
    task = load(examples=400)
    assert (task.spec.inputs, task.spec.shape, task.spec.outputs) == ("image", (48, 32, 1), 8)
    assert task.notes == ("classes: 0 ai, 1 ia, 2 aiu, 3 aui, 4 iau, 5 iua, 6 uai, 7 uia",)
    assert sum(task.length(split) for split in SPLITS) == 400
    pictures = mel.log_mel(np.concatenate(list(keywords.clips(400))), 8000)
    pairs = [(x.tobytes(), int(y)) for x, y in zip(pictures, keywords.targets(400), strict=True)]
    np.testing.assert_allclose(stacked(rows(task)), stacked(pairs), atol=1e-4)


def test_arrays_of_the_splits():
    task = load(examples=80)
    for split in SPLITS:
        part = task.split(split)
        assert (part["inputs"].dtype, part["targets"].dtype) == (np.float32, np.int32)
        assert not part["inputs"].flags.writeable
        assert not part["targets"].flags.writeable


def test_each_band_of_the_train_split_has_mean_0_and_deviation_1():
    task = load(examples=80)
    values = (task.train["inputs"] - task.fixed["mean"]) * task.fixed["scale"]
    assert task.fixed["mean"].shape == task.fixed["scale"].shape == (32, 1)
    np.testing.assert_allclose(values.mean(axis=(0, 1, 3)), 0, atol=1e-4)
    np.testing.assert_allclose(values.std(axis=(0, 1, 3)), 1, atol=1e-4)
    plain = load(examples=80, standardise=False).fixed
    assert (set(plain["mean"].ravel()), set(plain["scale"].ravel())) == ({0}, {1})


def test_noise_is_another_data_set_and_the_split_seed_is_not():
    first = load(examples=80)
    assert load(examples=80, split_seed=1).content_hash == first.content_hash
    assert load(examples=80, noise=0.2).content_hash != first.content_hash


def test_balance_weighs_the_classes_of_the_train_split():
    task = load(examples=80, balance=True)
    counts = np.bincount(task.train["targets"], minlength=8)
    np.testing.assert_allclose((counts * task.fixed["class_weights"]).sum(), counts.sum(), rtol=1e-5)


def test_folds_hold_out_every_clip_once():
    parts = [load(examples=40, folds=4, fold=fold) for fold in range(4)]
    heldout = sorted(x.tobytes() for part in parts for x in part.heldout["inputs"])
    assert heldout == [x for x, _ in rows(parts[0])]


@pytest.mark.parametrize("examples", [7, (1 << 17) + 1])
def test_too_few_or_too_many_keywords_are_refused(examples):
    with pytest.raises(ConfigError, match=rf"^task\.examples: {examples}; allowed: 8 to 131072 keywords, 0 for 2400$"):
        load(examples=examples)


def test_a_loss_of_numbers_is_refused():
    with pytest.raises(ConfigError, match=r"^task\.loss: squared_error; allowed: auto, cross_entropy with"):
        load(loss="squared_error")


def test_clips_of_a_folder_are_padded_to_the_longest(tmp_path):
    written = write(tmp_path, no=1500, yes=2000)
    task = load(tmp_path)
    assert task.spec.shape == (23, 32, 1)
    assert task.notes == ("classes: 0 no, 1 yes",)
    np.testing.assert_allclose(stacked(rows(task)), expected(written, 2000), atol=1e-4)


def test_clips_are_cut_at_one_second(tmp_path):
    written = write(tmp_path, rate=4000, each=3, yes=5000)
    task = load(tmp_path)
    assert task.spec.shape == (98, 32, 1)
    np.testing.assert_allclose(stacked(rows(task)), expected(written, 4000, 4000), atol=1e-4)


def test_clips_shorter_than_a_window_are_padded_to_one(tmp_path):
    write(tmp_path, no=3, yes=5)
    assert load(tmp_path).spec.shape == (1, 32, 1)


def test_more_clips_than_a_chunk_keep_their_classes(tmp_path):
    written = write(tmp_path, each=audio.CHUNK - 10, no=250, yes=300)
    np.testing.assert_allclose(stacked(rows(load(tmp_path))), expected(written, 300), atol=1e-4)


def test_equal_clips_stay_in_one_split(tmp_path):
    write(tmp_path, each=8)
    for number in range(8):  # each once more, padded with silence of its own, in another class
        raw = to_wav([*clip(number).tolist(), 0, 0])
        (tmp_path / "yes" / f"copy{number}.wav").write_bytes(raw)
    for seed in range(3):
        task = load(tmp_path, split_seed=seed)
        seen = [{x.tobytes() for x in task.split(split)["inputs"]} for split in SPLITS]
        assert len(set.union(*seen)) == sum(map(len, seen))


def mixed(folder):
    (folder / "yes" / "3.wav").write_bytes(to_wav([1, 2], rate=16000))


def text(folder):
    (folder / "yes" / "3.wav").write_text("no sound")


def empty(folder):
    (folder / "yes" / "3.wav").write_bytes(to_wav([]))


def cut_short(folder):
    file = folder / "yes" / "3.wav"
    file.write_bytes(file.read_bytes()[:-2])


def mu_law(folder):
    (folder / "yes" / "3.wav").write_bytes(riff(form(7, bits=8)))


@pytest.mark.parametrize(
    "harm, said",
    [
        (mixed, r"yes/3\.wav has 16000 samples a second, .*no/0\.wav has 8000; allowed: one rate for all$"),
        (text, r"yes/3\.wav is no WAV file"),
        (empty, r"yes/3\.wav holds no sample"),
        (cut_short, r"yes/3\.wav is cut short: 3998 bytes of samples; allowed: the 4000 of its header$"),
        (mu_law, r"yes/3\.wav is coded as mu-law"),
    ],
)
def test_the_first_clip_that_does_not_fit_is_named(tmp_path, harm, said):
    write(tmp_path)
    harm(tmp_path)
    with pytest.raises(ConfigError, match=f"^task\\.path: .*{said}"):
        load(tmp_path)


@pytest.mark.parametrize("rate", [3999, 192_001])
def test_rates_beyond_the_filterbank_are_refused(tmp_path, rate):
    write(tmp_path, rate=rate)
    with pytest.raises(ConfigError, match=rf"no/0\.wav has {rate} samples a second; allowed: 4000 to 192000$"):
        load(tmp_path)


def test_folders_that_hold_no_classes_are_refused(tmp_path):
    many = "allowed: two or more, one for each class, with WAV files"
    with pytest.raises(ConfigError, match=f"has 0 sub-folders; {many}"):
        load(tmp_path)
    write(tmp_path, names=("yes",))
    with pytest.raises(ConfigError, match=f"has 1 sub-folders; {many}"):
        load(tmp_path)
    (tmp_path / "no").mkdir()
    with pytest.raises(ConfigError, match=r"no holds no WAV files; allowed: one or more \(\.wav, \.wave\) for each"):
        load(tmp_path)
    with pytest.raises(ConfigError, match=r"absent' does not exist; allowed: a folder with a sub-folder of WAV files"):
        load(tmp_path / "absent")
