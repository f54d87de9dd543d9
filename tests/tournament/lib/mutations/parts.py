"""Further parts of a guest: controllers, memory devices, tuning, consoles, sound, labels, what newer releases brought."""

from lib.draw import coin, mutation

XHCI = "<controller type='usb' index='1' model='{}'/>"

# What a machine may have besides; each stands alone.
PARTS = [
    *[XHCI.format(model) for model in ("piix4-uhci", "ehci", "vt82c686b-uhci", "pci-ohci", "nec-xhci", "qemu-xhci")],
    "<controller type='usb' index='1' model='qemu-xhci' ports='8'/>",
    "<controller type='usb' index='1' model='ich9-ehci1'/><controller type='usb' index='1' model='ich9-uhci1'>"
    "<master startport='0'/></controller>",
    "<controller type='scsi' index='1' model='virtio-scsi'><driver queues='4' cmd_per_lun='8' max_sectors='64'/></controller>",
    "<controller type='scsi' index='1' model='am53c974'/>",
    "<controller type='scsi' index='1' model='virtio-non-transitional'/>",
    "<controller type='virtio-serial' ports='4' vectors='2'/>",
    "<controller type='ide' model='piix3'/>",
    "<controller type='pci' model='pci-bridge'/>",
    "<controller type='pci' model='pcie-root-port' hotplug='off'/>",
    "<controller type='pci' model='pcie-to-pci-bridge'/>",
    "<controller type='pci' model='pcie-switch-upstream-port'/><controller type='pci' model='pcie-switch-downstream-port'/>",
    "<controller type='pci' model='pcie-expander-bus'><target busNr='180'/></controller>",
    "<input type='mouse' bus='virtio' model='virtio-non-transitional'/>",
    "<input type='passthrough' bus='virtio'><source evdev='/dev/input/event0'/></input>",
    "<input type='mouse' bus='ps2'/>",
    "<input type='tablet' bus='usb'/><input type='keyboard' bus='usb'/>",
    "<sound model='usb'/><audio id='1' type='none'/>",
    "<sound model='ich9'><codec type='micro'/><codec type='output'/></sound>",
    "<sound model='pcspk'/>",
    "<audio id='1' type='file' path='/var/lib/tt/NAME.wav'/><sound model='ich6'/>",
    "<audio id='1' type='oss'/><sound model='ich6'/>",
    "<audio id='1' type='alsa'/><sound model='ich6'/>",
    "<video><model type='none'/></video>",
    "<video><model type='virtio' heads='2'><resolution x='1920' y='1080'/></model></video>",
    "<video><model type='virtio' blob='on'/></video>",
    "<video><model type='vga' vram='32768' primary='yes'/></video><video><model type='bochs'/></video>",
    "<video><driver vgaconf='off'/><model type='vga'/></video>",
    "<video><driver name='vhostuser'/><model type='virtio'/></video>",
    "<video><model type='qxl' ram='65536' vram='65536'/></video>",
    "<watchdog model='itco' action='reset'/>",
    "<watchdog model='i6300esb' action='none'/><watchdog model='ib700' action='none'/>",
    "<panic model='pvpanic'/>",
    "<rng model='virtio-transitional'><backend model='random'>/dev/urandom</backend></rng>",
    "<rng model='virtio'><backend model='random'>/dev/hwrng</backend></rng>",
    "<rng model='virtio'><driver iommu='off' packed='on'/><backend model='builtin'/></rng>",
    "<crypto model='virtio' type='qemu'><backend model='builtin' queues='1'/></crypto>",
    "<redirdev bus='usb' type='tcp'><source mode='connect' host='127.0.0.1' service='4000'/></redirdev>",
    "<redirfilter><usbdev allow='no'/></redirfilter>",
    "<tpm model='tpm-tis'><backend type='emulator' version='1.2'/></tpm>",
    "<tpm model='tpm-tis'><backend type='emulator' version='2.0'><active_pcr_banks><sha256/></active_pcr_banks></backend></tpm>",
    "<iommu model='intel'><driver intremap='on' caching_mode='on'/></iommu>",
    "<channel type='spicevmc'><target type='virtio' name='com.redhat.spice.0'/></channel>",
    "<channel type='qemu-vdagent'><source><clipboard copypaste='yes'/></source><target type='virtio' name='com.redhat.spice.0'/></channel>",
    "<channel type='unix'><source mode='bind' path='/var/lib/libvirt/qemu/NAME.chan'/><target type='virtio' name='org.own.1'/></channel>",
    "<channel type='unix'><target type='virtio' name='org.own.1'/></channel><channel type='unix'><target type='virtio' name='org.own.2'/></channel>",
    "<channel type='pty'><target type='guestfwd' address='10.0.2.100' port='4600'/></channel><interface type='user'><model type='e1000'/></interface>",
    "<serial type='pty'><target type='usb-serial' port='1'/></serial>",
    "<serial type='pty'><target type='pci-serial' port='1'/></serial>",
    "<serial type='dbus'><source channel='org.qemu.console.serial.0'/></serial>",
    "<filesystem type='mount' accessmode='passthrough'><source dir='/var/cache'/><target dir='t'/></filesystem>",
    "<filesystem type='mount' accessmode='squash' multidevs='remap' fmode='700' dmode='700'><source dir='/var/lib/tt'/><target dir='t'/></filesystem>",
    "<filesystem type='mount'><driver type='virtiofs'/><source socket='/run/NAME.vfs'/><target dir='t'/></filesystem>",
    "<shmem name='NAME'><model type='ivshmem-doorbell'/><server path='/run/NAME.shm'/></shmem>",
]


