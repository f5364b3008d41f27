"""How paid devices stand right now: in service or not, queue, opening hours, price.

Asking costs nothing and changes nothing. Every device is asked at once with others and in bounded
time; one that does not answer has its reason in its own row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from backends.base import BackendError, UnknownBackendError
from backends.bounded_http import Patience
from backends.prices import PriceEntry, PriceError, price_of
from backends.vendor import CredentialsError
from backends.vendor_text import clean_text
from calibration.closest import closest

if TYPE_CHECKING:
    from backends.ibm.client import IBMClient

SHORT = Patience(connect_s=3.0, silence_s=4.0, request_s=5.0, question_s=5.0, pause_s=0.5)
"""A silent device is given up after two tries, less than ten seconds."""
VENDORS = ("ibm", "braket")
_AT_ONCE = 4
_TASKS = "QUANTUM_TASKS_QUEUE"
_SIZE = re.compile(r">?\s*([0-9]{1,9})")

Clock = Callable[[], datetime]
Told = Callable[[int, int], None]


@dataclass(frozen=True)
class Standing:
    """One device as its vendor describes it now.

    Attributes:
        backend: registry name; ``ibm:*`` or ``braket:*`` where a vendor could not be asked at all.
        status: the vendor's word, empty where it gave none.
        in_service: whether it takes jobs; ``None`` where that is not known.
        queue: jobs that wait, ``None`` where that is not known.
        queue_text: the vendor's own words about its queues.
        is_open: whether it executes at this moment.
        next_opening: first opening after this moment (UTC), where hours are announced.
        price: what it charges, ``None`` where no price is known.
        price_error: how to supply a price, where none is known.
        error: why there is no answer; empty where there is one.
        lacks_credentials: whether the error is one of credentials.
    """

    backend: str
    status: str = ""
    in_service: bool | None = None
    queue: int | None = None
    queue_text: str = ""
    is_open: bool | None = None
    next_opening: datetime | None = None
    price: PriceEntry | None = None
    price_error: str = ""
    error: str = ""
    lacks_credentials: bool = False


def ask_devices(
    names: Collection[str] = (),
    *,
    patience: Patience = SHORT,
    clock: Clock = lambda: datetime.now(UTC),
    told: Told = lambda *_: None,
) -> tuple[Standing, ...]:
    """Ask every device how it stands, several at once.

    Args:
        names: registry names such as ``braket:iqm_garnet``, or a vendor such as ``ibm`` for all
            its devices; everything by default.
        patience: how long to wait for each answer.
        clock: the present moment, UTC.
        told: called with how many devices of how many have been asked.

    Returns:
        A row a device: IBM's as the account lists them, then Braket's.

    Raises:
        UnknownBackendError: a name is none of a device of these vendors.
        CredentialsError: no vendor that was asked has credentials.
    """
    wanted = _wanted(names)
    told(0, max(1, sum(map(len, wanted.values()))))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        asked: list[Future[Standing]] = []
        rows: list[Standing] = []
        braket = [
            pool.submit(_asked, f"braket:{name}", _Braket(name, patience, clock))
            for name in wanted.get("braket", ())
        ]
        if "ibm" in wanted:
            found = _ibm_devices(wanted["ibm"], patience)
            if isinstance(found, Standing):
                rows.append(found)
            else:
                client, devices = found
                asked += [
                    pool.submit(_asked, f"ibm:{name}", _IBM(name, devices, client))
                    for name in wanted["ibm"] or devices
                ]
        asked += braket
        for number, _ in enumerate(as_completed(asked), start=1):
            told(number, len(asked))
    rows += [future.result() for future in asked]
    return _without_repeats(rows)


def _wanted(names: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Devices of each vendor to ask; of IBM none for all, which only the account knows.

    Raises:
        UnknownBackendError: as :func:`ask_devices`.
    """
    from backends.braket.devices import ARNS, arn_of

    found: dict[str, dict[str, None]] = {}
    for name in names or VENDORS:
        vendor, _, device = name.partition(":")
        if vendor not in VENDORS or name.endswith(":"):
            raise UnknownBackendError(
                "Argument `device` must be ibm, braket, ibm:<device> or braket:<device>, but is "
                f"{name!r}."
            )
        if vendor == "braket" and device:
            arn_of(device)
        every = ARNS if vendor == "braket" else ()
        found.setdefault(vendor, {}).update(dict.fromkeys([device] if device else every))
    if "ibm" in names:
        found["ibm"] = {}
    return {vendor: tuple(devices) for vendor, devices in found.items()}


