"""Mutations of disks, media and block jobs."""

from lib.draw import coin, mutation


SHARE = "/var/lib/share"
CACHES = ["none", "none", "none", "directsync", "writeback", "writethrough", "unsafe", ""]


def share(r, c):
    """A real shared file system (FUSE that says glusterfs), mounted on a; on b as the label says."""
    c.on("ab", "mkdir -p /var/lib/share WORK/share")
    mount = "bindfs -o {o}fsname={s},subtype={t} WORK/share /var/lib/share"
    c.on("a", mount.format(o="", s="gv0", t="glusterfs"))
    c.undo("ab", "umount -l /var/lib/share")
    how = r.choice(["same"] * 6 + ["not mounted", "read-only", "other server name", "other type", "another volume"])
    if how == "same":
        c.on("b", mount.format(o="", s="gv0", t="glusterfs"))
    elif how == "read-only":
        c.on("b", mount.format(o="ro,", s="gv0", t="glusterfs"))
    elif how == "other server name":
        c.on(
            "b",
            "mkdir -p WORK/share-alias; mount --bind WORK/share WORK/share-alias; "
            + mount.format(o="", s="gv0", t="glusterfs").replace("WORK/share", "WORK/share-alias"),
        )
    elif how == "other type":
        c.on("b", mount.format(o="", s="gv0", t="bindfs"))
    elif how == "another volume":
        c.on(
            "b",
            "mkdir -p WORK/share2; " + mount.format(o="", s="gv0", t="glusterfs").replace("WORK/share", "WORK/share2"),
        )
    return how


def disk_extra(r):
    return r.choice(
        [""] * 4
        + [
            "<iotune><total_iops_sec>100</total_iops_sec></iotune>",
            "<serial>S1</serial>",
            "<boot order='1'/>",
            "<shareable/>",
            "<readonly/>",
        ]
    )


@mutation(9, "vda", True)
def shared_disk(r, c):
    how = share(r, c)
    c.dirty = c.dirty or how != "same"
    fmt = r.choice(["raw", "raw", "qcow2", "qcow2", "qcow2-backed", "qcow2-backed-local", "qcow2-old"])
    p = f"{SHARE}/NAME.img"
    mark = f"printf MARK-A >{SHARE}/NAME.mark"
    make = {
        "raw": f"truncate -s 8M {p}",
        "qcow2": f"qemu-img create -q -f qcow2 {p} 8M",
        "qcow2-old": f"qemu-img create -q -f qcow2 -o compat=0.10 {p} 8M",
        "qcow2-backed": f"qemu-img create -q -f qcow2 {SHARE}/NAME.base 8M; qemu-img create -q -f qcow2 -F qcow2 -b {SHARE}/NAME.base {p}",
        "qcow2-backed-local": f"mkdir -p /var/lib/tt; qemu-img create -q -f qcow2 /var/lib/tt/NAME.base 8M; qemu-img create -q -f qcow2 -F qcow2 -b /var/lib/tt/NAME.base {p}",
    }
    c.on("a", f"{make[fmt]}; {mark}")
    label = ""
    if fmt == "qcow2-backed-local":
        label = r.choice(["base on a only", "a copy of the base on b"])
        if label != "base on a only":
            c.on("b", "mkdir -p /var/lib/tt; qemu-img create -q -f qcow2 /var/lib/tt/NAME.base 8M")
    if how == "another volume":
        c.on("b", f"truncate -s 8M {p}" if fmt == "raw" else f"qemu-img create -q -f qcow2 {p} 8M")
    cache = r.choice(CACHES)
    cachex = f" cache='{cache}'" if cache else ""
    io = r.choice(
        [
            "",
            "",
            "",
            " io='native'",
            " io='threads'",
            " discard='unmap'",
            " detect_zeroes='on'",
            " copy_on_read='on'",
            " error_policy='stop'",
        ]
    )
    if io == " io='native'" and cache not in ("none", "directsync"):
        io = ""
    bus, target = r.choice([("virtio", "vda"), ("virtio", "vda"), ("scsi", "sdc"), ("sata", "sdd")])
    extra = disk_extra(r)
    if "shareable" in extra and fmt != "raw":
        extra = ""
    c.g.add(
        f"<disk type='file' device='disk'><driver name='qemu' type='{fmt[:5] if fmt != 'raw' else 'raw'}'{cachex}{io}/><source file='{p}'/>"
        f"<target dev='{target}' bus='{bus}'/>{extra}</disk>"
    )
    c.verify("b", f"grep -q MARK-A {SHARE}/NAME.mark", "the guest now has another disk")
    return f"disk on a shared file system, {fmt} {label}, cache {cache or 'default'}{io}, {bus} {extra}; on b: {how}"


