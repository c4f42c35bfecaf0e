"""Frames in: WebRTC, pulled files and URLs."""