@mutation(12, "part", True)
def part(r, c):
    x = r.choice(PARTS)
    if "bus='usb'" in x or "usb-serial" in x or "model='usb'" in x or "type='usb'" in x:
        c.g.usb = r.choice(["qemu-xhci", "ich9-ehci1", "piix3-uhci"])
    if any(word in x for word in ("pcie", "itco", "iommu", "ich9'>")):
        c.g.machine = "q35"
    if "virtiofs" in x:
        c.g.backing = "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>"
    if "/var/lib/tt" in x:
        c.on("a", "mkdir -p /var/lib/tt")
        if coin(r):
            c.on("b", "rm -rf /var/lib/tt")
            c.undo("b", "mkdir -p /var/lib/tt")
            x += "<!-- no such folder on b -->"
    c.g.add(x)
    return x


# What newer releases of libvirt can say, and the older cannot: feature or element, and where it stands.
NEWER = [
    ("features", "<ps2 state='off'/>"),
    ("features", "<hyperv mode='custom'><relaxed state='on'/><emsr_bitmap state='on'/></hyperv>"),
    ("features", "<hyperv mode='custom'><xmm_input state='on'/></hyperv>"),
    ("features", "<hyperv mode='passthrough'/>"),
    ("features", "<hyperv><vendor_id state='on' value='own'/><spinlocks state='on' retries='8191'/></hyperv>"),
    ("features", "<msrs unknown='ignore'/>"),
    ("features", "<tcg><tb-cache unit='MiB'>64</tb-cache></tcg>"),
    ("features", "<kvm><dirty-ring state='on' size='4096'/></kvm>"),
    ("cpu", "<maxphysaddr mode='emulate' bits='42'/>"),
    ("cpu", "<maxphysaddr mode='passthrough' limit='39'/>"),
    ("cpu", "<cache mode='disable'/>"),
    ("cpu", "<cache level='3' mode='emulate'/>"),
    ("cpu", "<topology sockets='1' dies='1' clusters='1' cores='1' threads='1'/>"),
    ("cpu", "<vendor>Intel</vendor>"),
    ("cpu", "<vendor>AMD</vendor>"),
    ("device", "<sound model='virtio' streams='2'/>"),
    ("device", "<interface type='user'><backend type='passt'/><model type='virtio'/></interface>"),
    ("device", "<interface type='null'><model type='virtio'/></interface>"),
    ("device", "<controller type='nvme' index='0'><serial>own</serial></controller>"),
    ("device", "<graphics type='dbus'/>"),
    ("device", "<graphics type='dbus' p2p='yes'/>"),
    ("device", "<pstore backend='acpi-erst'><path>/var/lib/tt/NAME.erst</path><size unit='KiB'>64</size></pstore>"),
    ("device", "<panic model='pvpanic'/>"),
    ("device", "<redirdev bus='usb' type='dbus'><source channel='org.qemu.usbredir'/></redirdev>"),
    ("device", "<iommu model='virtio'/>"),
    (
        "device",
        "<console type='pty'><target type='virtio'/></console><console type='null'><target type='virtio'/></console>",
    ),
    ("clock", "<clock offset='utc'><timer name='pit' tickpolicy='discard'/></clock>"),
    ("clock", "<clock offset='absolute' start='0'/>"),
    ("top", "<genid>00000000-1111-4222-8333-444444444444</genid>"),
    ("top", "<description>\U0001f4a9</description>"),
    ("top", "<perf><event name='cpu_cycles' enabled='yes'/></perf>"),
    ("top", "<pm><suspend-to-mem enabled='yes'/><suspend-to-disk enabled='no'/></pm>"),
    ("top", "<resource><fibrechannel appid='own'/></resource>"),
    ("top", "<resource><partition>/own</partition></resource>"),
    (
        "top",
        "<throttlegroups><throttlegroup><group_name>g</group_name><total_iops_sec>100</total_iops_sec></throttlegroup></throttlegroups>",
    ),
    ("top", "<seclabel type='none'/>"),
    ("top", "<seclabel type='none' model='dac'/>"),
    ("top", "<seclabel type='static' model='dac' relabel='no'><label>+0:+0</label></seclabel>"),
    ("top", "<seclabel type='static' model='dac' relabel='yes'><label>root:root</label></seclabel>"),
    ("top", "<seclabel type='dynamic' model='selinux'/>"),
    ("tail", "<qemu:capabilities><qemu:del capability='usb-redir.filter'/></qemu:capabilities>"),
    ("tail", "<qemu:capabilities><qemu:add capability='blockdev'/></qemu:capabilities>"),
    ("tail", "<qemu:deprecation behavior='omit'/>"),
    ("tail", "<qemu:deprecation behavior='crash'/>"),
    (
        "tail",
        "<qemu:override><qemu:device alias='serial0'><qemu:frontend><qemu:property name='wakeup' type='bool' value='false'/></qemu:frontend></qemu:device></qemu:override>",
    ),
]


