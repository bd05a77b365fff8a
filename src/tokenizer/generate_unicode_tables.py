#!/usr/bin/env python3
"""Writes unicode_category_table.cc, unicode_class_table.cc and unicode_normal_table.cc beside this file.

Needs the package unicodedata2, version 16.0.0 (the Unicode version of the reference's patterns):
    pip install unicodedata2==16.0.0 && python3 generate_unicode_tables.py && clang-format -i unicode_*_table.cc
"""

import pathlib
import textwrap

import unicodedata2 as unicode

BLOCK = 128
CLASS_END = 0x33000  # no letter, number or space lies beyond; the only marks there are the variation selectors
VARIATION_SELECTORS = range(0xE0100, 0xE01F0)
SPACES = {*range(0x09, 0x0E), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000}
# Word characters that are neither letters, marks, digits nor connectors: join controls and the circled,
# squared letters that have the property Alphabetic.
EXTRA_WORD = {0x200C, 0x200D, *range(0x24B6, 0x24EA), *range(0x1F130, 0x1F14A), *range(0x1F150, 0x1F16A),
              *range(0x1F170, 0x1F18A)}
# The reference normalises by Unicode 9. A character never changes its normal form once it is assigned, so the
# Unicode 16 data without the characters assigned since then is the same. These are the ones that matter.
NEWER_THAN_NORMALIZER = [
    (0x7FD, 0x7FD), (0x897, 0x89F), (0x8CA, 0x8D3), (0x9FE, 0x9FE), (0xC3C, 0xC3C), (0xD3B, 0xD3C), (0xEBA, 0xEBA),
    (0x1715, 0x1715), (0x1ABF, 0x1ACE), (0x1DF6, 0x1DFA), (0xA82C, 0xA82C), (0x105C9, 0x105C9), (0x105E4, 0x105E4),
    (0x10D24, 0x10D27), (0x10D69, 0x10D6D), (0x10EAB, 0x10EAC), (0x10EFD, 0x10EFF), (0x10F46, 0x10F50),
    (0x10F82, 0x10F85), (0x11070, 0x11070), (0x1133B, 0x1133B), (0x11383, 0x11383), (0x11385, 0x11385),
    (0x1138E, 0x1138E), (0x11391, 0x11391), (0x113C5, 0x113C5), (0x113C7, 0x113C8), (0x113CE, 0x113D0),
    (0x1145E, 0x1145E), (0x11839, 0x1183A), (0x11938, 0x11938), (0x1193D, 0x1193E), (0x11943, 0x11943),
    (0x119E0, 0x119E0), (0x11A34, 0x11A34), (0x11A47, 0x11A47), (0x11A99, 0x11A99), (0x11D42, 0x11D42),
    (0x11D44, 0x11D45), (0x11D97, 0x11D97), (0x11F41, 0x11F42), (0x16121, 0x16128), (0x1612F, 0x1612F),
    (0x16D68, 0x16D6A), (0x16FF0, 0x16FF1), (0x1E08F, 0x1E08F), (0x1E130, 0x1E136), (0x1E2AE, 0x1E2AE),
    (0x1E2EC, 0x1E2EF), (0x1E4EC, 0x1E4EF), (0x1E5EE, 0x1E5EF),
]
NEWER = {c for first, last in NEWER_THAN_NORMALIZER for c in range(first, last + 1)}
HEADER = "// Made by generate_unicode_tables.py from Unicode 16. Do not edit.\n"


def code_points():
    return (c for c in range(0x110000) if not 0xD800 <= c < 0xE000)


def combining(c):
    return 0 if c in NEWER else unicode.combining(chr(c))


def decomposition(c):
    """The canonical decomposition of one step: 1 or 2 code points, or none. Hangul is arithmetic."""
    text = unicode.decomposition(chr(c))
    if not text or text.startswith("<") or c in NEWER or 0xAC00 <= c < 0xD7A4:
        return []
    return [int(part, 16) for part in text.split()]


def is_excluded(c):
    """A pair that decomposes but never composes again."""
    return unicode.normalize("NFC", chr(c)) != chr(c)


def flags(c, inert):
    category = unicode.category(chr(c))
    is_word = category[0] in "LM" or category in ("Nl", "Nd", "Pc") or c in EXTRA_WORD
    return (
        (category[0] == "L") << 0 | (category[0] == "N") << 1 | (c in SPACES) << 2
        | (category in ("Lu", "Lt", "Lm", "Lo") or category[0] == "M") << 3
        | (category in ("Ll", "Lm", "Lo") or category[0] == "M") << 4
        | is_word << 5 | (c in inert) << 6
    )


def normalization():
    singles = {c: decomposition(c) for c in code_points() if decomposition(c)}
    pairs = {tuple(d): c for c, d in singles.items() if len(d) == 2 and not is_excluded(c)}
    classes = {c: combining(c) for c in code_points() if combining(c)}
    seconds = {b for _, b in pairs} | set(range(0x1161, 0x1176)) | set(range(0x11A8, 0x11C3))
    composable = {c for d, c in pairs.items()}
    changing = {c for c in singles if c not in composable}
    # Inert: normal by itself, combining class 0, and nothing before it can swallow it.
    not_inert = set(classes) | seconds | changing
    return singles, pairs, classes, not_inert


