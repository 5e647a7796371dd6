"""What libraries print, apart from what we say."""

import os
import sys

from scaling_laws.hosts.aside import aside


def test_descriptors_go_to_the_file_and_streams_where_they_went(capfd, tmp_path):
    path = tmp_path / "logs" / "process_0.log"
    before = sys.stdout, sys.stderr
    with aside(path):
        print("seen")
        print("heard", file=sys.stderr)
        os.write(1, b"noise\n")
        os.write(2, b"more\n")
    os.write(1, b"after\n")
    out, err = capfd.readouterr()
    assert (out, err) == ("seen\nafter\n", "heard\n")
    assert path.read_text() == "noise\nmore\n"
    assert (sys.stdout, sys.stderr) == before


def test_a_silent_library_leaves_no_file(tmp_path):
    with aside(tmp_path / "log"):
        pass
    assert not list(tmp_path.iterdir())
