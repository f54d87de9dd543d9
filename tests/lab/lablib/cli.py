"""The command line of `lab`."""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lablib import hosts, pvm
from lablib.build import build
from lablib.cache import LabError, hosts_taken, run_dir
from lablib.capture import capture
from lablib.generation import chosen
from lablib.limits import end_in_order
from lablib.pairs import Session, play_all
from lablib.runner import report_all, report_row
from lablib.scenario import Scenario, load_all


def cmd_build(_args: argparse.Namespace) -> int:
    build()
    return 0


def cmd_up(_args: argparse.Namespace) -> int:
    hosts.up(build())
    return 0


def cmd_down(_args: argparse.Namespace) -> int:
    hosts.down()
    return 0


def cmd_ssh(args: argparse.Namespace) -> int:
    if not all(host.pid() for host in hosts.HOSTS):
        raise LabError("the hosts are not up: lab up")
    config = str(run_dir() / "ssh_config")
    os.execvp("ssh", ["ssh", "-F", config, f"host-{args.host}", *args.command])


def cmd_capture(args: argparse.Namespace) -> int:
    with hosts_taken(), hosts_up(keep=False):
        capture(args.folder)
    return 0


def cmd_list(_args: argparse.Namespace) -> int:
    for scenario in load_all():
        needs = f" (needs {' or '.join(scenario.needs)})" if scenario.needs else ""
        print(f"{'core' if scenario.core else '    '} {scenario.name:32} {scenario.title}{needs}")
    return 0


def chosen_scenarios(args: argparse.Namespace) -> list[Scenario]:
    """The scenarios that were asked for."""
    scenarios = load_all()
    names = {s.name for s in scenarios}
    unknown = [name for name in args.scenario if name not in names]
    if unknown:
        raise LabError(f"no scenario {', '.join(unknown)}: lab list")
    if args.scenario:
        wanted = [s for s in scenarios if s.name in args.scenario]
    else:
        wanted = [s for s in scenarios if s.core or args.all]
    lacking = [f"{s.name} (needs {' or '.join(s.needs)})" for s in wanted if not s.playable()]
    if lacking and args.scenario:
        raise LabError(f"not to be played on {chosen()}: {', '.join(lacking)}")
    if lacking:
        print(f"lab: not played on {chosen()}: {', '.join(lacking)}", flush=True)
    if args.without_pvm:
        wanted = [s for s in wanted if s.forced and s.play is None]
    return [s for s in wanted if s.playable()]


def cmd_run(args: argparse.Namespace) -> int:
    scenarios = chosen_scenarios(args)
    print(f"lab: the hosts are of {chosen()}", flush=True)
    build()  # before the pairs begin: they would build side by side

    @contextmanager
    def ready() -> Iterator[None]:
        with hosts_taken(), hosts_up(args.keep):
            if not args.without_pvm:
                pvm.install(args.pvm)
            yield

    started = time.monotonic()
    session = Session(scenarios, not args.without_pvm, ready)
    rows = play_all(session, args.pairs, args.limit * 60, lambda row: report_row(row, args.verbose))
    return report_all(rows, time.monotonic() - started)


@contextmanager
def hosts_up(keep: bool) -> Iterator[None]:
    """Both hosts; those that were not up before are ended again, unless they are to be kept."""
    parts = build()
    keep = keep or all(host.pid() for host in hosts.HOSTS)
    try:
        hosts.up(parts, lasting=keep)
        yield
    finally:
        if not keep:
            hosts.down()


def parser() -> argparse.ArgumentParser:
    """Commands and their options."""
    top = argparse.ArgumentParser(prog="lab", description=sys.modules["__main__"].__doc__)
    commands = top.add_subparsers(dest="command", required=True)

    def add(name: str, run, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(run=run)
        return sub

    add("build", cmd_build, "build what is missing or stale")
    add("up", cmd_up, "start both hosts")
    add("down", cmd_down, "end both hosts")
    ssh = add("ssh", cmd_ssh, "a shell, or one command, on a host")
    ssh.add_argument("host", choices=hosts.ROLES)
    ssh.add_argument("command", nargs=argparse.REMAINDER)
    fixtures = add("capture", cmd_capture, "write what pvm reads on both hosts into a folder")
    fixtures.add_argument("folder", type=Path)
    add("list", cmd_list, "name every scenario")
    run = add("run", cmd_run, "play scenarios: the core ones unless told otherwise")
    run.add_argument("scenario", nargs="*", help="names of scenarios")
    run.add_argument("--all", action="store_true", help="every scenario")
    run.add_argument("--pvm", type=Path, default=default_pvm(), help="the binary to try")
    run.add_argument(
        "--without-pvm",
        action="store_true",
        help="migrate with libvirt alone: is the lab itself right?",
    )
    run.add_argument("--keep", action="store_true", help="leave the hosts up")
    run.add_argument(
        "--pairs",
        type=int,
        default=1,
        choices=range(1, 9),
        metavar="N",
        help="play on N pairs of hosts side by side (default: %(default)s)",
    )
    run.add_argument(
        "--limit",
        type=int,
        default=240,
        metavar="MINUTES",
        help="play no further scenario after this time, and fail (default: %(default)s)",
    )
    run.add_argument("-v", "--verbose", action="store_true", help="notes on rows that agree, too")
    return top


def default_pvm() -> Path:
    """Where cargo puts a release build."""
    tree = Path(__file__).resolve().parents[3]
    return Path(os.environ.get("CARGO_TARGET_DIR", tree / "target")) / "release/pvm"


def main() -> int:
    """Runs one command; gives the exit code."""
    args = parser().parse_args()
    end_in_order()
    try:
        return args.run(args)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
