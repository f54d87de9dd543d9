"""Further disks: chains of images, data apart from them, formats, drivers, remote disks, disks that others have open."""

from lib.draw import coin, mutation
from lib.mutations.disks import SHARE, share


def on_share(c, make, disk):
    """A disk of an image on the share, whose content is told by a mark beside it."""
    c.on("a", f"{make}; printf MARK-A >{SHARE}/NAME.mark")
    c.verify("b", f"grep -q MARK-A {SHARE}/NAME.mark", "the guest now has another disk")
    c.g.add(disk)


def qcow(extra="", inside="", bus="virtio", dev="vda", file=f"{SHARE}/NAME.img", kind="qcow2"):
    """The element of a disk."""
    return (
        f"<disk type='file' device='disk'><driver name='qemu' type='{kind}' cache='none'{extra}/><source file='{file}'/>"
        f"<target dev='{dev}' bus='{bus}'/>{inside}</disk>"
    )


@mutation(7, "vda", True)
def chain(r, c):
    """Chains of several images, by absolute and relative names, of mixed formats, on the share and beside it."""
    how = share(r, c)
    c.dirty = c.dirty or how != "same"
    kind = r.choice(
        [
            "three images",
            "relative name",
            "link to the base",
            "raw base",
            "local middle",
            "named in the definition",
            "base over NBD",
            "data file on the share",
            "data file beside it",
            "data file beside it, another on b",
        ]
    )
    create, s = "qemu-img create -q -f qcow2", SHARE
    base = f"{create} {s}/NAME.base 8M"
    inside = ""
    if kind == "three images":
        make = (
            f"{base}; {create} -F qcow2 -b {s}/NAME.base {s}/NAME.mid; {create} -F qcow2 -b {s}/NAME.mid {s}/NAME.img"
        )
    elif kind == "relative name":
        make = f"{base}; cd {s} && {create} -F qcow2 -b NAME.base NAME.img"
    elif kind == "link to the base":
        make = f"{base}; mkdir -p /var/lib/tt; ln -sf {s}/NAME.base /var/lib/tt/NAME.link; {create} -F qcow2 -b /var/lib/tt/NAME.link {s}/NAME.img"
        if coin(r):
            c.on("b", f"mkdir -p /var/lib/tt; ln -sf {s}/NAME.base /var/lib/tt/NAME.link")
            kind += ", also on b"
    elif kind == "raw base":
        make = f"truncate -s 8M {s}/NAME.base; {create} -F raw -b {s}/NAME.base {s}/NAME.img"
    elif kind == "local middle":
        make = f"mkdir -p /var/lib/tt; {base}; {create} -F qcow2 -b {s}/NAME.base /var/lib/tt/NAME.mid; {create} -F qcow2 -b /var/lib/tt/NAME.mid {s}/NAME.img"
    elif kind == "named in the definition":
        make = f"{base}; {create} -F qcow2 -b {s}/NAME.base {s}/NAME.img"
        inside = f"<backingStore type='file'><format type='qcow2'/><source file='{s}/NAME.base'/><backingStore/></backingStore>"
    elif kind == "base over NBD":
        host = r.choice(["10.77.0.1", "127.0.0.1"])
        make = (
            "truncate -s 8M WORK/NAME.nb; qemu-nbd --fork -t -r -e 8 -x exp -f raw --pid-file=/run/NAME.nbpid -b 0.0.0.0 -p 10813 WORK/NAME.nb; "
            f"{create} -F raw -b nbd://{host}:10813/exp {s}/NAME.img"
        )
        kind += f" at {host}"
        c.undo("a", "kill $(cat /run/NAME.nbpid)")
    elif kind == "data file on the share":
        make = f"{create} -o data_file={s}/NAME.data {s}/NAME.img 8M"
    else:
        make = f"mkdir -p /var/lib/tt; {create} -o data_file=/var/lib/tt/NAME.data {s}/NAME.img 8M"
        if kind.endswith("on b"):
            c.on("b", "mkdir -p /var/lib/tt; truncate -s 8M /var/lib/tt/NAME.data")
            c.verify("b", "false", "the guest now reads another data file")
        c.undo("ab", "rm -f /var/lib/tt/NAME.data")
    on_share(c, make, qcow(inside=inside))
    return f"chain, {kind}; share on b: {how}"


