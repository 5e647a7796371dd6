"""Published constants, each with its source; a coefficient dictionary fits `frontier` and `laws` as it stands."""

import dataclasses
import math


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
KAPLAN_BATCH = Published(
    "power(loss)",
    {"A": 2.1e8, "gamma": 4.76},
    "Kaplan et al. 2020, section 5.1: B_crit = B* / L^(1 / alpha_B) in tokens, B* 2.1e8, alpha_B .21",
)
HOFFMANN_EXPONENTS = {"approach 1": 0.50, "approach 2": 0.49, "approach 3": 0.46}  # table 2: N* over C
EMBEDDING_PARAMS = 47491.0  # Pearce and Song 2024: N_T = N + 47491 N^(1/3) for N without the embedding
KAPLAN_SIZES = (768.0, 1.5e9)  # Kaplan et al. 2020, section 2.2: smallest and largest N, without the embedding
MUENNIGHOFF_2023 = Published(
    "data_constrained",
    {"E": math.exp(0.6254804), "A": math.exp(6.255414), "B": math.exp(7.3049974), "alpha": 0.3526596, "beta": 0.3526596,
     "R_D": 15.387756, "R_N": 5.309743},
    "Muennighoff et al. 2023, equation 7 and its code (ln A, ln B, ln E as they stand there)",
)  # fmt: skip
GADRE_2024 = {  # data set as their tables name it -> loss (on C4's held-out text), and mean error of 17 tasks
    "c4_original": (
        Published("gadre", {"E": 1.51, "a": 141.0, "b": 190.0, "eta": 0.121}, "Gadre et al. 2024, C4"),
        Published("error", {"eps": 0.850, "k": 2.08, "gamma": 0.756}, "Gadre et al. 2024, C4"),
    ),
    "rpj": (
        Published("gadre", {"E": 1.84, "a": 212.0, "b": 367.0, "eta": 0.136}, "Gadre et al. 2024, RedPajama"),
        Published("error", {"eps": 0.857, "k": 2.21, "gamma": 0.715}, "Gadre et al. 2024, RedPajama"),
    ),
    "rw_original": (
        Published("gadre", {"E": 1.73, "a": 157.0, "b": 246.0, "eta": 0.127}, "Gadre et al. 2024, RefinedWeb"),
        Published("error", {"eps": 0.865, "k": 2.21, "gamma": 0.707}, "Gadre et al. 2024, RefinedWeb"),
    ),
}
STEP_LAW = {  # means of their 1000 bootstrap fits; the coefficient is e to the mean intercept
    "learning_rate": Published(
        "learning_rate", {"k": 1.797, "x_n_params": -0.7129, "x_tokens": 0.3075}, "Li et al. 2025 (Step Law)"
    ),
    "batch": Published("batch", {"k": 0.581, "x_tokens": 0.5709}, "Li et al. 2025 (Step Law), tokens a step"),
}
DEEPSEEK = {
    "learning_rate": Published("learning_rate(flops)", {"k": 0.3118, "x_flops": -0.1250}, "Bi et al. 2024, equation 1"),
    "batch": Published("batch(flops)", {"k": 0.2920, "x_flops": 0.3271}, "Bi et al. 2024, equation 1, tokens a step"),
}
FRANTAR_2023 = {  # N in 1e6 weights that are not 0, D in 1e5 steps
    "T5": Published(
        "sparsity",
        {"a_S": 0.568, "b_S": 0.722, "c_S": 1.523, "b_N": 0.245, "a_D": 0.634, "b_D": 0.203, "c": 0.651},
        "Frantar et al. 2023, table 2, T5 on C4",
    ),
    "ViT": Published(
        "sparsity",
        {"a_S": 1.305, "b_S": 0.821, "c_S": 2.075, "b_N": 0.392, "a_D": 0.278, "b_D": 0.890, "c": 4.517},
        "Frantar et al. 2023, table 2, ViT on JFT",
    ),
}
KUMAR_2024 = {"weight_bits": 2.6745, "activation_bits": 2.2102}  # gamma of Kumar et al. 2024, equation 3
CLARK_2022 = Published(
    "routing",
    {"a": -0.083, "b": -0.118, "c": 0.0099, "d": 1.114, "E_start": 1.85, "E_max": 314.0},
    "Clark et al. 2022, S-Base, base 10 throughout",
)
HERNANDEZ_2021 = Published(
    "transfer",
    {"k": 1.9e4, "alpha": 0.18, "beta": 0.38},
    "Hernandez et al. 2021, equation 1.1, text to Python; characters, N without the embedding",
)