@mutation(9, "newer", True)
def newer(r, c):
    where, x = r.choice(NEWER)
    if where == "features":
        c.g.features += x
    elif where == "cpu":
        c.g.cpu = c.g.cpu.replace("</cpu>", x + "</cpu>")
    elif where == "device":
        c.g.add(x)
        c.on("a", "mkdir -p /var/lib/tt")
        if "iommu" in x:
            c.g.machine = "q35"
        if "bus='usb'" in x:
            c.g.usb = "qemu-xhci"
    elif where == "clock":
        c.g.clock = x
    elif where == "top":
        c.g.top.append(x)
    else:
        c.g.tail.append(x)
    return f"{where}: {x}"


@mutation(4, "iothreads", True)
def iothreads(r, c):
    kind = r.choice(
        [
            "<iothreads>2</iothreads>",
            "<iothreads>2</iothreads><iothreadids><iothread id='4'/><iothread id='9'/></iothreadids>",
            "<iothreads>1</iothreads><iothreadids><iothread id='1' thread_pool_min='2' thread_pool_max='8'/></iothreadids>",
            "<iothreads>1</iothreads><defaultiothread thread_pool_min='1' thread_pool_max='4'/>",
            "<iothreads>1</iothreads><iothreadids><iothread id='1'><poll max='100'/></iothread></iothreadids>",
        ]
    )
    c.g.top.append(kind)
    if coin(r, 0.4):
        c.then("a", "virsh iothreadadd NAME 7 --live")
        kind += " and 7 added"
    if coin(r, 0.4):
        c.g.cputune += f"<iothreadpin iothread='{'4' if 'id=' in kind and '4' in kind else '1'}' cpuset='1'/>"
    return kind