@mutation(4, "vda", True)
def formats(r, c):
    """Formats of images; some of QEMU's drivers refuse a migration."""
    how = share(r, c)
    c.dirty = c.dirty or how != "same"
    kind = r.choice(["vmdk", "vdi", "vpc", "qed", "qcow2 with bitmap", "qcow2 corrupt bit", "sparse 2T", "no execute"])
    s, fmt = SHARE, kind.split()[0]
    make = f"qemu-img create -q -f {fmt} {s}/NAME.img 8M"
    if kind == "qcow2 with bitmap":
        make += f"; qemu-img bitmap --add {s}/NAME.img own"
    elif kind == "sparse 2T":
        make, fmt = f"truncate -s 2T {s}/NAME.img", "raw"
    elif kind == "no execute":
        make, fmt = f"truncate -s 8M {s}/NAME.img; chmod 000 {s}/NAME.img", "raw"
    on_share(c, make, qcow(kind=fmt))
    return f"format {kind}; share on b: {how}"


DRIVERS = [
    " iothread='1'",
    " queues='2' queue_size='128'",
    " packed='on'",
    " ats='on' iommu='on'",
    " event_idx='off' ioeventfd='off'",
    " discard='unmap' discard_no_unref='on'",
    " rerror_policy='stop' error_policy='report'",
    " io='io_uring'",
    " copy_on_read='on'",
    " detect_zeroes='unmap' discard='unmap'",
]
INSIDE = [
    "<blockio logical_block_size='512' physical_block_size='4096'/>",
    "<blockio logical_block_size='4096' physical_block_size='4096' discard_granularity='4096'/>",
    "<geometry cyls='16383' heads='16' secs='63' trans='lba'/>",
    "<iotune><group_name>g</group_name><read_bytes_sec>1000000</read_bytes_sec></iotune>",
    "<iotune><total_iops_sec>100</total_iops_sec><total_iops_sec_max>200</total_iops_sec_max></iotune>",
    "<wwn>5000c50015ea71ac</wwn>",
    "<vendor>OWN</vendor><product>DISK</product>",
    "<serial>a_b</serial>",
]


@mutation(5, "vda", True)
def disk_driver(r, c):
    """Options of a disk's driver and its front end."""
    how = share(r, c)
    c.dirty = c.dirty or how != "same"
    extra, inside = r.choice(["", *DRIVERS]), r.choice(["", *INSIDE])
    bus, dev = (
        ("scsi", "sda")
        if "wwn" in inside or "vendor" in inside
        else ("ide", "hdb")
        if "geometry" in inside
        else ("virtio", "vda")
    )
    if bus != "virtio":
        extra = ""
    if "iothread" in extra:
        c.g.top.append("<iothreads>1</iothreads>")
    if "pc" != c.g.machine and bus == "ide":
        bus, dev = "sata", "sdb"
    on_share(c, f"qemu-img create -q -f qcow2 {SHARE}/NAME.img 8M", qcow(extra, inside, bus, dev))
    return f"{bus}{extra} {inside}; share on b: {how}"


