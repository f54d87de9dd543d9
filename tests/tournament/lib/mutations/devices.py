"""Mutations of consoles, character devices, firmware, other devices and QEMU arguments."""

from lib.draw import coin, mutation
from lib.mutations.networks import net_on


@mutation(7, "graphics", True)
def graphics(r, c):
    kind = r.choice(
        [
            "auto",
            "auto",
            "fixed",
            "fixed",
            "fixed taken",
            "fixed taken by a guest",
            "address of a",
            "socket",
            "socket folder on a only",
            "network",
            "password",
            "websocket",
            "hostname",
            "none listen",
            "egl-headless",
            "ipv6",
            "name of a",
        ]
    )
    x = "<graphics type='vnc' autoport='yes'/>"
    if kind == "fixed":
        x = "<graphics type='vnc' port='5999' autoport='no' listen='0.0.0.0'/>"
    elif kind == "fixed taken":
        x = "<graphics type='vnc' port='5999' autoport='no' listen='0.0.0.0'/>"
        c.on(
            "b",
            "python3 -c \"import socket,os,time; s=socket.socket(); s.setsockopt(1,2,1); s.bind(('0.0.0.0',5999)); s.listen(); os.fork() and os._exit(0); os.setsid(); [os.close(i) for i in (0,1,2)]; open('/run/NAME.listener','w').write(str(os.getpid())); time.sleep(120)\"",
        )
        c.undo("b", "kill $(cat /run/NAME.listener)")
    elif kind == "fixed taken by a guest":
        x = "<graphics type='vnc' port='5999' autoport='no' listen='0.0.0.0'/>"
        c.other_guest("<graphics type='vnc' port='5999' autoport='no' listen='0.0.0.0'/>")
    elif kind == "address of a":
        x = "<graphics type='vnc' autoport='yes'><listen type='address' address='10.77.0.1'/></graphics>"
    elif kind == "socket":
        x = "<graphics type='vnc'><listen type='socket'/></graphics>"
    elif kind == "socket folder on a only":
        c.on("a", "mkdir -p /var/lib/tt-vnc")
        x = "<graphics type='vnc'><listen type='socket' socket='/var/lib/tt-vnc/NAME'/></graphics>"
    elif kind == "network":
        label = r.choice(["same", "missing", "inactive"])
        xml = "<network><name>mgmt</name><bridge name='virbr8'/><ip address='10.89.0.HOST' netmask='255.255.255.0'/></network>"
        net_on(c, "a", "mgmt", xml.replace("HOST", "1"))
        if label != "missing":
            net_on(c, "b", "mgmt", xml.replace("HOST", "2"), define_only=label == "inactive")
        kind += " " + label
        x = "<graphics type='vnc' autoport='yes'><listen type='network' network='mgmt'/></graphics>"
    elif kind == "password":
        x = "<graphics type='vnc' autoport='yes' passwd='secret12'/>"
    elif kind == "websocket":
        x = "<graphics type='vnc' autoport='no' port='5998' websocket='5777' listen='127.0.0.1'/>"
    elif kind == "hostname":
        x = "<graphics type='vnc' autoport='yes' listen='localhost'/>"
    elif kind == "name of a":
        x = "<graphics type='vnc' autoport='yes' listen='host-a'/>"
    elif kind == "none listen":
        x = "<graphics type='vnc'><listen type='none'/></graphics>"
    elif kind == "egl-headless":
        x = "<graphics type='vnc' autoport='yes' listen='127.0.0.1' sharePolicy='force-shared'/>"
    elif kind == "ipv6":
        x = f"<graphics type='vnc' autoport='yes' listen='{r.choice(['::1', '::'])}'/>"
    video = r.choice(["vga", "virtio", "bochs", "cirrus", "vmvga", "ramfb"])
    c.g.add(x + f"<video><model type='{video}'/></video>")
    return f"vnc {kind}, video {video}"