@mutation(3, "vda", True)
def same_path_disk(r, c):
    """The very same file at the same path of both hosts, but on a file system that libvirt calls local."""
    c.on("a", "mkdir -p WORK/plain; truncate -s 8M WORK/plain/NAME.img")
    cache = r.choice(CACHES)
    cachex = f" cache='{cache}'" if cache else ""
    extra = disk_extra(r)
    c.g.add(
        f"<disk type='file' device='disk'><driver name='qemu' type='raw'{cachex}/><source file='{c.work}/plain/NAME.img'/>"
        f"<target dev='vda' bus='virtio'/>{extra}</disk>"
    )
    return f"the same file by the same path, not on a shared file system, cache {cache or 'default'} {extra}"


@mutation(6, "vda", True)
def block_disk(r, c):
    c.on(
        "a",
        "truncate -s 8M WORK/NAME.a; printf MARK-A | dd of=WORK/NAME.a conv=notrunc status=none; "
        "losetup -f --show WORK/NAME.a >WORK/NAME.loop-a",
    )
    c.undo("a", "losetup -d $(cat WORK/NAME.loop-a)")
    name = r.choice(
        ["/var/lib/tt/NAME-blk", "/dev/disk/by-id/wwn-0x5000c500a1b2c3d4", "/dev/mapper/mpath-NAME", "/dev/vg0/NAME"]
    )
    top = name.rsplit("/", 1)[0]
    if name.startswith("/dev"):
        mountpoint = "/dev/" + name.split("/")[2]
        c.on("ab", f"mkdir -p {mountpoint}; mount -t tmpfs tmpfs {mountpoint}; mkdir -p {top}")
        c.undo("ab", f"umount -l {mountpoint}")
    else:
        c.on("ab", f"mkdir -p {top}")
    c.on("a", f"cp -a $(cat WORK/NAME.loop-a) {name}")
    how = r.choice(["same", "same", "missing", "other content", "a file of that name", "smaller"])
    if "by-id" in name and how in ("other content", "smaller"):
        how = "same"  # a WWN is one device: anything else would be the instrument's lie
    if how == "same":
        c.on("b", f"cp -a $(cat WORK/NAME.loop-a) {name}")
    elif how in ("other content", "smaller"):
        size = "8M" if how == "other content" else "4M"
        c.on(
            "b",
            f"truncate -s {size} WORK/NAME.b; losetup -f --show WORK/NAME.b >WORK/NAME.loop-b; cp -a $(cat WORK/NAME.loop-b) {name}",
        )
        c.undo("b", "losetup -d $(cat WORK/NAME.loop-b)")
    elif how == "a file of that name":
        c.on("b", f"truncate -s 8M {name}")
    cache = r.choice(CACHES)
    cachex = f" cache='{cache}'" if cache else ""
    extra = disk_extra(r)
    c.g.add(
        f"<disk type='block' device='disk'><driver name='qemu' type='raw'{cachex}/><source dev='{name}'/><target dev='vda' bus='virtio'/>{extra}</disk>"
    )
    c.verify("b", f"head -c 6 {name} | grep -q MARK-A", "the guest now has another disk")
    return f"block device {name}, cache {cache or 'default'} {extra}; on b: {how}"


