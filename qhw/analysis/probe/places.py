"""Where probes of half a circuit's qubits go."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def halves(
    qubits: Sequence[int], pairs: Iterable[tuple[int, ...]]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Two halves of a circuit's qubits, each as connected as a walk over its gates makes it.

    Args:
        qubits: of the circuit, rising.
        pairs: qubits that share a two-qubit gate.

    Returns:
        Both rising; the first has one more where the number is odd.
    """
    near: dict[int, set[int]] = {q: set() for q in qubits}
    for a, b in pairs:
        near[a].add(b)
        near[b].add(a)
    walk: list[int] = []
    left = set(qubits)
    while left:
        # from the end of a chain, if there is one: then each half is a chain too
        queue = [min(left, key=lambda q: (len(near[q]), q))]
        left.discard(queue[0])
        while queue:
            here = queue.pop(0)
            walk.append(here)
            fresh = sorted(near[here] & left)
            left.difference_update(fresh)
            queue += fresh
    middle = -(-len(walk) // 2)
    return tuple(sorted(walk[:middle])), tuple(sorted(walk[middle:]))