@mutation(3, "graphics")
def vnc_settings(r, c):
    """What qemu.conf of b makes of a console."""
    c.g.add("<graphics type='vnc' autoport='yes'/><video><model type='vga'/></video>")
    line = r.choice(
        [
            "vnc_tls = 1",
            'vnc_listen = "0.0.0.0"',
            'vnc_listen = "10.77.0.1"',
            'vnc_password = "other123"',
            "vnc_auto_unix_socket = 1",
            "vnc_sasl = 1",
            "remote_display_port_min = 5900\nremote_display_port_max = 5901",
        ]
    )
    c.conf("b", line)
    if "port_min" in line:
        for _ in range(r.choice([1, 2])):
            c.other_guest("<graphics type='vnc' autoport='yes' listen='0.0.0.0'/>")
    return f"vnc, and on b: {line}"


@mutation(7, "char", True)
def character(r, c):
    what = r.choice(["serial", "parallel", "console", "channel"])
    kind = r.choice(
        [
            "file",
            "file",
            "pty",
            "unix bind",
            "unix bind",
            "unix connect",
            "tcp bind",
            "tcp bind",
            "tcp connect",
            "udp",
            "null",
            "vc",
            "pipe",
            "dev",
            "log",
        ]
    )
    label = ""
    if kind == "file":
        d = r.choice(["/var/lib/ttc", "/var/log/ttc", "/run/ttc", "/var/log/libvirt/qemu"])
        label = r.choice(
            ["folder on both", "folder on a only", "folder of b is read-only", "on b a folder of that name"]
        )
        c.on("a", f"mkdir -p {d}")
        if label != "folder on a only":
            c.on("b", f"mkdir -p {d}")
        if label == "folder of b is read-only" and "libvirt" not in d:
            c.on("b", f"mount -t tmpfs -o ro tmpfs {d}")
            c.undo("b", f"umount -l {d}")
        if label == "on b a folder of that name":
            c.on("b", f"mkdir -p {d}/NAME.out")
            c.undo("b", f"rmdir {d}/NAME.out")
        c.undo("b", f"rmdir {d}")
        src = f"<source path='{d}/NAME.out'/>"
        head = "file"
    elif kind.startswith("unix"):
        mode = kind.split()[1]
        label = r.choice(["folder on both", "folder on a only"])
        c.on("a", "mkdir -p /var/lib/ttu")
        c.on("b", "rm -rf /var/lib/ttu")
        if "both" in label:
            c.on("b", "mkdir -p /var/lib/ttu")
        if mode == "connect":
            listen = "python3 -c \"import socket,os,time; s=socket.socket(socket.AF_UNIX); s.bind('/var/lib/ttu/NAME'); s.listen(); os.fork() and os._exit(0); os.setsid(); [os.close(i) for i in (0,1,2)]; open('/run/NAME.usock','w').write(str(os.getpid())); time.sleep(120)\""
            c.on("a", listen)
            c.undo("ab", "kill $(cat /run/NAME.usock); rm -f /var/lib/ttu/NAME")
            if "both" in label and coin(r):
                c.on("b", listen)
                label += ", listener on both"
        reconnect = r.choice(["", "<reconnect enabled='yes' timeout='10'/>"]) if mode == "connect" else ""
        src = f"<source mode='{mode}' path='/var/lib/ttu/NAME'>{reconnect}</source>"
        label += " reconnect" if reconnect else ""
        head = "unix"
    elif kind.startswith("tcp"):
        mode = kind.split()[1]
        host = r.choice(
            ["127.0.0.1", "0.0.0.0", "10.77.0.1"] if mode == "bind" else ["10.77.0.1", "127.0.0.1", "host-a"]
        )
        label = host
        listen = "python3 -c \"import socket,os,time; s=socket.socket(); s.setsockopt(1,2,1); s.bind(('0.0.0.0',4777)); s.listen(); os.fork() and os._exit(0); os.setsid(); [os.close(i) for i in (0,1,2)]; open('/run/NAME.tsock','w').write(str(os.getpid())); time.sleep(120)\""
        if mode == "connect":
            c.on("a", listen)
            c.undo("ab", "kill $(cat /run/NAME.tsock)")
        elif coin(r, 0.4):
            c.on("b", listen)
            c.undo("b", "kill $(cat /run/NAME.tsock)")
            label += ", port taken on b"
        src = f"<source mode='{mode}' host='{host}' service='4777'/><protocol type='raw'/>"
        head = "tcp"
    elif kind == "udp":
        head = "udp"
        label = r.choice(["127.0.0.1", "10.77.0.1"])
        src = f"<source mode='connect' host='10.77.0.9' service='4778'/><source mode='bind' host='{label}' service='4779'/>"
    elif kind == "pipe":
        head = "pipe"
        label = r.choice(["on both", "on a only"])
        make = "mkdir -p /var/lib/ttp; mkfifo /var/lib/ttp/NAME.in /var/lib/ttp/NAME.out"
        c.on("a", make)
        if "both" in label:
            c.on("b", make)
        src = "<source path='/var/lib/ttp/NAME'/>"
    elif kind == "dev":
        head = "dev"
        label = r.choice(["on both", "on a only"])
        make = "mkdir -p /var/lib/ttd; rm -f /var/lib/ttd/NAME; mknod /var/lib/ttd/NAME c 1 3"
        c.on("a", make)
        if "both" in label:
            c.on("b", make)
        src = "<source path='/var/lib/ttd/NAME'/>"
    elif kind == "log":
        head = "pty"
        label = r.choice(["folder on both", "folder on a only"])
        c.on("a", "mkdir -p /var/log/ttl")
        if "both" in label:
            c.on("b", "mkdir -p /var/log/ttl")
        c.undo("b", "rm -rf /var/log/ttl")
        src = "<log file='/var/log/ttl/NAME.log' append='on'/>"
    else:
        head, src = kind, ""
    if what == "channel":
        if head in ("vc", "dev", "null"):
            what = "serial"
        else:
            src += "<target type='virtio' name='org.qemu.guest_agent.0'/>"
    if what == "console":
        src += "<target type='virtio'/>"
    c.g.add(f"<{what} type='{head}'>{src}</{what}>")
    return f"{what} {kind}: {label}"


