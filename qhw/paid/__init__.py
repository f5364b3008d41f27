"""Work on a paid device through the ledger: begun once, followed, taken up again."""
