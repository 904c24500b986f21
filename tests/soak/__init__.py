"""Kill processes under load and count what was lost or drawn twice."""