@mutation(4, "vda", True)
def nbd_disk(r, c):
    where = r.choice(["10.77.0.1", "10.77.0.2", "127.0.0.1", "10.77.0.1 socket", "host-a", "host-b"])
    c.on("a", "truncate -s 8M WORK/NAME.nbd")
    server = "b" if where in ("10.77.0.2", "host-b") else "a"
    if where.endswith("socket"):
        listen, source = "-k /run/NAME.sock", "<host transport='unix' socket='/run/NAME.sock'/>"
    else:
        listen, source = "-b 0.0.0.0 -p 10810", f"<host name='{where}' port='10810'/>"
    c.on(server, f"qemu-nbd --fork -t -e 8 -x exp -f raw --pid-file=/run/NAME.nbdpid {listen} WORK/NAME.nbd")
    c.undo(server, "kill $(cat /run/NAME.nbdpid)")
    cache = r.choice(CACHES)
    cachex = f" cache='{cache}'" if cache else ""
    c.g.add(
        f"<disk type='network' device='disk'><driver name='qemu' type='raw'{cachex}/><source protocol='nbd' name='exp'>{source}</source>"
        "<target dev='vdb' bus='virtio'/></disk>"
    )
    return f"NBD disk, export at {where}, cache {cache or 'default'}"


@mutation(3, "vda", True)
def luks_disk(r, c):
    how = share(r, c)
    c.on(
        "a",
        f"qemu-img create -q --object secret,id=s,data=open -f qcow2 -o encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10 {SHARE}/NAME.img 8M; printf MARK-A >{SHARE}/NAME.mark",
    )
    secret = "<secret ephemeral='no' private='yes'><uuid>5ec2e7aa-0000-4000-8000-00000000000a</uuid></secret>"
    define = f'echo "{secret}" >/run/secret.xml; virsh secret-define /run/secret.xml; virsh secret-set-value 5ec2e7aa-0000-4000-8000-00000000000a $(printf open | base64)'
    c.on("a", define)
    there = r.choice(["same secret", "no secret", "secret without value"])
    if there == "same secret":
        c.on("b", define)
    elif there == "secret without value":
        c.on("b", f'echo "{secret}" >/run/secret.xml; virsh secret-define /run/secret.xml')
    c.undo("ab", "virsh secret-undefine 5ec2e7aa-0000-4000-8000-00000000000a")
    c.g.add(
        f"<disk type='file' device='disk'><driver name='qemu' type='qcow2' cache='none'/><source file='{SHARE}/NAME.img'><encryption format='luks'>"
        "<secret type='passphrase' uuid='5ec2e7aa-0000-4000-8000-00000000000a'/></encryption></source><target dev='vda' bus='virtio'/></disk>"
    )
    c.dirty = True
    c.verify("b", f"grep -q MARK-A {SHARE}/NAME.mark", "the guest now has another disk")
    return f"LUKS disk on a shared file system ({how}); on b: {there}"


@mutation(3, "vda")
def pool_disk(r, c):
    how = share(r, c)
    fmt = r.choice(["raw", "qcow2"])
    c.on(
        "a",
        f"mkdir -p {SHARE}/pool; qemu-img create -q -f {fmt} {SHARE}/pool/NAME.img 8M; printf MARK-A >{SHARE}/NAME.mark",
    )
    pool = f"<pool type='dir'><name>images</name><target><path>{SHARE}/pool</path></target></pool>"
    start = f'echo "{pool}" >/run/pool.xml; virsh pool-create /run/pool.xml'
    c.on("a", start)
    there = r.choice(["active", "missing", "inactive", "without the volume"])
    if there == "active":
        c.on("b", f"mkdir -p {SHARE}/pool; {start}")
    elif there == "inactive":
        c.on("b", f'echo "{pool}" >/run/pool.xml; virsh pool-define /run/pool.xml')
    elif there == "without the volume":
        c.on(
            "b",
            f'mkdir -p /var/lib/tt/pool; echo "{pool}" | sed s,{SHARE},/var/lib/tt, >/run/pool.xml; virsh pool-create /run/pool.xml',
        )
    c.g.add(
        f"<disk type='volume' device='disk'><driver name='qemu' type='{fmt}' cache='none'/><source pool='images' volume='NAME.img'/>"
        "<target dev='vda' bus='virtio'/></disk>"
    )
    c.dirty = True
    c.verify("b", f"grep -q MARK-A {SHARE}/NAME.mark", "the guest now has another disk")
    return f"volume of a storage pool on a shared file system ({how}); pool on b: {there}"


