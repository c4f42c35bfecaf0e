"""Music out of nothing: a recipe of a dozen numbers becomes stereo samples."""
