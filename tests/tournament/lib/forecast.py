"""What `pvm preflight` says of a case before it is tried."""

import json
import time

from lib.hosts import Hosts
from lib.work import clean, sh


def forecast(hosts: Hosts, facts: str, uuids: list[str], words: list[str]) -> dict[str, dict]:
    """For each guest its verdict and the checks that were not ok. `facts`: "full" or "libvirt"."""
    pvm = [
        "env",
        "HOME=/var/lib",
        hosts.pvm,
        "-q",
        "--config",
        f"/etc/pvm/{facts}.yaml",
        "preflight",
        "local",
        "host-b",
    ]
    asked = [f"--instance={uuid}" for uuid in uuids]
    began = time.monotonic()
    code, out, err = sh([*hosts.inside("a"), *pvm, "-o", "json", *asked, *words], timeout=300)
    took = {"rc": code, "took": round(time.monotonic() - began, 2)}
    try:
        report = json.loads(out)
    except ValueError:
        # Exit code 1 is a refusal, which is an answer.
        verdict = "incompatible" if code == 1 else "no report"
        none = {**took, "verdict": verdict, "codes": [], "stderr": clean(err)[-600:]}
        return dict.fromkeys(uuids, none)
    pair = report["pairs"][0] if "pairs" in report else report
    return {uuid: {**took, **reading(pair, uuid)} for uuid in uuids}


def reading(pair: dict, uuid: str) -> dict:
    """One guest's part of a report."""
    guest = next((g for g in pair.get("instances", []) if g.get("uuid") == uuid), None)
    if guest is None:
        return {"verdict": "instance missing", "codes": []}
    rows = [row for row in pair["checks"] + guest["checks"] if row["result"] != "ok"]
    codes = [[row["code"], row["result"], clean(row.get("message"))[:300]] for row in rows]
    return {"verdict": guest["verdict"] if len(pair["instances"]) > 1 else pair["verdict"], "codes": codes}