@mutation(6, "cd", True)
def removable(r, c):
    dev = r.choice(["cdrom", "cdrom", "cdrom", "floppy"])
    kind = r.choice(["file", "file", "file", "empty", "block", "nbd"])
    policy = r.choice(["", "", " startupPolicy='mandatory'", " startupPolicy='requisite'", " startupPolicy='optional'"])
    bus = {
        "cdrom": r.choice(["dev='@CDDEV@' bus='@CDBUS@'", "dev='sdf' bus='scsi'", "dev='sdg' bus='usb'"]),
        "floppy": "dev='fda' bus='fdc'",
    }[dev]
    if "usb" in bus:
        c.g.usb = "qemu-xhci"
    label = ""
    if kind == "file":
        label = c.file(r, "/var/lib/tt/NAME.iso", 1)
        source = f"<source file='/var/lib/tt/NAME.iso'{policy}/>"
        if label == "other content":
            c.verify("b", "false", "another medium is in the drive", soft=True)
    elif kind == "empty":
        source, policy = "", ""
    elif kind == "block":
        c.on(
            "a",
            "truncate -s 1M WORK/NAME.cd; losetup -f --show WORK/NAME.cd >WORK/NAME.loop-cd; mkdir -p /var/lib/tt; cp -a $(cat WORK/NAME.loop-cd) /var/lib/tt/NAME-sr0",
        )
        c.undo("a", "losetup -d $(cat WORK/NAME.loop-cd)")
        label = r.choice(["same", "missing"])
        if label == "same":
            c.on("b", "mkdir -p /var/lib/tt; cp -a $(cat WORK/NAME.loop-cd) /var/lib/tt/NAME-sr0")
        source = f"<source dev='/var/lib/tt/NAME-sr0'{policy}/>"
    else:
        label = r.choice(["10.77.0.1", "127.0.0.1"])
        policy = ""
        c.on(
            "a",
            "truncate -s 1M WORK/NAME.ncd; qemu-nbd --fork -t -r -e 8 -x exp -f raw --pid-file=/run/NAME.ncdpid -b 0.0.0.0 -p 10811 WORK/NAME.ncd",
        )
        c.undo("a", "kill $(cat /run/NAME.ncdpid)")
        source = f"<source protocol='nbd' name='exp'><host name='{label}' port='10811'/></source>"
    kindx = {"file": "file", "empty": "file", "block": "block", "nbd": "network"}[kind]
    ro = "<readonly/>" if dev == "cdrom" or coin(r) else ""
    c.g.add(f"<disk type='{kindx}' device='{dev}'><driver name='qemu' type='raw'/>{source}<target {bus}/>{ro}</disk>")
    return f"{dev} {bus}, {kind}{policy} {ro}: {label}"


@mutation(2, "cd", True)
def medium_changed(r, c):
    """Media inserted or ejected while the guest runs: live and persistent definition then differ."""
    how = r.choice(
        ["inserted, file on a only", "ejected, file on a only", "ejected live, still in the persistent definition"]
    )
    c.on("a", "mkdir -p /var/lib/tt; truncate -s 1M /var/lib/tt/NAME.iso")
    src = "" if how.startswith("inserted") else "<source file='/var/lib/tt/NAME.iso'/>"
    c.g.add(
        f"<disk type='file' device='cdrom'><driver name='qemu' type='raw'/>{src}<target dev='@CDDEV@' bus='@CDBUS@'/><readonly/></disk>"
    )
    if how.startswith("inserted"):
        c.then("a", "virsh change-media NAME @CDDEV@ /var/lib/tt/NAME.iso --insert --live")
    elif how == "ejected, file on a only":
        c.then("a", "virsh change-media NAME @CDDEV@ --eject --live --config --force")
    else:
        c.then("a", "virsh change-media NAME @CDDEV@ --eject --live --force")
    return how


