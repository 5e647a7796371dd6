"""Random features and a linear readout.

Dimensions: B batch, F numbers of an example, W features, O outputs.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn

from scaling_laws.config import ModelConfig
from scaling_laws.models.layers import ACTIVATIONS, WATCHED, activated, dense, parameter
from scaling_laws.parametrization import Rules
from scaling_laws.spec import Spec


class Features(nn.Module):
    """Examples, or the keys of random examples, to outputs in float32."""

    model: ModelConfig
    rules: Rules
    spec: Spec

    @nn.compact
    def __call__(self, inputs):
        """(B, ...) numbers to (B, O); of (B,) keys the error (B, 1) that the readout makes on the example drawn."""
        outputs_BxO = self.error(inputs) if self.spec.inputs == "noise" else self.readout(inputs)
        self.sow(WATCHED, "logit_mean", outputs_BxO.mean())
        return outputs_BxO

    def readout(self, inputs):
        """(B, ...) numbers to (B, O)."""
        x_BxF = inputs.reshape(inputs.shape[0], -1).astype(self.model.dtype)
        features_BxW = activated(
            self.model.activation, dense(x_BxF, self.fixed("projection", x_BxF.shape[1]), end=True)
        )
        self.sow(ACTIVATIONS, "embedded", features_BxW)
        head_WxO = parameter(self, self.rules, "head", (self.model.width, self.spec.outputs))
        outputs_BxO = self.rules.forward.logits * dense(features_BxW, head_WxO, jnp.float32, end=True)
        if self.model.bias:
            outputs_BxO = outputs_BxO + parameter(self, self.rules, "head_bias", (self.spec.outputs,))
        return outputs_BxO

    def error(self, keys_B):
        """(B, 1): <features, theta> less the target; both are Gaussian and drawn from the example's key."""
        noise_BxW = jax.vmap(lambda key: jax.random.normal(key, (self.model.width,)))(keys_B)
        unexplained_B = jax.vmap(lambda key: jax.random.normal(jax.random.fold_in(key, 1)))(keys_B)
        features_BxW = noise_BxW * self.fixed("scales")
        target_B = (features_BxW * self.fixed("teacher")).sum(axis=1) + self.fixed("spread", rows=1) * unexplained_B
        theta_Wx1 = parameter(self, self.rules, "linear", (self.model.width, 1))
        return dense(features_BxW, theta_Wx1, end=True) - target_B[:, None]

    def fixed(self, name, *fan_in, rows=0):
        """A tensor that is drawn or given, and never learns."""
        shape = (rows or self.model.width,)
        return jax.lax.stop_gradient(parameter(self, self.rules, name, (*fan_in, *shape)))
