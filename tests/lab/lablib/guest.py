"""What a scenario's guest looks like: the lab's own description, and libvirt's."""

from dataclasses import dataclass, field
from uuid import NAMESPACE_OID, uuid5

NOVA_NAMESPACE = "http://openstack.org/xmlns/libvirt/nova/1.1"


def full(address: str) -> str:
    """`01:10.0` with its PCI domain."""
    return address if address.count(":") == 2 else f"0000:{address}"


@dataclass(frozen=True)
class Vf:
    """A VF of a guest: where it sits on the host and in the guest."""

    host: str  # 01:10.0
    slot: int = 5  # on the guest's bus 0
    interface: bool = False  # <interface type='hostdev'>, as Nova makes a port
    managed: bool = False
    model: str | None = None  # <driver model='...'/>
    iommufd: bool = False  # through iommufd, not through a container
    port: bool = False  # is to be detached and re-attached, not migrated

    def xml(self) -> str:
        """The device in libvirt's words."""
        bus, rest = full(self.host).split(":")[1:]
        slot, function = rest.split(".")
        source = f"domain='0x0000' bus='0x{bus}' slot='0x{slot}' function='0x{function}'"
        model = f" model='{self.model}'" if self.model else ""
        model += " iommufd='yes'" if self.iommufd else ""
        managed = "yes" if self.managed else "no"
        tail = (
            f"<driver name='vfio'{model}/><alias name='ua-vf{self.slot}'/>"
            f"<address type='pci' domain='0x0000' bus='0x00' slot='0x{self.slot:02x}'"
            " function='0x0'/>"
        )
        if self.interface:
            return (
                f"<interface type='hostdev' managed='{managed}'>"
                f"<mac address='52:54:00:dd:00:{self.slot:02x}'/>"
                f"<source><address type='pci' {source}/></source>{tail}</interface>"
            )
        return (
            f"<hostdev mode='subsystem' type='pci' managed='{managed}'>"
            f"<source><address {source}/></source>{tail}</hostdev>"
        )


@dataclass(frozen=True)
class Guest:
    """The tiny guest with some VFs."""

    vfs: tuple[Vf, ...] = ()
    name: str = "guest"
    persistent: bool = False
    started: bool = True  # False: defined, and left off
    deaf: bool = False  # does not acknowledge hot-unplug
    memory_mib: int = 32
    iommufd: bool = False  # <iommufd enabled='yes'/> for all its devices
    machine: str = "pc"  # the newest of its host
    metadata: str = ""
    uuid: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "uuid", str(uuid5(NAMESPACE_OID, self.name)))

    def xml(self) -> str:
        """The domain in libvirt's words."""
        deaf = "<cmdline>deaf</cmdline>" if self.deaf else ""
        iommufd = "<iommufd enabled='yes'/>" if self.iommufd else ""
        metadata = f"<metadata>{self.metadata}</metadata>" if self.metadata else ""
        return f"""\
<domain type='qemu'>
  <name>{self.name}</name>
  <uuid>{self.uuid}</uuid>
  {metadata}
  <memory unit='MiB'>{self.memory_mib}</memory>
  <vcpu>1</vcpu>{iommufd}
  <os>
    <type arch='x86_64' machine='{self.machine}'>hvm</type>
    <kernel>/lab/guest.elf</kernel>{deaf}
  </os>
  <features><acpi/></features>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <controller type='usb' model='none'/>
    <serial type='file'><source path='/var/log/lab/{self.name}.serial' append='on'/></serial>
    <memballoon model='none'/>
    {"".join(vf.xml() for vf in self.vfs)}
  </devices>
</domain>
"""
