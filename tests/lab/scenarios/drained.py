"""Three guests with VFs of two PFs leave their host by one plan, one of each PF at a time."""

import json

from lablib import pvm
from lablib.guest import Guest, Vf, full
from lablib.hosts import HOST_A, HOST_B
from lablib.runner import Row, finish
from lablib.scenario import MOVED, Scenario, Setup
from lablib.stage import Stage, observe
from lablib.verdict import happened

OTHERS = (
    Guest(name="second", vfs=(Vf("01:10.2"), Vf("02:10.2", slot=6))),
    Guest(name="third", vfs=(Vf("02:10.4"),)),
)
LIMIT = 300  # three migrations, two of them one after the other
SETTINGS = """\
hosts:
  host-b: {slots: {per_pf: 1}}
"""


def play(stage: Stage, row: Row) -> None:
    """Every guest arrives with the state of its VFs, on the devices of the plan."""
    stage.prepare()
    guests = (stage.scenario.guest, *OTHERS)
    for guest in OTHERS:
        stage.remember(guest, HOST_A)
    HOST_A.ssh("tee", "/tmp/pvm.yaml", data=SETTINGS.encode())
    order = ("--config", "/tmp/pvm.yaml", "drain", "local", "--to", HOST_B.name, "--parallel", "3")
    plan = pvm.document(HOST_A, *order, "--dry-run")
    row.predicted = "incompatible" if plan["stays"] else "compatible"
    row.expect("predicted", row.predicted, row.scenario.predict)
    planned = {m["guest"]: {d["source"]: d["destination"] for d in m["map"]} for m in plan["moves"]}
    given = [device for devices in planned.values() for device in devices.values()]
    row.expect("devices given away", len(set(given)), 4)
    for one in plan["moves"]:
        for other in plan["moves"]:
            if one is not other and one["start"] <= other["start"] < one["start"] + one["seconds"]:
                shared = pfs(one) & pfs(other)
                row.expect(f"PFs of {one['guest']} and {other['guest']} at once", shared, set())

    ended = HOST_A.ssh("pvm", *order, "--yes", "-o", "json", check=False, timeout=LIMIT)
    done = json.loads(ended.stdout)
    row.notes += ended.stderr.decode(errors="replace").splitlines()
    proved = [outcome["exit_code"] == 0 and outcome["has_left"] for outcome in done["outcomes"]]
    row.said = MOVED if done["exit_code"] == 0 and all(proved) else done["summary"]
    row.expect("pvm said", row.said, MOVED)
    facts = observe()
    for guest in guests:
        moves = {vf.slot: planned[guest.name][full(vf.host)] for vf in guest.vfs}
        if guest is stage.scenario.guest:
            finish(row, stage.happened(moves))
            continue
        seen = happened(guest.name, stage.was[guest.name], facts, moves, set(), False)
        row.expect(guest.name, seen.word, "moved")
        row.problems += seen.problems
    HOST_A.ssh("pvm", "drain", "local", "--uncordon")


def pfs(move: dict) -> set[str]:
    """The PFs of the destination whose slots a move takes: in the lab one for each bus."""
    return {device["destination"].split(":")[1] for device in move["map"]}


SCENARIO = Scenario(
    guest=Guest(vfs=(Vf("01:10.0"),)),
    source=Setup(guests=OTHERS),
    predict="compatible",
    happen="moved",
    play=play,
)
