"""What can stop a mark from being put on a picture, each with a stable code and a hint."""


class WatermarkError(Exception):
    """The picture cannot be marked. `code` is stable and fit for an API; `hint` says what would help."""

    code = "watermark_failed"
    hint = ""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class PictureInvalid(WatermarkError):
    """The array is not a BGR picture: uint8, height x width x 3, with at least one pixel."""

    code = "picture_invalid"
    hint = "Give a uint8 array of shape (height, width, 3) in BGR order."


class PictureTooSmall(WatermarkError):
    """The shorter side has too few pixels for the frequencies of the mark."""

    code = "picture_too_small"
    hint = "Use a larger picture; the shorter side needs at least 160 pixels."


class PictureTooFlat(WatermarkError):
    """The picture is (almost) one colour, or burnt out, so that a mark would show or be clipped away."""

    code = "picture_too_flat"
    hint = "Use a picture with visible content; black, white or single-colour pictures cannot carry the mark."


class NotReadable(WatermarkError):
    """The mark was embedded at both strengths but could not be read back."""

    code = "watermark_not_readable"
    hint = "Try a larger or less extreme picture."


class NotFinite(WatermarkError):
    """The computation met a value that is not a finite number; nothing was marked."""

    code = "watermark_not_finite"
    hint = "This is a fault in the marking code or its libraries: please report it with the picture's size."
