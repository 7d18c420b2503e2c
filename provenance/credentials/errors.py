"""What can stop Content Credentials from being made or checked."""


class CredentialError(Exception):
    """Signing failed, or a check could not be carried out. `code` is stable; `hint` says what would help."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.hint = code, message, hint
