"""Further settings of the hosts: TLS of consoles, devices and disks, limits, links, users, and what runs beside libvirt."""

from lib.draw import coin, mutation

CERTIFICATES = (
    "mkdir -p {0}; cd {0}; openssl req -x509 -newkey rsa:2048 -nodes -keyout ca-key.pem -out ca-cert.pem -days 2 -subj /CN=ca"
    " 2>/dev/null; for use in server client; do openssl req -newkey rsa:2048 -nodes -keyout $use-key.pem -out $use.csr -subj"
    " /CN=host-b 2>/dev/null; printf 'basicConstraints=CA:FALSE\\n' >ext; openssl x509 -req -in $use.csr -CA ca-cert.pem -CAkey"
    " ca-key.pem -CAcreateserial -days 2 -extfile ext -out $use-cert.pem 2>/dev/null; done"
)


@mutation(6, "tls")
def encryption(r, c):
    """b's QEMU encrypts consoles, character devices or disks; certificates are there or not."""
    kind, device = r.choice(
        [
            ("vnc", "<graphics type='vnc' autoport='yes'/><video><model type='vga'/></video>"),
            ("vnc", "<graphics type='vnc' autoport='yes' listen='0.0.0.0'/><video><model type='vga'/></video>"),
            ("vnc", "<graphics type='vnc'><listen type='socket'/></graphics><video><model type='vga'/></video>"),
            (
                "chardev",
                "<serial type='tcp'><source mode='bind' host='0.0.0.0' service='4783'/><protocol type='raw'/></serial>",
            ),
            (
                "chardev",
                "<serial type='tcp'><source mode='bind' host='0.0.0.0' service='4783' tls='no'/><protocol type='raw'/></serial>",
            ),
            ("chardev", "<serial type='unix'><source mode='bind' path='/run/NAME.ser'/></serial>"),
            ("spice", "<graphics type='spice' autoport='yes'/><video><model type='vga'/></video>"),
            ("backup", ""),
            ("default", "<graphics type='vnc' autoport='yes'/><video><model type='vga'/></video>"),
        ]
    )
    side = r.choice("bbba")
    where = r.choice(["none", "none", "default folder", "own folder", "certificate only"])
    folder = "/etc/pki/qemu"
    if where == "own folder":
        folder = "/etc/pki/own"
    if where != "none":
        c.on(side, CERTIFICATES.format(folder) + ("; rm -f server-key.pem" if where == "certificate only" else ""))
    c.undo(side, "rm -rf /etc/pki/qemu /etc/pki/own")
    line = "vnc_tls = 1" if kind == "default" else f"{kind}_tls = 1"
    c.conf(side, line)
    if where == "own folder":
        c.conf(side, f'{"vnc" if kind == "default" else kind}_tls_x509_cert_dir = "{folder}"')
    if device:
        c.g.add(device)
    return f"{line} on {side}, certificates: {where}; {device}"


@mutation(4, "graphics")
def listen_settings(r, c):
    """Where consoles listen by each side's qemu.conf, and by the definition."""
    x = r.choice(
        [
            "<graphics type='vnc' autoport='yes'/>",
            "<graphics type='vnc' autoport='yes'><listen type='address'/></graphics>",
            "<graphics type='vnc' autoport='yes' listen='127.0.0.1'/>",
            "<graphics type='vnc' autoport='yes' listen='10.77.0.1'/>",
            "<graphics type='vnc' port='5997' autoport='no'/>",
        ]
    )
    here = r.choice(["", 'vnc_listen = "10.77.0.1"', 'vnc_listen = "0.0.0.0"', "vnc_auto_unix_socket = 1"])
    there = r.choice(
        [
            "",
            "",
            'vnc_listen = "10.77.0.2"',
            'vnc_listen = "10.77.0.1"',
            'vnc_listen = "0.0.0.0"',
            'vnc_listen = "::"',
            'vnc_listen = "host-b"',
            "vnc_auto_unix_socket = 1",
        ]
    )
    for side, line in (("a", here), ("b", there)):
        if line:
            c.conf(side, line)
    c.transient = coin(r, 0.3)
    c.g.add(x + "<video><model type='vga'/></video>")
    return f"{x}{' transient' if c.transient else ''}; a: {here!r}, b: {there!r}"


