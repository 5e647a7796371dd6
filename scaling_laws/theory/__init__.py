"""Tasks whose exponents are known in closed form: their data, their exact expected losses and those exponents. No JAX
here."""