@mutation(5, "memory", True)
def memory_devices(r, c):
    """Memory devices of every model, alone and with others."""
    c.g.maxmemory = "<maxMemory slots='4' unit='MiB'>1024</maxMemory>"
    c.g.cpu = c.g.cpu.replace("</cpu>", f"<numa><cell id='0' cpus='0' memory='{c.g.memory}' unit='KiB'/></numa></cpu>")
    c.g.numa_cell = True
    target = "<target><size unit='MiB'>64</size>{}</target>"
    kind = r.choice(
        [
            "virtio-pmem",
            "virtio-mem dynamic",
            "virtio-mem resized",
            "dimm bound",
            "dimm of huge pages",
            "two dimms",
            "nvdimm labelled",
        ]
    )
    label = ""
    if kind == "virtio-pmem":
        label = c.file(r, "/var/lib/tt/NAME-pm", 64)
        c.g.add(
            f"<memory model='virtio-pmem' access='shared'><source><path>/var/lib/tt/NAME-pm</path></source>{target.format('')}</memory>"
        )
    elif kind.startswith("virtio-mem"):
        size = "<node>0</node><block unit='MiB'>2</block><requested unit='MiB'>32</requested>"
        if "dynamic" in kind:
            size = size.replace("<node>", "<node>")
            c.g.add(
                f"<memory model='virtio-mem'>{target.format(size).replace('<target>', '<target dynamicMemslots=' + chr(39) + 'yes' + chr(39) + '>')}</memory>"
            )
        else:
            c.g.add(f"<memory model='virtio-mem'>{target.format(size)}</memory>")
            c.then("a", "virsh update-memory-device NAME --live --requested-size 48MiB")
    elif kind == "dimm bound":
        c.g.add(
            f"<memory model='dimm' discard='yes'><source><nodemask>0</nodemask></source>{target.format('<node>0</node>')}</memory>"
        )
    elif kind == "dimm of huge pages":
        c.on("a", "echo 68 >/proc/sys/vm/nr_hugepages; test $(cat /proc/sys/vm/nr_hugepages) = 68")
        c.undo("a", "echo 0 >/proc/sys/vm/nr_hugepages")
        for h in r.choice(["ab", "a"]):
            label += h
            c.on(h, "mkdir -p /run/huge && mount -t hugetlbfs hugetlbfs /run/huge")
            c.conf(h, 'hugetlbfs_mount = "/run/huge"', replace="hugetlbfs_mount")
        c.g.add(
            f"<memory model='dimm'><source><pagesize unit='MiB'>2</pagesize></source>{target.format('<node>0</node>')}</memory>"
        )
    elif kind == "two dimms":
        c.g.add(f"<memory model='dimm'>{target.format('<node>0</node>')}</memory>" * 2)
        if coin(r):
            one = f"<memory model='dimm'>{target.format('<node>0</node>')}</memory>"
            c.then("a", f"cat >/run/d.xml <<'X'\n{one}\nX\nvirsh attach-device NAME /run/d.xml --live")
            label = "and one plugged in"
    else:
        label = c.file(r, "/var/lib/tt/NAME-nl", 64)
        inner = "<size unit='MiB'>64</size><node>0</node><label><size unit='KiB'>256</size></label>"
        c.g.add(
            f"<memory model='nvdimm'><source><path>/var/lib/tt/NAME-nl</path></source><target>{inner}</target></memory>"
        )
    return f"{kind} {label}"


@mutation(4, "numa", True)
def numa_cells(r, c):
    """Guest NUMA nodes, each bound for itself."""
    n = r.choice([2, 2, 4])
    c.g.vcpu, c.g.memory = f"<vcpu>{n}</vcpu>", n * 16 * 1024
    access = r.choice(["", "", " memAccess='shared'", " discard='yes'"])
    cells = "".join(f"<cell id='{i}' cpus='{i}' memory='16384' unit='KiB'{access}/>" for i in range(n))
    c.g.cpu = c.g.cpu.replace("</cpu>", f"<numa>{cells}</numa></cpu>")
    if "shared" in access:
        c.g.backing = "<memoryBacking><source type='memfd'/></memoryBacking>"
    mode = r.choice(["strict", "preferred", "interleave", "restrictive"])
    kind = r.choice(["none", "memnode", "whole", "memnode of one"])
    if kind == "memnode":
        c.g.numatune = (
            "<numatune>"
            + "".join(f"<memnode cellid='{i}' mode='{mode}' nodeset='0'/>" for i in range(n))
            + "</numatune>"
        )
    elif kind == "whole":
        c.g.numatune = f"<numatune><memory mode='{mode}' nodeset='0'/></numatune>"
    elif kind == "memnode of one":
        c.g.numatune = (
            f"<numatune><memory mode='strict' nodeset='0'/><memnode cellid='0' mode='{mode}' nodeset='0'/></numatune>"
        )
    return f"{n} cells{access}, {kind}, {mode}"


