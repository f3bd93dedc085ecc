"""Event loops: virtual time, real time, and running one to a bounded end."""
