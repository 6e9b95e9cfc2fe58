# SPDX-License-Identifier: GPL-2.0-or-later
"""What a person should read as one line."""


class SpecError(Exception):
    """Something the user has to change; the text is one line."""
