#!/usr/bin/env python3
"""Draws the loss curve of a run folder: on the terminal and as an SVG file. Plain Python.

    scripts/plot_loss.py RUN [--svg loss.svg] [--title TEXT] [--beside OTHER_RUN] [--width 72] [--height 18]

--beside draws the curves of a second run, dashed, into the SVG. Reads RUN/metrics/train.jsonl and eval.jsonl. When a step was done twice (after a crash), the last one counts.
"""

import argparse
import json
import math
import os
import sys
from xml.sax.saxutils import escape

INK, MUTED, GRID, PAPER = "#1f2328", "#59636e", "#e4e8ec", "#ffffff"
TRAIN, HELD_OUT = "#2f6fb0", "#c4511d"
BESIDE = "#1a7f5a"


def read_lines(path):
    if not os.path.exists(path):
        return []
    records = []
    with open(path, encoding="utf-8") as file:
        for line in file:
            try:
                records.append(json.loads(line))
            except ValueError:
                continue  # the line a killed process was writing
    return records


def load(run):
    """train: [(tokens, loss)] by step; held_out: {set: [(tokens, loss)]}; resumed: tokens at which an attempt began."""
    steps, resumed = {}, []
    attempt = None
    for record in read_lines(os.path.join(run, "metrics", "train.jsonl")):
        if record.get("loss") is None:
            continue
        if attempt is not None and record["attempt"] != attempt:
            resumed.append(record["consumed_tokens"])
        attempt = record["attempt"]
        steps[record["step"]] = (record["consumed_tokens"], record["loss"])
    held_out = {}
    for record in read_lines(os.path.join(run, "metrics", "eval.jsonl")):
        if record.get("loss") is not None:
            tokens = steps[record["step"]][0] if record["step"] in steps else 0
            held_out.setdefault(record["set"], {})[record["step"]] = (tokens, record["loss"])
    return ([steps[step] for step in sorted(steps)],
            {name: [points[step] for step in sorted(points)] for name, points in held_out.items()}, resumed)


def mean_curve(held_out):
    """The mean over all sets at the steps that every set has."""
    common = None
    for points in held_out.values():
        tokens = {t for t, _ in points}
        common = tokens if common is None else common & tokens
    by_set = [dict(points) for points in held_out.values()]
    return [(t, sum(points[t] for points in by_set) / len(by_set)) for t in sorted(common or ())]


def smooth(points, share=0.02):
    """Mean over a centred window of +- share of all points, narrower at the ends."""
    reach = max(1, int(share * len(points)))
    out = []
    for i, (x, _) in enumerate(points):
        near = min(reach, i, len(points) - 1 - i)
        out.append((x, sum(y for _, y in points[i - near:i + near + 1]) / (2 * near + 1)))
    return out


def ticks(low, high, wanted):
    span = max(high - low, 1e-9)
    step = 10 ** math.floor(math.log10(span / wanted))
    step *= min((m for m in (1, 2, 5, 10) if span / (step * m) <= wanted), default=10)
    first = math.ceil(low / step - 1e-9)
    return [first * step + i * step for i in range(int((high - first * step) / step + 1e-9) + 1)]


def tokens_text(tokens):
    for unit, name in ((1e9, " B"), (1e6, " M"), (1e3, " k")):
        if tokens >= unit:
            return f"{round(tokens / unit, 2):g}{name}"
    return f"{tokens:g}"


def terminal(train, held_out, width, height):
    low = min(y for _, y in train + held_out)
    high = max(y for _, y in train + held_out)
    right = train[-1][0]
    rows = [[" "] * width for _ in range(height)]

    def put(points, mark):
        for x, y in points:
            column = min(width - 1, int(x / right * (width - 1) + 0.5))
            row = min(height - 1, int((high - y) / max(high - low, 1e-9) * (height - 1) + 0.5))
            rows[row][column] = mark
    put(train, ".")
    put(smooth(train), "*")
    put(held_out, "o")
    lines = ["loss, nats/token   . step   * smoothed   o held out (mean over languages)"]
    for index, row in enumerate(rows):
        y = high - (high - low) * index / (height - 1)
        lines.append(f"{y:6.2f} |" + "".join(row).rstrip())
    lines.append("       +" + "-" * width)
    end = f"{tokens_text(right)} tokens"
    lines.append("        0" + " " * (width - 1 - len(end)) + end)
    return "\n".join(lines)


def path_of(points, x_of, y_of):
    return "M" + " L".join(f"{x_of(x):.1f},{y_of(y):.1f}" for x, y in points)


def name_of(run):
    return os.path.basename(os.path.abspath(run))


