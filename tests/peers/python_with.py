"""Which Python runs a peer test: this one where it has the packages, otherwise the one that CAIRN_PYTHON names."""

import importlib
import os
import sys


def require(*packages):
    """Returns when all packages can be imported; otherwise starts the script anew, once, or ends it as skipped (77)."""
    try:
        for package in packages:
            importlib.import_module(package)
    except ImportError:
        other = os.environ.get("CAIRN_PYTHON", "")
        if other and os.path.exists(other):
            os.environ["CAIRN_PYTHON"] = ""  # once
            os.execv(other, [other, *sys.argv])
        print(f"skipped: this Python has no {packages[0]}; set CAIRN_PYTHON to one that has")
        sys.exit(77)
