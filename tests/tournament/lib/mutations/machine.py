"""Mutations of the machine, its CPU and its memory."""

from lib.draw import coin, mutation


PC = {
    "old": ["1.7", "2.0", "2.1", "2.3", "2.4", "2.6", "2.8", "2.12", "3.1", "4.2", "5.2", "6.2", "7.2"],
    "new": ["2.4", "2.6", "2.12", "3.1", "4.2", "5.2", "6.2", "7.2", "8.0", "8.2", "9.0", "9.2", "10.0"],
}


@mutation(5, "machine", True)
def machine(r, c):
    have = PC["new" if c.qemu_new("a") else "old"]
    version = r.choice(have)
    kind = r.choice(["i440fx", "q35"])
    if kind == "q35" and version in ("1.7", "2.0", "2.1", "2.3"):
        version = "2.4"
    c.g.machine = r.choice([f"pc-{kind}-{version}"] * 4 + ["pc", "q35"])
    return c.g.machine


MODELS = [
    "qemu64",
    "kvm64",
    "qemu32",
    "pentium3",
    "core2duo",
    "Conroe",
    "Penryn",
    "Nehalem",
    "Nehalem-IBRS",
    "Westmere",
    "SandyBridge",
    "IvyBridge",
    "Haswell-noTSX",
    "Haswell",
    "Broadwell",
    "Skylake-Client",
    "Skylake-Server",
    "Cascadelake-Server",
    "Icelake-Server",
    "Snowridge",
    "EPYC",
    "EPYC-Rome",
    "EPYC-Milan",
    "Opteron_G1",
    "Opteron_G3",
    "Opteron_G5",
    "phenom",
    "athlon",
    "n270",
]
FEATURES = [
    "aes",
    "avx",
    "avx2",
    "bmi1",
    "bmi2",
    "erms",
    "fma",
    "invtsc",
    "la57",
    "movbe",
    "pcid",
    "pku",
    "popcnt",
    "rdrand",
    "rdseed",
    "smap",
    "smep",
    "smx",
    "sse4.2",
    "svm",
    "umip",
    "vaes",
    "vmx",
    "x2apic",
    "xsave",
    "xsaveopt",
    "avx512f",
    "spec-ctrl",
    "ssbd",
    "md-clear",
    "hypervisor",
    "arat",
    "tsc-deadline",
    "serialize",
    "fsrm",
    "cmp_legacy",
]


@mutation(9, "cpu", True)
def cpu(r, c):
    mode = r.choice(["custom"] * 5 + ["host-model"] * 2 + ["maximum", "host-passthrough"])
    features = "".join(
        f"<feature policy='{r.choice(['require', 'require', 'optional', 'disable', 'forbid', 'force'])}' name='{f}'/>"
        for f in r.sample(FEATURES, r.choice([0, 0, 1, 1, 2, 3]))
    )
    if mode == "custom":
        check = r.choice(["", " check='none'", " check='none'", " check='partial'", " check='full'"])
        match = r.choice(["exact", "exact", "minimum", "strict"])
        model = r.choice(MODELS)
        fallback = r.choice(["allow", "forbid"])
        c.g.cpu = (
            f"<cpu mode='custom' match='{match}'{check}><model fallback='{fallback}'>{model}</model>{features}</cpu>"
        )
    else:
        c.g.cpu = f"<cpu mode='{mode}'>{features if mode != 'host-passthrough' else ''}</cpu>"
    return c.g.cpu


@mutation(2, "vcpu", True)
def topology(r, c):
    n = r.choice([2, 3, 4, 8])
    now = r.choice([1, n])
    c.g.vcpu = f"<vcpu placement='static' current='{now}'>{n}</vcpu>"
    if coin(r):
        c.g.cpu = c.g.cpu.replace("</cpu>", f"<topology sockets='{n}' cores='1' threads='1'/></cpu>")
    return f"{now}/{n} vCPUs"


@mutation(2, "vcpu", True)
def pinned(r, c):
    which = r.choice(
        [
            "<vcpupin vcpu='0' cpuset='1'/>",
            "<vcpupin vcpu='0' cpuset='0-1'/>",
            "<emulatorpin cpuset='1'/>",
            "<vcpupin vcpu='0' cpuset='0'/><emulatorpin cpuset='0-1'/>",
        ]
    )
    c.g.cputune = which
    return which


@mutation(3, "memory", True)
def memory_size(r, c):
    size = r.choice([48, 64, 96, 256, 512, 1024, 2000])
    c.g.memory = size * 1024
    return f"{size} MiB"


@mutation(2, "memory", True)
def memory_beyond(r, c):
    """More than is free, less or more than there is: the kernel commits it lazily."""
    size = r.choice([14, 18, 20, 22, 23])
    c.g.memory = size * 1024 * 1024
    return f"{size} GiB of memory, hardly touched"