@mutation(6, "vda", True)
def remote_disk(r, c):
    """Disks over HTTP, NBD with TLS or by several servers, vhost-user, PR helpers, secrets by usage."""
    kind = r.choice(
        (["http", "http of a's loopback"] if c.qemu_new("a") else []) + ["nbd tls", "nbd of b", "vhostuser"]
    )
    undo = "kill $(cat /run/NAME.rdpid)"
    if kind.startswith("http"):
        host = "127.0.0.1" if "loopback" in kind else "10.77.0.1"
        c.on(
            "a",
            "mkdir -p WORK/web; truncate -s 1M WORK/web/NAME.iso; cd WORK/web; (python3 -m http.server 10814 >/dev/null 2>&1 & echo $! >/run/NAME.rdpid); sleep 0.5",
        )
        c.undo("a", undo)
        x = f"<disk type='network' device='cdrom'><driver name='qemu' type='raw'/><source protocol='http' name='/NAME.iso'><host name='{host}' port='10814'/></source><target dev='sdf' bus='scsi'/><readonly/></disk>"
    elif kind.startswith("nbd"):
        tls = " tls='yes'" if "tls" in kind else ""
        host = "b" if kind == "nbd of b" else "a"
        c.on(
            host,
            "truncate -s 8M WORK/NAME.rd; qemu-nbd --fork -t -e 8 -x exp -f raw --pid-file=/run/NAME.rdpid -b 0.0.0.0 -p 10815 WORK/NAME.rd",
        )
        c.undo(host, undo)
        address = "127.0.0.1" if host == "a" and coin(r, 0.3) else f"10.77.0.{1 if host == 'a' else 2}"
        x = f"<disk type='network' device='disk'><driver name='qemu' type='raw' cache='none'/><source protocol='nbd' name='exp'{tls}><host name='{address}' port='10815'/></source><target dev='vda' bus='virtio'/></disk>"
        kind += f" at {address}"
    else:
        c.g.backing = "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>"
        start = (
            "truncate -s 8M WORK/NAME.vu; (qemu-storage-daemon --blockdev driver=file,node-name=f,filename=WORK/NAME.vu --export type=vhost-user-blk,id=e,"
            "addr.type=unix,addr.path=/run/NAME.vu,node-name=f,writable=on >/dev/null 2>&1 & echo $! >/run/NAME.rdpid); sleep 0.6"
        )
        c.on("a", start)
        c.undo("ab", undo)
        if coin(r):
            c.on("b", start.replace("WORK/NAME.vu", "WORK/NAME.vu2"))
            kind += ", a server on both"
        x = "<disk type='vhostuser' device='disk'><driver name='qemu' type='raw'/><source type='unix' path='/run/NAME.vu'/><target dev='vda' bus='virtio'/></disk>"
    c.g.add(x)
    return kind


@mutation(4, "vda")
def disk_held_there(r, c):
    """A disk on the share that a guest of b, or nobody, has open as well."""
    share_ = "bindfs -o fsname=gv0,subtype=glusterfs WORK/share /var/lib/share"
    c.on("ab", f"mkdir -p /var/lib/share WORK/share; {share_}")
    c.undo("ab", "umount -l /var/lib/share")
    c.dirty = True
    kind = r.choice(["a guest of b has it", "a guest of b reads it", "both share it", "the base is shared by both"])
    shareable, ro = "<shareable/>" if "both share" in kind else "", "<readonly/>" if "reads" in kind else ""
    img = f"{SHARE}/held.img"
    c.on("a", f"truncate -s 8M {img}")
    disk = f"<disk type='file' device='disk'><driver name='qemu' type='raw' cache='none'/><source file='{img}'/><target dev='vda' bus='virtio'/>{{}}</disk>"
    if kind.startswith("the base"):
        c.on("a", f"cd {SHARE}; for n in one two; do qemu-img create -q -f qcow2 -F raw -b {img} $n.img; done")
        disk = qcow(file=f"{SHARE}/@.img")
        c.g.add(disk.replace("@", "one"))
        c.other_guest(disk.replace("@", "two"))
    else:
        c.g.add(disk.format(shareable + (ro if coin(r) else "")))
        c.other_guest(disk.format(shareable + ro))
    return kind