@mutation(5, "tune")
def tuning(r, c):
    """Tuning by control groups, which b's libvirt may not use; scheduling; limits."""
    tune = r.choice(
        [
            ("top", "<blkiotune><weight>500</weight></blkiotune>", "blkio"),
            ("cputune", "<vcpusched vcpus='0' scheduler='fifo' priority='1'/>", ""),
            ("cputune", "<vcpusched vcpus='0' scheduler='batch'/>", ""),
            ("cputune", "<emulatorsched scheduler='idle'/>", ""),
            (
                "cputune",
                "<cachetune vcpus='0'><cache id='0' level='3' type='both' size='1' unit='MiB'/></cachetune>",
                "",
            ),
        ]
    )
    where, xml, controller = tune
    if where == "cputune":
        c.g.cputune += xml
    else:
        c.g.top.append(xml)
    sides = ""
    if controller:
        sides = r.choice(["ab", "a"])
        c.conf(sides, f'cgroup_controllers = ["{controller}"]')
    return f"{xml}; its controller used on {sides or 'neither'}"


@mutation(4, "label")
def owner_of_process(r, c):
    """The user that QEMU runs as, by name or number."""
    kind = r.choice(["name known on a only", "name known on both", "number", "group known on a only"])
    c.on("a", "echo 'owner:x:4711:4711::/:/bin/sh' >>/etc/passwd; echo 'owner:x:4711:' >>/etc/group")
    c.undo("ab", "sed -i '/^owner:/d' /etc/passwd /etc/group")
    if kind == "name known on both":
        c.on("b", "echo 'owner:x:4711:4711::/:/bin/sh' >>/etc/passwd; echo 'owner:x:4711:' >>/etc/group")
    elif kind == "group known on a only":
        c.on("b", "echo 'owner:x:4711:4711::/:/bin/sh' >>/etc/passwd")
    label = {"number": "+0:+0", "group known on a only": "root:owner"}.get(kind, "owner:owner")
    if label == "owner:owner":
        c.on(
            "ab",
            "chmod -R a+rwX /var/lib/libvirt/images /var/log/libvirt/qemu /var/lib/libvirt; chmod 755 /var/lib /var/log; true",
        )
    c.g.top.append(
        f"<seclabel type='static' model='dac' relabel='{r.choice(['yes', 'no'])}'><label>{label}</label></seclabel>"
    )
    c.conf("ab", "security_default_confined = 1" if coin(r, 0.2) else "security_default_confined = 0")
    return f"runs as {label}: {kind}"


@mutation(4, "graphics", True)
def other_graphics(r, c):
    """Consoles that are not VNC, and several of them."""
    kind = r.choice(
        [
            "<graphics type='spice' autoport='yes' defaultMode='insecure'><channel name='main' mode='insecure'/></graphics>",
            "<graphics type='sdl' display=':0'/>",
            "<graphics type='vnc' autoport='yes' powerControl='yes'/><graphics type='dbus'/>",
            "<graphics type='vnc' port='5910'><listen type='socket' socket='/run/libvirt/qemu/NAME.vnc'/></graphics>",
        ]
    )
    if coin(r, 0.3) and not c.qemu_new("a"):
        kind = r.choice(
            [
                "<graphics type='spice' autoport='yes'/>",
                "<graphics type='spice' port='5930' autoport='no' listen='0.0.0.0'/>",
                "<graphics type='vnc' autoport='yes'/><graphics type='spice' autoport='yes'/>",
            ]
        )
    c.g.add(kind + f"<video><model type='{r.choice(['vga', 'virtio', 'cirrus'])}'/></video>")
    return kind
