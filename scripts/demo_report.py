#!/usr/bin/env python3
"""What a run did, from RUN/metrics: steps, tokens, speed, losses per data set. Plain Python.

    scripts/demo_report.py RUN
"""

import argparse
import json
import math
import os
import statistics
import sys


def read_lines(path):
    records = []
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            for line in file:
                try:
                    records.append(json.loads(line))
                except ValueError:
                    continue  # the line a killed process was writing
    return records


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run")
    arguments = parser.parse_args()
    all_steps = read_lines(os.path.join(arguments.run, "metrics", "train.jsonl"))
    if not all_steps:
        print(f"demo_report.py: {arguments.run} has no metrics", file=sys.stderr)
        return 66
    steps = {record["step"]: record for record in all_steps}
    ordered = [steps[step] for step in sorted(steps)]
    last = ordered[-1]
    tail = ordered[-max(1, len(ordered) // 20):]
    print(f"steps          {last['step']} of {last['num_steps']}, in {last['attempt']} starts; "
          f"{len(all_steps) - len(ordered)} steps done again after the kill")
    print(f"tokens         {last['consumed_tokens']:,}")
    print(f"speed          {statistics.median(r['tokens_per_s'] for r in ordered):,.0f} tokens/s, "
          f"{statistics.median(r['tflops'] for r in ordered):.4f} TFLOP/s, "
          f"{100 * statistics.median(r['mfu'] for r in ordered):.1f} % of the peak measured at start (medians)")
    parts = {name: sum(r[name] for r in ordered) for name in ("data_ms", "forward_ms", "backward_ms", "optimizer_ms")}
    whole = sum(r["step_ms"] for r in ordered)
    print("time           " + ", ".join(f"{name[:-3]} {100 * value / whole:.0f} %" for name, value in parts.items()))
    waits = [r["data_ms"] for r in ordered]
    print(f"wait for data  {statistics.median(waits):.2f} ms of {statistics.median(r['step_ms'] for r in ordered):.0f} ms a "
          f"step in the median, {max(waits):.2f} ms at most")
    print(f"allocations    {sum(r['step_allocations'] for r in ordered)} inside steps")
    print(f"training loss  {ordered[0]['loss']:.3f} at the first step, {statistics.mean(r['loss'] for r in tail):.3f} over "
          f"the last {len(tail)} (nats/token)")
    print(f"sample chain   {last['sample_chain']}")
    evaluations = {}
    for record in read_lines(os.path.join(arguments.run, "metrics", "eval.jsonl")):
        evaluations.setdefault(record["set"], {})[record["step"]] = record
    if evaluations:
        print(f"\n{'held out':<16} {'first':>7} {'last':>7} {'perplexity':>11} {'accuracy':>9}")
        for name, by_step in evaluations.items():
            first, end = by_step[min(by_step)], by_step[max(by_step)]
            print(f"{name:<16} {first['loss']:7.3f} {end['loss']:7.3f} {math.exp(end['loss']):11.1f} "
                  f"{100 * end['accuracy']:8.1f}%")
    return 0


if __name__ == "__main__":
    sys.exit(main())
