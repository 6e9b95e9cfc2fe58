# SPDX-License-Identifier: GPL-2.0-or-later
"""The one exception whose text a person reads, as a single line."""


class Failure(Exception):
    """A check failed, or could not be made."""


def expect(holds: bool, message: str) -> None:
    if not holds:
        raise Failure(message)
