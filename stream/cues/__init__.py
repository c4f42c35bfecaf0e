"""What a session leaves behind: which track was proposed or taken when, and files of it for other programs."""
