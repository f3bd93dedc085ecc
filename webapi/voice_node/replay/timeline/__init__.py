"""Draws a replay as a picture and as a page to listen to."""
