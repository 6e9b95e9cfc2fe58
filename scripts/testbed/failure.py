# SPDX-License-Identifier: GPL-2.0-or-later
"""The one exception for what a person should read as a single line."""


class Failure(Exception):
    """Something that was checked does not hold, or cannot be checked."""


def expect(holds: bool, message: str) -> None:
    if not holds:
        raise Failure(message)
