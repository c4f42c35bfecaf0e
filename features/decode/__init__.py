"""Files and decoded frames -> samples and canonical pictures: what every feature starts from."""
