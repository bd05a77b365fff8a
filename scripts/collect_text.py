#!/usr/bin/env python3
"""Makes the demo's text from documentation packages that Debian installs below /usr/share/doc.

    scripts/collect_text.py --out build/demo/text [--languages en,de,...] [--max-bytes 900000] [--docs /usr/share/doc]

Writes LANGUAGE.train.jsonl and LANGUAGE.heldout.jsonl, one page per line as {"text": ...}, and a table of packages,
versions, licences and sizes. About one page in twelve is held out, the same page in all languages, so that no translation
of a held-out page is trained on. Paragraphs that a translation leaves in English are dropped. Plain Python, no network.
"""

import argparse
import hashlib
import html.parser
import json
import os
import re
import subprocess
import sys

# Language, folder in each package, and the script its text must contain (None: Latin letters).
LANGUAGES = {
    "en": ("en-US", "en", None),
    "de": ("de-DE", "de", None),
    "fr": ("fr-FR", "fr", None),
    "es": ("es-ES", "es", None),
    "it": ("it-IT", "it", None),
    "pt": ("pt-BR", "pt", None),
    "pl": ("pl-PL", None, None),
    "ru": ("ru-RU", "ru", "\u0400-\u04ff"),
    "ar": ("ar-MA", None, "\u0600-\u06ff"),
    "ja": ("ja-JP", "ja", "\u3040-\u30ff\u4e00-\u9fff"),
    "ko": ("ko-KR", "ko", "\uac00-\ud7af"),
    "zh": ("zh-CN", "zh_CN", "\u4e00-\u9fff"),
}
NAMES = {"en": "English", "de": "German", "fr": "French", "es": "Spanish", "it": "Italian", "pt": "Portuguese",
         "pl": "Polish", "ru": "Russian", "ar": "Arabic", "ja": "Japanese", "ko": "Korean", "zh": "Chinese"}
PACKAGES = {
    "debian-handbook": "GPL-2+ or CC-BY-SA-3.0",
    "installation-guide-amd64": "GPL-2",
}

BLOCKS = {"p", "li", "dd", "dt", "td", "h1", "h2", "h3", "h4", "h5", "div", "body", "tr", "table", "ul", "ol", "dl"}
SKIPPED_TAGS = {"script", "style", "pre", "head", "title", "textarea"}
SKIPPED_CLASSES = {"docnav", "toc", "navheader", "navfooter", "titlepage-info", "screen", "programlisting", "index",
                   "indexdiv", "revhistory", "legalnotice", "list-of-tables", "list-of-figures", "list-of-examples"}
VOID = {"br", "hr", "img", "link", "meta", "input", "col", "area", "base"}


