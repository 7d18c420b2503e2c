"""A landmarker without a model: takes the five points that the detector has found already."""

from __future__ import annotations

import numpy as np

from pipeline.errors import ModelUnavailable
from pipeline.faces import Detection, Face, Pixels
from pipeline.landmarkers.lift import lift_five
from pipeline.pose import head_pose


class KeypointLandmarker:
    """Lets a detector of five points (SCRFD, YOLOv8-face, YuNet) do the landmarker's work as well."""

    name = "keypoints"
    digests: tuple[str, ...] = ()

    def locate(self, pixels: Pixels, detection: Detection) -> Face:
        """Return the face at the detection's five points; the mesh is the mean face's, posed by them.

        Raises:
            ModelUnavailable: `stage_unfit`, the detector gives other keypoints than these five.

        """
        del pixels  # everything is in the detection
        if detection.keypoints.shape != (5, 2):
            raise ModelUnavailable(
                "stage_unfit",
                "The landmarker 'keypoints' needs a detector that finds eyes, nose and mouth corners.",
                "Choose the detector scrfd, retinaface, yolov8_face or yunet, or another landmarker.",
            )
        points = np.asarray(detection.keypoints, np.float32)
        mesh = lift_five(points)
        pose = head_pose(mesh)
        return Face(mesh, detection.score, pose.angles, pose.width, detection.score, points)
