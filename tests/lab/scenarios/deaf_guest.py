"""A guest that does not answer when its port is to be detached.

It may yet obey: pvm keeps the record open instead of taking the request for undone.
"""

from lablib.mixed import mixed

SCENARIO = mixed(
    deaf=True,
    marked=True,
    predict="compatible",
    say="stayed, not looked at",
    happen="stayed",
    forced=False,
)