@mutation(2, "backing", True)
def backing(r, c):
    kind = r.choice(
        [
            "<source type='memfd'/>",
            "<source type='memfd'/><access mode='shared'/>",
            "<source type='file'/>",
            "<source type='file'/><access mode='shared'/>",
            "<nosharepages/>",
            "<locked/>",
            "<allocation mode='immediate'/>",
            "<source type='anonymous'/>",
            "<discard/>",
        ]
    )
    c.g.backing = f"<memoryBacking>{kind}</memoryBacking>"
    return kind


@mutation(2, "backing")
def memory_dir(r, c):
    c.g.backing = "<memoryBacking><source type='file'/><access mode='shared'/></memoryBacking>"
    c.conf("a", 'memory_backing_dir = "/var/lib/tt-ram"')
    c.on("a", "mkdir -p /var/lib/tt-ram")
    where = r.choice(["same", "other"])
    if where == "same":
        c.conf("b", 'memory_backing_dir = "/var/lib/tt-ram"')
        c.on("b", "mkdir -p /var/lib/tt-ram")
    return f"memory_backing_dir, on b: {where}"


@mutation(4, "backing")
def hugepages(r, c):
    """The pool is the machine's, so both hosts share it: 16 pages for the guest, on both sides while it moves."""
    total = r.choice([18, 24, 31, 32, 40, 48])
    c.on("a", f"echo {total} >/proc/sys/vm/nr_hugepages; test $(cat /proc/sys/vm/nr_hugepages) = {total}")
    c.undo("a", "echo 0 >/proc/sys/vm/nr_hugepages")
    sides = r.choice(["ab", "ab", "ab", "a"])
    for h in sides:
        c.on(h, "mkdir -p /run/huge && mount -t hugetlbfs hugetlbfs /run/huge")
        c.conf(h, 'hugetlbfs_mount = "/run/huge"', replace="hugetlbfs_mount")
    size = r.choice(["", "<page size='2' unit='MiB'/>"])
    c.g.backing = f"<memoryBacking><hugepages>{size}</hugepages></memoryBacking>"
    return f"{total} huge pages in the shared pool, 16 for the guest; mounted on {sides}"


@mutation(2, "numa", True)
def numa_bound(r, c):
    what = r.choice(
        [
            "<numatune><memory mode='strict' nodeset='0'/></numatune>",
            "<numatune><memory mode='preferred' nodeset='0'/></numatune>",
            "<numatune><memory mode='interleave' nodeset='0'/></numatune>",
        ]
    )
    c.g.numatune = what
    if coin(r, 0.3):
        c.g.cpu = c.g.cpu.replace(
            "</cpu>", f"<numa><cell id='0' cpus='0' memory='{c.g.memory}' unit='KiB'/></numa></cpu>"
        )
    return what


@mutation(3, "memory", True)
def hot_memory(r, c):
    c.g.maxmemory = "<maxMemory slots='4' unit='MiB'>1024</maxMemory>"
    c.g.cpu = c.g.cpu.replace("</cpu>", f"<numa><cell id='0' cpus='0' memory='{c.g.memory}' unit='KiB'/></numa></cpu>")
    c.g.numa_cell = True
    how = r.choice(["slots only", "dimm", "dimm hot-plugged", "virtio-mem"])
    dimm = "<memory model='dimm'><target><size unit='MiB'>128</size><node>0</node></target></memory>"
    if how == "dimm":
        c.g.add(dimm)
    elif how == "dimm hot-plugged":
        c.then(
            "a",
            f"cat >/run/dimm.xml <<'X'\n{dimm}\nX\nvirsh attach-device NAME /run/dimm.xml --live {r.choice(['', '--config'])}",
        )
    elif how == "virtio-mem":
        c.g.add(
            "<memory model='virtio-mem'><target><size unit='MiB'>128</size><node>0</node><block unit='MiB'>2</block>"
            "<requested unit='MiB'>64</requested></target></memory>"
        )
    return how


@mutation(2, "memory", True)
def nvdimm(r, c):
    c.g.maxmemory = "<maxMemory slots='4' unit='MiB'>1024</maxMemory>"
    c.g.cpu = c.g.cpu.replace("</cpu>", f"<numa><cell id='0' cpus='0' memory='{c.g.memory}' unit='KiB'/></numa></cpu>")
    c.g.numa_cell = True
    there = c.file(r, "/var/lib/tt/NAME-nv", 128)
    access = r.choice(["", " access='shared'"])
    c.g.add(
        f"<memory model='nvdimm'{access}><source><path>/var/lib/tt/NAME-nv</path></source><target><size unit='MiB'>128</size>"
        "<node>0</node></target></memory>"
    )
    return f"nvdimm{access}: {there}"