HARMLESS = [
    "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>",
    "<rng model='virtio'><backend model='random'>/dev/random</backend><rate bytes='1000'/></rng>",
    "<rng model='virtio'><backend model='builtin'/></rng>",
    "<watchdog model='i6300esb' action='none'/>",
    "<watchdog model='ib700' action='none'/>",
    "<sound model='ich6'/>",
    "<sound model='ac97'/>",
    "<sound model='es1370'/>",
    "<sound model='sb16'/>",
    "<sound model='ich9'/>",
    "<input type='tablet' bus='virtio'/>",
    "<input type='keyboard' bus='virtio'/>",
    "<controller type='scsi' model='virtio-scsi'/>",
    "<controller type='scsi' model='lsilogic'/>",
    "<controller type='scsi' model='lsisas1068'/>",
    "<controller type='scsi' model='lsisas1078'/>",
    "<controller type='scsi' model='vmpvscsi'/>",
    "<controller type='virtio-serial'/>",
    "<controller type='sata'/>",
    "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>",
    "<console type='pty'><target type='virtio'/></console>",
    "<parallel type='null'/>",
    "<panic model='isa'/>",
    "<panic model='hyperv'/>",
    "<crypto model='virtio' type='qemu'><backend model='builtin' queues='1'/></crypto>",
    "<video><model type='virtio'/></video>",
    "<video><model type='bochs'/></video>",
    "<audio id='1' type='none'/>",
    "<hub type='usb'/>",
    "<input type='tablet' bus='usb'/>",
    "<sound model='usb'/>",
    "<smartcard mode='passthrough' type='unix'><source mode='bind' path='/run/NAME.card'/></smartcard>",
    "<redirdev bus='usb' type='tcp'><source mode='bind' host='127.0.0.1' service='4000'/><protocol type='raw'/></redirdev>",
    "<controller type='ccid'/>",
    "<shmem name='NAME' role='master'><model type='ivshmem-plain'/><size unit='M'>4</size></shmem>",
    "<shmem name='NAME' role='peer'><model type='ivshmem-plain'/><size unit='M'>4</size></shmem>",
    "<iommu model='virtio'/>",
    "<tpm model='tpm-tis'><backend type='emulator' version='2.0'/></tpm>",
    "<tpm model='tpm-crb'><backend type='emulator' version='2.0' persistent_state='yes'/></tpm>",
    "<filesystem type='mount' accessmode='mapped'><source dir='/var/log'/><target dir='t'/></filesystem>",
    "<filesystem type='mount'><driver type='path' wrpolicy='immediate'/><source dir='/var/lib'/><target dir='t'/><readonly/></filesystem>",
    "<filesystem type='mount'><driver type='virtiofs'/><source dir='/var/lib'/><target dir='t'/></filesystem>",
    "<hostdev mode='subsystem' type='usb'><source startupPolicy='optional'><vendor id='0x1234'/><product id='0xbeef'/></source></hostdev>",
    "<hostdev mode='capabilities' type='misc'><source><char>/dev/null</char></source></hostdev>",
    "<input type='evdev'><source dev='/dev/input/event0'/></input>",
]


