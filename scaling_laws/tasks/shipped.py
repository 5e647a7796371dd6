"""Small tables that the package scikit-learn ships, read from its data files without importing it.

Columns have the names that scikit-learn gives them; classes are its whole numbers.
"""

import gzip
from collections.abc import Callable

import numpy as np

from scaling_laws.tasks.columns import Numbers, Table
from scaling_laws.tasks.sklearn_files import sklearn_file

CELLS = ("radius", "texture", "perimeter", "area", "smoothness", "compactness", "concavity", "concave points")
CELLS += ("symmetry", "fractal dimension")
BREAST_CANCER = (*(f"mean {x}" for x in CELLS), *(f"{x} error" for x in CELLS), *(f"worst {x}" for x in CELLS))
WINE = ("alcohol", "malic_acid", "ash", "alcalinity_of_ash", "magnesium", "total_phenols", "flavanoids")
WINE += ("nonflavanoid_phenols", "proanthocyanins", "color_intensity", "hue", "od280/od315_of_diluted_wines", "proline")
IRIS = ("sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)")
DIABETES = ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6")


def breast_cancer() -> Table:
    """569 tumours, 30 measurements of their cells, malignant (0) or benign (1)."""
    return _classified("breast_cancer", "breast_cancer.csv", BREAST_CANCER)


def wine() -> Table:
    """178 wines of three growers, 13 measurements."""
    return _classified("wine", "wine_data.csv", WINE)


def iris() -> Table:
    """150 irises of three species, 4 measurements."""
    return _classified("iris", "iris.csv", IRIS)


def diabetes() -> Table:
    """442 patients, 10 measurements in their own units, and the progression of the disease a year later."""
    values_NxF = _numbers(gzip.decompress(sklearn_file("diabetes_data_raw.csv.gz", "diabetes")), " ")
    targets_Nx1 = _numbers(gzip.decompress(sklearn_file("diabetes_target.csv.gz", "diabetes")), " ")
    return _table("diabetes", np.hstack([values_NxF, targets_Nx1]), DIABETES)


SHIPPED: dict[str, Callable[[], Table]] = {
    "breast_cancer": breast_cancer,
    "wine": wine,
    "iris": iris,
    "diabetes": diabetes,
}


def _classified(name: str, file: str, columns: tuple[str, ...]) -> Table:
    """A file whose first line holds two counts and the names of the classes, and whose last column is the class."""
    head, body = sklearn_file(file, name).split(b"\n", 1)
    return _table(name, _numbers(body, ","), columns, tuple(head.decode().strip().split(",")[2:]))


def _table(name: str, values: np.ndarray, columns: tuple[str, ...], classes: tuple[str, ...] = ()) -> Table:
    named = zip((*columns, "target"), values.T, strict=True)
    return Table(name, tuple(Numbers(c, v.copy()) for c, v in named), range(1, len(values) + 1), "target", classes)


def _numbers(body: bytes, separator: str) -> np.ndarray:
    return np.array([line.split(separator) for line in body.decode().splitlines()], np.float64)
