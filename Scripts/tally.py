"""Sums test runners into one line that cannot be green by accident.

Each argument is `name:exit status:file[,file...]`; the first file that exists is read as JUnit XML.
A runner whose file is missing or empty, or that failed without a failed test in its file (it
crashed), counts as one failure. Skipped tests are printed with their reason: a skip that nobody
reads is a test that nobody has.
"""

import os
import sys
import xml.etree.ElementTree as ElementTree


def count(name, status, files):
    """Returns (passed, failed, skipped, notes) of one runner."""
    present = [file for file in files if os.path.exists(file)]
    try:
        cases = list(ElementTree.parse(present[0]).iter("testcase")) if present else []
    except ElementTree.ParseError:
        cases = []
    passed, failed, skipped, notes = 0, 0, 0, []
    for case in cases:
        title = f"{case.get('classname')}: {case.get('name')}"
        skip = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
            notes.append(f"FAILED {name} {title}")
        elif skip is not None:
            skipped += 1
            reason = skip.get("message") or (skip.text or "").strip() or "no reason given"
            notes.append(f"SKIPPED {name} {title}: {reason}")
        else:
            passed += 1
    if not cases:
        failed += 1
        notes.append(f"FAILED {name}: the runner reported no test (exit status {status})")
    elif status != 0 and failed == 0:
        failed += 1
        notes.append(f"FAILED {name}: the runner ended with exit status {status} (a crash?)")
    return passed, failed, skipped, notes


def main(arguments):
    """Prints the notes, then the one line; answers the exit status."""
    totals = [0, 0, 0]
    for argument in arguments:
        name, status, files = argument.split(":", 2)
        *sums, notes = count(name, int(status), files.split(","))
        totals = [total + part for total, part in zip(totals, sums)]
        for note in notes:
            print(note)
    print("{} passed, {} failed, {} skipped".format(*totals))
    return 0 if totals[1] == 0 and totals[0] > 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
