"""A table of numbers, one for each of the most frequent items; others are not told apart.

Dimensions: B batch, W width.
"""

from flax import linen as nn

from scaling_laws.config import ModelConfig
from scaling_laws.models.layers import WATCHED, parameter
from scaling_laws.parametrization import Rules
from scaling_laws.spec import Spec


class Memoriser(nn.Module):
    """Items, by frequency, to numbers in float32."""

    model: ModelConfig
    rules: Rules
    spec: Spec

    @nn.compact
    def __call__(self, items_B):
        """(B,) whole numbers to (B, 1); 0 for an item beyond the table."""
        table_Wx1 = parameter(self, self.rules, "linear", (self.model.width, 1))
        there_B = items_B < self.model.width
        outputs_Bx1 = table_Wx1[items_B.clip(max=self.model.width - 1)] * there_B[:, None]
        self.sow(WATCHED, "logit_mean", outputs_Bx1.mean())
        return outputs_Bx1
