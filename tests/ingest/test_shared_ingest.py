"""An ingest that all desks see: killed anywhere, or with the server restarted under it, it is there or it is not."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ingest.check import check
from tests.ingest.killed_publication import POINTS, POINTS_WITH_A_BUCKET
from tests.support.by_day import by_day
from tests.support.postgres_server import PostgresServer
from tests.support.s3_server import S3Server
from tests.support.shared_site import Machine, Site, open_site

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]
CALLS = {"noted": 2, "placed": 3}
"""Of these points, so many calls."""
OLD = "Return it within 7 days."
NEW = "Return it within 14 days."
AT = {f"{point}-{call}": (point, call) for point in POINTS for call in range(1, CALLS.get(point, 1) + 1)}
IN_A_BUCKET_AT = {
    f"{point}-{call}": (point, call) for point in POINTS_WITH_A_BUCKET for call in range(1, CALLS.get(point, 1) + 1)
} | {f"sent-{call}": ("sent", call) for call in (5, 10)}
BEFORE_THE_POINTER_MOVED = {"locked", "copied", "sealed", "putting", "sending", "sent", "moving"}


@pytest.fixture
def site(postgres_server: PostgresServer, tmp_path: Path) -> Iterator[Site]:
    with open_site(postgres_server, tmp_path) as site:
        yield site


@pytest.fixture
def bucket_site(postgres_server: PostgresServer, s3_server: S3Server, tmp_path: Path) -> Iterator[Site]:
    with open_site(postgres_server, tmp_path, s3_server.make_room()) as site:
        yield site


def state(machine: Machine) -> str:
    """What a machine serves: it must be one of the two versions, and whole."""
    assert check(machine.settings.knowledge_dir).findings == ()
    [line] = {OLD, NEW} & {machine.texts()["deadline.md"].splitlines()[-1]}
    assert len(machine.texts()) == (2 if line == OLD else 42)
    return line


def begin_changing(site: Site) -> None:
    site.here.ingest(site.manual)
    site.there.share.catch_up()
    for number in range(40):
        site.write(f"{number}.md", f"# Number {number}\n\nThis is document number {number}.")
    site.write("deadline.md", f"# Deadline\n\n{NEW}")


def require_whole(site: Site) -> None:
    """Everybody has one of the two, the next ingest succeeds on either machine, and then all have the new one."""
    site.there.share.catch_up()
    served = state(site.there)
    next_one = site.there if served == OLD else site.here
    next_one.ingest(site.manual)
    for machine in (site.here, site.there):
        machine.share.catch_up()
        assert state(machine) == NEW
    folders = sorted(path.name for path in site.here.settings.knowledge_dir.iterdir())
    assert not {"publishing", "arriving"} & set(folders)


def require_no_litter(site: Site) -> None:
    """Of a killed publication nothing is left in the bucket, after another one, but what some revision names."""
    assert site.room is not None
    site.here.share.server.collect("default", former=False)
    head = site.here.share.server.head("default")
    assert head is not None and len(site.room.objects()) == len(head.digests)
    assert site.ask("SELECT count(*) FROM shared_piece") == [(0,)]


@pytest.mark.parametrize(("point", "call"), by_day("sent-5", "moving-1", "deleting-1", of=IN_A_BUCKET_AT))
def test_killed_with_a_bucket(bucket_site: Site, point: str, call: int) -> None:
    """With those at any moment: twenty kills."""
    kill_at(bucket_site, point, call)
    require_no_litter(bucket_site)


@pytest.mark.parametrize(("point", "call"), by_day("copied-1", "moving-1", "moved-1", "placed-3", of=AT))
def test_killed(site: Site, point: str, call: int) -> None:
    kill_at(site, point, call)


def kill_at(site: Site, point: str, call: int) -> None:
    begin_changing(site)
    killed = subprocess.run(
        [sys.executable, "-m", "tests.ingest.killed_publication", site.manual, site.here.settings.data_dir, point,
         str(call)],
        cwd=ROOT, env=site.here.environment, capture_output=True, check=False,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert state(site.here) in (OLD, NEW), "also before anybody mended it"
    before = point in BEFORE_THE_POINTER_MOVED or (point, call) == ("noted", 1)
    moved = site.there.share.catch_up()
    assert moved is not before
    assert state(site.there) == (OLD if before else NEW)
    require_whole(site)


@pytest.mark.nightly
@pytest.mark.parametrize("seconds", [number / 10 for number in range(8)])
def test_killed_at_any_moment(site: Site, seconds: float) -> None:
    """With those at a point: twenty kills."""
    kill_after(site, seconds)


@pytest.mark.nightly
@pytest.mark.parametrize("seconds", [number / 10 for number in range(8)])
def test_killed_at_any_moment_with_a_bucket(bucket_site: Site, seconds: float) -> None:
    kill_after(bucket_site, seconds)
    require_no_litter(bucket_site)


def kill_after(site: Site, seconds: float) -> None:
    begin_changing(site)
    program = (
        "import sys; from pathlib import Path; from ingest.pipeline import *; from rag.testing import HashEmbedder\n"
        "settings = Settings(chunk_tokens=32)\nprint('begins', flush=True)\n"
        "ingest([Path(sys.argv[1])], settings, HashEmbedder(), IngestOptions(prune=True))"
    )
    ingesting = subprocess.Popen(
        [sys.executable, "-c", program, site.manual], env=site.here.environment, stdout=subprocess.PIPE
    )
    assert ingesting.stdout is not None and ingesting.stdout.readline() == b"begins\n"
    with suppress(subprocess.TimeoutExpired):
        ingesting.wait(seconds)
    ingesting.kill()
    ingesting.communicate()
    assert state(site.here) in (OLD, NEW)
    require_whole(site)
