"""Mutations of the hosts: addresses, ports, settings, hooks, installed files, limits, file systems."""

from lib.draw import mutation


@mutation(8, "address")
def address(r, c):
    kind = r.choice(
        [
            "migration_host localhost",
            "migration_host loopback",
            "migration_host nowhere",
            "migration_host unroutable",
            "migration_host good",
            "migration_host is a",
            "migration_address a",
            "migration_address loopback",
            "migration_address good",
            "migration_address v6 any",
            "own name is 127.0.1.1 on b",
            "own name is 127.0.1.1 on b, with migration_host",
            "name of b unknown on a",
            "a thinks b is elsewhere",
            "a thinks b is itself",
            "hostname with domain",
            "hostname localhost.localdomain",
            "own name unknown on b",
        ]
    )
    q = {
        "migration_host localhost": 'migration_host = "localhost"',
        "migration_host loopback": 'migration_host = "127.0.0.1"',
        "migration_host nowhere": 'migration_host = "no-such-host.test"',
        "migration_host unroutable": 'migration_host = "10.77.0.200"',
        "migration_host good": 'migration_host = "10.77.0.2"',
        "migration_host is a": 'migration_host = "10.77.0.1"',
        "migration_address a": 'migration_address = "10.77.0.1"',
        "migration_address loopback": 'migration_address = "127.0.0.1"',
        "migration_address good": 'migration_address = "10.77.0.2"',
        "migration_address v6 any": 'migration_address = "::"',
        "own name is 127.0.1.1 on b, with migration_host": 'migration_host = "10.77.0.2"',
    }.get(kind)
    if q:
        c.conf("b", q)
    if kind.startswith("own name is"):
        c.on(
            "b",
            "printf '127.0.0.1 localhost\\n127.0.1.1 host-b.test host-b\\n10.77.0.1 host-a.test host-a\\n' >/etc/hosts",
        )
    elif kind == "own name unknown on b":
        c.on("b", "printf '127.0.0.1 localhost\\n10.77.0.1 host-a.test host-a\\n' >/etc/hosts; hostname compute7")
    elif kind == "name of b unknown on a":
        c.on("b", "hostname compute7; sed -i 's/host-b.test/compute7.test compute7/' /etc/hosts")
    elif kind == "a thinks b is elsewhere":
        c.on("b", "hostname compute7; sed -i 's/host-b.test/compute7.test compute7/' /etc/hosts")
        c.on("a", "echo 10.77.0.200 compute7.test compute7 >>/etc/hosts")
    elif kind == "a thinks b is itself":
        c.on("b", "hostname compute7; sed -i 's/host-b.test/compute7.test compute7/' /etc/hosts")
        c.on("a", "echo 127.0.0.1 compute7.test compute7 >>/etc/hosts")
    elif kind == "hostname with domain":
        c.on("b", "hostname host-b.test")
    elif kind == "hostname localhost.localdomain":
        c.on("b", "hostname localhost.localdomain")
    c.restart("b")
    c.dirty = True
    return kind


@mutation(5, "ports")
def ports(r, c):
    kind = r.choice(
        [
            "one port, free",
            "one port, busy",
            "all 64 busy",
            "rejected by b",
            "rejected leaving a",
            "rejected by b" if r.random() < 0.9 else "dropped by b",
            "first port busy",
            "only 49152 open, range elsewhere",
            "range of b outside its firewall",
            "min above max",
        ]
    )
    busy = (
        "python3 -c \"import socket,os,time\nl=[]\nfor p in range({0},{1}):\n s=socket.socket(socket.AF_INET6); s.setsockopt(1,2,1); s.setsockopt(41,26,0); s.bind(('::',p)); s.listen(); l.append(s)\n"
        "os.fork() and os._exit(0)\nos.setsid(); [os.close(i) for i in (0,1,2)]; open('/run/NAME.busy','w').write(str(os.getpid())); time.sleep(120)\""
    )
    if kind.startswith("one port"):
        c.conf("b", "migration_port_min = 49500\nmigration_port_max = 49501")
        if kind.endswith("busy"):
            c.on("b", busy.format(49500, 49502))
    elif kind == "all 64 busy":
        c.on("b", busy.format(49152, 49216))
    elif kind == "first port busy":
        c.on("b", busy.format(49152, 49153))
    elif kind == "rejected by b":
        c.on("b", "iptables -I INPUT -p tcp --dport 49152:49215 -j REJECT --reject-with tcp-reset")
    elif kind == "dropped by b":
        c.on("b", "iptables -I INPUT -p tcp --dport 49152:49215 -j DROP")
        c.limit = 25
    elif kind == "rejected leaving a":
        c.on("a", "iptables -I OUTPUT -p tcp --dport 49152:49215 -j REJECT")
    elif kind == "range of b outside its firewall":
        c.conf("b", "migration_port_min = 61000\nmigration_port_max = 61010")
        c.on("b", "iptables -I INPUT -p tcp --dport 60000:65000 -j REJECT --reject-with tcp-reset")
    elif kind == "only 49152 open, range elsewhere":
        c.conf("b", "migration_port_min = 50000\nmigration_port_max = 50010")
        c.on("b", "iptables -A INPUT -p tcp --dport 49152:49215 -j ACCEPT")
    else:
        c.conf("b", "migration_port_min = 49300\nmigration_port_max = 49200")
    c.dirty = True
    return kind


