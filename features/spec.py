"""Every rate, size and shape that a feature has. Nothing else in the project repeats one of these numbers.

Conventions: times in seconds, rates in hertz, arrays in NumPy order (rows first). A **clip** is 4 s, clips of a video
start one **hop** apart, and a **window** is at most seven clips end to end (UT-CMVMR, section 3.1).

``FEATURES`` describes, under the name that a bundle's graph inputs use, each feature that this code can compute. A
bundle stores the descriptions it was trained with; the loader refuses it when they differ from these.
"""

from collections.abc import Mapping
from typing import Final

CLIP_S: Final = 4
HOP_S: Final = 1  # a live session embeds one new clip per hop
MAX_CLIPS: Final = 7
WINDOW_S: Final = CLIP_S * MAX_CLIPS  # 28 s

# Video. Every sampled frame is first scaled to one canonical picture; appearance and motion both read that.
APPEARANCE_FPS: Final = 1
MOTION_FPS: Final = 8
MOTION_PER_APPEARANCE: Final = MOTION_FPS // APPEARANCE_FPS
HELD_SLOTS: Final = MOTION_FPS  # pictures further apart: the first one was held, and nothing moved meanwhile
PICTURE_WIDTH: Final = 160
PICTURE_HEIGHT: Final = 90  # RGB, uint8; other aspect ratios are squeezed, so displacement is per frame width
THUMB_SIZE: Final = 64  # grey thumbnail, square
THUMBS_PER_CLIP: Final = CLIP_S * APPEARANCE_FPS  # 4
CLIP_IMAGE_SHAPE: Final = (THUMB_SIZE, THUMB_SIZE * THUMBS_PER_CLIP)  # (64, 256): four thumbnails side by side
MOTION_PER_CLIP: Final = CLIP_S * MOTION_FPS  # 32

# Music.
MUSIC_RATE_HZ: Final = 16_000  # mono
CLIP_SAMPLES: Final = CLIP_S * MUSIC_RATE_HZ  # 64 000
LEVEL_LUFS: Final = -19.0  # every track is brought to it before its clips are measured: what studio music has
MOST_GAIN_DB: Final = 40.0
MEL_BANDS: Final = 80
MEL_WINDOW: Final = MUSIC_RATE_HZ * 25 // 1000  # 400 samples, 25 ms
MEL_HOP: Final = MUSIC_RATE_HZ * 10 // 1000  # 160 samples, 10 ms
MEL_FFT: Final = 512
MEL_MIN_HZ: Final = 20.0
MEL_MAX_HZ: Final = 7_600.0
MEL_FLOOR: Final = 1e-6  # power; log(1e-6) = -13.8 stands for silence
MEL_FRAMES: Final = 1 + (CLIP_SAMPLES - MEL_WINDOW) // MEL_HOP  # 398
CLIP_MEL_SHAPE: Final = (MEL_FRAMES, MEL_BANDS)
BEAT_FFT: Final = 1024  # onset envelope: 64 ms windows ...
BEAT_HOP: Final = 256  # ... every 16 ms
RHYTHM_FIELDS: Final = ("beats", "strength", "interval_s")  # per clip

# Small colour pictures, for towers that look at colour and at motion themselves.
FRAMES_FPS: Final = 4
FRAME_SIZE: Final = 32  # square, RGB
FRAMES_PER_CLIP: Final = CLIP_S * FRAMES_FPS  # 16
KEY_FRAMES_PER_CLIP: Final = 2
COLOUR_FIELDS: Final = tuple(
    f"{name}_{part}" for part in ("mean", "deviation") for name in ("brightness", "contrast", "colourfulness", "warmth")
)  # over the motion-rate frames of a clip
MOTION_FIELDS: Final = (
    "speed_mean", "speed_deviation", "speed_max", "pan", "onset_mean", "onset_deviation", "cut_mean", "cuts_per_s",
)  # fmt: skip

PULSE_BINS: Final = MOTION_PER_CLIP // 2  # 0.25 to 4 Hz
PULSE_SERIES: Final = ("speed", "onset")