@mutation(4, "os2")
def loaders(r, c):
    """Firmware by other ways: formats, a variable store on the share, descriptors that b lacks."""
    c.no_counter, c.g.machine, c.dirty = True, "q35", True
    kind = r.choice(
        [
            "qcow2 firmware",
            "variables on the share",
            "variables as a block device",
            "descriptors gone on b",
            "secure boot",
            "read-only loader of type rom",
        ]
    )
    code, var = "/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"
    if kind == "qcow2 firmware":
        make = "mkdir -p /var/lib/ttn; for f in CODE VARS; do qemu-img convert -O qcow2 /usr/share/OVMF/OVMF_${f}_4M.fd /var/lib/ttn/$f.qcow2; done"
        c.on(r.choice(["a", "ab"]), make)
        c.g.os = "<loader readonly='yes' type='pflash' format='qcow2'>/var/lib/ttn/CODE.qcow2</loader><nvram format='qcow2' template='/var/lib/ttn/VARS.qcow2'/>"
    elif kind == "variables on the share":
        how = share(r, c)
        c.on("a", f"cp {var} {SHARE}/NAME.fd")
        c.g.os = f"<loader readonly='yes' type='pflash'>{code}</loader><nvram template='{var}'>{SHARE}/NAME.fd</nvram>"
        kind += f" ({how})"
    elif kind == "variables as a block device":
        c.on(
            "a",
            f"cp {var} WORK/NAME.nv; losetup -f --show WORK/NAME.nv >WORK/NAME.loop-nv; mkdir -p /var/lib/tt; cp -a $(cat WORK/NAME.loop-nv) /var/lib/tt/NAME-nvram",
        )
        c.undo("a", "losetup -d $(cat WORK/NAME.loop-nv)")
        if coin(r):
            c.on("b", "mkdir -p /var/lib/tt; cp -a $(cat WORK/NAME.loop-nv) /var/lib/tt/NAME-nvram")
            kind += ", the same on b"
        c.g.os = f"<loader readonly='yes' type='pflash'>{code}</loader><nvram type='block'><source dev='/var/lib/tt/NAME-nvram'/></nvram>"
    elif kind == "descriptors gone on b":
        c.g.os_attr = " firmware='efi'"
        c.on("b", "mount -t tmpfs tmpfs /usr/share/qemu/firmware")
    elif kind == "secure boot":
        c.g.os_attr, c.g.os = (
            " firmware='efi'",
            "<firmware><feature enabled='yes' name='secure-boot'/><feature enabled='no' name='enrolled-keys'/></firmware>",
        )
        c.g.features += "<smm state='on'/>"
    else:
        c.no_counter, c.g.machine = False, "pc"
        c.g.os_loader = "<loader readonly='yes' type='rom'>/usr/share/seabios/bios-256k.bin</loader>"
    return kind


@mutation(4, "vda")
def server_out_of_reach(r, c):
    """A server that a reaches and b does not: by its name, or for a firewall; or one that both reach."""
    kind = r.choice(["name known on a only", "rejects b", "drops b", "both reach it"])
    c.on("a", "truncate -s 8M WORK/NAME.out; echo '10.77.0.1 storage.test' >>/etc/hosts")
    c.on(
        "a",
        "qemu-nbd --fork -t -e 8 -x exp -f raw --pid-file=/run/NAME.outpid -b 0.0.0.0 -p 10816 WORK/NAME.out",
    )
    c.undo("a", "kill $(cat /run/NAME.outpid)")
    if kind != "name known on a only":
        c.on("b", "echo '10.77.0.1 storage.test' >>/etc/hosts")
    if kind == "rejects b":
        c.on("a", "iptables -I INPUT -s 10.77.0.2 -p tcp --dport 10816 -j REJECT --reject-with tcp-reset")
    elif kind == "drops b":
        c.on("a", "iptables -I INPUT -s 10.77.0.2 -p tcp --dport 10816 -j DROP")
        c.limit = 40
    c.dirty = True
    c.g.add(
        "<disk type='network' device='disk'><driver name='qemu' type='raw' cache='none'/>"
        "<source protocol='nbd' name='exp'><host name='storage.test' port='10816'/></source>"
        "<target dev='vda' bus='virtio'/></disk>"
    )
    return kind