@mutation(6, "limits")
def process_limits(r, c):
    """Limits of b's daemon and of its QEMU."""
    kind = r.choice(
        [
            "nofile=40",
            "nofile=64",
            "nofile=128",
            "nproc=5",
            "nproc=200",
            "core=0",
            "as=300000000",
            "as=20000000000",
            "data=100000000",
            "stack=65536",
            "fsize=4096",
            "memlock=65536",
            "rss=1000",
            "sigpending=1",
            "msgqueue=0",
            "nice=0",
            "cpu=2",
        ]
    )
    c.prlimit("b", kind)
    if coin(r, 0.4):
        c.g.vcpu = "<vcpu>8</vcpu>"
    c.dirty = True
    return f"{kind}; {c.g.vcpu}"


@mutation(4, "link")
def link(r, c):
    """The link between the hosts: MTU, loss, IPv6, routes."""
    kind = r.choice(
        [
            "mtu of b 1280",
            "mtu of b 576",
            "mtu of a 9000",
            "large packets lost",
            "no IPv6 on b",
            "no IPv6 on a",
            "bindv6only on b",
            "port range of clients on a",
        ]
    )
    if kind.startswith("mtu"):
        c.on(kind[7], f"ip link set $(ip -o link | sed -n 's/^[0-9]*: \\(link0\\)[@:].*/\\1/p') mtu {kind.split()[-1]}")
    elif kind == "large packets lost":
        c.on("b", "iptables -I INPUT -p tcp -m length --length 1300: -j DROP")
    elif kind.startswith("no IPv6"):
        c.on(kind[-1], "sysctl -qw net.ipv6.conf.all.disable_ipv6=1")
    elif kind.startswith("bindv6only"):
        c.on("b", "sysctl -qw net.ipv6.bindv6only=1")
    else:
        c.on("a", "sysctl -qw net.ipv4.ip_local_port_range='49152 49160'")
    c.dirty = True
    c.limit = min(c.limit, 40)
    c.undo(
        "ab",
        "tc qdisc del dev link0 root; ip link set link0 mtu 1500; sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.bindv6only=0 net.ipv4.ip_local_port_range='32768 60999'",
    )
    return kind


@mutation(4, "qemuconf")
def further_conf(r, c):
    """Further lines of qemu.conf, on either side."""
    host = r.choice("bbba")
    line = r.choice(
        [
            "migrate_tls_force = 1",
            'namespaces = ["mount"]\n',
            "seccomp_sandbox = 1",
            'hugetlbfs_mount = ""',
            'memory_backing_dir = "/none"',
            'memory_backing_dir = "/var/lib"',
            'save_image_format = "zstd"',
            'spice_listen = "10.77.0.1"',
            "nbd_tls = 1",
            "mac_filter = 1",
            "auto_start_delay = 10",
            'default_cpu_deprecated_features = "on"',
            'security_driver = [ "apparmor" ]',
            "no_such_option = 1",
            'migration_host = "host-b.test"',
            "max_threads_per_process = 4",
            'max_core = "unlimited"',
            "dynamic_ownership = 0",
            'shared_filesystems = [ "/var/lib/share" ]',
            "stdio_handler = logd",
            'passt = "x"',
            "virtiofsd_debug = 1",
            "log_timestamp = 0",
            'lock_manager = "sanlock"',
            'lock_manager = "none"',
            "migration_port_min = 1\nmigration_port_max = 2",
            "keepalive_count = 0",
        ]
    )
    for part in line.strip().split("\n"):
        c.conf(host, part)
    return f"{host}: {line!r}"


