"""Shots of videos: where they begin and end, what shows them, and how much memory a long video takes."""

import subprocess
import sys
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import BadVideo, VideoTooLarge
from tests.workers.ingest.clips import scene, scenes, write_clip, write_sound
from workers.ingest.frames import Clock
from workers.ingest.kinds import kind_of
from workers.ingest.moments import Shot
from workers.ingest.shots import LOOK_HEIGHT, LOOK_WIDTH, Shots, Steps, difference, look_at
from workers.ingest.video import SHOTS_AT_ONCE, VideoReader

MAX_PIXELS = 1_000_000


def read(path: Path, *, step_s: float = 0.0, max_pixels: int = MAX_PIXELS) -> tuple[list[Shot], str | None]:
    """All shots, and what is missing."""
    reader = VideoReader(path, max_pixels=max_pixels, step_s=step_s)
    try:
        reader.open()
        shots: list[Shot] = []
        while True:
            piece = reader.read()
            assert len(piece.shots) <= SHOTS_AT_ONCE
            shots += piece.shots
            if piece.last:
                return shots, reader.missing()
    finally:
        reader.close()


def shows(shot: Shot, number: int) -> bool:
    wanted = scene(number)
    height, width = shot.pixels.shape[:2]
    assert (height, width) == wanted.shape[:2]
    return float(np.abs(shot.pixels.astype(int) - wanted).mean()) < 30


def check_row(shots: Sequence[Shot]) -> None:
    """Pieces follow one another without gaps, each with its moment inside."""
    assert [shot.position for shot in shots] == list(range(len(shots)))
    assert all(one.end_s == pytest.approx(after.start_s) for one, after in pairwise(shots))
    assert all(shot.start_s <= shot.moment_s <= shot.end_s for shot in shots)


containers = [
    ("a.mp4", "libx264"),
    ("a.mov", "mpeg4"),
    ("a.mkv", "libx264"),
    ("a.webm", "libvpx"),
    ("a.avi", "mpeg4"),
    ("a.ts", "mpeg2video"),
    ("a.mpg", "mpeg2video"),
    ("a.wmv", "wmv2"),
    ("a.flv", "flv"),
]


@pytest.mark.parametrize(("name", "codec"), containers)
def test_every_scene_is_a_shot_in_every_container(tmp_path: Path, name: str, codec: str) -> None:
    rate = 25 if codec == "mpeg2video" else 10
    path = write_clip(tmp_path / name, scenes([1.2, 2.0, 0.8], rate=rate), codec=codec, rate=rate)
    assert kind_of(path) == "video"
    shots, missing = read(path)
    assert missing is None
    check_row(shots)
    assert [shot.start_s for shot in shots] == pytest.approx([0.0, 1.2, 3.2], abs=0.11)
    assert shots[-1].end_s == pytest.approx(4.0, abs=0.15)
    assert all(shows(shot, number) for number, shot in enumerate(shots))


@given(st.lists(st.integers(8, 40), min_size=1, max_size=6))
def test_cuts_between_scenes_are_found_whatever_their_lengths(lengths: list[int]) -> None:
    """In frames of a tenth of a second, without FFmpeg."""
    shots, began = Shots(), []
    small = [look_at(scene(number, size=(LOOK_WIDTH, LOOK_HEIGHT))) for number in range(len(lengths))]
    times = [(number, look) for look, count in zip(small, lengths, strict=True) for number in range(count)]
    for frame, (number, look) in enumerate(times):
        if shots.begins(frame / 10, look):
            began.append((frame, number))
    assert [number for _, number in began] == [0] * len(lengths), "each begins with its scene's first frame"


def test_a_long_shot_is_cut_into_several_and_slow_change_is_noticed(tmp_path: Path) -> None:
    still = write_clip(tmp_path / "still.mp4", [scene(1)] * 250)
    shots, _ = read(still)
    assert [shot.start_s for shot in shots] == pytest.approx([0.0, 10.0, 20.0])
    one, other = scene(1).astype(float), scene(2).astype(float)
    fading = [(one + (other - one) * min(1.0, number / 40)).astype(np.uint8) for number in range(80)]
    shots, _ = read(write_clip(tmp_path / "fade.mp4", fading))
    check_row(shots)
    assert len(shots) >= 2
    assert shows(shots[-1], 2)


