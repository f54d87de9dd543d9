"""The command line of `tournament`."""

import argparse
import json
import signal
import sys
from collections.abc import Iterable
from pathlib import Path

from lib import packages
from lib.draw import CATALOG
from lib.play import DISAGREE, Player
from lib.verdict import brief, table
from lib.work import TESTS, TournamentError


def seeds(words: Iterable[str]) -> list[int]:
    """`3 7-9` as numbers."""
    found = []
    for word in words:
        low, _, high = word.partition("-")
        found += range(int(low), int(high or low) + 1)
    return found


class Keep:
    """Prints each row, and writes it where that was asked for."""

    def __init__(self, path: Path | None) -> None:
        self.path, self.rows = path, []

    def row(self, row: dict) -> None:
        """One case is over."""
        self.rows.append(row)
        print(brief(row), flush=True)
        if self.path:
            with self.path.open("a") as out:
                out.write(json.dumps(row, ensure_ascii=False) + "\n")


def cmd_run(player: Player, args: argparse.Namespace, keep: Keep) -> int:
    """Plays whole seeds; every disagreement is then shown as its smallest case."""
    for seed in seeds(args.seed):
        for index in range(args.cases):
            row = player.settled(seed, index)
            if first := row.get("first"):
                said = [code for code in first["full"]["codes"] if code[1] != "info"]
                print(f"{row['case']}: {first['verdict']} the first time: {said}, then {first['truth']}", flush=True)
            keep.row(row)
    return concluded(player, args, keep)


def cmd_batch(player: Player, args: argparse.Namespace, keep: Keep) -> int:
    """Plays twenty guests of each seed at once."""
    for seed in seeds(args.seed):
        for row in player.batch(seed):
            keep.row(row)
    return concluded(player, args, keep)


def cmd_one(player: Player, args: argparse.Namespace, keep: Keep) -> int:
    """Plays one case and prints everything."""
    seed, index = map(int, args.case.split("/"))
    case = player.case(seed, index, {int(x) for x in args.only.split(",")} if args.only else None)
    print(case.pair.name, case.mutations, case.before, case.confs, case.after, case.checks, sep="\n")
    print(case.g.xml(case.name, case.uuid, case.key))
    if args.show:
        return 0
    row = player.play(case)
    print(json.dumps(row, indent=1, ensure_ascii=False))
    keep.row(row)
    return 1 if row["verdict"] in DISAGREE else 0


def concluded(player: Player, args: argparse.Namespace, keep: Keep) -> int:
    """Prints the smallest cases of the disagreements, and the table."""
    wrong = [row for row in keep.rows if row["verdict"] in DISAGREE]
    if wrong and not args.no_reduce:
        print("\nThe smallest case of each disagreement:")
        for row in wrong:
            print(brief(player.reduced(row)), flush=True)
    print(table(keep.rows))
    return 1 if wrong else 0


def main() -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="tournament", description=sys.modules["__main__"].__doc__)
    parser.add_argument("--pvm", default=TESTS.parent / "target/release/pvm", help="the binary")
    parser.add_argument("--into", type=Path, help="append a line of JSON for each case to this file")
    parser.add_argument("--rehearse", action="store_true", help="predict with --rehearse")
    parser.add_argument("--of", help="draw from these files of mutations/ alone, like disks,hosts")
    commands = parser.add_subparsers(required=True)
    for name, function, words in (
        ("run", cmd_run, ("seed",)),
        ("batch", cmd_batch, ("seed",)),
        ("one", cmd_one, ("case",)),
    ):
        command = commands.add_parser(name, help=(function.__doc__ or "").splitlines()[0])
        command.set_defaults(function=function)
        if "seed" in words:
            command.add_argument("seed", nargs="+", help="a number, or a range like 0-9: one pair of hosts each")
            command.add_argument("--cases", type=int, default=10, help="cases of each seed")
            command.add_argument("--no-reduce", action="store_true", help="show disagreements as they were drawn")
        if "case" in words:
            command.add_argument("case", help="SEED/INDEX")
            command.add_argument("--only", help="positions of the mutations that are applied, like 0,2")
            command.add_argument("--show", action="store_true", help="print the case, play nothing")
    args = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda got, _: sys.exit(128 + got))
    of = set(args.of.split(",")) if args.of else None
    if of and of - {mutation.file for mutation in CATALOG}:
        parser.error(f"mutations/ has {', '.join(sorted({mutation.file for mutation in CATALOG}))}")
    player = Player(str(Path(args.pvm).absolute()), args.rehearse, of)
    try:
        if not getattr(args, "show", False):
            packages.build()
            if not Path(args.pvm).exists():
                raise TournamentError(f"{args.pvm} is missing: make build")
        return args.function(player, args, Keep(args.into))
    except TournamentError as why:
        print(f"tournament: {why}", file=sys.stderr)
        return 2
    finally:
        player.close()
