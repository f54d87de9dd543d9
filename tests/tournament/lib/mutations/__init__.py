"""What a case may change about a guest, its two hosts, or both: one small function each.

None of them knows what pvm checks, and none says what ought to happen: libvirt says that. The order of the imports below is part
of every seed, so new files and new mutations go to the end.
"""

from lib.mutations import machine, disks, networks, devices, state, hosts  # noqa: F401,I001
from lib.mutations import parts, chains, settings  # noqa: F401,I001
from lib.mutations import elements  # noqa: F401,I001