def test_a_camera_that_moves_makes_no_cuts() -> None:
    wide = np.concatenate([scene(3, size=(400, LOOK_HEIGHT)), scene(4, size=(400, LOOK_HEIGHT))], axis=1)
    shots = Shots()
    panned = [look_at(wide[:, 2 * step : 2 * step + LOOK_WIDTH]) for step in range(20)]
    assert [shots.begins(step / 25, look) for step, look in enumerate(panned)] == [True] + [False] * 19


@pytest.mark.parametrize("step_s", [0.5, 1.0, 3.0])
def test_fixed_steps_are_fixed(tmp_path: Path, step_s: float) -> None:
    path = write_clip(tmp_path / "a.mp4", scenes([1.0, 2.0, 1.5]))
    shots, _ = read(path, step_s=step_s)
    check_row(shots)
    assert [shot.start_s for shot in shots] == pytest.approx([n * step_s for n in range(round(4.5 / step_s + 0.49))])


def test_a_video_with_a_changing_rate_keeps_its_own_times(tmp_path: Path) -> None:
    stamps = [*range(0, 1000, 250), *range(1000, 9000, 1000), *range(9000, 10_000, 40)]
    pictures = [scene(stamp // 3000) for stamp in stamps]
    shots, _ = read(write_clip(tmp_path / "a.mkv", pictures, stamps=stamps))
    assert [shot.start_s for shot in shots] == pytest.approx([0.0, 3.0, 6.0, 9.0], abs=0.05)
    assert shots[-1].end_s == pytest.approx(10.0, abs=0.2)


@pytest.mark.parametrize("turned", [0, 90, -90, 180])
def test_a_turned_video_is_shown_upright(tmp_path: Path, turned: int) -> None:
    upright = np.zeros((64, 48, 3), np.uint8)
    upright[:20, :, 0] = 255  # red on top
    # The camera was held so that a player has to turn its pictures back.
    filmed = np.ascontiguousarray(np.rot90(upright, -turned // 90))
    size = filmed.shape[1], filmed.shape[0]
    [shot] = read(write_clip(tmp_path / "a.mp4", [filmed] * 10, size=size, turned=turned))[0]
    assert (shot.width, shot.height) == (48, 64)
    assert shot.pixels.shape == (64, 48, 3)
    assert shot.pixels[:15, :, 0].mean() > 200
    assert shot.pixels[30:, :, 0].mean() < 50


def test_pixels_that_are_no_squares_are_stretched(tmp_path: Path) -> None:
    [shot] = read(write_clip(tmp_path / "a.mp4", [scene(1)] * 10, aspect=Fraction(4, 3)))[0]
    assert (shot.width, shot.height) == (85, 48)
    assert shot.pixels.shape == (48, 85, 3)


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (3000, 2), (2000, 1500)])
def test_odd_sizes_are_read_and_large_ones_come_smaller(tmp_path: Path, size: tuple[int, int]) -> None:
    path = write_clip(tmp_path / "a.mkv", [scene(1, size=size)] * 3, codec="ffv1", pixels="bgr0", size=size)
    [shot] = read(path, max_pixels=10_000_000)[0]
    assert (shot.width, shot.height) == size
    assert max(shot.pixels.shape[:2]) == min(max(size), 1280)


# -- what cannot be read


def refused(path: Path, *, max_pixels: int = MAX_PIXELS) -> str:
    with pytest.raises(BadVideo) as caught:
        read(path, max_pixels=max_pixels)
    return caught.value.detail


def test_reasons_are_clear(tmp_path: Path) -> None:
    good = write_clip(tmp_path / "good.mp4", scenes([1.0])).read_bytes()
    for name, data in {
        "empty.mp4": b"",
        "text.mp4": b"not a film",
        "zeros.avi": bytes(5000),
        "cut.mp4": good[:600],
    }.items():
        (tmp_path / name).write_bytes(data)
    assert refused(tmp_path / "empty.mp4") == "empty file"
    assert refused(tmp_path / "gone.mp4") == "cannot be opened: No such file or directory"
    for name in ("text.mp4", "zeros.avi", "cut.mp4"):
        assert refused(tmp_path / name).startswith("damaged, cut off or no video: Invalid ")
    assert refused(write_sound(tmp_path / "sound.mp4")) == "no video stream, only sound"


def test_frames_over_the_bound_are_refused_before_they_unfold(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", [scene(1)] * 3)
    with pytest.raises(VideoTooLarge, match="64 × 48 pixels; at most 3,000"):
        read(path, max_pixels=3_000)


def test_files_that_name_other_files_are_not_followed(tmp_path: Path) -> None:
    """FFmpeg's playlists and scripts could read what the caller may not."""
    secret = write_clip(tmp_path / "secret.ts", scenes([1.0], rate=25), codec="mpeg2video", rate=25)
    for name, text in {
        "list.mp4": f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{secret}\n#EXT-X-ENDLIST\n",
        "script.mp4": f"ffconcat version 1.0\nfile '{secret}'\n",
    }.items():
        (tmp_path / name).write_text(text)
        assert refused(tmp_path / name).startswith("damaged, cut off or no video: Invalid ")


def test_a_cut_off_or_damaged_video_gives_what_it_has_and_says_so(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mkv", scenes([2.0] * 6))
    data = path.read_bytes()
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(data[: len(data) // 2])
    shots, missing = read(cut)
    assert 1 <= len(shots) < 6
    assert missing is not None
    assert missing.startswith("ends after ")
    hurt = bytearray(data)
    middle = len(hurt) // 2
    hurt[middle : middle + 200] = bytes(200)
    damaged = tmp_path / "damaged.mkv"
    damaged.write_bytes(hurt)
    shots, _ = read(damaged)
    check_row(shots)


@given(st.binary(max_size=300), st.integers(0, 400))
def test_whatever_stands_in_a_file_it_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, at: int
) -> None:
    folder = tmp_path_factory.mktemp("noise")
    path = write_clip(folder / "a.mp4", [scene(1, size=(16, 16))] * 3, size=(16, 16), codec="mpeg4")
    data = bytearray(path.read_bytes())
    data[at : at + len(noise)] = noise
    path.write_bytes(data)
    try:
        shots, _ = read(path)
    except BadVideo:
        return
    check_row(shots)


# -- times


stamps = st.lists(st.none() | st.floats(-1e6, 1e6), max_size=30)


@given(stamps, st.none() | st.floats(-100, 100))
def test_a_clock_never_goes_back(values: list[float | None], origin: float | None) -> None:
    clock, last = Clock(origin_s=origin, frame_s=0.04), 0.0
    for value in values:
        now = clock.at(value)
        assert now >= last
        last = now


def test_time_stamps_that_begin_anew_go_on() -> None:
    clock = Clock(origin_s=5.0, frame_s=1.0)
    assert [clock.at(stamp) for stamp in (5.0, 6.0, 7.0, 0.0, 1.0, None, 3.0)] == [0, 1, 2, 3, 4, 5, 6]


def test_a_look_tells_alike_from_different() -> None:
    one, other = (look_at(scene(number, size=(LOOK_WIDTH, LOOK_HEIGHT))) for number in (1, 2))
    assert difference(one, one) == 0
    assert 0.25 < difference(one, other) <= 1
    black, white = (look_at(np.full((LOOK_HEIGHT, LOOK_WIDTH, 3), level, np.uint8)) for level in (0, 255))
    assert difference(black, white) == pytest.approx(1.0)
    assert [Steps(0.1).begins(0.0, one), Steps(0.1).longest_s] == [True, 0.1]


# -- ten hours

MEMORY_PROBE = """
import resource, sys
from pathlib import Path
from workers.ingest.video import VideoReader
def read(path, most):
    reader, shots = VideoReader(Path(path), max_pixels=10**6, step_s=0.0), 0
    reader.open()
    while shots < most:
        piece = reader.read()
        shots += len(piece.shots)
        if piece.last:
            break
    reader.close()
    return shots, piece.read_s
read(sys.argv[1], 100)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
shots, seconds = read(sys.argv[1], 10**9)
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(shots, seconds, grown)
"""


def test_ten_hours_take_no_more_memory_than_the_first_minutes(tmp_path: Path) -> None:
    size = (96, 72)
    some = [scene(number, size=size) for number in range(20)]
    pictures = (some[number % 20] for number in range(7_200))
    path = write_clip(tmp_path / "long.mp4", pictures, rate=0.2, size=size, codec="mpeg4")
    out = subprocess.run([sys.executable, "-c", MEMORY_PROBE, str(path)], capture_output=True, text=True, check=True)
    shots, seconds, grown_kib = map(float, out.stdout.split())
    assert shots >= 3_000
    assert seconds == pytest.approx(36_000)
    assert grown_kib < 16 * 1024, "the pictures of all shots are more than 60 MiB"
