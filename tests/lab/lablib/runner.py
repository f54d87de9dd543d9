"""Plays scenarios and prints, for each, what was predicted, what was said, what happened."""

import time
import traceback
from dataclasses import dataclass, field

from lablib import pvm
from lablib.cache import LabError
from lablib.generation import MIXED, chosen
from lablib.guest import full
from lablib.hosts import HOST_A, Host
from lablib.limits import within
from lablib.scenario import LEFT_ALONE, Scenario
from lablib.stage import Stage

# A row takes some 15 s on a quiet machine; one that hangs must not hang the run.
ROW_LIMIT = 480

# The tiny guest boots from a file and writes to one, both outside any storage pool.
USUAL_WARNINGS = {"host-paths"}
# A pair of two generations is what these warn of, there and back.
MIXED_WARNINGS = {"kernel-differs", "libvirt-downgrade", "qemu-downgrade"}


@dataclass
class Row:
    """One line of the table."""

    scenario: Scenario
    predicted: str = "-"
    said: str = "-"
    happened: str = "-"
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def agrees(self) -> bool:
        """Whether everything was as the scenario declares."""
        return not self.problems

    def expect(self, what: str, got: object, want: object) -> None:
        """Notes a problem where these differ."""
        if got != want:
            self.problems.append(f"{what}: {got}, not {want}")


def play(stage: Stage, row: Row) -> None:
    """One migration of one guest from a to b, with pvm."""
    scenario = stage.scenario
    stage.prepare()
    report = pvm.preflight(scenario.guest.name)
    row.predicted = report["verdict"]
    expect_predicted(row, report)
    missing = set(scenario.codes) - pvm.named_codes(report)
    if missing:
        row.problems.append(
            f"preflight does not name {', '.join(sorted(missing))};"
            f" it names {', '.join(sorted(pvm.named_codes(report))) or 'nothing'}"
        )
    if scenario.predict != "incompatible" and scenario.moves:
        sources = {full(vf.host): vf.slot for vf in scenario.guest.vfs}
        plan = {sources[s]: d for s, d in pvm.planned(report, scenario.guest.name).items()}
        row.expect("planned", plan, {s: full(a) for s, a in scenario.moves.items()})

    if scenario.rehearsed:
        rehearse(stage, row)
    said = pvm.migrate(scenario.guest.name, *scenario.options)
    row.said = said.word
    row.expect("pvm said", said.word, scenario.say)
    if said.word != scenario.say and said.stderr:
        row.notes.append(f"pvm: {said.stderr.splitlines()[-1]}")
    left_alone = scenario.say in LEFT_ALONE
    seen = stage.happened(touched=not left_alone)
    if left_alone:
        row.expect("after pvm left it alone", seen.word, "stayed")
        row.problems += seen.problems
        if not scenario.forced:
            row.happened = "not tried"
            return
        seen = stage.force()
    finish(row, seen)


def rehearse(stage: Stage, row: Row) -> None:
    """A rehearsal passes, and the guest and every device are as before."""
    text = pvm.rehearse(row.scenario.guest.name)
    row.notes.append(f"rehearsal: {text}")
    if "accepted the guest and its" not in text:
        row.problems.append(f"the rehearsal: {text}")
    seen = stage.happened(touched=False)
    row.expect("after the rehearsal", seen.word, "stayed")
    row.problems += seen.problems


def expect_predicted(row: Row, report: dict, warnings: set[str] = USUAL_WARNINGS) -> None:
    """The verdict has to be the scenario's; a warning that every guest of these hosts has is none."""
    warned = pvm.named_codes(report, ("error", "warning"))
    common = warnings | (MIXED_WARNINGS if chosen() == MIXED else set())
    usual = report["verdict"] == "warnings" and warned <= common
    wanted = row.scenario.predict
    if not (usual and wanted == "compatible"):
        row.expect("predicted", report["verdict"], wanted)
    if report["verdict"] != wanted:
        row.notes.append(f"preflight names {', '.join(sorted(pvm.named_codes(report)))}")


def play_without_pvm(stage: Stage, row: Row) -> None:
    """The same migration with libvirt alone: is the lab itself right?"""
    stage.prepare()
    finish(row, stage.force())


def recover(
    stage: Stage, row: Row, said: pvm.Said, on: Host = HOST_A, word: str = "recovered"
) -> None:
    """What a fault left open is settled by pvm recover, with this word; asking it again
    changes nothing."""
    row.said = said.word
    if said.exit_code not in (0, 4):
        after = pvm.recover(on)
        stage.note(after.stderr)
        row.said += f", {after.word}"
        row.expect("pvm recover", after.word, word)
    row.expect("pvm recover, once more", pvm.recover(on).word, word)


def finish(row: Row, seen) -> None:
    """Takes over what was seen in the end."""
    row.happened = seen.word
    row.expect("happened", seen.word, row.scenario.happen)
    row.notes += seen.notes
    row.problems += seen.problems


def run_one(scenario: Scenario, with_pvm: bool) -> Row:
    """Plays one scenario; whatever goes wrong becomes a line in its row."""
    row = Row(scenario)
    stage = Stage(scenario)
    started = time.monotonic()
    try:
        with within(ROW_LIMIT, "the scenario"):
            if not with_pvm:
                play_without_pvm(stage, row)
            else:
                (scenario.play or play)(stage, row)
    except (LabError, AssertionError, OSError) as error:
        row.problems.append(str(error))
    except Exception:  # a defect of the lab is a row that does not agree, not the end of the run
        row.problems.append(traceback.format_exc())
    row.seconds = time.monotonic() - started
    row.notes += stage.notes
    return row


COLUMNS = ("scenario", "predicted", "pvm said", "happened", "agree", "s")


def cells(row: Row) -> tuple[str, ...]:
    """The row as texts."""
    agree = "yes" if row.agrees() else "NO"
    return (row.scenario.name, row.predicted, row.said, row.happened, agree, f"{row.seconds:.0f}")


def aligned(lines: list[tuple[str, ...]]) -> str:
    """Lines of texts, in columns."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def report_row(row: Row, verbose: bool) -> None:
    """Prints a row that has been played."""
    head = f"{'ok  ' if row.agrees() else 'FAIL'} {row.scenario.name}: {row.scenario.title}"
    print(f"{head} ({row.seconds:.0f} s)", flush=True)
    for problem in row.problems:
        print(f"       {problem}", flush=True)
    if verbose or not row.agrees():
        for note in row.notes:
            print(f"       ({note})", flush=True)


def report_all(rows: list[Row], seconds: float) -> int:
    """Prints the table; 0 when every row agrees."""
    bad = [row for row in rows if not row.agrees()]
    count = f"{len(rows) - len(bad)} of {len(rows)} rows agree on {chosen()}"
    print(f"\n{aligned([COLUMNS, *map(cells, rows)])}\n\n{count}, {seconds:.0f} s")
    return 1 if bad else 0
