"""What a prediction is worth beside what happened, and the table of it."""

from collections import Counter

VERDICTS = ("agree", "false ok", "false no", "unknown", "void")


def judge(predicted: str, outcome: str) -> str:
    """The verdict on a prediction."""
    if predicted in ("compatible", "warnings"):
        return "agree" if outcome == "moved" else "false ok"
    if predicted == "incompatible":
        return "false no" if outcome == "moved" else "agree"
    return "unknown"


def brief(row: dict) -> str:
    """One line about a case."""
    what = "; ".join(f"{name}: {label}" for name, label in row["mutations"])
    head = f"{row['case']:8} {row['pair']:12}"
    if row["verdict"] == "void":
        return f"{head} void      {what[:150]} -- {row['why'][-160:]}"
    codes = ",".join(f"{code}:{result[0]}" for code, result, _ in row["full"]["codes"] if result != "info")
    truth = row["truth"]
    happened = " ".join(str(truth[key]) for key in ("outcome", "broken", "losses") if key in truth)
    said = truth["said"][-200:].replace("\n", " ")
    both = f"{row['verdict']:9}/{row['verdict_libvirt']:9}"
    return f"{head} {both} {row['full']['verdict']}[{codes}] -> {happened} | {what[:220]} | {said} ({row['seconds']} s)"


def table(rows: list[dict]) -> str:
    """Cases by verdict, for both kinds of facts."""
    lines = [
        "| facts | agree | false ok | false no | unknown | void | played |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for key, facts in (("verdict", "full"), ("verdict_libvirt", "libvirt only")):
        count = Counter(row.get(key, "void") for row in rows)
        cells = " | ".join(str(count[verdict]) for verdict in VERDICTS)
        lines.append(f"| {facts} | {cells} | {len(rows) - count['void']} |")
    return "\n".join(lines)