def write_classes(folder, not_inert):
    inert = {c for c in code_points() if c not in not_inert}
    values = [flags(c, inert) if not 0xD800 <= c < 0xE000 else 1 << 6 for c in range(CLASS_END)]
    plain = 1 << 6
    mark = flags(0xE0100, inert)
    for c in code_points():
        if c >= CLASS_END:
            expected = mark if c in VARIATION_SELECTORS else plain
            assert flags(c, inert) == expected, hex(c)
    kinds = sorted(set(values))
    assert len(kinds) <= 26
    letters = {kind: chr(ord("a") + i) for i, kind in enumerate(kinds)}
    blocks, stage = [], []
    for start in range(0, CLASS_END, BLOCK):
        block = "".join(letters[v] for v in values[start : start + BLOCK])
        if block not in blocks:
            blocks.append(block)
        stage.append(blocks.index(block))
    assert len(blocks) <= 256
    half = BLOCK // 2
    lines = [HEADER, '#include "tokenizer/unicode.h"\n', "namespace cairn::tokenizer::unicode_table {", "namespace {\n"]
    lines.append("// Flags of each kind of code point; kinds are the letters a, b, ... of kBlockKinds.")
    lines.append("constexpr std::uint8_t kKindFlags[] = {%s};\n" % ", ".join(map(str, kinds)))
    lines.append("constexpr char kBlockKinds[] =")
    lines += ['    "%s"\n    "%s"' % (b[:half], b[half:]) for b in blocks]
    lines[-1] += ";\n"
    lines.append("constexpr BlockFlags expand_kinds() {\nBlockFlags flags{};")
    lines.append("static_assert(sizeof(kBlockKinds) == flags.size() + 1);")
    lines.append("for (std::size_t i = 0; i < flags.size(); ++i) {\nflags[i] = kKindFlags[kBlockKinds[i] - 'a'];\n}")
    lines.append("return flags;\n}\n\n}  // namespace\n")
    lines.append("constinit const BlockFlags kBlockFlags = expand_kinds();\n")
    lines.append("// Block of %d code points -> number of its contents in kBlockFlags." % BLOCK)
    lines.append("const std::uint8_t kBlockNumbers[%d] = {%s};\n" % (len(stage), ", ".join(map(str, stage))))
    lines.append("const std::uint8_t kPlainFlags = %d;" % plain)
    lines.append("const std::uint8_t kVariationSelectorFlags = %d;\n" % mark)
    lines.append("}  // namespace cairn::tokenizer::unicode_table")
    (folder / "unicode_class_table.cc").write_text("\n".join(lines) + "\n")


def table(declaration, rows):
    body = textwrap.fill(", ".join("{%d, %d, %d}" % tuple(row) for row in rows).replace(", {", ",\n{"), 10**9)
    body = textwrap.fill(body.replace(", ", ",\x00").replace("},\x00", "}, "), 108, break_long_words=False)
    return "const %s[] = {\n%s};" % (declaration, body.replace("\x00", " "))


def write_normalization(folder, singles, pairs, classes):
    runs = []
    for c, value in sorted(classes.items()):
        if runs and runs[-1][1] == c - 1 and runs[-1][2] == value:
            runs[-1][1] = c
        else:
            runs.append([c, c, value])
    rows = sorted((c, d[0], d[1] if len(d) == 2 else 0) for c, d in singles.items())
    composed = sorted((d[0], d[1], c) for d, c in pairs.items())
    lines = [HEADER, '#include "tokenizer/unicode.h"\n', "// clang-format off"]
    lines.append("namespace cairn::tokenizer::unicode_table {\n")
    lines.append("// First and last code point, canonical combining class; sorted.")
    lines.append(table("CombiningRun kCombiningRuns", runs))
    lines.append("const std::size_t kNumCombiningRuns = %d;\n" % len(runs))
    lines.append("// Code point, its one-step canonical decomposition (second 0 when it is one); sorted.")
    lines.append(table("Triple kDecompositions", rows))
    lines.append("const std::size_t kNumDecompositions = %d;\n" % len(rows))
    lines.append("// First, second, what they compose to; sorted.")
    lines.append(table("Triple kCompositions", composed))
    lines.append("const std::size_t kNumCompositions = %d;\n" % len(composed))
    lines.append("}  // namespace cairn::tokenizer::unicode_table")
    (folder / "unicode_normal_table.cc").write_text("\n".join(lines) + "\n")


def write_categories(folder):
    categories = [unicode.category(chr(c)) for c in range(0x110000)]
    names = sorted(set(categories))
    assert len(names) <= 32
    starts = [c for c in range(0x110000) if c == 0 or categories[c] != categories[c - 1]]
    runs = textwrap.fill(", ".join(str(c << 5 | names.index(categories[c])) for c in starts), 108)
    lines = [HEADER, '#include "tokenizer/code_point_set.h"\n', "// clang-format off"]
    lines.append("namespace cairn::tokenizer::unicode_table {\n")
    lines.append("// General categories, numbered in this order.")
    lines.append("const std::array<std::string_view, %d> kCategoryNames = {" % len(names))
    lines.append(textwrap.fill(", ".join('"%s"' % name for name in names), 108) + "};\n")
    lines.append("// First code points of the runs of one category, times 32, plus the category; sorted.")
    lines.append("const std::array<std::uint32_t, %d> kCategoryRuns = {\n%s};\n" % (len(starts), runs))
    lines.append("}  // namespace cairn::tokenizer::unicode_table")
    (folder / "unicode_category_table.cc").write_text("\n".join(lines) + "\n")


def main():
    assert unicode.unidata_version == "16.0.0", unicode.unidata_version
    folder = pathlib.Path(__file__).parent
    singles, pairs, classes, not_inert = normalization()
    write_classes(folder, not_inert)
    write_normalization(folder, singles, pairs, classes)
    write_categories(folder)


if __name__ == "__main__":
    main()