@mutation(9, "device", True)
def device(r, c):
    chosen = r.sample(HARMLESS, r.choice([1, 1, 1, 2, 3]))
    for x in chosen:
        if "usb" in x or "ccid" in x or "smartcard" in x:
            c.g.usb = r.choice(["qemu-xhci", "piix3-uhci", "nec-xhci", "ich9-ehci1", "pci-ohci"])
        if "iommu" in x:
            c.g.machine = "q35"
        if "virtiofs" in x:
            c.g.backing = "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>"
        c.g.add(x)
    return " ".join(chosen)


@mutation(3, "rngpath", True)
def rng_source(r, c):
    kind = r.choice(["own path on a only", "own path on both", "egd on a only", "a file on a only"])
    if kind.startswith("own"):
        make = "mkdir -p /var/lib/tt; rm -f /var/lib/tt/rng; mknod /var/lib/tt/rng c 1 9"
        c.on("a", make)
        if "both" in kind:
            c.on("b", make)
        else:
            c.on("b", "rm -f /var/lib/tt/rng")
        b = "<backend model='random'>/var/lib/tt/rng</backend>"
    elif kind.startswith("egd"):
        c.on(
            "a",
            "python3 -c \"import socket,os,time; s=socket.socket(); s.setsockopt(1,2,1); s.bind(('127.0.0.1',4790)); s.listen(); os.fork() and os._exit(0); os.setsid(); [os.close(i) for i in (0,1,2)]; open('/run/NAME.egd','w').write(str(os.getpid())); time.sleep(120)\"",
        )
        c.undo("a", "kill $(cat /run/NAME.egd)")
        b = "<backend model='egd' type='tcp'><source mode='connect' host='127.0.0.1' service='4790'/><protocol type='raw'/></backend>"
    else:
        c.on("a", "mkdir -p /var/lib/tt; head -c 4096 /dev/urandom >/var/lib/tt/NAME.seed")
        b = "<backend model='random'>/var/lib/tt/NAME.seed</backend>"
    c.g.add(f"<rng model='virtio'>{b}</rng>")
    return f"rng, {kind}"


@mutation(3, "balloon", True)
def balloon(r, c):
    c.g.balloon = r.choice(
        [
            "<memballoon model='virtio'/>",
            "<memballoon model='virtio'><stats period='5'/></memballoon>",
            "<memballoon model='virtio' autodeflate='on'/>",
            "<memballoon model='virtio' freePageReporting='on'/>",
            "<memballoon model='virtio-non-transitional'/>",
        ]
    )
    if coin(r):
        c.then("a", "virsh setmem NAME 24M --live")
    return c.g.balloon


