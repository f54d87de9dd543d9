"""Elements that name something beside the usual places, names that are taken by other files, and what was set past libvirt."""

from lib.draw import coin, mutation
from lib.mutations.chains import qcow
from lib.mutations.disks import SHARE, share

SCRIPT = "printf '#!/bin/sh\\nexit 0\\n' >{0}; chmod 755 {0}"


@mutation(7, "element", True)
def named_file(r, c):
    """Files and folders that seldom used elements name."""
    path = f"/var/lib/tt/NAME.{r.choice(['x', 'own file', 'é'])}"
    element = r.choice(["fwcfg", "script", "downscript", "pstore", "audio", "acpi table", "dtb", "erst of smbios", "wav by alsa"])
    make = "mkdir -p /var/lib/tt; " + (SCRIPT.format(f"'{path}'") if "script" in element else f"truncate -s 4K '{path}'")
    how = r.choice(["on both", "on a only", "on a only", "on b a folder", "on b unreadable"])
    c.on("a", make)
    if how == "on both":
        c.on("b", make)
    elif how == "on b a folder":
        c.on("b", f"mkdir -p '{path}'")
    elif how == "on b unreadable":
        c.on("b", f"{make}; chmod 000 '{path}'")
    c.undo("ab", f"rm -rf '{path}'")
    if element == "fwcfg":
        c.g.sysinfo += f"<sysinfo type='fwcfg'><entry name='opt/own/x' file='{path}'/></sysinfo>"
    elif element == "erst of smbios":
        c.g.sysinfo += "<sysinfo type='smbios'><bios><entry name='vendor'>own</entry></bios><oemStrings><entry>x,y</entry></oemStrings></sysinfo>"
        c.g.os_more += "<smbios mode='sysinfo'/>"
    elif element == "script":
        c.g.add(f"<interface type='ethernet'><script path='{path}'/><target dev='own7'/><model type='virtio'/></interface>")
    elif element == "downscript":
        c.g.add(f"<interface type='ethernet'><downscript path='{path}'/><target dev='own7'/><model type='virtio'/></interface>")
    elif element == "pstore":
        c.g.add(f"<pstore backend='acpi-erst'><path>{path}</path><size unit='KiB'>64</size></pstore>")
    elif element in ("audio", "wav by alsa"):
        inner = "<input dev='default'/>" if "alsa" in element else ""
        kind = "alsa" if inner else "file"
        c.g.add(f"<audio id='1' type='{kind}'" + ("" if inner else f" path='{path}'") + f">{inner}</audio><sound model='ich6'/>")
    elif element == "acpi table":
        c.g.os_more += f"<acpi><table type='slic'>{path}</table></acpi>"
    else:
        c.g.os_more += f"<dtb>{path}</dtb>"
    return f"{element} {path}: {how}"


TAKEN = [
    ("/var/log/libvirt/qemu/NAME.log", True),
    ("/run/libvirt/qemu/NAME.pid", True),
    ("/run/libvirt/qemu/NAME.xml", True),
    ("/etc/libvirt/qemu/NAME.xml", True),
    ("/etc/libvirt/qemu/NAME.xml.new", True),
    ("/var/lib/libvirt/qemu/save", False),
    ("/var/lib/libvirt/qemu/nvram", False),
    ("/var/lib/libvirt/qemu/channel", False),
    ("/var/lib/libvirt/qemu/ram", False),
    ("/run/libvirt/qemu", False),
    ("/run/libvirt/qemu/swtpm", False),
    ("/run/libvirt/qemu/dbus", False),
    ("/var/lib/libvirt/swtpm", False),
    ("/etc/libvirt/qemu/autostart", False),
    ("/dev/shm/NAME", True),
]


