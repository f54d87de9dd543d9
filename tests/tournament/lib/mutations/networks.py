"""Mutations of network interfaces and what they are plugged into."""

from lib.draw import coin, mutation


MODELS_NIC = ["virtio", "virtio", "virtio", "e1000", "e1000e", "rtl8139", "vmxnet3", "pcnet", "ne2k_pci"]


def net_on(c, host, name, xml, define_only=False):
    verb = "net-define" if define_only else "net-create"
    c.on(host, f"cat >/run/net.xml <<'X'\n{xml}\nX\nvirsh {verb} /run/net.xml")
    c.undo(host, f"virsh net-destroy {name}; virsh net-undefine {name}")


@mutation(9, "nic", True)
def nic(r, c):
    model = r.choice(MODELS_NIC)
    mtu = r.choice(["", "", "", "<mtu size='1400'/>", "<mtu size='9000'/>"])
    extra = r.choice(
        [
            "",
            "",
            "",
            "<link state='down'/>",
            "<target dev='tap-own'/>",
            "<boot order='2'/>",
            "<rom enabled='no'/>",
            "<driver name='qemu' queues='2'/>",
            "<filterref filter='own-filter'/>",
            "<port isolated='yes'/>",
        ]
    )
    if "queues" in extra and model != "virtio":
        extra = ""
    if "filterref" in extra:
        flt = 'printf \'<filter name="own-filter" chain="root"><rule action="accept" direction="out"/></filter>\' >/run/f.xml; virsh nwfilter-define /run/f.xml'
        c.on("a", flt)
        c.undo("ab", "virsh nwfilter-undefine own-filter")
        if coin(r):
            c.on("b", flt)
            extra += "<!-- also on b -->"
        if "isolated" in extra:
            extra = ""
    kind = r.choice(
        [
            "bridge",
            "bridge",
            "network",
            "network",
            "network",
            "direct",
            "user",
            "ethernet",
            "mcast",
            "udp",
            "server",
            "direct-net",
            "portgroup",
        ]
    )
    bridge = "ip link add br-NAME type bridge".replace("NAME", "tt")
    label = ""
    head, src = kind, ""
    if kind == "bridge":
        label = r.choice(["same", "same", "missing", "is no bridge", "down", "small mtu"])
        c.on("a", f"{bridge}; ip link set br-tt up")
        c.undo("ab", "ip link del br-tt")
        if label == "same":
            c.on("b", f"{bridge}; ip link set br-tt up")
        elif label == "down":
            c.on("b", bridge)
        elif label == "is no bridge":
            c.on("b", "ip link add br-tt type dummy || ip link add br-tt type veth peer name br-tt2")
        elif label == "small mtu":
            c.on("b", f"{bridge}; ip link set br-tt mtu 1000; ip link set br-tt up")
        src = "<source bridge='br-tt'/>"
    elif kind in ("network", "portgroup"):
        head = "network"
        mode = r.choice(["bridge", "nat", "isolated", "route", "open"])
        group = "<portgroup name='gold'/>" if kind == "portgroup" else ""
        label = r.choice(
            ["same", "same", "same", "missing", "inactive", "other name"]
            + (["no such portgroup"] * 2 if group else [])
            + (["its bridge is missing"] * 2 if mode == "bridge" else [])
        )
        if mode == "bridge":
            xml = f"<network><name>guests</name><forward mode='bridge'/><bridge name='br-tt'/>{group}</network>"
            c.on("a", f"{bridge}; ip link set br-tt up")
            c.undo("ab", "ip link del br-tt")
            if label != "its bridge is missing":
                c.on("b", f"{bridge}; ip link set br-tt up")
        else:
            fw = "" if mode == "isolated" else f"<forward mode='{mode}'/>"
            xml = f"<network><name>guests</name>{fw}<bridge name='virbr7'/><ip address='10.88.0.1' netmask='255.255.255.0'/>{group}</network>"
        net_on(c, "a", "guests", xml)
        if label == "other name":
            net_on(c, "b", "guests2", xml.replace(">guests<", ">guests2<"))
        elif label == "no such portgroup":
            net_on(c, "b", "guests", xml.replace(group, ""))
        elif label != "missing":
            net_on(c, "b", "guests", xml, define_only=label == "inactive")
        label = f"{mode}, on b: {label}"
        src = "<source network='guests'" + (" portgroup='gold'/>" if group else "/>")
    elif kind in ("direct", "direct-net"):
        mode = r.choice(["bridge", "vepa", "private", "passthrough"])
        label = r.choice(["same", "missing", "down"])
        make = "ip link add own0 type veth peer name own1 && ip link set own1 up"
        c.on("a", f"{make} && ip link set own0 up")
        c.undo("ab", "ip link del own0")
        if label != "missing":
            c.on("b", make + (" && ip link set own0 up" if label == "same" else ""))
        if kind == "direct":
            src = f"<source dev='own0' mode='{mode}'/>"
        else:
            head = "network"
            pool = r.choice(["<interface dev='own0'/>", "<interface dev='own0'/><interface dev='own9'/>"])
            xml = f"<network><name>guests</name><forward mode='{mode}'>{pool}</forward></network>"
            net_on(c, "a", "guests", xml)
            net_on(c, "b", "guests", xml)
            src = "<source network='guests'/>"
        label = f"macvtap {mode}, interface on b: {label}"
    elif kind == "user":
        pass
    elif kind == "ethernet":
        label = r.choice(["", "script on a only", "tap made before, on a only", "tap made before, on both"])
        if label.startswith("script"):
            c.on("a", "printf '#!/bin/sh\\nexit 0\\n' >/var/lib/tt-up; chmod +x /var/lib/tt-up")
            src = "<script path='/var/lib/tt-up'/>"
        elif label.startswith("tap"):
            c.on("a", "ip tuntap add dev tap-own mode tap")
            c.undo("ab", "ip tuntap del dev tap-own mode tap")
            if label.endswith("both"):
                c.on("b", "ip tuntap add dev tap-own mode tap")
            extra = "<target dev='tap-own' managed='no'/>"
        if "queues" in extra:
            extra = ""
    elif kind == "mcast":
        c.on("ab", "ip route add 230.0.0.0/8 dev link0")
        c.undo("ab", "ip route del 230.0.0.0/8 dev link0")
        src = "<source address='230.0.0.1' port='5558'/>"
    elif kind == "udp":
        label = r.choice(["local address is a's", "local address everywhere"])
        src = f"<source address='10.77.0.9' port='11115'><local address='{'10.77.0.1' if 's' == label[-1] else '127.0.0.1'}' port='11116'/></source>"
    elif kind == "server":
        label = r.choice(["10.77.0.1", "0.0.0.0", "127.0.0.1"])
        src = f"<source address='{label}' port='5559'/>"
    if kind in ("user", "mcast", "udp", "server"):
        mtu = ""
        if not extra.startswith("<link"):
            extra = ""
    if head == "direct" or kind == "direct-net":
        if any(w in extra for w in ("filterref", "isolated", "queues")):
            extra = ""
    c.g.add(f"<interface type='{head}'>{src}<model type='{model}'/>{mtu}{extra}</interface>")
    if "tap-own" in extra and "managed" not in extra and coin(r):
        c.on("b", "ip tuntap add dev tap-own mode tap")
        c.undo("b", "ip tuntap del dev tap-own mode tap")
        label += ", tap-own is already on b"
    return f"{kind} {model}{mtu}{extra} {label}"


@mutation(2, "nic", True)
def hotplugged_nic(r, c):
    label = r.choice(["same", "missing"])
    c.on("a", "ip link add br-tt type bridge")
    c.undo("ab", "ip link del br-tt")
    if label == "same":
        c.on("b", "ip link add br-tt type bridge")
    how = r.choice(["--live", "--config", "--live --config"])
    c.then("a", f"virsh attach-interface NAME bridge br-tt --model virtio {how}")
    return f"NIC attached with {how}; bridge on b: {label}"
