"""What other programs know of the user's music: playlists, and the libraries of DJ software."""