# VM-NET's low-level audio: 380 numbers a frame, then three statistics of each over a clip.
LOW_LEVEL_RATE_HZ: Final = 12_000
LOW_LEVEL_FFT: Final = 512
LOW_LEVEL_HOP: Final = 256
LOW_LEVEL_VALUES: Final = 380
LOW_LEVEL_STATISTICS: Final = ("mean", "variance", "max")
# DPVM's two MFCC pictures, cut to clips: content at 14.4 kHz, emotion at 16 kHz.
CONTENT_MFCC_RATE_HZ: Final = 14_400
CONTENT_MFCC_HOP: Final = 2048
CONTENT_MFCC_SHAPE: Final = (32, CLIP_S * CONTENT_MFCC_RATE_HZ // CONTENT_MFCC_HOP)  # (32, 28)
EMOTION_MFCC_FFT: Final = 1024
EMOTION_MFCC_HOP: Final = 512
EMOTION_MFCC_SHAPE: Final = (32, CLIP_SAMPLES // EMOTION_MFCC_HOP)  # (32, 125)
HARMONY_FIELDS: Final = 12  # chroma from the tonic upwards

# What networks of others were trained on: one whole picture a clip or all, the log-mels of musicnn, CLAP and VGGish.
SCENE_SHAPE: Final = (PICTURE_HEIGHT, PICTURE_WIDTH, 3)
TAG_MEL_FFT: Final = 512
TAG_MEL_HOP: Final = 256
TAG_MEL_SHAPE: Final = (187, 96)  # 3 s out of the middle of a clip, 96 bands
TAG_MEL_SCALE: Final = 10_000.0
CLAP_MEL_RATE_HZ: Final = 48_000  # CLAP's; ours is brought to it, so nothing is above 8 kHz
CLAP_MEL_FFT: Final = 1024
CLAP_MEL_HOP: Final = 480
CLAP_MEL_RANGE_HZ: Final = (50.0, 14_000.0)
CLAP_MEL_FLOOR_DB: Final = -100.0
CLAP_MEL_SHAPE: Final = (CLIP_S * CLAP_MEL_RATE_HZ // CLAP_MEL_HOP, 64)  # (400, 64): a clip that is repeated
CLIP_PICTURES_SHAPE: Final = (MOTION_PER_CLIP, *SCENE_SHAPE)
VGGISH_FFT: Final = 512
VGGISH_MEL_SHAPE: Final = (4, 96, 64)  # examples of 96 windows end to end, 64 bands
VGGISH_MIN_HZ: Final = 125.0
VGGISH_MAX_HZ: Final = 7_500.0
VGGISH_FLOOR: Final = 0.01  # added to a band's magnitude

# Mood axes, each in [0, 1].
MOOD_AXES: Final = ("energy", "valence", "tension")

LEVEL: Final[Mapping[str, object]] = {"lufs": LEVEL_LUFS, "over": "whole track", "most_gain_db": MOST_GAIN_DB}

FEATURES: Final[Mapping[str, Mapping[str, object]]] = {
    "clip_image": {
        "dtype": "uint8",
        "shape": list(CLIP_IMAGE_SHAPE),
        "fps": APPEARANCE_FPS,
        "picture": [PICTURE_HEIGHT, PICTURE_WIDTH],
        "grey": "BT.601",
        "padding": "last frame",
    },
    "displacement": {
        "dtype": "float32",
        "shape": [],
        "fps": MOTION_FPS,
        "picture": [PICTURE_HEIGHT, PICTURE_WIDTH],
        "flow": "DIS ultrafast",
        "unit": "frame widths per second",
        "over": "mean of a clip",
    },
    "clip_mel": {
        "dtype": "float32",
        "shape": list(CLIP_MEL_SHAPE),
        "rate_hz": MUSIC_RATE_HZ,
        "window": MEL_WINDOW,
        "hop": MEL_HOP,
        "fft": MEL_FFT,
        "range_hz": [MEL_MIN_HZ, MEL_MAX_HZ],
        "floor": MEL_FLOOR,
        "scale": "natural log of power",
        "padding": "zeros",
        "level": dict(LEVEL),
    },
    "rhythm": {
        "dtype": "float32",
        "shape": [len(RHYTHM_FIELDS)],
        "fields": list(RHYTHM_FIELDS),
        "tracker": "dynamic programming (Ellis 2007) by a local tempo, placed to the millisecond",
    },
    "colour": {
        "dtype": "float32",
        "shape": [len(COLOUR_FIELDS)],
        "fps": MOTION_FPS,
        "picture": [PICTURE_HEIGHT, PICTURE_WIDTH],
        "fields": list(COLOUR_FIELDS),
    },
    "motion": {
        "dtype": "float32",
        "shape": [len(MOTION_FIELDS)],
        "fps": MOTION_FPS,
        "picture": [PICTURE_HEIGHT, PICTURE_WIDTH],
        "flow": "DIS ultrafast",
        "fields": list(MOTION_FIELDS),
    },
    "pulse": {
        "dtype": "float32",
        "shape": [len(PULSE_SERIES), PULSE_BINS],
        "fps": MOTION_FPS,
        "picture": [PICTURE_HEIGHT, PICTURE_WIDTH],
        "flow": "DIS ultrafast",
        "series": list(PULSE_SERIES),
        "scale": "magnitude spectrum of the clip's series without its mean, over the root of its energy",
    },
    "clip_frames": {
        "dtype": "uint8",
        "shape": [FRAMES_PER_CLIP, FRAME_SIZE, FRAME_SIZE, 3],
        "fps": FRAMES_FPS,
        "picture": [PICTURE_HEIGHT, PICTURE_WIDTH],
        "colour": "RGB",
        "padding": "last frame",
    },
    "key_frames": {
        "dtype": "uint8",
        "shape": [KEY_FRAMES_PER_CLIP, FRAME_SIZE, FRAME_SIZE, 3],
        "of": "clip_frames",
        "selection": "shot boundaries by colour histogram, shots by colour emotion, frame of the largest difference",
    },
    "low_level": {
        "dtype": "float32",
        "shape": [len(LOW_LEVEL_STATISTICS), LOW_LEVEL_VALUES],
        "rate_hz": LOW_LEVEL_RATE_HZ,
        "fft": LOW_LEVEL_FFT,
        "hop": LOW_LEVEL_HOP,
        "statistics": list(LOW_LEVEL_STATISTICS),
        "level": dict(LEVEL),
    },
    "content_mfcc": {
        "dtype": "float32",
        "shape": list(CONTENT_MFCC_SHAPE),
        "rate_hz": CONTENT_MFCC_RATE_HZ,
        "fft": CONTENT_MFCC_HOP,
        "hop": CONTENT_MFCC_HOP,
        "level": dict(LEVEL),
    },
    "emotion_mfcc": {
        "dtype": "float32",
        "shape": list(EMOTION_MFCC_SHAPE),
        "rate_hz": MUSIC_RATE_HZ,
        "fft": EMOTION_MFCC_FFT,
        "hop": EMOTION_MFCC_HOP,
        "level": dict(LEVEL),
    },
    "harmony": {
        "dtype": "float32",
        "shape": [HARMONY_FIELDS],
        "rate_hz": MUSIC_RATE_HZ,
        "tonic": "of the whole track",
        "scale": "share of the clip's chroma energy",
    },
    "scene": {
        "dtype": "uint8",
        "shape": list(SCENE_SHAPE),
        "colour": "RGB",
        "selection": "newest of the clip that begins a second or a shot",
    },
    "tag_mel": {
        "dtype": "float32",
        "shape": list(TAG_MEL_SHAPE),
        "rate_hz": MUSIC_RATE_HZ,
        "fft": TAG_MEL_FFT,
        "hop": TAG_MEL_HOP,
        "scale": f"log10(1 + {TAG_MEL_SCALE:g} power)",
        "part": "middle of the clip",
        "level": dict(LEVEL),
    },
    "clap_mel": {
        "dtype": "float32",
        "shape": list(CLAP_MEL_SHAPE),
        "rate_hz": MUSIC_RATE_HZ,
        "resampled_hz": CLAP_MEL_RATE_HZ,
        "fft": CLAP_MEL_FFT,
        "hop": CLAP_MEL_HOP,
        "range_hz": list(CLAP_MEL_RANGE_HZ),
        "floor_db": CLAP_MEL_FLOOR_DB,
        "scale": "decibels of power",
        "padding": "the clip again",
        "level": dict(LEVEL),
    },
    "clip_pictures": {
        "dtype": "uint8",
        "shape": list(CLIP_PICTURES_SHAPE),
        "fps": MOTION_FPS,
        "colour": "RGB",
        "padding": "last frame",
    },
    "vggish_mel": {
        "dtype": "float32",
        "shape": list(VGGISH_MEL_SHAPE),
        "rate_hz": MUSIC_RATE_HZ,
        "window": MEL_WINDOW,
        "hop": MEL_HOP,
        "fft": VGGISH_FFT,
        "range_hz": [VGGISH_MIN_HZ, VGGISH_MAX_HZ],
        "scale": f"natural log of magnitude and {VGGISH_FLOOR:g}",
        "part": "beginning of the clip",
        "level": dict(LEVEL),
    },
}

# The side that each is measured on.
VIDEO_FEATURES: Final = (
    "clip_image",
    "displacement",
    "colour",
    "motion",
    "pulse",
    "clip_frames",
    "key_frames",
    "scene",
    "clip_pictures",
)
MUSIC_FEATURES: Final = (
    "clip_mel",
    "rhythm",
    "low_level",
    "content_mfcc",
    "emotion_mfcc",
    "harmony",
    "tag_mel",
    "clap_mel",
    "vggish_mel",
)