class PageText(html.parser.HTMLParser):
    """The paragraphs of a page: text between block boundaries, without navigation, listings and indices."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.paragraphs = []
        self.pieces = []
        self.open = []  # (tag, was it skipped)
        self.num_skipped = 0

    def handle_starttag(self, tag, attributes):
        if tag in VOID:
            if tag == "br":
                self.pieces.append(" ")
            return
        if tag in BLOCKS:
            self.flush()
        values = dict(attributes)
        classes = set((values.get("class") or "").split())
        is_skipped = (tag in SKIPPED_TAGS or bool(classes & SKIPPED_CLASSES)
                      or values.get("id") in ("banner", "title"))
        self.num_skipped += is_skipped
        self.open.append((tag, is_skipped))

    def handle_endtag(self, tag):
        if tag not in (name for name, _ in self.open):
            return
        if tag in BLOCKS:
            self.flush()
        while self.open:
            name, is_skipped = self.open.pop()
            self.num_skipped -= is_skipped
            if name == tag:
                break

    def handle_data(self, data):
        if self.num_skipped == 0:
            self.pieces.append(data)

    def flush(self):
        text = re.sub(r"\s+", " ", "".join(self.pieces)).strip()
        self.pieces = []
        if text:
            self.paragraphs.append(text)


def paragraphs_of(path):
    with open(path, encoding="utf-8", errors="strict") as file:
        page = PageText()
        page.feed(file.read())
        page.close()
        page.flush()
        return page.paragraphs


def pages(docs, package, folder):
    """(page name, path), sorted by name."""
    base = os.path.join(docs, package, "html", folder) if package == "debian-handbook" else os.path.join(docs, package, folder)
    if not os.path.isdir(base):
        return []
    return [(f"{package}/{name}", os.path.join(base, name)) for name in sorted(os.listdir(base))
            if name.endswith(".html") and name not in ("index.html", "ix01.html")]


def is_held_out(page):
    return int(hashlib.sha256(f"4{page}".encode()).hexdigest(), 16) % 12 == 0


def collect(docs, language, english):
    """[(page, text)] of one language; `english` holds the paragraphs that a translation must not repeat."""
    handbook, guide, script = LANGUAGES[language]
    documents = []
    for package, folder in (("debian-handbook", handbook), ("installation-guide-amd64", guide)):
        for page, path in pages(docs, package, folder) if folder else []:
            kept = []
            for text in paragraphs_of(path):
                if len(text) < 20 and not (script and len(text) >= 8):
                    continue
                if language == "en":
                    english.add(text)
                elif text in english:
                    continue
                letters = sum(c.isalpha() for c in text)
                if letters * 2 < len(text):
                    continue
                if script and len(re.findall(f"[{script}]", text)) * 4 < letters:
                    continue
                kept.append(text)
            if sum(len(text) for text in kept) >= 200:
                documents.append((page, "\n\n".join(kept)))
    return documents


def cap(documents, max_bytes):
    """Whole pages, spread over the books by a hash of their name, until the bytes are used up."""
    used = 0
    chosen = []
    for page, text in sorted(documents, key=lambda d: hashlib.sha256(b"order" + d[0].encode()).digest()):
        size = len(text.encode())
        if used + size <= max_bytes:
            chosen.append((page, text))
            used += size
    return chosen


def version_of(package):
    result = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True)
    return result.stdout if result.returncode == 0 else "not installed"


def write_lines(path, documents):
    with open(path + ".new", "w", encoding="utf-8") as file:
        for _, text in documents:
            file.write(json.dumps({"text": text}, ensure_ascii=False) + "\n")
    os.replace(path + ".new", path)
    return sum(len(text.encode()) for _, text in documents)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", required=True)
    parser.add_argument("--docs", default="/usr/share/doc")
    parser.add_argument("--languages", default=",".join(LANGUAGES))
    parser.add_argument("--max-bytes", type=int, default=900_000, help="of text per language")
    arguments = parser.parse_args()
    languages = arguments.languages.split(",")
    unknown = [language for language in languages if language not in LANGUAGES]
    if unknown:
        parser.error(f"unknown languages {unknown}; known: {', '.join(LANGUAGES)}")
    os.makedirs(arguments.out, exist_ok=True)
    print(f"{'package':<26} {'version':<18} licence")
    for package, licence in PACKAGES.items():
        print(f"{package:<26} {version_of(package):<18} {licence}")
    print(f"\n{'language':<12} {'train pages':>11} {'kB':>6} {'held-out pages':>15} {'kB':>6}")
    english = set()
    collect(arguments.docs, "en", english)
    for language in languages:
        documents = collect(arguments.docs, language, english)
        held_out = cap([d for d in documents if is_held_out(d[0])], arguments.max_bytes // 10)
        train = cap([d for d in documents if not is_held_out(d[0])], arguments.max_bytes)
        if not train or not held_out:
            print(f"collect_text.py: no text in {NAMES[language]}: are the packages {', '.join(PACKAGES)} installed "
                  "with their documentation (path-exclude in /etc/dpkg/dpkg.cfg.d)?", file=sys.stderr)
            return 66
        path = os.path.join(arguments.out, language)
        train_bytes = write_lines(path + ".train.jsonl", train)
        held_out_bytes = write_lines(path + ".heldout.jsonl", held_out)
        print(f"{NAMES[language]:<12} {len(train):>11} {train_bytes // 1000:>6} {len(held_out):>15} {held_out_bytes // 1000:>6}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
