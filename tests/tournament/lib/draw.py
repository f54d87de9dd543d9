"""How mutations are registered, and how they flip a coin.

A mutation takes (r, c): a random generator of its own, seeded by case and name, and the case; it changes the case and returns its
label. Two mutations with one `slot` exclude each other. `guest_only` ones leave the hosts' settings alone, so that many guests can
stand side by side.

Shell lines run on host "a" or "b" ("ab": on both, a first). NAME in them is the case's key, WORK a folder that both hosts share;
/var/lib, /var/log, /run and /etc are each host's own.
"""

import random
from collections.abc import Callable
from typing import Any, NamedTuple

Draw = Callable[[random.Random, Any], str]


class Mutation(NamedTuple):
    """One entry of the catalogue."""

    name: str
    weight: int
    slot: str
    guest_only: bool
    apply: Draw

    @property
    def file(self) -> str:
        """The file of `mutations/` that it stands in."""
        return self.apply.__module__.rsplit(".", 1)[-1]


CATALOG: list[Mutation] = []


def mutation(weight: int, slot: str | None = None, guest_only: bool = False) -> Callable[[Draw], Draw]:
    """Registers a mutation; `weight` says how often it is drawn, compared with the others."""

    def register(apply: Draw) -> Draw:
        CATALOG.append(Mutation(apply.__name__, weight, slot or apply.__name__, guest_only, apply))
        return apply

    return register


def coin(r: random.Random, chance: float = 0.5) -> bool:
    """True with this chance."""
    return r.random() < chance
