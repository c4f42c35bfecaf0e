"""What a corpus is built from, in the forms that it comes in: a folder, our CSV, a list of ids, MGSV-EC."""
