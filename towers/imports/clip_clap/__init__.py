"""CLIP for pictures and CLAP for sound, both told in one vocabulary: ``segue towers import clip-clap``."""
