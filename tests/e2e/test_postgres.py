"""The whole job on PostgreSQL instead of the embedded database."""

import pytest

from service.demo.client import ApiError
from tests.e2e.world import astronaut, donor_photo, world

pytestmark = pytest.mark.postgres


def test_the_main_job_and_a_withdrawal_work_on_postgresql_with_two_workers(tmp_path, postgres_url):
    with world(tmp_path / "home", database_url=postgres_url, workers="2") as running:
        _, grant = running.consenting_subject()
        source, target = running.client.upload(donor_photo()), running.client.upload(astronaut())
        jobs = [running.submit(source, target, grant) for _ in range(3)]
        assert [running.client.wait(job, through_review=False)["state"] for job in jobs] == ["done"] * 3
        result = running.client.call("GET", f"/v1/jobs/{jobs[0]}/result").content
        assert running.client.call("POST", "/v1/verify", content=result).json()["verdict"] == "authentic"
        assert running.client.receipt(jobs[0]).startswith("c2sp.org/tlog-proof@v1")
        running.client.call("POST", f"/v1/grants/{grant}/withdraw")
        with pytest.raises(ApiError) as error:
            running.client.call("GET", f"/v1/jobs/{jobs[1]}/result")
        assert error.value.code == "consent_withdrawn"