@mutation(5, "hook")
def further_hooks(r, c):
    """Hooks that say no to some guests, at some moments, late, or by another way in."""
    kind = r.choice(
        [
            "b refuses this guest",
            "b refuses another guest",
            "b refuses prepare slowly",
            "folder of hooks",
            "daemon hook",
            "network hook",
            "hook without shebang",
            "hook prints rubbish",
            "hook for migrate empties it",
            "a refuses release",
            "hook is a folder",
            "interpreter missing",
        ]
    )
    body, path = "exit 0", "/etc/libvirt/hooks/qemu"
    if kind == "b refuses this guest":
        body = '[ "$1" = NAME ] && [ "$2" = prepare ] && exit 1; exit 0'
    elif kind == "b refuses another guest":
        body = '[ "$1" = other ] && exit 1; exit 0'
    elif kind == "b refuses prepare slowly":
        body = '[ "$2" = start ] && sleep 3 && exit 1; exit 0'
    elif kind == "folder of hooks":
        path, body = "/etc/libvirt/hooks/qemu.d/10-own", '[ "$2" = prepare ] && exit 1; exit 0'
    elif kind == "daemon hook":
        path, body = "/etc/libvirt/hooks/daemon", "exit 0"
    elif kind == "network hook":
        path, body = "/etc/libvirt/hooks/network", "exit 1"
    elif kind == "hook prints rubbish":
        body = '[ "$2" = migrate ] && echo "<domain"; exit 0'
    elif kind == "hook for migrate empties it":
        body = '[ "$2" = migrate ] && cat >/dev/null; exit 0'
    elif kind == "a refuses release":
        body = '[ "$2" = release -o "$2" = stopped ] && exit 1; exit 0'
    host = "a" if kind.startswith("a ") else "b"
    head = (
        ""
        if kind == "hook without shebang"
        else "#!/no/such/shell\n"
        if kind == "interpreter missing"
        else "#!/bin/sh\n"
    )
    if kind == "hook is a folder":
        c.on(host, f"mkdir -p {path}")
    else:
        c.on(host, f"mkdir -p {path.rsplit('/', 1)[0]}; cat >{path} <<'X'\n{head}{body}\nX\nchmod 755 {path}")
    if kind == "network hook":
        c.on("ab", "ip link add br-tt type bridge; ip link set br-tt up")
        c.g.add("<interface type='bridge'><source bridge='br-tt'/><model type='virtio'/></interface>")
    c.restart(host)
    c.dirty = True
    return kind


NICS = [
    (
        "<interface type='bridge'><source bridge='br-tt'/><bandwidth><inbound average='1000'/></bandwidth><model type='virtio'/></interface>",
        True,
    ),
    (
        "<interface type='bridge'><source bridge='br-tt'/><backend tap='/dev/net/tun'/><model type='virtio'/></interface>",
        True,
    ),
    (
        "<interface type='bridge'><source bridge='br-tt'/><model type='virtio'/><driver rx_queue_size='512' tx_queue_size='512'/></interface>",
        True,
    ),
    (
        "<interface type='bridge'><source bridge='br-tt'/><model type='virtio'/><coalesce><rx><frames max='8'/></rx></coalesce></interface>",
        True,
    ),
    (
        "<interface type='bridge' trustGuestRxFilters='yes'><source bridge='br-tt'/><model type='virtio'/></interface>",
        True,
    ),
    ("<interface type='bridge'><source bridge='br-tt'/><model type='virtio'/><acpi index='9'/></interface>", True),
    (
        "<interface type='bridge'><mac address='52:54:00:00:00:01' type='static'/><source bridge='br-tt'/><model type='igb'/></interface>",
        True,
    ),
    (
        "<interface type='bridge'><source bridge='br-tt'/><model type='virtio'/><teaming type='persistent'/></interface>",
        True,
    ),
    (
        "<interface type='bridge'><source bridge='br-tt'/><model type='virtio'/><filterref filter='deep'><parameter name='IP' value='10.0.0.9'/></filterref></interface>",
        True,
    ),
    (
        "<interface type='user'><ip family='ipv4' address='172.17.2.0' prefix='24'/><model type='virtio'/></interface>",
        False,
    ),
    ("<interface type='client'><source address='10.77.0.1' port='5560'/><model type='e1000'/></interface>", False),
]