@mutation(5, "taken")
def name_taken(r, c):
    """On b a folder has the name of a file that libvirt writes for the guest, or a file that of a folder."""
    path, folder = r.choice(TAKEN)
    if folder:
        c.on("b", f"mkdir -p {path}/x")
        c.undo("b", f"rm -rf {path}")
    else:
        how = r.choice(["a file", "read-only", "a link that leads nowhere", "gone"])
        line = {
            "a file": f"rm -rf {path}; touch {path}",
            "read-only": f"mkdir -p {path}; mount -t tmpfs -o ro tmpfs {path}",
            "a link that leads nowhere": f"rm -rf {path}; ln -s /nowhere/x {path}",
            "gone": f"rm -rf {path}",
        }[how]
        c.on("b", line)
        path += " " + how
    c.dirty = True
    if "swtpm" in path:
        c.g.add("<tpm model='tpm-tis'><backend type='emulator' version='2.0'/></tpm>")
    if "channel" in path:
        c.g.add("<channel type='unix'><target type='virtio' name='org.own.1'/></channel>")
    if coin(r, 0.3):
        c.then("a", "virsh autostart NAME")
        path += ", autostart"
    return path


@mutation(5, "past", True)
def set_past_libvirt(r, c):
    """Settings of a's QEMU that were made past libvirt, or that libvirt remembers for a migration."""
    line = r.choice(
        [
            "virsh qemu-monitor-command NAME --hmp 'migrate_set_capability xbzrle on'",
            "virsh qemu-monitor-command NAME --hmp 'migrate_set_capability postcopy-ram on'",
            "virsh qemu-monitor-command NAME --hmp 'migrate_set_capability multifd on'",
            "virsh qemu-monitor-command NAME --hmp 'migrate_set_capability auto-converge on'",
            "virsh qemu-monitor-command NAME --hmp 'migrate_set_capability release-ram on'",
            "virsh qemu-monitor-command NAME --hmp 'migrate_set_capability x-ignore-shared on'",
            "virsh qemu-monitor-command NAME --hmp 'migrate_set_capability validate-uuid on'",
            "virsh qemu-monitor-command NAME --hmp 'migrate_set_capability return-path on'",
            "virsh qemu-monitor-command NAME --hmp 'migrate_set_capability dirty-bitmaps on'",
            "virsh qemu-monitor-command NAME --hmp 'migrate_set_parameter tls-creds none'",
            "virsh qemu-monitor-command NAME --hmp 'migrate_set_parameter max-bandwidth 1'",
            "virsh qemu-monitor-command NAME --hmp 'migrate_set_parameter downtime-limit 1'",
            "virsh qemu-monitor-command NAME --hmp 'chardev-add null,id=own'",
            "virsh qemu-monitor-command NAME --hmp 'object_add rng-builtin,id=own'",
            "virsh qemu-monitor-command NAME --hmp 'object_add memory-backend-ram,size=1M,id=own'",
            "virsh qemu-monitor-command NAME --hmp 'netdev_add user,id=own'",
            "virsh qemu-monitor-command NAME --hmp 'drive_add 0 if=none,id=own,file=/dev/null,format=raw'",
            "virsh migrate-setspeed NAME 1",
            "virsh migrate-setmaxdowntime NAME 1",
            "virsh migrate-compcache NAME --size 1048576",
            "virsh dommemstat NAME --period 2 --live; true",
            "virsh set-lifecycle-action NAME crash restart --live",
            "virsh blkdeviotune NAME vda --total-iops-sec 50 --live; true",
            "virsh desc NAME --live --title own",
            "virsh metadata NAME urn:own --key own --set '<x/>' --live",
            "virsh vcpupin NAME 0 0 --live",
            "virsh emulatorpin NAME 0-1 --live",
            "virsh schedinfo NAME --live --set cpu_shares=512; true",
            "virsh screenshot NAME /dev/null; true",
            "virsh send-key NAME KEY_A; true",
            "virsh nodesuspend mem 1; true",
            "virsh dompmwakeup NAME; true",
        ]
    )
    c.then("a", line)
    return line


