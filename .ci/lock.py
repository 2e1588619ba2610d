"""Renew requirements.lock: names and versions of everything `kgbuild[all,dev]` needs, as the installer resolves it today."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

HEADER = "# Names and versions only; renew with `make lock`. For Linux on x86-64, CPython 3.11 or newer.\n"


def main(target: Path) -> None:
    command = [
        sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--dry-run", "--ignore-installed",
        "--report", "-", ".[all,dev]",
    ]  # fmt: skip
    report = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    target.write_text(lock_of(json.loads(report)), "utf-8")


def lock_of(report: dict) -> str:
    found = {(item["metadata"]["name"], item["metadata"]["version"]) for item in report["install"]}
    pins = sorted(f"{re.sub(r'[-_.]+', '-', name).lower()}=={version}" for name, version in found if name != "kgbuild")
    return HEADER + "\n".join(pins) + "\n"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
