"""The guest of a case: tests/guest, with whatever its mutations give it."""

import re


def escaped(text: str) -> str:
    """`text` as it may stand in an attribute."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("'", "&apos;")


class Guest:
    """A definition in pieces; mutations replace or add pieces."""

    def __init__(self) -> None:
        self.machine, self.cpu = "pc", "<cpu mode='custom'><model>qemu64</model></cpu>"
        self.vcpu, self.cputune, self.numatune = "<vcpu>1</vcpu>", "", ""
        self.memory, self.maxmemory, self.backing, self.numa_cell = 32 * 1024, "", "", False
        self.features, self.clock, self.metadata, self.sysinfo = "<acpi/>", "", "", ""
        self.os_attr, self.os, self.os_loader, self.os_more, self.initrd = "", "", "", "", ""
        self.kernel = "/var/lib/libvirt/images/guest.elf"
        self.usb, self.balloon = "none", "<memballoon model='none'/>"
        self.devices: list[str] = []
        self.qargs: list[str] = []
        # Elements of the domain itself, and of QEMU's own name space at its end.
        self.top: list[str] = []
        self.tail: list[str] = []

    def add(self, xml: str) -> None:
        """Adds a device."""
        self.devices.append(xml)

    def args(self, words: list[str]) -> None:
        """Adds arguments of QEMU."""
        self.qargs += words

    def xml(self, name: str, uuid: str, key: str) -> str:
        """The definition. `key` is the case's plain name, which file names are made of."""
        cpu = self.cpu
        if self.numa_cell:  # the memory may have been drawn after the cell
            cpu = re.sub(r"(<cell [^>]*memory=')\d+", lambda m: m[1] + str(self.memory), cpu)
        tune = f"<cputune>{self.cputune}</cputune>" if self.cputune else ""
        args = "".join(f"<qemu:arg value='{escaped(a)}'/>" for a in self.qargs)
        args = f"<qemu:commandline>{args}</qemu:commandline>" if args else ""
        text = f"""<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
<name>{escaped(name)}</name><uuid>{uuid}</uuid>{self.metadata}
{self.maxmemory}<memory unit='KiB'>{self.memory}</memory>{self.backing}
{self.vcpu}{tune}{self.numatune}{self.sysinfo}{"".join(self.top)}
<os{self.os_attr}><type arch='x86_64' machine='{self.machine}'>hvm</type>{self.os_loader}{self.os}
<kernel>{self.kernel}</kernel>{self.initrd}<cmdline>guest</cmdline>{self.os_more}</os>
<features>{self.features}</features>{cpu}{self.clock}
<on_poweroff>destroy</on_poweroff><on_reboot>destroy</on_reboot><on_crash>destroy</on_crash>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
<serial type='file'><source path='/var/log/libvirt/qemu/{key}-serial.log'/></serial>
{"".join(self.devices)}
<controller type='usb' model='{self.usb}'/>{self.balloon}</devices>
{args}{"".join(self.tail)}
</domain>"""
        return self.with_drive(text).replace("NAME", key)

    def with_drive(self, text: str) -> str:
        """A text in which the machine's own CD-ROM has its name."""
        q35 = "q35" in self.machine
        return text.replace("@CDBUS@", "sata" if q35 else "ide").replace("@CDDEV@", "sda" if q35 else "hda")
