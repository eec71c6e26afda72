"""Reads a google-benchmark report whose benchmarks are called THING/KIND and prints medians and ratios as a table.

The ratio is that of the two medians, dmmap / peer: below 1 dmmap is faster. Times are real times.
"""
import collections
import json
import statistics
import sys


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        report = json.load(file)
    times = collections.defaultdict(lambda: collections.defaultdict(list))
    unit = {"ns": 1e-3, "us": 1.0, "ms": 1e3, "s": 1e6}
    for row in report["benchmarks"]:
        if row["run_type"] != "iteration":
            continue
        thing, _, kind = row["run_name"].partition("/")
        times[thing][kind].append(row["real_time"] * unit[row["time_unit"]])
    print("| what | kind | median, us | min - max, us | ratio to peer |")
    print("| --- | --- | --- | --- | --- |")
    for thing, kinds in times.items():
        peers = [kind for kind in kinds if kind != "dmmap"]
        for kind, values in kinds.items():
            median = statistics.median(values)
            ratio = ""
            if kind == "dmmap" and peers:
                ratio = f"{median / statistics.median(kinds[peers[0]]):.3f}"
            print(f"| {thing} | {kind} | {median:.1f} | {min(values):.1f} - {max(values):.1f} | {ratio} |")


main()
