"""Where the items of a sweep are worked on: processes of this machine, or a Dask cluster.

Both take a function of the house and its arguments, give results in the order they finish, and
turn the death of a worker into a result of its own: one item that kills its worker again and again
must not take the sweep with it.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
import platform
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from qhw.provenance import versions

Item = TypeVar("Item")
Result = TypeVar("Result")

Done = Callable[[int, int], None]
"""Told how many pieces of work of how many are finished."""
DEATHS = 3
"""Workers an item may take down before it is given up."""
_NOT_READ = "deserialization"
"""In Dask's words where work cannot be read at the other end."""
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class SchedulerError(ValueError):
    """A scheduler cannot be used; one line says why."""


@dataclass(frozen=True)
class Lost:
    """An item whose workers died."""

    reason: str


def untold(_finished: int, _total: int) -> None:
    """Nobody is told."""


class Progress:
    """Counts pieces of work.

    Args:
        tell: told how many of how many are finished, at once and after each.
        finished: so far.
        total: as far as is known.
    """

    def __init__(self, tell: Done, finished: int, total: int) -> None:
        self._tell, self._finished, self._total = tell, finished, total
        tell(finished, total)

    def expect(self, more: int) -> None:
        """There is more to do than was known."""
        self._total += more

    def step(self) -> None:
        """One more is done."""
        self._finished += 1
        self._tell(self._finished, self._total)


class Scheduler(Protocol):
    """Runs a function for many items."""

    @property
    def remote(self) -> bool:
        """Whether even a single item is worth sending away: other machines work, not this one."""

    def map(
        self, function: Callable[[Item], Result], items: Sequence[Item]
    ) -> Iterator[tuple[Item, Result | Lost]]:
        """Each item with its result, as they finish. Errors of the function are raised."""

    def close(self) -> None:
        """Let go of everything."""


