"""The state of a training run on disk: weights, Adam's moments, random state, epochs done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as dump_tensors
from torch import Tensor, nn

from qhw.models.checkpoint import CheckpointError, write_atomically

_VERSION = "1"
_MOMENTS = ("exp_avg", "exp_avg_sq", "step")


class TrainingState:
    """One file that a stopped run goes on from.

    Args:
        path: the file, safetensors with its metadata in the header.
        digest: of what the state belongs to; a state of another digest is refused.
    """

    def __init__(self, path: Path, digest: str) -> None:
        self.path = path
        self.digest = digest

    def write(
        self, model: nn.Module, optimizer: torch.optim.Adam, generator: torch.Generator, epochs: int
    ) -> None:
        """Write the state after ``epochs`` epochs, whole or not at all."""
        tensors = {f"model.{k}": v.detach() for k, v in model.state_dict().items()}
        for name, parameter in model.named_parameters():
            for moment in _MOMENTS:
                # a parameter the loss does not reach has no moments
                if moment in optimizer.state[parameter]:
                    tensors[f"{moment}.{name}"] = optimizer.state[parameter][moment]
        tensors["generator"] = generator.get_state()
        metadata = {"version": _VERSION, "digest": self.digest, "epochs": str(epochs)}
        contiguous = {k: v.contiguous() for k, v in tensors.items()}
        write_atomically(self.path, dump_tensors(contiguous, metadata=metadata))

    def restore(
        self, model: nn.Module, optimizer: torch.optim.Adam, generator: torch.Generator
    ) -> int:
        """Load the state if there is one.

        Returns:
            Epochs done, 0 if there is no state.

        Raises:
            ValueError: the state is of another config or data.
            CheckpointError: the file is damaged.
        """
        if not self.path.exists():
            return 0
        metadata, tensors = self._read()
        if metadata.get("version") != _VERSION or metadata.get("digest") != self.digest:
            raise ValueError(
                f"Argument `out` must not hold a run of another config, but {self.path} is of "
                "one: name another folder, or start again."
            )
        try:
            weights = {
                k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")
            }
            model.load_state_dict(weights, strict=True)
            for name, parameter in model.named_parameters():
                moments = {m: tensors[f"{m}.{name}"] for m in _MOMENTS if f"{m}.{name}" in tensors}
                if moments:
                    optimizer.state[parameter] = moments
            generator.set_state(tensors["generator"])
            return int(metadata["epochs"])
        except (RuntimeError, KeyError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise CheckpointError(f"{self.path} is damaged: {reason}") from error

    def _read(self) -> tuple[dict[str, str], dict[str, Tensor]]:
        try:
            opened: Any = safe_open(self.path, framework="pt")
            with opened as stream:
                tensors = {key: stream.get_tensor(key) for key in stream.keys()}  # noqa: SIM118
                return stream.metadata() or {}, tensors
        except SafetensorError as error:
            raise CheckpointError(f"{self.path} is no training state: {error}.") from error