def last_mean(train):
    last = train[-len(train) // 25 - 1:]
    return sum(y for _, y in last) / len(last)


def svg(train, held_out, resumed, title, beside=None):
    """beside: (name, train, held_out) of another run, or None."""
    width, height = 860, 440
    left, right, top, bottom = 58, width - 170, 46, height - 48
    mean = mean_curve(held_out)
    losses = [y for _, y in train] + [y for points in held_out.values() for _, y in points]
    if beside:
        losses += [y for _, y in smooth(beside[1])]
    low, high = min(losses), max(losses)
    low, high = low - 0.05 * (high - low), high + 0.05 * (high - low)
    last = train[-1][0]

    def x_of(tokens):
        return left + (right - left) * tokens / last

    def y_of(loss):
        return top + (bottom - top) * (high - loss) / (high - low)

    def label(x, y, text, anchor="start", color=MUTED, size=12, extra=""):
        return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{color}" font-size="{size}"{extra}>'
                f"{escape(text)}</text>")

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
           'font-family="system-ui, sans-serif" role="img">',
           f"<title>{escape(title)}</title>",
           f'<rect width="{width}" height="{height}" fill="{PAPER}"/>',
           label(left, 20, title, color=INK, size=15, extra=' font-weight="600"')]
    for y in ticks(low, high, 6):
        out.append(f'<line x1="{left}" x2="{right}" y1="{y_of(y):.1f}" y2="{y_of(y):.1f}" stroke="{GRID}"/>')
        out.append(label(left - 8, y_of(y) + 4, f"{y:g}", "end"))
    for x in ticks(0, last, 6):
        out.append(label(x_of(x), bottom + 20, tokens_text(x), "middle"))
    out.append(label((left + right) / 2, height - 8, "tokens trained on", "middle"))
    out.append(label(left - 40, top - 8, "loss, nats per token"))
    out.append(f'<line x1="{left}" x2="{right}" y1="{bottom}" y2="{bottom}" stroke="{MUTED}"/>')
    for tokens in resumed:
        x = x_of(tokens)
        out.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{bottom}" stroke="{MUTED}" stroke-dasharray="3 4"/>')
        out.append(label(x + 5, top + 12, "killed, resumed", size=11))
    out.append(f'<path d="{path_of(train, x_of, y_of)}" fill="none" stroke="{TRAIN}" stroke-width="1" opacity="0.3"/>')
    for points in held_out.values():
        if len(points) > 1:
            out.append(f'<path d="{path_of(points, x_of, y_of)}" fill="none" stroke="{HELD_OUT}" stroke-width="1" '
                       'opacity="0.28"/>')
    smoothed = smooth(train)
    out.append(f'<path d="{path_of(smoothed, x_of, y_of)}" fill="none" stroke="{TRAIN}" stroke-width="2"/>')
    digits = 3 if beside else 2
    ends = [(last_mean(train), f"training {last_mean(train):.{digits}f}", TRAIN)]
    if mean:
        out.append(f'<path d="{path_of(mean, x_of, y_of)}" fill="none" stroke="{HELD_OUT}" stroke-width="2"/>')
        out += [f'<circle cx="{x_of(x):.1f}" cy="{y_of(y):.1f}" r="3" fill="{HELD_OUT}"/>' for x, y in mean]
        ends.append((mean[-1][1], f"held out, mean {mean[-1][1]:.{digits}f}", HELD_OUT))
    if beside:
        name, other, other_held_out = beside
        curves = [("training", smooth(other), last_mean(other))]
        other_mean = mean_curve(other_held_out)
        if other_mean:
            curves.append(("held out", other_mean, other_mean[-1][1]))
        for what, points, end in curves:
            out.append(f'<path d="{path_of(points, x_of, y_of)}" fill="none" stroke="{BESIDE}" stroke-width="1.5" '
                       'stroke-dasharray="5 4"/>')
            ends.append((end, f"{name}, {what} {end:.{digits}f}", BESIDE))
    ends.sort(reverse=True)
    previous = -100.0
    for y, text, color in ends:
        previous = max(y_of(y) + 4, previous + 17)
        out.append(label(right + 8, previous, text, color=color, size=13))
    out.append("</svg>")
    return "\n".join(out) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run")
    parser.add_argument("--svg")
    parser.add_argument("--title", default="")
    parser.add_argument("--beside")
    parser.add_argument("--width", type=int, default=72)
    parser.add_argument("--height", type=int, default=16)
    arguments = parser.parse_args()
    train, held_out, resumed = load(arguments.run)
    if len(train) < 2:
        print(f"plot_loss.py: {arguments.run}/metrics/train.jsonl has no two steps yet", file=sys.stderr)
        return 66
    print(terminal(train, mean_curve(held_out), arguments.width, arguments.height))
    if arguments.svg:
        title = arguments.title or name_of(arguments.run)
        beside = arguments.beside and (name_of(arguments.beside), *load(arguments.beside)[:2])
        with open(arguments.svg, "w", encoding="utf-8") as file:
            file.write(svg(train, held_out, resumed, title, beside))
    return 0


if __name__ == "__main__":
    sys.exit(main())