def _ibm_devices(
    names: Sequence[str], patience: Patience
) -> Standing | tuple[IBMClient, tuple[str, ...]]:
    """A connection and the account's devices, or the row that says why there are none."""
    from backends.ibm.answers import device_names
    from backends.ibm.client import IBMClient

    try:
        client = IBMClient(patience=patience)
        devices = client.ask("list of devices", device_names)
    except BackendError as error:
        return _failed("ibm:*", error)
    if not devices and not names:
        return Standing("ibm:*", error="the account has no devices: check the instance")
    return client, devices


@dataclass(frozen=True)
class _IBM:
    """Asks IBM for one device."""

    name: str
    devices: tuple[str, ...]
    client: IBMClient

    def __call__(self) -> Standing:
        from backends.ibm.answers import standing

        if self.name not in self.devices:
            raise UnknownBackendError(
                "the account has no such device "
                f"({closest(self.name, self.devices, 'qhw devices --live')})"
            )
        up, word, waiting = self.client.ask(
            f"status of {self.name}", lambda client: standing(client, self.name)
        )
        return Standing(
            backend=f"ibm:{self.name}",
            status=word,
            in_service=up,
            queue=waiting,
            queue_text=f"{waiting} jobs",
            is_open=up,
            price=price_of(f"ibm:{self.name}"),
        )


@dataclass(frozen=True)
class _Braket:
    """Asks Amazon for one device."""

    name: str
    patience: Patience
    clock: Clock

    def __call__(self) -> Standing:
        try:
            from backends.braket.backend import BraketBackend
            from backends.braket.client import BraketClient
        except ModuleNotFoundError as error:
            raise CredentialsError(
                f"Braket devices need Amazon's packages ({error.name} is missing): "
                "pip install 'qhw[braket]'."
            ) from error
        from backends.braket.cost import Rate
        from backends.braket.devices import arn_of, region_of_arn

        client = BraketClient(region_of_arn(arn_of(self.name)), self.patience)
        backend = BraketBackend(self.name, client=client, clock=self.clock)
        device, now = backend.device(), self.clock()
        row = Standing(
            backend=backend.name,
            status=clean_text(device.status, 100),
            in_service=device.status == "ONLINE",
            queue=_waiting(device.queue),
            queue_text=clean_text(
                ", ".join(f"{n} {size}" for n, size in device.queue.items()), 300
            ),
            is_open=device.is_open(now),
            next_opening=device.next_opening(now),
        )
        try:
            rate = Rate.of(backend.name, device.usd_per_shot)
        except PriceError as error:
            return replace(row, price_error=str(error))
        return replace(row, price=rate.price.model_copy(update={"usd_per_shot": rate.per_shot}))


def _asked(backend: str, question: Callable[[], Standing]) -> Standing:
    try:
        return question()
    except BackendError as error:
        return _failed(backend, error)
    except Exception as error:  # an answer of no known kind is no reason to lose all others
        return _failed(backend, BackendError(clean_text(f"malformed answer: {error!r}", 300)))


def _failed(backend: str, error: BackendError) -> Standing:
    return Standing(
        backend, error=str(error), lacks_credentials=isinstance(error, CredentialsError)
    )


def _waiting(queue: dict[str, str]) -> int | None:
    """Tasks that wait, of every priority; Amazon caps the figure (``>4000``)."""
    sizes = [_SIZE.fullmatch(size) for name, size in queue.items() if name.startswith(_TASKS)]
    known = [int(size[1]) for size in sizes if size]
    return sum(known) if known else None


def _without_repeats(rows: list[Standing]) -> tuple[Standing, ...]:
    """One row for a vendor whose every device says that credentials are missing.

    Raises:
        CredentialsError: there is no other kind of row.
    """
    reasons: dict[str, str] = {}
    for vendor in VENDORS:
        own = [row for row in rows if row.backend.startswith(f"{vendor}:")]
        if own and all(row.lacks_credentials for row in own):
            reasons[vendor] = own[0].error
            first = rows.index(own[0])
            rows = [row for row in rows if row not in own]
            rows.insert(first, replace(own[0], backend=f"{vendor}:*"))
    if rows and len(reasons) == len(rows):
        said = " ".join(f"{vendor}: {reason}" for vendor, reason in reasons.items())
        raise CredentialsError(f"No device can be asked. {said}")
    return tuple(rows)
