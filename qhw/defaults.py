"""What is meant where nothing is said, in every command and function alike."""

from __future__ import annotations

from typing import Literal

DEFAULT_DEVICE = "engine:ibm_boston"
"""Where circuits run: a device model, by density matrices of our own."""
DEFAULT_EMULATOR = "emulator:ibm_boston"
"""The same device model behind the ledger, for what needs a device that takes jobs."""


def default_task(prior: object | None) -> Literal["generate", "reconstruct"]:
    """What a model is compared in: end to end, or in generating where its prior is named."""
    return "reconstruct" if prior is None else "generate"
