"""Draw from a trained model with several seeds and write what EDM's rules find into its card.

python experiments/lmdm/measure.py FOLDER OUT SAMPLES SEED...

FOLDER is of a finished training (`qhw train`), or a shipped name. OUT gets the same weights and a
card with the measured shares and their intervals.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch

from qhw.api.generating import lmdm
from qhw.lmdm.diffusion import SamplingConfig
from qhw.lmdm.evaluate import drawn_metrics
from qhw.models.checkpoint import load, save


def main(folder: str, out: Path, samples: int, seeds: list[int]) -> None:
    """Measure and save."""
    torch.set_num_threads(1)
    model, card = lmdm(folder), load(folder)[1]
    started = time.process_time()
    sampling = SamplingConfig()
    metrics = drawn_metrics(model, samples, seeds, sampling)
    seconds = time.process_time() - started
    print(f"{samples} x {len(seeds)} in {seconds:.0f} s of CPU time")
    save(
        model,
        out / f"{card.name}.safetensors",
        name=card.name,
        seed=card.seed,
        training=card.training | {"code": card.code.model_dump()},
        data=card.data
        | {
            "drawn": {
                "each": samples,
                "seeds": list(seeds),
                "sampler": f"{sampling.sampler}, {sampling.steps} steps",
                "seconds_each": round(seconds / (samples * len(seeds)), 4),
            }
        },
        metrics=metrics,
    )
    for name, value in metrics.items():
        print(name, value)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), [int(s) for s in sys.argv[4:]])
