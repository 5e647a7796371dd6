"""Several processes, on one host or many, that train one model: how they find each other, agree, and leave together."""
