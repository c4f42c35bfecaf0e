"""The forms of input that a corpus is built from: a folder, our CSV, a list of ids, MGSV-EC."""
