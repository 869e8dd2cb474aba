"""Rewraps comments that run past column 100; the one thing that swift-format leaves to people.

A paragraph is a run of `//` or `///` lines of one indentation. Only paragraphs with a long line are
touched, and never what looks drawn or listed by hand: indented text, tables, fences, blank lines.
Files are named as arguments.
"""

import re
import sys
import textwrap

COLUMNS = 100
COMMENT = re.compile(r"^(\s*)(///?) (.*)$")
ITEM = re.compile(r"^(- |\d+\. )")


def wrapped(block):
    """The lines of one paragraph, rewrapped if any is too long."""
    if all(len(line) <= COLUMNS for line in block):
        return block
    indent, slashes, first = COMMENT.match(block[0]).groups()
    prefix = f"{indent}{slashes} "
    hang = "  " if ITEM.match(first) else ""
    text = " ".join(COMMENT.match(line).group(3).strip() for line in block)
    return textwrap.wrap(
        text, COLUMNS, initial_indent=prefix, subsequent_indent=prefix + hang,
        break_long_words=False, break_on_hyphens=False)


def rewrap(text):
    """The whole text with its long comments rewrapped."""
    out, block, in_fence = [], [], False
    for line in text.split("\n"):
        match = COMMENT.match(line)
        body = match.group(3) if match else ""
        if body.startswith("```"):
            in_fence = not in_fence
        is_prose = bool(body.strip()) and not in_fence and not body.startswith(("```", "|"))
        is_hanging = body.startswith(" ")
        joins = (
            bool(block) and is_prose and not ITEM.match(body)
            and match.groups()[:2] == COMMENT.match(block[0]).groups()[:2]
            and is_hanging == bool(ITEM.match(COMMENT.match(block[0]).group(3))))
        if joins:
            block.append(line)
            continue
        out += wrapped(block)
        block = [line] if is_prose and not is_hanging else []
        if not block:
            out.append(line)
    return "\n".join(out + wrapped(block))


def main(paths):
    """Rewrites the files that need it."""
    for path in paths:
        with open(path, encoding="utf-8") as file:
            before = file.read()
        after = rewrap(before)
        if after != before:
            with open(path, "w", encoding="utf-8") as file:
                file.write(after)
            print(f"rewrapped {path}")


if __name__ == "__main__":
    main(sys.argv[1:])
