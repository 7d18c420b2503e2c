"""A small client of the REST API for the demonstration: what a customer's own code would do."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import cv2
import httpx

from pipeline.faces import Pixels

_UNFINISHED = {"queued", "screening", "rendering", "sealing"}


class ApiError(Exception):
    """The server answered with a problem document."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(f"{problem.get('detail', 'no detail')} {problem.get('hint', '')}".strip())
        self.status, self.code = status, problem.get("code", "unknown")


class Client:
    """Speaks to one server with one API key."""

    def __init__(self, url: str, api_key: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=120)
        self._key = api_key

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def call(self, method: str, path: str, *, token: str | None = None, **more: Any) -> httpx.Response:
        """One request; raises `ApiError` for anything but success."""
        headers = {"Authorization": f"Bearer {token or self._key}"} | more.pop("headers", {})
        response = self._http.request(method, path, headers=headers, **more)
        if response.is_error:
            is_problem = response.headers.get("content-type", "").startswith("application/problem+json")
            raise ApiError(response.status_code, response.json() if is_problem else {"detail": response.text})
        return response

    def register(self, name: str) -> str:
        """Register a subject; returns the id."""
        return str(self.call("POST", "/v1/subjects", json={"display_name": name}).json()["id"])

    def open_liveness(self, subject: str, source: str) -> dict[str, Any]:
        """Start a liveness session; the answer has the moves, the upload token and the nonce."""
        body = {"subject_id": subject, "capture_source": source}
        answer: dict[str, Any] = self.call("POST", "/v1/liveness-sessions", json=body).json()
        return answer

    def send_capture(self, session: dict[str, Any], frames: Iterable[tuple[float, Pixels]]) -> dict[str, Any]:
        """Post the frames in order, then ask for the verdict."""
        path, token = f"/v1/liveness-sessions/{session['id']}", session["token"]
        start: float | None = None
        for sequence, (seconds, pixels) in enumerate(frames):
            start = seconds if start is None else start
            self.call(
                "PUT",
                f"{path}/frames/{sequence}",
                token=token,
                params={"t": round(seconds - start, 4)},
                headers={"Assent-Nonce": session["nonce"]},
                content=jpeg(pixels, 92),
            )
        verdict: dict[str, Any] = self.call("POST", f"{path}/complete", token=token).json()
        return verdict

    def grant(self, liveness: str, purposes: list[str], expires_at: str, statement: str, name: str) -> dict[str, Any]:
        """Record the subject's consent."""
        body = {
            "liveness_session_id": liveness,
            "purposes": purposes,
            "expires_at": expires_at,
            "statement": statement,
            "signed_name": name,
        }
        answer: dict[str, Any] = self.call("POST", "/v1/grants", json=body).json()
        return answer

    def upload(self, data: bytes) -> str:
        """Upload a picture; returns the asset's id."""
        return str(self.call("POST", "/v1/assets", content=data).json()["id"])

    def submit(self, source: str, target: str, grant: str | None, purpose: str, declared_by: str) -> str:
        """Submit a swap; returns the job's id."""
        body = {
            "source_assets": [source],
            "target_asset": target,
            "grant": grant,
            "purpose": purpose,
            "target_basis": {"declared_by": declared_by, "statement": "Demonstration with a public-domain picture."},
        }
        return str(self.call("POST", "/v1/jobs", json=body).json()["id"])

    def wait(self, job: str, *, through_review: bool, seconds: float = 300) -> dict[str, Any]:
        """Poll until the job ends, or stands in review where `through_review` is false."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            answer: dict[str, Any] = self.call("GET", f"/v1/jobs/{job}").json()
            waiting = answer["state"] in _UNFINISHED or (through_review and answer["state"] == "in_review")
            if not waiting:
                return answer
            time.sleep(0.2)
        raise TimeoutError(f"the job {job} did not end within {seconds:.0f} s")

    def receipt(self, job: str, seconds: float = 30) -> str:
        """The audit receipt, once the next checkpoint is signed."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self.call("GET", f"/v1/jobs/{job}/receipt").text
            except ApiError as error:
                if error.code != "receipt_not_found" or time.monotonic() > deadline:
                    raise
            time.sleep(0.3)


def jpeg(pixels: Pixels, quality: int) -> bytes:
    """Encode BGR pixels as a JPEG."""
    done, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError("OpenCV could not encode the picture")
    return bytes(data)
