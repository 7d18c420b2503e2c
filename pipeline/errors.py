"""The errors that the pipeline raises, each with a stable code and a hint at what to do."""


class PipelineError(Exception):
    """Something about a picture, a face or a model stops the work.

    `code` is stable and fit for an API (`no_face`, `too_many_pixels`); `hint` tells the caller what would help.
    """

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


class PictureRefused(PipelineError):
    """The bytes are not a still picture that Assent can safely decode."""


class FaceRefused(PipelineError):
    """The picture has no face, more than one, or one that cannot be used."""


class ModelUnavailable(PipelineError):
    """A model is missing, corrupt, or cannot run on the device that the settings ask for."""
