"""C++ source without what is no code: comments and the contents of literals."""

import re

_NO_CODE = re.compile(
    r"""
    (?P<comment> //(?:[^\\\n]|\\.)*(?:\\\n[^\n]*)*  |  /\*.*?\*/ )
  | (?P<raw>     R"(?P<mark>[^()\\\s]*)\(.*?\)(?P=mark)" )
  | (?P<text>    "(?:[^"\\\n]|\\.)*" )
  | (?P<char>    (?<![0-9A-Fa-f])'(?:[^'\\\n]|\\.)+' )
    """,
    re.DOTALL | re.VERBOSE,
)

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.MULTILINE)


def _blank(match):
    kept_lines = "\n" * match.group().count("\n")
    if match.group("comment"):
        return " " + kept_lines
    return '""' + kept_lines


def code_only(source):
    """The source with comments removed and literals emptied; line numbers stay."""
    return _NO_CODE.sub(_blank, source)


def comments(source):
    """The comments of the source, as (line number, text)."""
    for match in _NO_CODE.finditer(source):
        if match.group("comment"):
            yield source.count("\n", 0, match.start()) + 1, match.group()


def includes(source):
    """The headers that the source includes, as (line number, name)."""

    def keep_literals(match):
        return _blank(match) if match.group("comment") else match.group()

    for match in _INCLUDE.finditer(_NO_CODE.sub(keep_literals, source)):
        yield source_line(match), match.group(2)


def source_line(match):
    return match.string.count("\n", 0, match.start(match.lastindex or 0)) + 1
