"""The same training step in PyTorch, eager, written from the formula; a stand-alone worker without this project.

A decoder-only transformer: RMS norm (Zhang and Sennrich 2019) before each branch and before the head, rotary positions
(Su et al. 2021) in pairs (i, i + K/2), causal attention, a feed-forward branch of four widths with tanh-GELU; mean
cross-entropy, gradients clipped to a global norm of 1, AdamW. Started by peers.py with one line of JSON a job:

    {"width":, "depth":, "n_heads":, "vocab_size":, "context":, "batch_size":, "steps":}

answers {"fused": CPU-seconds a step, "plain": the same, "loss": of the last step}: attention by
`scaled_dot_product_attention` and by a softmax of its own. Dimensions: B batch, L length, D width, V vocabulary,
H heads, K size of a head, F hidden width.
"""

import json
import math
import sys
import time

import torch  # pyright: ignore[reportMissingImports]
import torch.nn.functional as F  # pyright: ignore[reportMissingImports]

EPSILON, ROTARY_BASE, RATE, CLIP = 1e-6, 10000.0, 1e-4, 1.0


def normal(*shape):
    """A parameter with a standard deviation of one over the root of the fan-in."""
    return torch.nn.Parameter(torch.randn(*shape) / math.sqrt(shape[0]))


class Block(torch.nn.Module):
    """Attention and feed-forward branch, each after a norm, added to the residual stream."""

    def __init__(self, width, n_heads, context, fused):
        super().__init__()
        self.n_heads, self.size, self.fused = n_heads, width // n_heads, fused
        self.attention_norm = torch.nn.Parameter(torch.ones(width))
        self.mlp_norm = torch.nn.Parameter(torch.ones(width))
        self.qkv, self.out = normal(width, 3 * width), normal(width, width)
        self.up, self.down = normal(width, 4 * width), normal(4 * width, width)
        frequency = ROTARY_BASE ** (-torch.arange(0, self.size, 2) / self.size)
        angle = torch.arange(context)[:, None] * frequency
        self.cos, self.sin = angle.cos(), angle.sin()
        self.mask_LxL = torch.full((context, context), -math.inf).triu(1)

    def forward(self, x_BxLxD):
        """(B, L, D) to (B, L, D)."""
        width = x_BxLxD.shape[-1:]
        x_BxLxD = x_BxLxD + self.attention(F.rms_norm(x_BxLxD, width, self.attention_norm, EPSILON))
        hidden_BxLxF = F.rms_norm(x_BxLxD, width, self.mlp_norm, EPSILON) @ self.up
        return x_BxLxD + F.gelu(hidden_BxLxF, approximate="tanh") @ self.down

    def attention(self, x_BxLxD):
        """(B, L, D) to (B, L, D), position t from positions up to t."""
        batch, length, width = x_BxLxD.shape
        parts = (x_BxLxD @ self.qkv).view(batch, length, 3, self.n_heads, self.size).permute(2, 0, 3, 1, 4)
        q, k, v = self.rotate(parts[0]), self.rotate(parts[1]), parts[2]
        if self.fused:
            mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            scores = q @ k.transpose(-1, -2) * self.size**-0.5 + self.mask_LxL
            mixed = torch.softmax(scores, -1) @ v
        return mixed.transpose(1, 2).reshape(batch, length, width) @ self.out

    def rotate(self, x_BxHxLxK):
        """Turn the pairs (i, i + K/2) by their position's angle."""
        first, second = x_BxHxLxK.chunk(2, -1)
        return torch.cat([first * self.cos - second * self.sin, second * self.cos + first * self.sin], -1)


class Transformer(torch.nn.Module):
    """Tokens to logits."""

    def __init__(self, width, depth, n_heads, vocab_size, context, fused):
        super().__init__()
        self.embedding, self.head = normal(vocab_size, width), normal(width, vocab_size)
        self.blocks = torch.nn.ModuleList(Block(width, n_heads, context, fused) for _ in range(depth))
        self.final_norm = torch.nn.Parameter(torch.ones(width))

    def forward(self, tokens_BxL):
        """(B, L) to (B, L, V)."""
        x_BxLxD = self.embedding[tokens_BxL]
        for block in self.blocks:
            x_BxLxD = block(x_BxLxD)
        return F.rms_norm(x_BxLxD, x_BxLxD.shape[-1:], self.final_norm, EPSILON) @ self.head


class Trainer:
    """A model, its optimiser and one batch; no step depends on what the tokens are."""

    def __init__(self, job, fused):
        torch.manual_seed(0)
        names = ("width", "depth", "n_heads", "vocab_size", "context")
        self.model = Transformer(**{name: job[name] for name in names}, fused=fused)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=RATE, weight_decay=0.0, foreach=True)
        windows = torch.randint(0, job["vocab_size"], (job["batch_size"], job["context"] + 1))
        self.inputs_BxL, self.targets_BxL = windows[:, :-1], windows[:, 1:]
        self.round(2)

    def round(self, steps):
        """(CPU-seconds a step, loss of the last)."""
        began = time.process_time()
        for _ in range(steps):
            loss = self.step()
        return (time.process_time() - began) / steps, float(loss)

    def step(self):
        """One optimiser step."""
        self.optimizer.zero_grad(set_to_none=True)
        logits_BxLxV = self.model(self.inputs_BxL)
        loss = F.cross_entropy(logits_BxLxV.flatten(0, 1), self.targets_BxL.flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        self.optimizer.step()
        return loss.detach()


def main():
    """Answers jobs from standard input until it ends."""
    torch.set_num_threads(1)
    trainers = {}
    print(json.dumps({"torch": torch.__version__}), flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        steps, key = job.pop("steps"), tuple(sorted(job.items()))
        if key not in trainers:
            trainers[key] = Trainer(job, fused=True), Trainer(job, fused=False)
        (fused, loss), (plain, _) = (trainer.round(steps) for trainer in trainers[key])
        print(json.dumps({"fused": fused, "plain": plain, "loss": loss}), flush=True)


if __name__ == "__main__":
    main()
