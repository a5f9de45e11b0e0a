"""How scenarios are written: a function that is given a world; its docstring is its name."""

import dataclasses
import typing

import wire

ALL = []


@dataclasses.dataclass
class Scenario:
    name: str
    run: typing.Callable
    needs_fake: bool


def scenario(function=None, *, needs_fake=False):
    """Registers a scenario. `needs_fake` when it moves the server's clock or looks inside the server."""

    def register(run):
        ALL.append(Scenario(" ".join(run.__doc__.split()).rstrip("."), run, needs_fake))
        return run

    return register(function) if function else register


class LeftOut(Exception):
    """A real server cannot be brought into the state that a scenario wants, and why."""


def equal(found, wanted, what=""):
    assert found == wanted, f"{what}: found {found!r}, wanted {wanted!r}"


def contains(text, part):
    assert part in text, f"`{part}` is not in `{text}`"


def lose(_):
    """A fault of the wire: nothing gets through."""
    raise wire.Lost
