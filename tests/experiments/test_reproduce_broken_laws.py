"""Caballero et al. 2023 and Alabdulmohsin et al. 2022: what forms of a law foretell, beside the authors' figures."""

import pytest
from known import DATA

from experiments.reproduce import tables
from experiments.reproduce.papers import broken_laws, forms

# as the reference's table gives them, over the curves of a domain
REFERENCE = {"NMT": (0.2217, 0.0341, 0.0471, 0.0208), "LM": (0.01397, 0.00101, 0.00227, 0.00063),
             "BB": (0.0148, 0.0142, 0.0087, 0.0115)}  # fmt: skip


def test_one_break_foretells_addition_as_the_authors_fit_does(verdicts):
    found = verdicts("broken_laws", files=[broken_laws.FILE])["addition"]
    assert not found.those("no")
    agrees, here = found["error of the last points, one break"]
    assert agrees == "yes"
    assert here <= broken_laws.THEIR_ERROR + 5e-9
    assert found["error of the last points, a power law above a floor"][1] > 0.5


def test_the_curves_and_the_reference_are_read_as_published():
    for name in forms.FILES:
        if not (DATA / name).exists():
            pytest.skip(f"published table {name} is not here")
    curves, reference = tables.language_curves(DATA), tables.language_reference(DATA)
    assert [sum(one.domain == domain for one in curves) for domain in REFERENCE] == [5, 5, 10]
    for one in curves:
        assert (one.x[1:] > one.x[:-1]).all()
        assert one.x[~one.fitted].min() > one.x[one.fitted].max()
    for domain, means in REFERENCE.items():
        for form, value in zip(("M1", "M2", "M3", "M4"), means, strict=True):
            assert reference[domain, form] == pytest.approx(value, rel=5e-3), (domain, form)


def test_three_forms_through_the_command_line(verdicts, tmp_path):
    found = verdicts("forms", "--figure=scores", files=forms.FILES)["scores"]
    assert len(found.agrees) == 9 + 6
    weighted = {name for name in found.those("no") if forms.EQUALLY not in name}
    assert weighted == {"mean score of M3, language modelling", "mean score of M3, BIG-Bench"}
    assert found[f"mean score of M2, {forms.EQUALLY}, translation"][1] == pytest.approx(0.04816, abs=5e-5)
    assert found["mean score of M3, language modelling"][1] < 0.0027
    assert found["mean score of M3, BIG-Bench"][1] < 0.0100
    assert {path.name for path in tmp_path.rglob("*.png")} == {"scores.png", "curves.png"}


@pytest.mark.slow
def test_the_fourth_form_through_the_command_line(verdicts):
    found = verdicts("forms", "--figure=m4", files=forms.FILES)["m4"]
    assert found.those("no") == {"mean score of M4, language modelling"}
    assert found["mean score of M4, language modelling"][1] < 0.0009
