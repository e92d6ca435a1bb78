"""``antiphon bench``: real sessions as children, one client at their ports, and what the client finds."""
