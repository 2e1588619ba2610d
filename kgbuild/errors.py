"""One error base: every failure names the thing, the value it had, and the way out."""

from __future__ import annotations


class KgbuildError(Exception):
    """A failure that a user can act on.

    Args:
        message: what failed, with the offending value.
        remedy: what to do about it: a command, a setting, a file to mend.
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\n  -> {self.remedy}" if self.remedy else self.message


class ConfigError(KgbuildError):
    """A configuration that cannot be used: an unknown key, a value of the wrong type or out of range."""


class CatalogueError(KgbuildError):
    """A catalogue that cannot be read at all; single bad rows go to `rejects` instead."""


class ModelError(KgbuildError):
    """A language or image-text model that cannot be loaded."""


class StoreError(KgbuildError):
    """A graph store that cannot be reached, or refused what was sent."""


class ReleaseError(KgbuildError):
    """A release folder that is absent, damaged, or lacks a table."""


class TableError(KgbuildError):
    """Rows that do not fit the schema of their table."""


class MissingExtraError(KgbuildError):
    """A capability whose packages are not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"the package {package!r} is not installed, and this needs it",
            f'pip install "kgbuild[{extra}]"',
        )
        self.package = package
        self.extra = extra

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str]]:
        return type(self), (self.package, self.extra)  # it comes back from worker processes as it was