@mutation(8, "qemuconf")
def qemu_conf(r, c):
    host = r.choice("bbbba")
    line = r.choice(
        [
            'stdio_handler = "logd"',
            'lock_manager = "lockd"',
            "seccomp_sandbox = 1",
            'namespaces = ["mount"]',
            'user = "libvirt-qemu"\ngroup = "kvm"',
            "security_require_confined = 1",
            "security_default_confined = 1",
            "max_processes = 3",
            "max_files = 20",
            "keepalive_interval = -1",
            "keepalive_interval = 1\nkeepalive_count = 1",
            "max_queued = 1",
            "set_process_name = 1",
            "dynamic_ownership = 0",
            "remember_owner = 1",
            'cgroup_controllers = ["cpu"]',
            "max_core = 0",
            "dump_guest_core = 1",
            'default_tls_x509_cert_dir = "/etc/none"',
            'migrate_tls_x509_cert_dir = "/var/lib"',
            "nographics_allow_host_audio = 1",
            'slirp_helper = "/bin/false"',
            'dbus_daemon = "/none"',
            "gluster_debug_level = 9",
            "virtiofsd_debug = 1",
            'deprecation_behavior = "crash"',
            'deprecation_behavior = "reject"',
            'sched_core = "full"',
            'swtpm_user = "root"',
            'user = "nobody"\ngroup = "nogroup"',
            'capability_filters = [ "device.json" ]',
            'cgroup_device_acl = ["/dev/null", "/dev/zero"]',
            'bridge_helper = "/none"',
            'pr_helper = "/none"',
            "clear_emulator_capabilities = 0",
            'nvram = ["/none:/none2"]',
            "relaxed_acs_check = 1",
            'auto_dump_path = "/none"',
        ]
    )
    key = line.split(" ")[0]
    c.conf(host, line, replace=key)
    if line.startswith("user"):
        c.conf(host, "", replace="group")
        c.conf(host, line)
        c.on(host, "chmod 755 /var/lib/libvirt /var/lib/libvirt/images /var/log/libvirt; true")
    c.dirty = True
    return f"{host}: {line!r}"


@mutation(4, "daemonconf")
def daemon_conf(r, c):
    line = r.choice(
        [
            "max_clients = 3\nmax_anonymous_clients = 3",
            "max_client_requests = 1",
            "admin_max_clients = 1",
            "min_workers = 1\nmax_workers = 1\nprio_workers = 1",
            "keepalive_interval = -1",
            "audit_level = 2",
            "log_level = 1",
            "ovs_timeout = 1",
            'auth_tcp = "sasl"',
            'access_drivers = ["polkit"]',
            'host_uuid = "00000000-0000-0000-0000-000000000001"',
            'host_uuid_source = "machine-id"',
            "max_anonymous_clients = 1",
            'unix_sock_rw_perms = "0700"',
            'listen_addr = "10.77.0.2"',
        ]
    )
    host = r.choice("bba")
    c.conf(host, line, replace=line.split(" ")[0], file="libvirtd.conf")
    c.dirty = True
    return f"{host}: {line!r}"


@mutation(4, "hook")
def hook(r, c):
    kind = r.choice(
        [
            "b refuses prepare",
            "b refuses migrate",
            "b refuses start",
            "b changes nothing",
            "a refuses all",
            "b removes the NIC",
            "b hook not executable",
        ]
    )
    body = {
        "b refuses prepare": '[ "$2" = prepare ] && exit 1; exit 0',
        "b refuses migrate": '[ "$2" = migrate ] && exit 1; exit 0',
        "b refuses start": '[ "$2" = start ] && exit 1; exit 0',
        "b changes nothing": '[ "$2" = migrate ] && cat; exit 0',
        "a refuses all": '[ "$2" = prepare -o "$2" = start -o "$2" = started ] && exit 0; exit 1',
        "b removes the NIC": '[ "$2" = migrate ] && sed \'s,<serial type=.file.>,<serial type="file" >,\'; exit 0',
        "b hook not executable": "exit 0",
    }[kind]
    h = kind[0]
    c.on(
        h,
        f"mkdir -p /etc/libvirt/hooks; cat >/etc/libvirt/hooks/qemu <<'X'\n#!/bin/sh\n{body}\nX\nchmod {'644' if 'not exec' in kind else '755'} /etc/libvirt/hooks/qemu",
    )
    c.restart(h)
    c.dirty = True
    return kind