class LocalScheduler:
    """A pool of processes, one thread each, that die with this one.

    Args:
        workers: processes; 0 runs everything in this process.
    """

    remote = False

    def __init__(self, workers: int) -> None:
        if workers < 0:
            raise SchedulerError(f"Argument `workers` must be 0 or more, but is {workers}")
        self._workers = workers
        self._pool: ProcessPoolExecutor | None = None
        self._environment: dict[str, str | None] = {}

    def map(
        self, function: Callable[[Item], Result], items: Sequence[Item]
    ) -> Iterator[tuple[Item, Result | Lost]]:
        """See :class:`Scheduler`."""
        if self._workers == 0:
            yield from ((item, function(item)) for item in items)
            return
        todo = dict(enumerate(items))
        deaths = dict.fromkeys(todo, 0)
        while todo:
            running: set[int] = set()
            try:
                for place, result in self._until_broken(function, dict(todo), running):
                    yield todo.pop(place), result
            except BrokenProcessPool:
                self.close()
                for place in running:
                    deaths[place] += 1
            for place in [place for place in todo if deaths[place] >= DEATHS]:
                yield todo.pop(place), Lost(f"its worker process died {DEATHS} times")

    def close(self) -> None:
        """End the processes once they have finished what they do now."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None
        for name, value in self._environment.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        self._environment = {}

    def _open(self) -> ProcessPoolExecutor:
        if self._pool is None:
            # numerical libraries read these when they load, in processes that start when needed
            self._environment = {name: os.environ.get(name) for name in _THREADS}
            os.environ.update(dict.fromkeys(_THREADS, "1"))
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(
                self._workers, mp_context=context, initializer=_start_worker
            )
        return self._pool

    def _until_broken(
        self, function: Callable[[Item], Result], todo: dict[int, Item], running: set[int]
    ) -> Iterator[tuple[int, Result]]:
        """Results by place until all are done or the pool breaks; ``running`` says who ran then."""
        left = iter(todo.items())
        places: dict[Future[Result], int] = {}
        while True:
            # no queue in the pool: what is submitted is what runs
            while len(places) < self._workers and (item := next(left, None)) is not None:
                running.add(item[0])
                places[self._open().submit(function, item[1])] = item[0]
            if not places:
                return
            for future in wait(places, return_when=FIRST_COMPLETED).done:
                result = future.result()
                place = places.pop(future)
                running.discard(place)
                yield place, result


class DaskScheduler:
    """A Dask cluster (extra ``dask``); it needs this package and the same versions everywhere.

    Args:
        address: of its scheduler, for example ``tcp://10.0.0.5:8786``.

    Raises:
        SchedulerError: Dask is not installed, or nobody answers.
    """

    remote = True

    def __init__(self, address: str, *, timeout_s: float = 10.0) -> None:
        try:
            from distributed import Client
        except ModuleNotFoundError as error:
            raise SchedulerError(
                "Argument `scheduler` needs Dask: install the extra with pip install 'qhw[dask]'"
            ) from error
        try:
            self._client = Client(address, timeout=timeout_s, set_as_default=False)
        except (OSError, ValueError, TimeoutError) as error:
            raise SchedulerError(
                f"Argument `scheduler` must be the address of a Dask scheduler, but {address}: "
                f"{str(error) or f'no answer within {timeout_s:g} s'}"
            ) from error

    def map(
        self, function: Callable[[Item], Result], items: Sequence[Item]
    ) -> Iterator[tuple[Item, Result | Lost]]:
        """See :class:`Scheduler`; Dask itself moves the work of a dead worker to others."""
        from distributed import KilledWorker, as_completed

        work = _SameSoftware(function, _software())
        futures = self._client.map(work, items, pure=False, key="qhw")
        places = {future.key: place for place, future in enumerate(futures)}
        for future in as_completed(futures, loop=self._client.loop):
            item = items[places[future.key]]
            try:
                result = future.result()
            except KilledWorker as error:
                yield item, Lost(" ".join(str(error).split()))
            except CancelledError as error:
                raise SchedulerError(
                    f"Argument `scheduler` must lead to a cluster that lasts, but "
                    f"{' '.join(str(error).split())}"
                ) from error
            except (ModuleNotFoundError, RuntimeError) as error:
                if isinstance(error, RuntimeError) and _NOT_READ not in str(error):
                    raise
                raise SchedulerError(
                    "Argument `scheduler` must lead to a cluster that has this package on its "
                    f"scheduler and all its workers, but: {' '.join(str(error).split())}"
                ) from error
            else:
                yield item, result
            future.release()

    def close(self) -> None:
        """Leave the cluster; it goes on without us."""
        self._client.close()


@functools.cache
def _software() -> tuple[tuple[str, str], ...]:
    """Packages that decide figures, their versions without the part that names a build."""
    found = {name: v.partition("+")[0] for name, v in versions().items() if name != "python"}
    return tuple(found.items())


@dataclass(frozen=True)
class _SameSoftware(Generic[Item, Result]):
    """A function that refuses to give the figures of other software."""

    function: Callable[[Item], Result]
    wanted: tuple[tuple[str, str], ...]

    def __call__(self, item: Item) -> Result:
        here = dict(_software())
        for name, version in self.wanted:
            if here.get(name) != version:
                raise SchedulerError(
                    "Argument `scheduler` must lead to workers with the packages of this machine, "
                    f"but one on {platform.node()} has {name} {here.get(name)}, not {version}"
                )
        return self.function(item)


def open_scheduler(
    workers: int | None = None,
    address: str | None = None,
    *,
    name: str = "workers",
) -> Scheduler:
    """The scheduler that is asked for.

    Args:
        workers: local processes; one a core by default, 0 for none.
        address: of a Dask scheduler, in place of local processes.
        name: of the argument ``workers``, for people.

    Raises:
        SchedulerError: both are given, or the scheduler cannot be used.
    """
    if address is not None:
        if workers is not None:
            raise SchedulerError(f"Argument `{name}` must not be given together with `scheduler`")
        return DaskScheduler(address)
    return LocalScheduler(len(os.sched_getaffinity(0)) if workers is None else workers)


@contextmanager
def some_scheduler(workers: int | None, address: str | None) -> Iterator[Scheduler | None]:
    """The scheduler that is asked for, closed in the end; ``None`` where none is.

    Args:
        workers: local processes; 0 or ``None`` for none.
        address: of a Dask scheduler.

    Raises:
        SchedulerError: as :func:`open_scheduler`.
    """
    if not workers and address is None:
        yield None
        return
    with closing(open_scheduler(workers or None, address)) as pool:
        yield pool


def by_place(
    scheduler: Scheduler, function: Callable[[Item], Result], items: Sequence[Item]
) -> Iterator[tuple[int, Result | Lost]]:
    """:meth:`Scheduler.map` with each item's place in place of the item."""
    for (place, _), result in scheduler.map(_OfPlaced(function), list(enumerate(items))):
        yield place, result


def in_order(
    scheduler: Scheduler, function: Callable[[Item], Result], items: Sequence[Item]
) -> list[Result]:
    """Results of all items, in their order.

    Raises:
        SchedulerError: an item that its workers did not survive.
    """
    found: dict[int, Result] = {}
    for place, result in by_place(scheduler, function, items):
        if isinstance(result, Lost):
            raise SchedulerError(f"Argument `scheduler` must survive the work, but {result.reason}")
        found[place] = result
    return [found[place] for place in range(len(items))]


@dataclass(frozen=True)
class _OfPlaced(Generic[Item, Result]):
    """A function of an item, given the item's place as well."""

    function: Callable[[Item], Result]

    def __call__(self, placed: tuple[int, Item]) -> Result:
        return self.function(placed[1])


def _start_worker() -> None:
    """One thread of mathematics, and an end when the parent ends, even by SIGKILL."""
    import torch

    torch.set_num_threads(1)
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    parent: Any = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