@mutation(2, "blockjob", True)
def block_job(r, c):
    how = share(r, c)
    c.dirty = True
    c.on("a", f"truncate -s 8M {SHARE}/NAME-j.img; printf MARK-A >{SHARE}/NAME.mark")
    c.g.add(
        f"<disk type='file' device='disk'><driver name='qemu' type='raw' cache='none'/><source file='{SHARE}/NAME-j.img'/><target dev='vdj' bus='virtio'/></disk>"
    )
    kind = r.choice(
        ["copy ready", "copy ready, reuse", "backup pull", "copy finished", "external snapshot kept", "checkpoint"]
    )
    if kind.startswith("copy ready"):
        c.then("a", f"virsh blockcopy NAME vdj {SHARE}/NAME-c.img --transient-job")
    elif kind == "copy finished":
        c.then("a", f"virsh blockcopy NAME vdj {SHARE}/NAME-c.img --transient-job --wait --pivot")
    elif kind == "backup pull":
        c.then(
            "a",
            'printf \'<domainbackup mode="pull"><server name="localhost" port="10812"/><disks><disk name="vdj" backup="yes" type="file"><scratch file="/run/NAME.scratch"/></disk></disks></domainbackup>\' >/run/bk.xml; virsh backup-begin NAME /run/bk.xml',
        )
    elif kind == "external snapshot kept":
        c.then(
            "a",
            f"virsh snapshot-create-as NAME s1 --disk-only --diskspec vdj,file={SHARE}/NAME-s.img {r.choice(['', '--no-metadata'])}",
        )
        c.verify("b", f"test $(virsh snapshot-list {c.uuid} --name | grep -c .) = 0 || true", "snapshots", soft=True)
    else:
        c.g.devices[-1] = c.g.devices[-1].replace("type='raw'", "type='qcow2'")
        c.on("a", f"rm {SHARE}/NAME-j.img; qemu-img create -q -f qcow2 {SHARE}/NAME-j.img 8M")
        c.then("a", "virsh checkpoint-create-as NAME cp1")
        c.verify("b", f"virsh checkpoint-list {c.uuid} --name | grep -q cp1", "the checkpoint was lost", soft=True)
    return f"{kind}; share on b: {how}"


@mutation(1, "transientdisk", True)
def transient_disk(r, c):
    how = share(r, c)
    c.dirty = c.dirty or how != "same"
    c.on("a", f"truncate -s 8M {SHARE}/NAME-t.img")
    c.g.add(
        f"<disk type='file' device='disk'><driver name='qemu' type='raw' cache='none'/><source file='{SHARE}/NAME-t.img'/><target dev='vdt' bus='virtio'/><transient/></disk>"
    )
    return f"transient disk; share on b: {how}"


@mutation(1, "vvfat", True)
def dir_disk(r, c):
    c.on("a", "mkdir -p /var/lib/tt/fat")
    if coin(r):
        c.on("b", "mkdir -p /var/lib/tt/fat")
    fl = r.choice(["floppy'", "disk'"])
    t = "<target dev='fdb' bus='fdc'/>" if fl[0] == "f" else "<target dev='vdf' bus='virtio'/>"
    c.g.add(
        f"<disk type='dir' device='{fl}><driver name='qemu' type='fat'/><source dir='/var/lib/tt/fat'/>{t}<readonly/></disk>"
    )
    return f"read-only directory as a disk ({fl[:-1]})"
