"""Event loops: in virtual time, in real time, and how to run one to its end."""
