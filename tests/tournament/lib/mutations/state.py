"""Mutations of the guest's state, and of definitions that are on the destination already."""

from lib.draw import mutation


@mutation(6, "state", True)
def state(r, c):
    kind = r.choice(
        [
            "transient",
            "transient",
            "autostart",
            "paused",
            "snapshot metadata",
            "pmsuspend",
            "pending memory",
            "pending bridge",
            "pending machine",
            "undefined while running",
            "reset",
            "pending cpu",
            "pending disk",
            "description",
            "suspended and resumed",
            "running migration earlier",
        ]
    )
    if kind == "transient":
        c.transient = True
    elif kind == "autostart":
        c.then("a", "virsh autostart NAME")
        c.verify("b", 'virsh dominfo NAME | grep -q "Autostart: *enable"', "autostart was lost", soft=True)
    elif kind == "paused":
        c.then("a", "virsh suspend NAME")
        c.paused = True
    elif kind == "snapshot metadata":
        c.then(
            "a",
            "(echo '<domainsnapshot><name>s1</name><state>disk-snapshot</state><creationTime>1</creationTime>'; virsh dumpxml NAME; echo '</domainsnapshot>') >/run/s.xml; virsh snapshot-create NAME /run/s.xml --redefine",
        )
    elif kind == "pmsuspend":
        c.then("a", "virsh dompmsuspend NAME mem || true")
    elif kind == "pending memory":
        c.then("a", "virsh setmaxmem NAME 64M --config")
    elif kind == "pending bridge":
        c.then("a", "virsh attach-interface NAME bridge br-nowhere --model virtio --config")
    elif kind == "pending machine":
        c.then(
            "a",
            "virsh dumpxml NAME --inactive | sed \"s/machine='[^']*'/machine='pc-i440fx-4.2'/\" >/run/p.xml; virsh define /run/p.xml",
        )
    elif kind == "pending cpu":
        c.then(
            "a",
            "virsh dumpxml NAME --inactive | python3 -c \"import re,sys; sys.stdout.write(re.sub(r'<cpu .*?</cpu>', '<cpu mode=\\'custom\\'><model>EPYC-Milan</model></cpu>', sys.stdin.read(), flags=re.S))\" >/run/p.xml; virsh define /run/p.xml",
        )
    elif kind == "pending disk":
        c.then(
            "a", "truncate -s 1M /var/lib/tt-pending.img; virsh attach-disk NAME /var/lib/tt-pending.img vdp --config"
        )
    elif kind == "undefined while running":
        c.then("a", "virsh undefine NAME")
        c.transient = "late"
    elif kind == "reset":
        c.then("a", "virsh reset NAME")
    elif kind == "description":
        c.then("a", 'virsh desc NAME "new text" --live; virsh desc NAME "other" --config')
    elif kind == "suspended and resumed":
        c.then("a", "virsh suspend NAME; virsh resume NAME")
    else:
        c.then("a", "virsh migrate --live --p2p NAME qemu+tcp://host-b/system --persistent --undefinesource")
        c.then("b", "virsh migrate --live --p2p NAME qemu+tcp://host-a/system --persistent --undefinesource")
    return kind


@mutation(6, "there")
def already_there(r, c):
    """Something of the guest's name or UUID is on b."""
    kind = r.choice(
        [
            "same, defined",
            "same, other hardware",
            "same, managed save",
            "same, with a snapshot",
            "same, autostart",
            "same name runs, other UUID",
            "same name defined, other UUID",
            "same UUID defined, other name",
            "same UUID and name defined, other case of the name",
            "its NVRAM path",
            "an old log",
        ]
    )
    tiny = "<domain type='qemu'><name>{n}</name><uuid>{u}</uuid><memory unit='MiB'>{m}</memory><os><type machine='pc'>hvm</type></os><devices><emulator>/usr/bin/qemu-system-x86_64</emulator><memballoon model='none'/></devices></domain>"
    other = "0fffffff-0000-4000-8000-00000000000b"
    x = {
        "same name runs, other UUID": ("@N", other),
        "same name defined, other UUID": ("@N", other),
        "same UUID defined, other name": ("twin", "@U"),
        "same UUID and name defined, other case of the name": ("@NUP", "@U"),
    }.get(kind, ("@N", "@U"))
    xml = tiny.format(n=x[0], u=x[1], m=64 if "hardware" in kind else 32)
    put = f"cat >/run/there.xml <<'X'\n{xml}\nX\n"
    if kind in ("its NVRAM path", "an old log"):
        c.on(
            "b",
            "mkdir -p /var/log/libvirt/qemu; echo old >/var/log/libvirt/qemu/NAME.log; chmod 000 /var/log/libvirt/qemu/NAME.log",
        )
    elif kind == "same, managed save":
        c.on("b", put + "virsh define /run/there.xml; virsh start NAME; virsh managedsave NAME")
    elif kind == "same name runs, other UUID":
        c.on("b", put + "virsh create /run/there.xml")
    elif kind == "same, with a snapshot":
        c.on(
            "b",
            put
            + "virsh define /run/there.xml; (echo '<domainsnapshot><name>s1</name><state>shutoff</state><creationTime>1</creationTime>'; virsh dumpxml NAME; echo '</domainsnapshot>') >/run/s.xml; virsh snapshot-create NAME /run/s.xml --redefine",
        )
    elif kind == "same, autostart":
        c.on("b", put + "virsh define /run/there.xml; virsh autostart NAME")
    else:
        c.on("b", put + "virsh define /run/there.xml")
    c.dirty = True
    return kind
