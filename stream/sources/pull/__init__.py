"""What the user names: files, cameras and URLs, opened, decoded, and opened again where they break off."""
