"""Addresses at which Segue listens itself, and publishers (OBS, ffmpeg) come: SRT, RTMP, MPEG-TS over UDP."""
