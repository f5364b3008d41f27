"""How many shots a wanted precision takes, by what the whole pipeline makes of them."""
