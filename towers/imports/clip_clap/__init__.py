"""CLIP for pictures and CLAP for sound, both in one vocabulary of tags: ``segue towers import clip-clap``."""
