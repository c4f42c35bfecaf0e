"""What a live server must survive, a script a kind of fault: run against real server processes, and counted."""
