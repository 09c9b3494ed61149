"""``python -m tests.support.slowest FILE…``: how many tests ran, and the ten slowest, from pytest's JUnit files."""

from __future__ import annotations

import sys
from xml.etree import ElementTree

SHOWN = 10


def main(files: list[str]) -> None:
    """Print them."""
    cases = [case for file in files for case in ElementTree.parse(file).iter("testcase")]  # noqa: S314 - our own
    timed = sorted(((float(case.get("time", 0)), case) for case in cases), key=lambda timed: -timed[0])
    skipped = sum(case.find("skipped") is not None for case in cases)
    failed = sum(case.find("failure") is not None or case.find("error") is not None for case in cases)
    print(f"{len(cases) - failed - skipped} passed, {failed} failed, {skipped} skipped. The slowest:")
    for seconds, case in timed[:SHOWN]:
        print(f"{seconds:7.1f} s  {case.get('classname')}::{case.get('name')}")


if __name__ == "__main__":
    main(sys.argv[1:])