@mutation(5, "os")
def firmware(r, c):
    """UEFI. The counter does not run there (multiboot needs SeaBIOS): judged by where the guest runs."""
    c.no_counter = True
    kind = r.choice(
        [
            "auto",
            "explicit",
            "explicit, nvram file given",
            "2M and 4M mixed",
            "bios file",
            "bios file on a only",
            "stateless",
        ]
    )
    code, var = "/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"
    c.g.machine = "q35"
    label = r.choice(
        [
            "same",
            "same",
            "no OVMF on b",
            "nvram folder of b is read-only",
            "nvram of another guest lies on b",
            "no template on b",
        ]
    )
    if kind == "auto":
        c.g.os_attr, c.g.os = " firmware='efi'", ""
    elif kind == "explicit":
        c.g.os = f"<loader readonly='yes' type='pflash'>{code}</loader><nvram template='{var}'/>"
    elif kind == "stateless":
        c.g.os = f"<loader readonly='yes' type='pflash' stateless='yes'>{code}</loader>"
    elif kind == "explicit, nvram file given":
        c.on("ab", "mkdir -p /var/lib/ttn")
        c.on("a", f"cp {var} /var/lib/ttn/NAME.fd")
        c.g.os = (
            f"<loader readonly='yes' type='pflash'>{code}</loader><nvram template='{var}'>/var/lib/ttn/NAME.fd</nvram>"
        )
        if coin(r):
            c.on("b", "rmdir /var/lib/ttn")
            label += ", folder of the nvram file on a only"
    elif kind == "2M and 4M mixed":
        c.on(
            "a",
            f"mkdir -p /var/lib/ttn; cp /usr/share/OVMF/OVMF_CODE_4M.fd /var/lib/ttn/CODE.fd; cp {var} /var/lib/ttn/VARS.fd",
        )
        c.on(
            "b",
            "mkdir -p /var/lib/ttn; cp /usr/share/OVMF/OVMF_CODE.fd /var/lib/ttn/CODE.fd; cp /usr/share/OVMF/OVMF_VARS.fd /var/lib/ttn/VARS.fd",
        )
        c.g.os = (
            "<loader readonly='yes' type='pflash'>/var/lib/ttn/CODE.fd</loader><nvram template='/var/lib/ttn/VARS.fd'/>"
        )
    else:
        c.no_counter = False
        c.g.machine = "pc"
        copy = "mkdir -p /var/lib/ttn; cp -L /usr/share/seabios/bios-256k.bin /var/lib/ttn/bios.bin"
        c.on("a", copy)
        if kind == "bios file":
            c.on("b", copy)
        c.g.os_loader = "<loader type='rom'>/var/lib/ttn/bios.bin</loader>"
        label = ""
    if label.startswith("no OVMF"):
        c.on("b", "mount -t tmpfs tmpfs /usr/share/OVMF")
    elif label.startswith("no template"):
        c.on(
            "b",
            "mkdir /run/o; cp -a /usr/share/OVMF/. /run/o; rm -f /run/o/*VARS*; mount --bind /run/o /usr/share/OVMF",
        )
    elif label.startswith("nvram folder"):
        c.on("b", "mkdir -p /var/lib/libvirt/qemu/nvram; mount -t tmpfs -o ro tmpfs /var/lib/libvirt/qemu/nvram")
    elif label.startswith("nvram of another"):
        c.on("b", "mkdir -p /var/lib/libvirt/qemu/nvram; truncate -s 131072 /var/lib/libvirt/qemu/nvram/NAME_VARS.fd")
    c.dirty = True
    return f"{kind}; {label}"


