#!/usr/bin/env python3
"""docs/run-file.md is what the program prints, and every recipe can be planned.

    tests/bad_input/documentation_test.py build/release/cairn [source folder]
"""
import json
import os
import subprocess
import sys
import tempfile

import fixtures

PARAMETERS = {"apertus-8b.toml": 8_053_338_176, "apertus-70b.toml": 70_599_864_480}


def output(*command, **options):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, **options).stdout.decode()


def main():
    cairn = os.path.abspath(sys.argv[1])
    root = os.path.abspath(sys.argv[2] if len(sys.argv) > 2 else ".")
    with open(os.path.join(root, "docs/run-file.md"), encoding="utf-8") as page:
        if page.read() != output(cairn, "config", "explain", "--markdown"):
            sys.exit("FAILED: docs/run-file.md is not current; run\n"
                     "  cairn config explain --markdown > docs/run-file.md")
    recipes = sorted(name for name in os.listdir(os.path.join(root, "recipes")) if name.endswith(".toml"))
    with tempfile.TemporaryDirectory() as work:
        fixtures.write_good_files(work)
        for recipe in recipes:
            path = os.path.join(root, "recipes", recipe)
            plan = json.loads(output(cairn, "plan", "--json", path, "--set", "tokenizer.file=tokenizer.json", cwd=work))
            shown = output(cairn, "config", "show", path)
            with open(os.path.join(work, recipe), "w", encoding="utf-8") as again:
                again.write(shown)
            if output(cairn, "config", "diff", path, os.path.join(work, recipe)) != "":
                sys.exit(f"FAILED: {recipe} as `cairn config show` prints it is another configuration")
            if recipe in PARAMETERS and plan["parameters"]["total"] != PARAMETERS[recipe]:
                sys.exit(f"FAILED: {recipe} has {plan['parameters']['total']} parameters")
    print(f"docs/run-file.md is current, {len(recipes)} recipes plan")


if __name__ == "__main__":
    main()
