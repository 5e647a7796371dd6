import datetime
import subprocess

import jax
import pytest

from scaling_laws import provenance, table


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A git repository with one commit that the package seems to lie in; its command line."""

    def git(*words):
        identity = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
        done = subprocess.run(
            ["git", "-C", str(tmp_path), *identity, *words], check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    git("init", "--quiet")
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "file.py").write_text("x = 1\n")
    git("add", ".")
    git("commit", "--quiet", "--message=one")
    git("tag", "v1")
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "package" / "file.py"))
    provenance.source_revision.cache_clear()
    yield git
    provenance.source_revision.cache_clear()


def test_the_revision_is_the_commit_and_a_plus_for_changes(checkout, tmp_path):
    commit = checkout("rev-parse", "HEAD")
    assert provenance.source_revision() == commit[:12]
    provenance.source_revision.cache_clear()
    (tmp_path / "package" / "file.py").write_text("x = 2\n")
    assert provenance.source_revision() == commit[:12] + "+"


def test_outside_git_it_is_empty(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "package" / "file.py"))
    provenance.source_revision.cache_clear()
    assert provenance.source_revision() == ""
    provenance.source_revision.cache_clear()


def test_now_is_utc_to_the_second():
    read = datetime.datetime.fromisoformat(provenance.now())
    assert read.utcoffset() == datetime.timedelta(0)
    assert read.microsecond == 0
    assert abs(datetime.datetime.now(datetime.UTC) - read) < datetime.timedelta(seconds=5)


def test_the_environment_fills_provenance_columns():
    found = provenance.environment()
    assert not set(found) & set(table.result_columns())
    assert set(found) < set(table.RUNS.names)
    assert (found["backend"], found["jax_version"]) == (jax.default_backend(), jax.__version__)
