"""Flax models: families of architectures over width and depth, and the layers they are made of."""