@mutation(6, "nic", True)
def further_nic(r, c):
    """Interfaces of less usual kinds, and filters that name others."""
    x, bridged = r.choice(NICS)
    label = ""
    if bridged:
        c.on("ab", "ip link add br-tt type bridge; ip link set br-tt up")
        c.undo("ab", "ip link del br-tt")
    if "deep" in x:
        inner = '<filter name="inner" chain="root"><rule action="accept" direction="out"/></filter>'
        outer = '<filter name="deep" chain="root"><filterref filter="inner"/></filter>'
        define = "printf '{0}' >/run/f1.xml; virsh nwfilter-define /run/f1.xml"
        both = define.format(inner) + "; " + define.format(outer)
        c.on("a", both)
        label = r.choice(["the filter also on b", "not on b", "without its rules on b"])
        if label == "the filter also on b":
            c.on("b", both)
        elif label.startswith("without"):
            c.on("b", define.format(outer.replace('<filterref filter="inner"/>', "")))
        c.undo("ab", "virsh nwfilter-undefine deep; virsh nwfilter-undefine inner")
    if "client" in x:
        c.on(
            "a",
            "python3 -c \"import socket,os,time; s=socket.socket(); s.setsockopt(1,2,1); s.bind(('0.0.0.0',5560)); s.listen(); os.fork() and os._exit(0); os.setsid(); [os.close(i) for i in (0,1,2)]; open('/run/NAME.csock','w').write(str(os.getpid())); time.sleep(120)\"",
        )
        c.undo("a", "kill $(cat /run/NAME.csock)")
    c.g.add(x)
    return f"{x} {label}"


@mutation(4, "tpmx")
def tpm_state(r, c):
    """Where a TPM's state lies, with what secret, and whether b can run one."""
    kind = r.choice(
        [
            "encrypted",
            "encrypted, secret on a only",
            "encrypted, no value on b",
            "state of another on b",
            "no swtpm_setup on b",
            "state folder read-only on b",
            "own source",
        ]
    )
    inner = ""
    if kind.startswith("encrypted"):
        uuid = "5ec2e7aa-0000-4000-8000-00000000000b"
        secret = f"<secret ephemeral='no' private='yes'><uuid>{uuid}</uuid><usage type='vtpm'><name>NAME</name></usage></secret>"
        define = f'echo "{secret}" >/run/ts.xml; virsh secret-define /run/ts.xml'
        value = f"virsh secret-set-value {uuid} $(printf open | base64)"
        c.on("a", f"{define}; {value}")
        if kind == "encrypted":
            c.on("b", f"{define}; {value}")
        elif "value" in kind:
            c.on("b", define)
        c.undo("ab", f"virsh secret-undefine {uuid}")
        inner = f"<encryption secret='{uuid}'/>"
    elif kind == "state of another on b":
        c.on(
            "b",
            f"mkdir -p /var/lib/libvirt/swtpm/{c.uuid}/tpm2; echo x >/var/lib/libvirt/swtpm/{c.uuid}/tpm2/tpm2-00.permall",
        )
    elif kind == "no swtpm_setup on b":
        c.on("b", "mount --bind /dev/null /usr/bin/swtpm_setup")
    elif kind.startswith("state folder"):
        c.on("b", "mkdir -p /var/lib/libvirt/swtpm; mount -t tmpfs -o ro tmpfs /var/lib/libvirt/swtpm")
    else:
        c.on("ab", "mkdir -p /var/lib/ttm/NAME")
        inner = "<source type='dir' path='/var/lib/ttm/NAME'/>"
    c.dirty = True
    c.g.add(f"<tpm model='tpm-tis'><backend type='emulator' version='2.0'>{inner}</backend></tpm>")
    return kind
