"""Playing cases: predict, try, judge; several guests at once; a disagreement reduced to one mutation."""

import os
import subprocess
import time
from pathlib import Path

from lib.attempt import Void, attempt, finish, prepare
from lib.case import Case, Pair, pair_of
from lib.forecast import forecast
from lib.hosts import Hosts
from lib.verdict import judge
from lib.work import TournamentError, work_dir

DISAGREE = ("false ok", "false no")


class Player:
    """Keeps a pair of hosts and plays cases on it."""

    def __init__(self, pvm: str, rehearse: bool = False, of: set[str] | None = None) -> None:
        self.of, self.pvm, self.words, self.hosts = of, pvm, ["--rehearse", "--yes"] if rehearse else [], None

    def case(self, seed: int, index: int, only: set[int] | None = None) -> Case:
        """The case SEED/INDEX; indices from 1000 on are guests of a batch."""
        return Case(seed, index, str(work_dir() / "w"), only=only, batch=index >= 1000, of=self.of)

    def close(self) -> None:
        """Ends the hosts."""
        if self.hosts:
            self.hosts.down()

    def on(self, pair: Pair) -> Hosts:
        """Hosts with these engines."""
        if self.hosts is None or self.hosts.pair != pair:
            self.close()
            self.hosts = Hosts(pair, self.pvm)
        return self.hosts

    def renew(self) -> None:
        """Hosts as they came up: reset, or started afresh where that is not certain."""
        try:
            if self.hosts.reset():
                return
        except (OSError, subprocess.SubprocessError):
            pass
        self.hosts.up()

    def play(self, case: Case) -> dict:
        """One case, judged."""
        hosts, began = self.on(case.pair), time.monotonic()
        row = {
            "case": f"{case.seed}/{case.index}",
            "pair": case.pair.name,
            "mutations": [list(m) for m in case.mutations],
        }
        try:
            prepare(hosts, case)
            for facts in ("libvirt", "full"):
                words = self.words if facts == "full" else []
                row[facts] = forecast(hosts, facts, [case.uuid], words)[case.uuid]
            row["truth"] = attempt(hosts, case)
            judged(row)
        except Void as why:
            row |= {"verdict": "void", "why": str(why)}
        finally:
            finish(hosts, case)
            changed = case.dirty or case.confs or case.restarts or case.enters or case.limits
            if changed or row.get("verdict", "void") == "void" or not hosts.is_clean():
                self.renew()
                leave_cgroups(case)
        return row | {"seconds": round(time.monotonic() - began, 1)}

    def settled(self, seed: int, index: int) -> dict:
        """One case, judged. A disagreement counts when it comes twice: once may be a busy machine's, and is told."""
        first = self.play(self.case(seed, index))
        if first["verdict"] not in DISAGREE:
            return first
        return self.play(self.case(seed, index)) | {"first": first}

    def reduced(self, row: dict) -> dict:
        """The disagreement with one mutation alone, where one alone still disagrees."""
        seed, index = map(int, row["case"].split("/"))
        if len(row["mutations"]) < 2:
            return row
        for position in range(len(row["mutations"])):
            alone = self.play(self.case(seed, index, {position}))
            if alone["verdict"] in DISAGREE:
                return alone
        return row

    def batch(self, seed: int, size: int = 20) -> list[dict]:
        """Several guests at once: one report about all of them, then each is tried."""
        hosts, cases, rows = self.on(pair_of(seed)), [self.case(seed, 1000 + at) for at in range(size)], {}
        live = []
        for case in cases:
            row = {
                "case": f"{seed}/{case.index}",
                "pair": case.pair.name,
                "mutations": [list(m) for m in case.mutations],
            }
            rows[case.uuid] = row
            if case.confs or case.restarts or case.enters or case.limits or case.others:
                row |= {"verdict": "void", "why": "changes a host"}
                continue
            try:
                prepare(hosts, case)
                live.append(case)
            except Void as why:
                row |= {"verdict": "void", "why": str(why)}
                finish(hosts, case)
        for facts in ("libvirt", "full"):
            for uuid, said in forecast(hosts, facts, [case.uuid for case in live], []).items():
                rows[uuid][facts] = said
        for case in live:
            row = rows[case.uuid]
            row["truth"] = attempt(hosts, case)
            judged(row)
        for case in cases:
            rows[case.uuid]["seconds"] = 0
            finish(hosts, case)
        self.renew()
        return list(rows.values())


def judged(row: dict) -> None:
    """Adds the verdicts on both predictions."""
    row["verdict"] = judge(row["full"]["verdict"], row["truth"]["outcome"])
    row["verdict_libvirt"] = judge(row["libvirt"]["verdict"], row["truth"]["outcome"])


def leave_cgroups(case: Case) -> None:
    """Removes the cgroups of a case, once their processes are gone."""
    for _, _, procs in case.enters:
        for _ in range(50):
            try:
                os.rmdir(Path(procs).parent)
                break
            except OSError:
                time.sleep(0.2)
        else:
            raise TournamentError(f"{Path(procs).parent} cannot be removed")
