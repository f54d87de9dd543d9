"""Plays pvm against the real Nova whose computes are inside the lab's hosts: the servers have VFs, with state.

play.py build               makes what is missing, and says where the guest's kernel is
play.py DIR PVM [PART…]     run by "cloud lab" on the controller of DIR: the scenarios with a PART in their names, or all
"""

import subprocess
import sys
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / folder) for folder in ("lab", "nova-cloud")]

import seed  # noqa: E402
from api import NOVA, Disagrees, act, boot, get, show, wait  # noqa: E402
from computes import Computes, made  # noqa: E402
from lablib import pvm  # noqa: E402
from lablib.cache import LabError, hosts_taken  # noqa: E402
from lablib.guest import full  # noqa: E402
from lablib.hosts import HOST_A, HOST_B  # noqa: E402
from lablib.limits import end_in_order, within  # noqa: E402
from lablib.runner import Row, aligned, expect_predicted, report_row  # noqa: E402
from lablib.scenario import ALL_VFS, MIGRATABLE, VARIANT  # noqa: E402
from lablib.stage import observe  # noqa: E402
from lablib.verdict import Before, Happened, before, happened, misbound  # noqa: E402

# A boot takes 25 s on a quiet machine, a migration 45 s, a new start of a compute 80 s.
LIMIT, ROW_LIMIT = 600, 2400
MOVED = "moved, verified"
STORED = "/tmp/pci-requests"
# Nova gives every server a disk, and the lab's hosts have no lock manager.
USUAL_WARNINGS = {"lock-manager"}
WITHOUT_TAG = {key: value for key, value in MIGRATABLE.items() if key != "live_migratable"}


@dataclass(frozen=True)
class Scenario:
    """What is set up, and what each of them must say of a server that is to go from host-a to host-b."""

    name: str
    title: str
    flavor: str = "vf"
    predict: str = "compatible"
    nova: str = "completed, ACTIVE"  # its record of the migration, and the server
    say: str = MOVED
    happen: str = "moved"
    codes: tuple[str, ...] = ()
    source: dict[str, object] = field(default_factory=dict)  # parameters of its variant driver
    destination: dict[str, object] = field(default_factory=dict)
    offered: dict[str, str] = field(default_factory=lambda: MIGRATABLE)  # the destination's device_spec


SCENARIOS = [
    Scenario("one-vf", "A server with one VF"),
    Scenario("two-vfs", "A server with two VFs", flavor="vf2"),
    Scenario(
        "load-failure",
        "The destination's device fails to put its state in place: Nova does not know",
        say="moved, lost",
        happen="moved, state lost",
        destination={"fault": "load"},
    ),
    Scenario(
        "save-failure",
        "The source's device fails to save its state: Nova does not say why",
        nova="error, ERROR",
        say="stayed, lost",
        happen="stayed, state lost",
        source={"fault": "save"},
    ),
    Scenario(
        "alias-without-tag",
        "The flavor's alias does not ask for live_migratable",
        flavor="fixed",
        predict="incompatible",
        nova="error, ACTIVE",
        say="refused",
        happen="stayed",
    ),
    Scenario(
        "device-spec-without-tag",
        "The destination's device_spec does not say live_migratable",
        predict="incompatible",
        nova="error, ACTIVE",
        say="refused",
        happen="stayed",
        offered=WITHOUT_TAG,
    ),
    Scenario(
        "physical-network-with-tag",
        "The destination's device_spec has live_migratable and a physical_network (bug 2102161)",
        offered=MIGRATABLE | {"physical_network": "physnet1"},
    ),
]


@dataclass
class Played(Row):
    """One line of the table."""

    nova: str = "-"


def clear() -> None:
    """No server is left."""

    def servers() -> list[dict]:
        return get("/servers?all_tenants=1")["servers"]

    for one in servers():
        seed.session.delete(f"{NOVA}/servers/{one['id']}")
    wait(lambda: not servers(), LIMIT)


def remembered(domain: str, vfs: int) -> Before:
    """The guest's state, once it is in order."""
    deadline = time.monotonic() + LIMIT
    while True:
        facts = observe()
        found = facts["a"]["guests"].get(domain)
        if found and found["ticking"] and len(found["report"]["vfs"]) == vfs:
            return before(domain, "a", facts)
        if time.monotonic() > deadline:
            raise LabError(f"{domain} does not come up on host-a: {found}")


def predicted(folder: str, server: str, domain: str) -> dict:
    """What preflight says, told what Nova stored of the request when it booted the server: that is in no API."""
    query = f"select pci_requests from instance_extra where instance_uuid = '{server}'"
    ask = ["mariadb", "--no-defaults", f"--socket={folder}/mysql.sock", "-BNre", query, "nova_cell1"]
    stored = subprocess.run(ask, capture_output=True, check=True).stdout
    HOST_A.ssh("tee", STORED, data=stored)
    ask = ("preflight", "local", HOST_B.name, "--instance", domain, "--pci-requests", STORED)
    return pvm.document(HOST_A, *ask)


