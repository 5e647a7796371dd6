"""Published constants, each with its source; a coefficient dictionary fits `frontier` and `laws` as it stands."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Published:
    """Constants of one paper's law, in the paper's own units."""

    law: str
    coefficients: dict[str, float]
    source: str


HOFFMANN_2022 = Published(
    "chinchilla",
    {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28},
    "Hoffmann et al. 2022, equation 10",
)
BESIROGLU_2024 = Published(
    "chinchilla",
    {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658},
    "Besiroglu et al. 2024, equation 5",
)
KAPLAN_2020 = Published(
    "kaplan",
    {"N_c": 6.4e13, "D_c": 1.8e13, "alpha_N": 0.076, "alpha_D": 0.103},
    "Kaplan et al. 2020, table 2 (N without embedding and head)",
)
HOFFMANN_EXPONENTS = {"approach 1": 0.50, "approach 2": 0.49, "approach 3": 0.46}  # table 2: N* over C
EMBEDDING_PARAMS = 47491.0  # Pearce and Song 2024: N_T = N + 47491 N^(1/3) for N without the embedding
KAPLAN_SIZES = (768.0, 1.5e9)  # Kaplan et al. 2020, section 2.2: smallest and largest N, without the embedding