@mutation(5, "hostfile", True)
def host_file(r, c):
    """Files that a guest's definition names in the less usual places."""
    kind = r.choice(
        [
            "initrd",
            "dtb",
            "acpi table",
            "fw_cfg file",
            "fwcfg sysinfo",
            "nic rom",
            "qemu arg file",
            "qemu arg object",
            "kernel in /srv",
            "loader bios",
        ]
    )
    p = "/var/lib/tt/NAME-x"
    there = r.choice(["on both", "on a only", "other content on b"])
    size = "512" if kind == "nic rom" else "4096"
    make = f"mkdir -p /var/lib/tt; head -c {size} /dev/zero >{p}"
    if kind == "acpi table":
        make = (
            "mkdir -p /var/lib/tt; python3 -c \"import struct; t=bytearray(b'SLIC'+struct.pack('<I',36)+b'\\x01\\x00OEMID_TABLEID_\\x01\\0\\0\\0CREA\\x01\\0\\0\\0'); t[9]=(-sum(t))&255; "
            f"open('{p}','wb').write(t)\""
        )
    c.on("a", make)
    if there == "on both":
        c.on("b", make)
    elif there.startswith("other"):
        c.on("b", f"mkdir -p /var/lib/tt; head -c 9000 /dev/zero >{p}")
    else:
        c.on("b", f"rm -f {p}")
    if kind == "initrd":
        c.g.initrd = f"<initrd>{p}</initrd>"
    elif kind == "dtb":
        kind = "initrd"
        c.g.initrd = f"<initrd>{p}</initrd>"
    elif kind == "acpi table":
        c.g.os_more = f"<acpi><table type='slic'>{p}</table></acpi>"
    elif kind == "fw_cfg file":
        c.g.args(["-fw_cfg", f"name=opt/own,file={p}"])
    elif kind == "fwcfg sysinfo":
        c.g.sysinfo = f"<sysinfo type='fwcfg'><entry name='opt/own' file='{p}'/></sysinfo>"
    elif kind == "nic rom":
        c.g.add(f"<interface type='user'><model type='e1000'/><rom file='{p}'/></interface>")
    elif kind == "qemu arg file":
        c.g.args(["-device", f"loader,file={p},addr=0x1f00000"])
    elif kind == "qemu arg object":
        c.g.args(["-object", f"memory-backend-file,id=own,mem-path={p},size=4096,share=on"])
    elif kind == "kernel in /srv":
        c.g.kernel = "/var/lib/tt/NAME-kernel"
        c.on("a", "mkdir -p /var/lib/tt; cp /var/lib/libvirt/images/guest.elf /var/lib/tt/NAME-kernel")
        if there != "on a only":
            c.on("b", "mkdir -p /var/lib/tt; cp /var/lib/libvirt/images/guest.elf /var/lib/tt/NAME-kernel")
    else:
        kind = "kernel only"
    return f"{kind}: {there}"


ARGS = [
    ["-device", "nvme,serial=x,drive=nv0,addr=0x1d", "-drive", "if=none,id=nv0,file=null-co://,format=raw"],
    ["-device", "amd-iommu"],
    ["-device", "edu,addr=0x1d"],
    ["-device", "pci-testdev,addr=0x1d"],
    ["-device", "pvpanic-pci,addr=0x1d"],
    ["-device", "virtio-rng-pci,addr=0x1d"],
    ["-device", "ipmi-bmc-sim,id=bmc0", "-device", "isa-ipmi-kcs,bmc=bmc0"],
    ["-device", "i82801b11-bridge,addr=0x1d"],
    ["-device", "isa-debug-exit"],
    ["-device", "tulip,addr=0x1d"],
    ["-device", "sdhci-pci,addr=0x1d"],
    ["-device", "virtio-balloon-pci,addr=0x1d"],
    ["-device", "am53c974,addr=0x1d"],
    ["-cpu", "qemu64,+sse3"],
    ["-smbios", "type=1,product=own"],
    ["-global", "isa-fdc.driveA="],
    ["-machine", "graphics=off"],
    ["-overcommit", "mem-lock=off"],
    ["-icount", "shift=7"],
    ["-chardev", "socket,id=own,path=/run/own.sock,server=on,wait=off"],
    ["-device", "rocker,name=rk,addr=0x1d"],
    ["-device", "ctucan_pci,addr=0x1d"],
    ["-device", "mptsas1068,addr=0x1d"],
    ["-device", "usb-mtp,rootdir=/var/lib"],
    ["-device", "pxb"],
    ["-only-migratable"],
    ["-incoming", "defer"],
    ["-snapshot"],
]


@mutation(5, "args", True)
def raw_args(r, c):
    a = r.choice(ARGS)
    if "amd-iommu" in a:
        c.g.machine = "q35"
    if "usb-mtp" in a[1] if len(a) > 1 else False:
        c.g.usb = "qemu-xhci"
    c.g.args(a)
    return " ".join(a)


@mutation(3, "monitor", True)
def behind_libvirt(r, c):
    what = r.choice(
        [
            "device_add virtio-rng-pci,id=own",
            "device_add e1000,id=own",
            "chardev-add null,id=own",
            "device_add usb-tablet,id=own",
            "migrate_set_capability xbzrle on",
            "migrate_set_parameter max-bandwidth 1M",
            "migrate_set_capability multifd on",
            "migrate_set_capability postcopy-ram on",
            "migrate_set_capability x-ignore-shared on",
            "stop",
            "device_del video0",
            "set_link net0 off",
            "system_reset",
        ]
    )
    if "usb" in what:
        c.g.usb = "qemu-xhci"
    c.then("a", f"virsh qemu-monitor-command NAME --hmp '{what}'")
    if what in ("stop",):
        c.paused = True
    return f"monitor: {what}"