@mutation(6, "programs")
def programs(r, c):
    """Files of QEMU's own packages that b lacks or has in another version."""
    kind = r.choice(
        [
            "no ROMs of NICs",
            "other size of a NIC ROM",
            "no virtio-gpu module",
            "no SeaBIOS",
            "no vgabios",
            "no swtpm",
            "no keymaps",
            "no multiboot ROM",
            "no virtiofsd",
            "no TUN device",
            "no usb-smartcard module",
            "no qemu-bridge-helper",
            "no dnsmasq",
            "no kvmvapic",
        ]
    )
    hide = {"no ROMs of NICs": "/usr/lib/ipxe/qemu", "no keymaps": "/usr/share/qemu/keymaps"}
    if kind in hide:
        c.on("b", f"mount -t tmpfs tmpfs {hide[kind]}")
        if kind == "no ROMs of NICs":
            c.g.add(
                f"<interface type='user'><model type='{r.choice(['virtio', 'e1000', 'rtl8139', 'e1000e'])}'/></interface>"
            )
        else:
            c.g.add(
                f"<graphics type='vnc' autoport='yes' keymap='{r.choice(['fr', 'de'])}'/><video><model type='vga'/></video>"
            )
    elif kind == "other size of a NIC ROM":
        m, f = r.choice([("virtio", "efi-virtio.rom"), ("e1000", "efi-e1000.rom"), ("rtl8139", "efi-rtl8139.rom")])
        c.on(
            "b",
            f"mkdir /run/ipxe; cp -a /usr/lib/ipxe/qemu/. /run/ipxe; cat /run/ipxe/{f} /run/ipxe/{f} /run/ipxe/{f} >/run/big; mv /run/big /run/ipxe/{f}; mount --bind /run/ipxe /usr/lib/ipxe/qemu",
        )
        c.g.add(f"<interface type='user'><model type='{m}'/></interface>")
    else:
        path, x = {
            "no virtio-gpu module": (
                "/usr/lib/x86_64-linux-gnu/qemu/hw-display-virtio-*",
                "<video><model type='virtio'/></video>",
            ),
            "no SeaBIOS": ("/usr/share/seabios/*", ""),
            "no vgabios": ("/usr/share/seabios/vgabios*", "<video><model type='vga'/></video>"),
            "no swtpm": ("/usr/bin/swtpm", "<tpm model='tpm-tis'><backend type='emulator' version='2.0'/></tpm>"),
            "no multiboot ROM": ("/usr/share/qemu/multiboot*", ""),
            "no virtiofsd": ("/usr/lib/qemu/virtiofsd", ""),
            "no TUN device": ("", ""),
            "no usb-smartcard module": (
                "/usr/lib/x86_64-linux-gnu/qemu/hw-usb-smartcard*",
                "<smartcard mode='passthrough' type='unix'><source mode='bind' path='/run/NAME.card'/></smartcard>",
            ),
            "no qemu-bridge-helper": ("/usr/lib/qemu/qemu-bridge-helper", ""),
            "no dnsmasq": ("/usr/sbin/dnsmasq", ""),
            "no kvmvapic": ("/usr/share/qemu/kvmvapic.bin", ""),
        }[kind]
        if "smartcard" in x:
            c.g.usb = "qemu-xhci"
        if x:
            c.g.add(x)
        if kind == "no TUN device":
            c.on("ab", "ip link add br-tt type bridge")
            c.g.add("<interface type='bridge'><source bridge='br-tt'/><model type='virtio'/></interface>")
            c.on("b", "mkdir -p /run/nodev/tun; mount --bind /run/nodev /dev/net")
        else:
            c.on(
                "b",
                f"for f in $(readlink -e {path}); do d=${{f%/*}}; k=/run/hide$d; if [ ! -e $k ]; then mkdir -p $k; cp -a $d/. $k; fi; rm -f $k/${{f##*/}}; done; "
                f'for d in $(for f in {path}; do readlink -e $f; done | sed "s,/[^/]*$,," | sort -u); do mount --bind /run/hide$d $d; done',
            )
            if path.startswith("/usr/share/seabios"):
                c.on("b", "mkdir -p /run/hide2; cp -a /usr/share/qemu/. /run/hide2; true")
    c.restart("b")
    c.dirty = True
    return kind


