"""A guest with one migratable VF and one port, which is detached and re-attached."""

from lablib.mixed import mixed

SCENARIO = mixed(predict="compatible", happen="moved", forced=False, core=True)
