"""The commands of `fastmlp`, one file each: parse, call, print, and nothing else.

Results go to stdout; progress, warnings and notes to stderr. Whatever is slow to import is imported inside a command.
"""

SCHEMA = 1
"""The version of what `--json` prints."""