@mutation(4, "features", True)
def features(r, c):
    f = r.choice(
        [
            "<pae/>",
            "<apic/>",
            "<apic eoi='on'/>",
            "<hap/>",
            "<hyperv><relaxed state='on'/><vapic state='on'/></hyperv>",
            "<kvm><hidden state='on'/></kvm>",
            "<smm state='on'/>",
            "<smm state='off'/>",
            "<vmport state='off'/>",
            "<vmport state='on'/>",
            "<pmu state='off'/>",
            "<ioapic driver='qemu'/>",
            "<vmcoreinfo state='on'/>",
            "<privnet/>",
            "<pvspinlock state='off'/>",
        ]
    )
    c.g.features += f
    if "smm" in f or "ioapic" in f:
        c.g.machine = "q35"
    return f


@mutation(3, "clock", True)
def clock(r, c):
    c.g.clock = r.choice(
        [
            "<clock offset='localtime'/>",
            "<clock offset='timezone' timezone='Europe/Paris'/>",
            "<clock offset='variable' adjustment='3600' basis='utc'/>",
            "<clock offset='absolute' start='1000000'/>",
            "<clock offset='utc'><timer name='hpet' present='yes'/></clock>",
            "<clock offset='utc'><timer name='hpet' present='no'/><timer name='rtc' tickpolicy='catchup'/><timer name='pit' tickpolicy='delay'/></clock>",
            "<clock offset='utc'><timer name='tsc' frequency='2000000000'/></clock>",
            "<clock offset='utc'><timer name='kvmclock' present='no'/></clock>",
        ]
    )
    return c.g.clock


METADATA = [
    "<nova:instance xmlns:nova='http://openstack.org/xmlns/libvirt/nova/1.1'><nova:package version='28.0.0'/><nova:name>web</nova:name><nova:flavor name='m1.tiny'><nova:memory>32</nova:memory></nova:flavor></nova:instance>",
    "<ovirt-vm:vm xmlns:ovirt-vm='http://ovirt.org/vm/1.0'><ovirt-vm:clusterVersion>4.7</ovirt-vm:clusterVersion></ovirt-vm:vm>",
    "<kubevirt xmlns='http://kubevirt.io'><uid>5ec2e7aa-0000-4000-8000-0000000000ff</uid></kubevirt>",
    "<libosinfo:libosinfo xmlns:libosinfo='http://libosinfo.org/xmlns/libvirt/domain/1.0'><libosinfo:os id='http://debian.org/debian/12'/></libosinfo:libosinfo>",
    "<one:vm xmlns:one='http://opennebula.org/xmlns/libvirt/1.0'><one:system_datastore><![CDATA[/var/lib/one/datastores/0/1]]></one:system_datastore></one:vm>",
    "<cs:instance xmlns:cs='http://cloudstack.apache.org/1.0'><cs:name>i-2-34-VM</cs:name></cs:instance>",
    "<x:y xmlns:x='urn:x'>&lt;&amp;\U0001f4a9&#10;</x:y>",
    "<pvm:migration xmlns:pvm='https://pvm.invalid/1'><pvm:id>old</pvm:id></pvm:migration>",
]


@mutation(4, "meta", True)
def metadata(r, c):
    m = r.choice(METADATA)
    c.g.metadata = f"<title>a &amp; b \u00fc</title><metadata>{m}</metadata>"
    return m[:60]


@mutation(3, "name", True)
def odd_name(r, c):
    c.name = r.choice(
        [
            "web server {0}",
            "g\u00e4st-{0}",
            "\u865a\u62df\u673a-{0}",
            "a.b-c_{0}",
            "it's-{0}",
            "{0}%20x",
            "x" * 120 + "{0}",
            "--help-{0}",
            "vm@{0}",
            "$HOME-{0}",
            "a,b={0}",
            '"q"{0}',
            "123{0}",
        ]
    ).format(c.key)
    return repr(c.name)
