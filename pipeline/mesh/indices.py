"""Which of the 468 landmarks make up the outline, the eyes, the lips and the brows.

The numbers are the landmark model's own (the MediaPipe face-mesh order). "Right" and "left" are the person's. Every
list is a closed loop: each vertex is joined to the next one and the last to the first.
"""

from typing import Final

VERTICES: Final = 468

OVAL: Final = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
RIGHT_EYE: Final = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)
LEFT_EYE: Final = (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466)
INNER_LIPS: Final = (
    *(78, 95, 88, 178, 87, 14, 317, 402, 318, 324),
    *(308, 415, 310, 311, 312, 13, 82, 81, 80, 191),
)
OUTER_LIPS: Final = (
    *(61, 146, 91, 181, 84, 17, 314, 405, 321, 375),
    *(291, 409, 270, 269, 267, 0, 37, 39, 40, 185),
)
RIGHT_BROW: Final = (70, 63, 105, 66, 107, 55, 65, 52, 53, 46)
LEFT_BROW: Final = (300, 293, 334, 296, 336, 285, 295, 282, 283, 276)

EYES: Final = (RIGHT_EYE, LEFT_EYE)
BROWS: Final = (RIGHT_BROW, LEFT_BROW)
LOOPS: Final = (OVAL, RIGHT_EYE, LEFT_EYE, INNER_LIPS, OUTER_LIPS, RIGHT_BROW, LEFT_BROW)

FOREHEAD_TOP: Final = 10
CHIN: Final = 152
NOSE_TIP: Final = 1
RIGHT_EAR: Final = 234
LEFT_EAR: Final = 454
UPPER_LIP: Final = 13
LOWER_LIP: Final = 14
