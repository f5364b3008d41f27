"""What a run is refused for before anything is compiled, told or paid."""

from __future__ import annotations

from backends.base import Backend
from backends.native.routing import check_fits
from backends.vendor import ChecksEarly, VendorBackend
from qhw.analysis.compare.settings import PLAIN, Settings
from qhw.mitigation.base import MitigationError
from qhw.mitigation.pipeline import Pipeline
from qhw.mitigation.structure import Structure
from qhw.mitigation.words import DEFAULT
from qhw.models.base import Model, decoding, encoding
from qhw.models.exact import ROLES, template_of
from qhw.models.prior_conditions import asked_for


def check_used(settings: Settings) -> None:
    """Refuse what the task would ignore: an ignored option is a wrong answer to a question.

    Raises:
        ValueError: names the option and the tasks it belongs to.
    """
    used_by = {
        "input": (settings.input is not None, ("encode", "reconstruct")),
        "prior": (settings.prior is not None, ("generate",)),
        "kappa": (settings.kappa is not None, ("reconstruct",)),
        "draw": (not settings.draw, ("reconstruct",)),
        "condition": (bool(settings.condition), ("generate", "reconstruct")),
    }
    for name, (given, tasks) in used_by.items():
        if given and settings.task not in tasks:
            raise ValueError(
                f"Argument `{name}` must be left out of task {settings.task}, but is given; "
                f"it belongs to {' and '.join(tasks)}"
            )
    if settings.head is not None and settings.mitigation not in PLAIN:
        raise ValueError(
            f"Argument `head` must be left out of mitigation {settings.mitigation}, whose circuits "
            f"are others than those it was measured with; it goes with {' and '.join(PLAIN)}"
        )


def check_device(settings: Settings, model: Model, backend: Backend | VendorBackend) -> None:
    """Refuse what the device or the model cannot do, as far as that shows without compiling.

    Only for a run that begins: one that is taken up again was let in before.

    Args:
        settings: of the run.
        model: whose circuits.
        backend: where; a vendor is asked for its device.

    Raises:
        AbilityError: the model cannot do what the task needs.
        ConditionError: neither it nor its prior can be asked for the condition.
        MitigationError: a technique that the task, the model or the device has no use for.
        BackendError: the vendor has no such device, or not for so many shots or qubits.
    """
    need = f"task {settings.task}"
    asked_for(settings.condition, model, settings.model, settings.prior)
    decoding(model, settings.model, need)  # every task ends in molecules
    if settings.task != "generate":
        encoding(model, settings.model, need)
    _check_pipeline(settings, model, backend)
    if isinstance(backend, ChecksEarly):
        whole = settings.own_raw or settings.mitigation in PLAIN
        backend.check_early(settings.shots, whole=whole)
    snapshot = backend.snapshot
    if snapshot is None:
        return
    for role in ROLES[settings.task]:
        template = template_of(model, role, settings.preparation, settings.model, need)
        check_fits(template.circuit, snapshot)


def _check_pipeline(settings: Settings, model: Model, backend: Backend | VendorBackend) -> None:
    if settings.mitigation == DEFAULT:  # fits itself to the device
        return
    pipeline = Pipeline.parse(settings.mitigation)
    if any(isinstance(technique, Structure) for technique in pipeline.techniques):
        if "decoder" not in ROLES[settings.task]:
            raise MitigationError(
                f"structure must be used where the decoder runs, but task {settings.task} runs "
                "the encoder alone, whose outcomes are no molecules"
            )
        if model.structure is None:
            raise MitigationError(
                "structure must have a model that declares its outcomes to be encoded molecules, "
                "but this one does not"
            )
    pipeline.check_device(backend)
