"""Files, cameras and URLs that the user names: opened, decoded, and opened again after they break off."""