def seen(domain: str, was: Before, row: Played) -> Happened:
    """What has become of the guest and of the hosts' devices."""
    facts = observe()
    result = happened(domain, was, facts, {}, set(), False)
    row.notes += [f"on host-{role}: {of['guests'][domain]['devices']}" for role, of in facts.items() if domain in of["guests"]]
    drivers = {full(address): VARIANT for address in ALL_VFS}
    for role, of in facts.items():
        result.problems += misbound(role, drivers, of["vfs"])
    return result


def novas(server: str) -> str:
    """What Nova says in the end."""

    def record() -> str:
        found = get(f"/os-migrations?instance_uuid={server}&limit=1")["migrations"]
        return found[0]["status"] if found else "-"

    ends = ("completed", "error", "failed", "cancelled", "-")
    wait(lambda: record() in ends and show(server)["OS-EXT-STS:task_state"] is None, LIMIT)
    # "failed" becomes "error" a little later.
    if record() == "failed":
        time.sleep(3)
    return f"{record()}, {show(server)['status']}"


def play(computes: Computes, row: Played) -> None:
    """A server is booted and moved by pvm; where pvm refuses, by Nova alone."""
    scenario = row.scenario
    clear()
    drivers = {"a": scenario.source, "b": scenario.destination}
    computes.prepare(drivers, {"a": MIGRATABLE, "b": scenario.offered})
    server = boot(scenario.name, "host-a", scenario.flavor, "lab-guest", LIMIT)
    domain = show(server)["OS-EXT-SRV-ATTR:instance_name"]
    was = remembered(domain, 2 if scenario.flavor == "vf2" else 1)
    report = predicted(computes.folder, server, domain)
    row.predicted = report["verdict"]
    expect_predicted(row, report, USUAL_WARNINGS)
    missing = set(scenario.codes) - pvm.named_codes(report)
    row.expect("codes that preflight does not name", missing, set())
    said = pvm.migrate(domain, "--os-cloud", "lab")
    row.said = said.word
    row.notes += said.stderr.splitlines()[-4:]
    row.expect("pvm said", said.word, scenario.say)
    if said.word in ("refused", "unknown"):
        row.expect("after pvm left it alone", seen(domain, was, row).word, "stayed")
        act(server, **{"os-migrateLive": {"host": "host-b", "block_migration": "auto"}})
    row.nova = novas(server)
    row.expect("Nova said", row.nova, scenario.nova)
    end = seen(domain, was, row)
    row.notes.append(f"predicted devices: {pvm.planned(report, domain)}")
    row.happened = end.word
    row.expect("happened", end.word, scenario.happen)
    row.notes += end.notes
    row.problems += end.problems


def run_one(computes: Computes, scenario: Scenario) -> Played:
    """Plays one scenario; whatever goes wrong becomes a line in its row."""
    row, started = Played(scenario), time.monotonic()
    try:
        with within(ROW_LIMIT, "the scenario"):
            play(computes, row)
    except (LabError, AssertionError, OSError, Disagrees, seed.Refused) as error:
        row.problems.append(str(error))
    except Exception:
        row.problems.append(traceback.format_exc())
    row.seconds = time.monotonic() - started
    if not row.agrees():
        row.notes += computes.logs().splitlines()
    return row


COLUMNS = ("scenario", "predicted", "Nova said", "happened", "pvm said", "agree", "s")


def cells(row: Played) -> tuple[str, ...]:
    """The row as texts."""
    agree = "yes" if row.agrees() else "NO"
    return (row.scenario.name, row.predicted, row.nova, row.happened, row.said, agree, f"{row.seconds:.0f}")


def main() -> int:
    """Plays what was asked for; 0 when every row agrees."""
    if sys.argv[1:] == ["build"]:
        print(made()[0].guest)
        return 0
    folder, binary, *parts = sys.argv[1:]
    chosen = [one for one in SCENARIOS if not parts or any(part in one.name for part in parts)]
    if not chosen:
        sys.exit(f"no scenario has {', '.join(parts)} in its name")
    end_in_order()
    pvm.LIMIT = LIMIT
    seed.login()
    seed.session.headers["OpenStack-API-Version"] = "compute 2.96"
    rows = []
    with hosts_taken():
        computes = Computes(folder, Path(binary))
        for scenario in chosen:
            rows.append(run_one(computes, scenario))
            report_row(rows[-1], verbose=True)
    print("\n" + aligned([COLUMNS, *map(cells, rows)]))
    return 0 if all(row.agrees() for row in rows) else 1


sys.exit(main())
