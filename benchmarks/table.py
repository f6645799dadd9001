"""The README's table of accuracy from the results: `python benchmarks/table.py`."""

import json
from pathlib import Path
from statistics import mean, stdev

HERE = Path(__file__).parent / "results"


def rows(name: str) -> list[dict]:
    return [json.loads(line) for line in (HERE / name).read_text(encoding="utf-8").splitlines()]


def spread(values: list[float]) -> str:
    return f"{mean(values):.3f}" + (f" ± {stdev(values):.3f}" if len(values) > 1 else "")


def accuracy() -> str:
    """Per case: seeds, best validation accuracy of the network, test accuracy, seconds of training."""
    lines = [
        "| case | seeds | validation | test | test, network alone | seconds of training |",
        "| --- |" + " --- |" * 5,
    ]
    newest = {(row["case"], row["seed"]): row for row in rows("accuracy.jsonl")}
    cases: dict[str, list[dict]] = {}
    for (case, _), row in newest.items():
        cases.setdefault(case, []).append(row)
    for case, own in cases.items():
        tests = [row["metrics"]["test"] for row in own if "test" in row["metrics"]]
        alone = [t["network_accuracy"] for t in tests if "network_accuracy" in t]
        cells = [
            spread([row["best_epoch_validation_accuracy"] for row in own]),
            spread([t["accuracy"] for t in tests]) if tests else "-",
            spread(alone) if alone else "-",
            f"{mean(row['seconds_training'] for row in own):.0f}",
        ]
        lines.append(f"| {case} | {len(own)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def peers() -> str:
    """Test accuracy of the peers by data set."""
    table: dict[str, dict[str, float]] = {}
    for row in rows("peers.jsonl"):
        table.setdefault(row["peer"], {})[row["set"]] = row["test_accuracy"]
    sets = list(next(iter(table.values())))
    lines = [f"| | {' | '.join(sets)} |", "| --- |" + " --- |" * len(sets)]
    lines += [
        f"| {peer} | {' | '.join('failed' if own[s] is None else f'{own[s]:.3f}' for s in sets)} |"
        for peer, own in table.items()
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    print(accuracy(), peers(), sep="\n\n")
