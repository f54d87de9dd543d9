"""Preparing a case, trying the migration by libvirt alone, and looking what became of the guest."""

import re
import time
import xml.etree.ElementTree as ET
from pathlib import Path

from lib.case import Case
from lib.guest import Guest
from lib.hosts import URI, Hosts
from lib.work import clean, sh

ALIVE = ("running", "paused", "pmsuspended", "in shutdown")


class Void(Exception):
    """The case could not be made; nothing is learnt from it."""


def prepare(hosts: Hosts, case: Case) -> None:
    """Makes both hosts and the guest as the case wants them; the guest runs on a."""
    for host, line in case.before:
        must(hosts.exec(host, case.filled(line)), f"before, {host}: {line[:80]}")
    for host, file, line, key in case.confs:
        hosts.exec(host, f"sed -i '/^{key}\\b/d' /etc/libvirt/{file}; cat >>/etc/libvirt/{file}", stdin=line + "\n")
    for host in sorted(case.restarts | {host for host, _, _ in case.enters}):
        hosts.stop(host)
        started, why = hosts.start(host)
        if not started:
            raise Void(f"libvirtd of {host} does not start: {clean(why)[-300:]}")
    for host, make, procs in case.enters:
        must(sh(["sh", "-c", make]), make)
        Path(procs).write_text(hosts.exec(host, "cat /run/libvirtd.pid")[1])
    for host, flag in case.limits:
        must(hosts.exec(host, f"prlimit --pid $(cat /run/libvirtd.pid) --{flag}"), flag)
    for number, devices in enumerate(case.others):
        other = Guest()
        other.add(devices)
        xml = other.xml(f"other-{number}", f"0ffffff0-0000-4000-8000-00000000000{number}", f"other-{number}")
        must(hosts.exec("b", "virsh -q create /dev/stdin", stdin=xml), "the other guest")
    start_guest(hosts, case)
    for host, line in case.after:
        line = case.g.with_drive(line)
        line = re.sub(r"\bNAME\b(?![-._/])", case.uuid, line.replace("WORK", case.work)).replace("NAME", case.key)
        must(hosts.exec(host, line, timeout=60), f"after, {host}: {line[:80]}")


def start_guest(hosts: Hosts, case: Case) -> None:
    """Starts it on a, and waits until it counts."""
    xml = case.g.xml(case.name, case.uuid, case.key)
    if case.transient is True:
        must(hosts.exec("a", "virsh -q create /dev/stdin", stdin=xml), "create")
    else:
        must(hosts.exec("a", "virsh -q define /dev/stdin", stdin=xml), "define")
        must(hosts.virsh("a", "start", case.uuid), "start")
    if not case.no_counter:
        wrong = goes_on(hosts, "a", case, None, 30)
        if wrong:
            raise Void(f"on a: {wrong}")


def must(answer: tuple[int, str, str], what: str) -> None:
    """Voids the case where a step of its making failed."""
    if answer[0]:
        raise Void(f"{what}: {clean(answer[2])[-400:]}")


def attempt(hosts: Hosts, case: Case) -> dict:
    """Tries it. What libvirt said and what became of the guest."""
    state = states(hosts, case)
    before, shape_before = serial(hosts, "a", case), shape(hosts.virsh("a", "dumpxml", case.uuid)[1])
    flags = ["--live", "--p2p", "--abort-on-error"] + ([] if case.transient else ["--persistent", "--undefinesource"])
    began = time.monotonic()
    migrate = ["timeout", "-s", "INT", str(case.limit), "virsh", "-q", "migrate", *flags, case.uuid, URI["b"]]
    code, _, err = sh([*hosts.inside("a"), *migrate], timeout=case.limit + 20)
    truth = {"rc": code, "said": clean(err)[-700:], "took": round(time.monotonic() - began, 1), "before": state}
    if code in (124, 130, 137):
        truth["hangs"] = True
        end_what_hangs(hosts, case)
    now = truth["states"] = states(hosts, case)
    active = {host for host in "ab" if now[host] in ALIVE}
    if case.paused:
        for host in active:
            hosts.virsh(host, "resume", case.uuid)
    if code == 0 and active == {"b"}:
        truth["outcome"] = "moved"
        look_at_moved(hosts, case, before, shape_before, state, truth)
    elif active == {"a"}:
        truth["outcome"] = "refused"
        wrong = None if case.no_counter else goes_on(hosts, "a", case, before)
        if wrong:
            truth.update(outcome="refused, guest broken", broken=wrong)
    elif state["a"] not in ("running", "paused", "pmsuspended"):
        truth["outcome"] = "refused"  # it did not run before
    else:
        truth["outcome"] = "lost" if not active else "on both" if len(active) == 2 else "moved against its word"
    return truth