@mutation(4, "limits")
def limits(r, c):
    """What b's daemon, and so its guests, may use: as in a container or under a systemd slice."""
    kind = r.choice(
        [
            "cpuset: CPU 0 only",
            "memory: 150 MiB",
            "memory: 600 MiB",
            "pids: 60",
            "files: 30",
            "nproc",
            "address space",
            "fsize: 1 MiB",
            "memlock 0",
        ]
    )
    base = "/sys/fs/cgroup"
    if kind.startswith("cpuset"):
        c.enter(
            "b",
            f"mkdir -p {base}/cpuset/tt-b; echo 0 >{base}/cpuset/tt-b/cpuset.cpus; echo 0 >{base}/cpuset/tt-b/cpuset.mems",
            f"{base}/cpuset/tt-b/cgroup.procs",
        )
        c.g.cputune = r.choice(
            ["<vcpupin vcpu='0' cpuset='1'/>", "<vcpupin vcpu='0' cpuset='0'/>", "<emulatorpin cpuset='1'/>"]
        )
        kind += " " + c.g.cputune
    elif kind.startswith("memory"):
        n = int(kind.split()[1])
        c.enter(
            "b",
            f"mkdir -p {base}/memory/tt-b; echo {n}M >{base}/memory/tt-b/memory.limit_in_bytes",
            f"{base}/memory/tt-b/cgroup.procs",
        )
        c.g.memory = r.choice([256, 400, 1024]) * 1024
        c.g.backing = r.choice(["<memoryBacking><allocation mode='immediate'/></memoryBacking>", ""])
        kind += f" for {c.g.memory // 1024} MiB {c.g.backing}"
    elif kind.startswith("pids"):
        c.enter("b", f"mkdir -p {base}/pids/tt-b; echo 60 >{base}/pids/tt-b/pids.max", f"{base}/pids/tt-b/cgroup.procs")
    else:
        flag = {
            "files: 30": "nofile=30",
            "nproc": "nproc=40",
            "address space": "as=900000000",
            "fsize: 1 MiB": "fsize=1000000",
            "memlock 0": "memlock=0",
        }[kind]
        c.prlimit("b", flag)
        if flag.startswith("memlock"):
            c.g.backing = "<memoryBacking><locked/></memoryBacking>"
    c.dirty = True
    return kind


@mutation(3, "fs")
def host_fs(r, c):
    kind = r.choice(
        [
            "/var/lib/libvirt/qemu read-only",
            "/var/log/libvirt/qemu full",
            "/run/libvirt/qemu read-only",
            "/etc/libvirt/qemu read-only",
            "/var/lib/libvirt/qemu full of inodes",
            "/dev/shm read-only",
            "/dev/shm read-only",
        ]
    )
    d = kind.split()[0]
    if kind.endswith("read-only") and not d.startswith(("/dev", "/tmp")):
        c.on("b", f"mkdir -p {d}; mount --bind {d} {d}; mount -o remount,bind,ro {d}")
    elif d.startswith(("/dev", "/tmp")):
        c.on("b", f"mount -t tmpfs -o ro tmpfs {d}")
        if d == "/dev/shm":
            c.g.backing = "<memoryBacking><source type='memfd'/></memoryBacking>"
    elif kind.endswith("inodes"):
        c.on(
            "b",
            f"mkdir -p /run/keep; cp -a {d}/. /run/keep; mount -t tmpfs -o nr_inodes=40 tmpfs {d}; cp -a /run/keep/. {d}; for i in $(seq 60); do touch {d}/f$i 2>/dev/null; done; true",
        )
    else:
        c.on("b", f"mount -t tmpfs -o size=4k tmpfs {d}; head -c 9999 /dev/zero >{d}/x; true")
    c.dirty = True
    return kind


@mutation(2, "hostsame")
def host_identity(r, c):
    kind = r.choice(["same name", "same machine-id", "all-zero host UUID", "clock"])
    if kind == "same name":
        c.on("b", "hostname host-a")
        c.restart("b")
    elif kind == "same machine-id":
        c.conf("ab", 'host_uuid_source = "machine-id"', file="libvirtd.conf", replace="host_uuid")
    elif kind == "all-zero host UUID":
        c.conf("b", 'host_uuid = "00000000-0000-0000-0000-000000000000"', file="libvirtd.conf", replace="host_uuid")
    c.dirty = True
    return kind


@mutation(2, "newbin")
def new_binary(r, c):
    """QEMU is exchanged under the running guest, as by an upgrade of the package."""
    kind = r.choice(["same build again", "gone on a", "same build again on b"])
    if kind == "same build again":
        c.then("a", "cp /usr/bin/qemu-system-x86_64 /run/q && mount --bind /run/q /usr/bin/qemu-system-x86_64")
    elif kind == "gone on a":
        c.then("a", "mount --bind /dev/null /usr/bin/qemu-system-x86_64")
    else:
        c.on("b", "cp /usr/bin/qemu-system-x86_64 /run/q && mount --bind /run/q /usr/bin/qemu-system-x86_64")
    c.dirty = True
    return kind
