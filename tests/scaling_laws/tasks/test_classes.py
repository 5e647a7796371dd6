from scaling_laws.tasks import classes


def test_a_note_names_a_hundred_classes():
    said = classes.note([f"c{number}" for number in range(101)])
    assert said.startswith("classes: 0 c0, 1 c1, ")
    assert said.endswith(", 99 c99, ...")