def end_what_hangs(hosts: Hosts, case: Case) -> None:
    """Ends an attempt that hangs (packets are dropped); what it left on b has to go by itself."""
    hosts.virsh("a", "domjobabort", case.uuid, timeout=10)
    for _ in range(150):
        now = states(hosts, case)
        if not all(now[host] in ("running", "paused") for host in "ab"):
            return
        time.sleep(1)


def look_at_moved(hosts: Hosts, case: Case, before, shape_before: list[str], state: dict, truth: dict) -> None:
    """Whether the guest goes on as it was, and what it has lost."""
    losses = []
    wrong = None if case.no_counter else goes_on(hosts, "b", case, before)
    if wrong:
        truth.update(outcome="broken", broken=wrong)
    if not case.paused and state["a"] == "running" and truth["states"]["b"] != "running":
        truth.update(outcome="broken", broken=f"it is {truth['states']['b']} on b")
    for host, line, why, soft in case.checks:
        line = line.replace("virsh dominfo NAME", f"virsh dominfo {case.uuid}")
        if hosts.exec(host, line.replace("NAME", case.key).replace("WORK", case.work))[0]:
            if soft:
                losses.append(why)
            else:
                truth.update(outcome="broken", broken=why)
    if not case.transient and not re.search(r"Persistent:\s+yes", hosts.virsh("b", "dominfo", case.uuid)[1]):
        losses.append("not persistent on b")
    shape_after = shape(hosts.virsh("b", "dumpxml", case.uuid)[1])
    gone = [line for line in shape_before if line not in shape_after]
    new = [line for line in shape_after if line not in shape_before]
    if gone or new:
        truth["xml"] = {"gone": gone[:6], "new": new[:6]}
    if losses:
        truth["losses"] = losses


def finish(hosts: Hosts, case: Case) -> None:
    """Ends the guest wherever it is and undoes what the case did to the hosts."""
    for host in "ab":
        hosts.virsh(host, "destroy", case.uuid)
        metadata = "--nvram --managed-save --snapshots-metadata --checkpoints-metadata"
        hosts.exec(host, f"virsh -q undefine {case.uuid} {metadata} || virsh -q undefine {case.uuid} --nvram")
        for line in [line for where, line in case.undos if where == host]:
            hosts.exec(host, line.replace("NAME", case.key).replace("WORK", case.work), timeout=20)


def states(hosts: Hosts, case: Case) -> dict[str, str]:
    """What each host's daemon says of the guest."""
    found = {}
    for host in "ab":
        code, out, err = hosts.virsh(host, "domstate", case.uuid)
        unknown = "failed to get domain" in err or "not found" in err
        found[host] = out.strip() if code == 0 else "absent" if unknown else "no answer"
    return found


def serial(hosts: Hosts, host: str, case: Case) -> tuple[str, int, bool] | None:
    """The guest's number, its counter, and whether its memory is damaged."""
    try:
        log = hosts.dir / f"host-{host}/var/log/libvirt/qemu/{case.key}-serial.log"
        text = log.read_bytes().decode("latin-1")
    except OSError:
        return None
    lines = re.findall(r"guest: number=(\w+) counter=(\d+) memory=ok", text)
    return (lines[-1][0], int(lines[-1][1]), "DAMAGED" in text) if lines else None


def goes_on(hosts: Hosts, host: str, case: Case, before, seconds: float = 20) -> str | None:
    """None when the same guest counts on there; else what is wrong."""
    end, first = time.monotonic() + seconds, None
    while time.monotonic() < end:
        now = serial(hosts, host, case)
        if now and before is not None and now[0] != before[0]:
            return "another boot"
        if now and now[2]:
            return "its memory is damaged"
        if now and first is None and (before is None or now[1] > before[1]):
            first = now
        elif now and first and now[1] > first[1]:
            return None
        time.sleep(0.15)
    return "the counter stands still"


def shape(text: str) -> list[str]:
    """A live definition without what every start makes anew, as lines."""
    try:
        root = ET.fromstring(text)
    except ET.ParseError:
        return []
    root.attrib.pop("id", None)
    lines: list[str] = []
    walk(root, "", lines)
    return lines


# Attributes that libvirt chooses anew on each host.
CHOSEN = {"graphics": ("port", "websocket")} | {
    tag: ("path", "tty", "index", "portid") for tag in ("source", "console", "serial", "parallel", "channel", "address")
}


def walk(element: ET.Element, path: str, lines: list[str]) -> None:
    """Adds an element and those in it."""
    tag = element.tag.split("}")[-1]
    if tag in ("alias", "seclabel", "currentMemory", "backingStore") or (
        tag == "target" and path.endswith("interface")
    ):
        return
    chosen = CHOSEN.get(tag, ())
    if tag == "listen" and element.get("type") in ("socket", "network"):
        chosen = ("socket", "address")
    attributes = sorted((key, value) for key, value in element.attrib.items() if key not in chosen)
    lines.append(f"{path}/{tag} {attributes} {(element.text or '').strip()}")
    for child in element:
        walk(child, f"{path}/{tag}", lines)