@mutation(4, "size", True)
def much_of_it(r, c):
    """Many or large things: text, devices, features."""
    kind = r.choice(["description", "metadata", "disks", "serials", "channels", "aliases", "arguments", "shared memories"])
    n = 0
    if kind in ("description", "metadata"):
        n = r.choice([1000, 60_000, 300_000, 900_000, 1_500_000, 3_000_000])
        text = r.choice(["x", "&lt;", "é"])[:4] * (n // 4)
        c.g.top.append(
            f"<description>{text}</description>" if kind == "description" else f"<metadata><x xmlns='urn:x'>{text}</x></metadata>"
        )
    elif kind == "disks":
        n = r.choice([4, 12, 20])
        how = share(r, c)
        c.dirty = c.dirty or how != "same"
        c.on("a", f"for i in $(seq {n}); do truncate -s 1M {SHARE}/NAME.$i; done")
        c.g.add("<controller type='scsi' model='virtio-scsi'/>")
        for i in range(n):
            c.g.add(qcow(bus="scsi", dev=f"sd{chr(98 + i)}", file=f"{SHARE}/NAME.{i + 1}", kind="raw"))
        kind += f"; share on b: {how}"
    elif kind == "serials":
        n = r.choice([2, 3])
        c.g.add("<serial type='null'/>" * n)
    elif kind == "channels":
        n = r.choice([8, 30, 60])
        c.g.add("".join(f"<channel type='unix'><target type='virtio' name='org.own.{i}'/></channel>" for i in range(n)))
    elif kind == "aliases":
        n = r.choice([10, 100, 200])
        c.g.add(f"<input type='keyboard' bus='virtio'><alias name='ua-{'x' * n}'/></input>")
    elif kind == "arguments":
        n = r.choice([10, 200])
        c.g.args([word for i in range(n) for word in ("-name", f"own{i}")])
    else:
        n = r.choice([2, 6])
        c.g.add("".join(f"<shmem name='NAME-{i}' role='master'><model type='ivshmem-plain'/><size unit='M'>1</size></shmem>" for i in range(n)))
    return f"{n} {kind}"


PKI = "/etc/pki/qemu"
# What certtool makes of a template: authority, other authority, server.
AUTHORITY = "printf 'cn={0}\\n{1}{2}' >t; certtool --generate-privkey --bits 2048 --outfile {0}-key.pem; certtool --generate-self-signed --load-privkey {0}-key.pem --template t --outfile {0}-cert.pem"
SERVER = "printf 'cn=host-b\\n{1}{2}' >t; certtool --generate-privkey --bits 2048 --outfile server-key.pem; certtool --generate-certificate --load-privkey server-key.pem --load-ca-certificate {0}-cert.pem --load-ca-privkey {0}-key.pem --template t --outfile server-cert.pem"
TIMES = {
    "": "expiration_days=30\\n",
    "expired": 'activation_date="2020-01-01 00:00:00"\\nexpiration_date="2021-01-01 00:00:00"\\n',
    "of tomorrow": 'activation_date="2099-01-01 00:00:00"\\nexpiration_date="2099-02-01 00:00:00"\\n',
}


@mutation(5, "certificate")
def certificate(r, c):
    """Certificates that QEMU on b takes or refuses by what is in them."""
    kind = r.choice(
        [
            "good",
            "expired",
            "of tomorrow",
            "of another authority",
            "another's key",
            "damaged",
            "empty authority",
            "key is a folder",
            "expired authority",
            "for clients only",
            "several authorities",
            "the authority itself",
            "no authority",
            "revoked",
        ]
    )
    usage = "tls_www_client\\n" if kind == "for clients only" else "tls_www_server\\nsigning_key\\nencryption_key\\n"
    ca = "" if kind == "no authority" else "ca\\ncert_signing_key\\ncrl_signing_key\\n"
    signer = "other" if kind == "of another authority" else "ca"
    time = TIMES.get(kind, TIMES[""])
    lines = [
        f"mkdir -p {PKI}; cd {PKI}; exec 2>/dev/null",
        AUTHORITY.format("ca", ca, TIMES["expired" if kind == "expired authority" else ""]),
        AUTHORITY.format("other", ca, TIMES[""]),
        SERVER.format(signer, usage, time),
    ]
    after = {
        "another's key": "certtool --generate-privkey --bits 2048 --outfile server-key.pem",
        "damaged": "sed -i 2d server-cert.pem",
        "empty authority": ": >ca-cert.pem",
        "key is a folder": "rm server-key.pem; mkdir server-key.pem",
        "several authorities": "cat other-cert.pem ca-cert.pem >x; mv x ca-cert.pem",
        "the authority itself": "cp ca-cert.pem server-cert.pem; cp ca-key.pem server-key.pem",
        "revoked": f"printf '{TIMES['']}' >t; certtool --generate-crl --load-ca-privkey ca-key.pem --load-ca-certificate ca-cert.pem"
        " --load-certificate server-cert.pem --template t --outfile ca-crl.pem",
    }
    c.on("b", "; ".join([*lines, after.get(kind, "true"), "true"]))
    c.undo("b", f"rm -rf {PKI}")
    option, device = r.choice(
        [
            ("vnc", "<graphics type='vnc' autoport='yes'/><video><model type='vga'/></video>"),
            ("chardev", "<serial type='tcp'><source mode='bind' host='0.0.0.0' service='4783'/><protocol type='raw'/></serial>"),
        ]
    )
    c.conf("b", f"{option}_tls = 1")
    c.g.add(device)
    return f"{option}, certificate: {kind}"


@mutation(4, "program")
def program_of_b(r, c):
    """Programs of b that cannot run, or that are others."""
    kind = r.choice(["QEMU on a file system without execution", "QEMU without its right", "QEMU ends at once", "QEMU by a wrapper", "an interpreter is missing", "iptables ends badly", "no ip", "slow QEMU"])
    qemu = "/usr/bin/qemu-system-x86_64"
    own = "/var/lib/tt/qemu"
    wrap = {
        "QEMU ends at once": "exit 3",
        "QEMU by a wrapper": f"exec {own} \"$@\"",
        "slow QEMU": f"sleep 2; exec {own} \"$@\"",
    }
    if kind == "QEMU on a file system without execution":
        c.on("b", f"mkdir -p /run/noexec; mount -t tmpfs -o noexec tmpfs /run/noexec; cp {qemu} /run/noexec/q; mount --bind /run/noexec/q {qemu}")
    elif kind == "QEMU without its right":
        c.on("b", f"mkdir -p /var/lib/tt; cp {qemu} {own}; chmod 644 {own}; mount --bind {own} {qemu}")
    elif kind in wrap:
        c.on("b", f"mkdir -p /var/lib/tt; cp {qemu} {own}; printf '#!/bin/sh\\n{wrap[kind]}\\n' >/var/lib/tt/wrap; chmod 755 /var/lib/tt/wrap; mount --bind /var/lib/tt/wrap {qemu}")
    elif kind == "an interpreter is missing":
        c.on("b", f"mkdir -p /var/lib/tt; printf '#!/no/such\\n' >/var/lib/tt/wrap; chmod 755 /var/lib/tt/wrap; mount --bind /var/lib/tt/wrap {qemu}")
    elif kind == "iptables ends badly":
        c.on("b", "printf '#!/bin/sh\\nexit 1\\n' >/var/lib/tt/ipt; chmod 755 /var/lib/tt/ipt; mount --bind /var/lib/tt/ipt $(readlink -f /usr/sbin/iptables)")
    else:
        c.on("b", "mount --bind /dev/null $(readlink -f /usr/sbin/ip || echo /bin/ip); true")
    if coin(r):
        c.restart("b")
        kind += ", daemon restarted"
    c.dirty = True
    return kind
