#!/usr/bin/env python3
"""Counts what ctest reported, and lets nothing be skipped quietly.

A test that did not run counts as failed, unless its output says in a line with the word
"processor" why this processor cannot run it. Within a passed test the same holds for GoogleTest
cases that were skipped.

usage: tally.py JUNIT_XML...     prints what failed, then "N passed, N failed"; exits 1 if any did
       tally.py --self-test
"""

import pathlib
import re
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

PROCESSOR = re.compile(r"^.*\bprocessor\b.*$", re.IGNORECASE | re.MULTILINE)
SKIPPED_CASE = re.compile(r"^\[  SKIPPED \] ", re.MULTILINE)


def verdict(case):
    """(passed, remark) of one test case; passed is None for an excused skip."""
    output = case.findtext("system-out") or ""
    status = case.get("status")
    if status == "fail":
        return False, "failed"
    if status == "run" and not SKIPPED_CASE.search(output):
        return True, ""
    reason = PROCESSOR.search(output)
    if reason and status != "disabled":
        return None, "skipped: " + reason.group().strip()
    return False, "skipped, and the processor is not the reason"


def tally(paths):
    """The numbers of passed and failed tests in the reports, and remarks about single tests."""
    passed, failed, remarks = 0, 0, []
    for path in paths:
        cases = list(ElementTree.parse(path).getroot().iter("testcase"))
        if not cases:
            failed += 1
            remarks.append(f"{path}: no test ran")
        for case in cases:
            good, remark = verdict(case)
            passed += good is True
            failed += good is False
            if remark:
                remarks.append(f"{case.get('name')}: {remark}")
    return passed, failed, remarks


def self_test():
    cases = (
        ("run", "", (1, 0)),
        ("fail", "", (0, 1)),
        ("fail", "no such processor", (0, 1)),
        ("notrun", "no network", (0, 1)),
        ("notrun", "this processor has no such instruction", (0, 0)),
        ("disabled", "this processor has no such instruction", (0, 1)),
        ("run", "[  SKIPPED ] Suite.Case", (0, 1)),
        ("run", "needs another processor\n[  SKIPPED ] Suite.Case", (0, 0)),
    )
    with tempfile.TemporaryDirectory() as directory:
        report = pathlib.Path(directory) / "report.xml"
        for status, output, expected in cases:
            suite = ElementTree.Element("testsuite")
            case = ElementTree.SubElement(suite, "testcase", name="case", status=status)
            ElementTree.SubElement(case, "system-out").text = output
            ElementTree.ElementTree(suite).write(report)
            assert tally([report])[:2] == expected, (status, output, tally([report]))
        report.write_text("<testsuite/>")
        assert tally([report])[:2] == (0, 1), "an empty report must fail"


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    passed, failed, remarks = tally(arguments)
    for remark in remarks:
        print("  " + remark)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
