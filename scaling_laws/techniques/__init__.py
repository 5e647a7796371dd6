"""What a run studies on top of the baseline: a file a technique, its settings, their strengths, what they go with. No
JAX here; what the compiled step does of it stands in `scaling_laws.train`, what the forward pass does in
`scaling_laws.models.hooks`."""
